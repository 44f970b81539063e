/* SPDX-License-Identifier: MIT */
/* devio.data.Item: an entry of a batch. */
#include <errno.h>
#include <string.h>
#include "load.h"

static PyTypeObject *item_type;

struct dp_item {
	PyObject_HEAD
	struct dp_batch *batch;
	const struct devio_item *it;    /* the batch's */
};

PyObject *dp_item_new(struct dp_batch *b, Py_ssize_t n)
{
	struct dp_item *o = (struct dp_item *)PyType_GenericAlloc(item_type, 0);

	if (!o)
		return NULL;
	o->batch = (struct dp_batch *)Py_NewRef((PyObject *)b);
	o->it = &b->items[n];
	return (PyObject *)o;
}

PyObject *dp_item_info(struct dp_batch *b, const struct devio_item *i)
{
	return dp_source_field((struct dp_source *)b->loader->source, i->id, i->field);
}

static PyObject *raise(int error, const char *format, const char *what, const char *path)
{
	PyObject *text = PyUnicode_FromFormat(format, what, path),
		 *args = text ? Py_BuildValue("(iN)", error, text) : NULL;

	if (args)
		PyErr_SetObject(dp_error, args);
	Py_XDECREF(args);
	return NULL;
}

int dp_item_may_copy(const struct dp_batch *b, const char *what)
{
	if (!b->loader->no_copy)
		return 0;
	raise(EOPNOTSUPP,
	      "%s: elements lie at addresses that are no multiples of their size%s, and the loader's path= or "
	      "direct_only= excludes a copy: view the bytes as \"U8\", or let the library choose the path",
	      what, "");
	return -1;
}

/* The sides of a field; too many are no tensor of anybody's. */
static int sides_of(const struct devio_field *f, int64_t *shape)
{
	if (f->rank > 64) {
		PyErr_Format(PyExc_ValueError, "tensor '%s' of %s has %u sides: 64 are supported", f->key, f->path,
			     f->rank);
		return -1;
	}
	for (unsigned int i = 0; i < f->rank; i++)
		shape[i] = (int64_t)f->shape[i];
	return 0;
}

static PyObject *aligned(struct dp_batch *b, struct dp_tensor_init *i, const char *what)
{
	const int64_t shape = (int64_t)i->nbytes;
	struct dp_tensor_init bytes = { .memory = i->memory, .owner = i->owner, .dtype = dp_dtype_find("U8"),
					.offset = i->offset, .shape = &shape, .ndim = 1 };
	PyObject *view, *copy = NULL, *out = NULL;

	if (dp_item_may_copy(b, what))
		return NULL;
	view = dp_tensor_new(&bytes);
	if (view)
		copy = dp_tensor_copy((struct dp_tensor *)view, i->memory->spec);
	if (copy) {
		i->memory = ((struct dp_tensor *)copy)->memory;
		i->owner = NULL;
		i->offset = 0;
		out = dp_tensor_new(i);
	}
	Py_XDECREF(view);
	Py_XDECREF(copy);
	return out;
}

PyObject *dp_item_tensor(struct dp_batch *b, const struct devio_item *i)
{
	struct dp_source *s = (struct dp_source *)b->loader->source;
	struct dp_tensor_init t = { .owner = (PyObject *)b, .offset = i->mem_off, .nbytes = i->len, .ndim = 1 };
	bool tensor = s->info.kind == DEVIO_SOURCE_SAFETENSORS;
	int64_t shape[65] = { (int64_t)i->len };
	struct devio_field f;

	if (b->base.closed) {
		PyErr_SetString(PyExc_ValueError, "the batch was released");
		return NULL;
	}
	if (dp_source_raw_field(s, i->id, i->field, &f))
		return NULL;
	if (i->error)
		return raise(-i->error, "item '%s' of %s could not be read", *f.key ? f.key : f.name, f.path);
	t.memory = i->len ? (struct dp_memory *)b->loader->memory : NULL;
	t.shape = shape;
	t.name = tensor ? f.dtype : "U8";
	t.dtype = dp_dtype_find(t.name);
	if (tensor) {
		t.ndim = (int)f.rank;
		if (sides_of(&f, shape))
			return NULL;
	}
	if (i->len && (t.memory->device_ptr + t.offset) % dp_dtype_align(t.dtype))
		return aligned(b, &t, f.key);
	return dp_tensor_new(&t);
}

static struct dp_item *of(PyObject *self)
{
	return (struct dp_item *)self;
}

static PyObject *tensor(PyObject *self, PyObject *unused)
{
	(void)unused;
	return dp_item_tensor(of(self)->batch, of(self)->it);
}

static PyObject *get_info(PyObject *self, void *which)
{
	PyObject *info = dp_item_info(of(self)->batch, of(self)->it), *out;

	if (!which || !info)
		return info;
	out = Py_NewRef(PyStructSequence_GetItem(info, (Py_ssize_t)(intptr_t)which - 1));
	Py_DECREF(info);
	return out;
}

enum number { ID, OFFSET, LENGTH, FIELD, ERRNO };

static PyObject *get_number(PyObject *self, void *which)
{
	const struct devio_item *i = of(self)->it;
	const uint64_t all[] = { i->id, i->mem_off, i->len, i->field, (uint64_t)-(int64_t)i->error };

	return PyLong_FromUnsignedLongLong(all[(intptr_t)which]);
}

static PyObject *get_path(PyObject *self, void *unused)
{
	(void)unused;
	return dp_text(devio_path_name(of(self)->it->path));
}

static PyObject *get_best_unused(PyObject *self, void *unused)
{
	unsigned int n = of(self)->it->best_unused;

	(void)unused;
	return dp_text(n ? devio_path_name(n) : "");
}

static PyObject *get_reason(PyObject *self, void *unused)
{
	(void)unused;
	return dp_reason(of(self)->it->reason);
}

static PyObject *get_batch(PyObject *self, void *unused)
{
	(void)unused;
	return Py_NewRef((PyObject *)of(self)->batch);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)of(self)->batch);
	return 0;
}

static void dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	Py_XDECREF((PyObject *)of(self)->batch);
	dp_free_object(self);
}

static PyMethodDef methods[] = {
	{ "tensor", tensor, METH_NOARGS,
	  "tensor($self, /)\n--\n\n"
	  "Its elements as a safetensors file says, else its bytes: a Tensor.\n\n"
	  "The batch lives as long as any view of it. Elements that would be misaligned are copied. Raises Error (what "
	  "was "
	  "wrong "
	  "with the item; EOPNOTSUPP: it takes a copy, and the loader may not copy), ValueError." },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "batch", get_batch, NULL, "The Batch.", NULL },
	{ "id", get_number, NULL, "The item's number in the source.", (void *)ID },
	{ "offset", get_number, NULL, "Byte of the memory at which it begins.", (void *)OFFSET },
	{ "length", get_number, NULL, "Bytes.", (void *)LENGTH },
	{ "field", get_number, NULL, "Number of the field in the item.", (void *)FIELD },
	{ "errno", get_number, NULL, "0, or the errno for which its bytes are not there.", (void *)ERRNO },
	{ "info", get_info, NULL, "What the source knows of it: a Field.", NULL },
	{ "key", get_info, NULL, "The tensor's name, or the sample's key.", (void *)1 },
	{ "name", get_info, NULL, "The extension of a member of a sample: \"jpg\".", (void *)2 },
	{ "path", get_path, NULL, "The path that the bytes took.", NULL },
	{ "best_unused", get_best_unused, NULL, "The best path that was not taken; \"\": none is better.", NULL },
	{ "reason", get_reason, NULL, "Why not that one, or \"\".", NULL },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A field of an item: a tensor, a member of a sample, or a record. Its bytes are the batch's." },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "data.Item", .basicsize = sizeof(struct dp_item),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = slots,
};

int dp_item_add(PyObject *module)
{
	item_type = dp_add_type(module, &spec);
	return item_type ? 0 : -1;
}
