/* SPDX-License-Identifier: MIT */
/* devio.data.Batch: items in a slot of the loader's memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"

PyTypeObject *dp_batch_type;

static void free_batch(struct dp_handle *o)
{
	struct dp_batch *b = (struct dp_batch *)o;
	uint32_t slot = (uint32_t)((uintptr_t)o->h - 1);

	o->h = NULL;
	if (b->next)
		b->next->at = b->at;
	*b->at = b->next;
	dp_loader_return(b->loader, slot);
}

/* What its items did, for the loader's counters. */
static void count(struct dp_loader *l, const struct dp_batch *b)
{
	for (uint32_t i = 0; i < b->nr; i++) {
		const struct devio_item *it = &b->items[i];

		if (!it->len)
			continue;
		l->paths[it->path < DEVIO_PATH_MAX ? it->path : 0] += it->len;
		l->reasons |= 1ULL << (it->reason & 63);
	}
}

PyObject *dp_batch_new(struct dp_loader *l, const struct devio_batch *raw)
{
	struct dp_batch *b = (struct dp_batch *)PyType_GenericAlloc(dp_batch_type, 0);
	size_t size = raw->nr * sizeof(*raw->items);

	if (!b) {
		dp_loader_return(l, raw->slot);
		return NULL;
	}
	b->loader = (struct dp_loader *)Py_NewRef((PyObject *)l);
	b->base.h = (void *)((uintptr_t)raw->slot + 1);
	b->base.free = free_batch;
	b->next = l->out;
	b->at = &l->out;
	if (b->next)
		b->next->at = &b->next;
	l->out = b;
	b->seq = raw->seq;
	b->start = l->start;
	b->sentence = dp_text(raw->failed ? devio_errmsg() : "");
	b->items = PyMem_Malloc(size + 1);
	if (!b->items || !b->sentence) {
		Py_DECREF(b);
		return PyErr_NoMemory();
	}
	memcpy(b->items, raw->items, size);
	b->nr = raw->nr;
	b->failed = raw->failed;
	count(l, b);
	return (PyObject *)b;
}

int dp_batch_check_open(struct dp_batch *b)
{
	if (!b->base.closed)
		return 0;
	PyErr_SetString(PyExc_ValueError, "the batch was released");
	return -1;
}

static Py_ssize_t length(PyObject *self)
{
	return ((struct dp_batch *)self)->nr;
}

static PyObject *get_item(PyObject *self, Py_ssize_t n)
{
	struct dp_batch *b = (struct dp_batch *)self;

	if (n >= 0 && n < b->nr)
		return dp_item_new(b, n);
	PyErr_SetString(PyExc_IndexError, "the batch has no such entry");
	return NULL;
}

enum column { IDS, OFFSETS, LENGTHS };

static PyObject *get_column(PyObject *self, void *which)
{
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *out = PyList_New(b->nr);

	for (uint32_t i = 0; out && i < b->nr; i++) {
		const struct devio_item *it = &b->items[i];
		PyObject *n = PyLong_FromUnsignedLongLong((intptr_t)which == IDS ? it->id : (intptr_t)which == OFFSETS ?
							  it->mem_off : it->len);

		if (!n || PyList_SetItem(out, i, n))
			Py_CLEAR(out);
	}
	return out;
}

static PyObject *get_items(PyObject *self, void *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	long n = 0;

	(void)unused;
	for (uint32_t i = 0; i < b->nr; i++)
		n += !b->items[i].field;
	return PyLong_FromLong(n);
}

PyObject *dp_batch_check(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *args;

	(void)unused;
	if (!b->failed)
		return Py_NewRef(self);
	for (uint32_t i = 0; i < b->nr; i++) {
		if (!b->items[i].error)
			continue;
		args = Py_BuildValue("(iO)", -b->items[i].error, b->sentence);
		if (args)
			PyErr_SetObject(dp_error, args);
		Py_XDECREF(args);
		break;
	}
	return NULL;
}

static PyObject *bytes(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	struct dp_memory *m = (struct dp_memory *)b->loader->memory;
	struct dp_tensor_init i = { .dtype = dp_dtype_find("U8"), .ndim = 1 };
	uint64_t begin = UINT64_MAX, end = 0;
	int64_t shape = 0;
	PyObject *out;

	(void)unused;
	if (dp_batch_check_open(b))
		return NULL;
	for (uint32_t k = 0; k < b->nr; k++) {
		const struct devio_item *it = &b->items[k];

		if (!it->len)
			continue;
		begin = it->mem_off < begin ? it->mem_off : begin;
		end = it->mem_off + it->len > end ? it->mem_off + it->len : end;
	}
	if (end) {
		begin &= ~63ULL;
		end = (end + 63) & ~63ULL;
		end = end < m->size ? end : m->size;
		shape = (int64_t)(end - begin);
		i.memory = m;
		i.owner = self;
		i.offset = begin;
	}
	i.shape = &shape;
	out = dp_tensor_new(&i);
	return out ? Py_BuildValue("(NK)", out, (unsigned long long)(end ? begin : 0)) : NULL;
}

static int set_key(PyObject *dict, struct dp_batch *b, const struct devio_item *it, const struct devio_field *f,
		   bool key)
{
	PyObject *name = dp_text(key ? f->key : f->name), *tensor = name ? dp_item_tensor(b, it) : NULL;
	int rc = tensor ? PyDict_SetItem(dict, name, tensor) : -1;

	Py_XDECREF(name);
	Py_XDECREF(tensor);
	return rc;
}

static PyObject *sample(const struct devio_field *f)
{
	PyObject *out = PyDict_New(), *key = dp_text(f->key);

	if (!out || !key || PyDict_SetItemString(out, "__key__", key))
		Py_CLEAR(out);
	Py_XDECREF(key);
	return out;
}

static PyObject *samples(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *out = PyList_New(0), *last = NULL; /* borrowed from the list */
	struct devio_field f;

	(void)unused;
	for (uint32_t i = 0; out && i < b->nr; i++) {
		const struct devio_item *it = &b->items[i];

		if (dp_source_raw_field((struct dp_source *)b->loader->source, it->id, it->field, &f)) {
			Py_CLEAR(out);
			break;
		}
		if (!it->field) {
			last = sample(&f);
			if (!last || PyList_Append(out, last))
				Py_CLEAR(out);
			Py_XDECREF(last);
		}
		if (!out || !last || set_key(last, b, it, &f, false))
			Py_CLEAR(out);
	}
	return out;
}

static PyObject *tensors(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *out = PyDict_New();
	struct devio_field f;

	(void)unused;
	for (uint32_t i = 0; out && i < b->nr; i++)
		if (dp_source_raw_field((struct dp_source *)b->loader->source, b->items[i].id, b->items[i].field, &f) ||
		    set_key(out, b, &b->items[i], &f, true))
			Py_CLEAR(out);
	return out;
}

static PyObject *release(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;

	(void)unused;
	dp_close(&b->base);
	return b->base.h ? Py_NewRef(Py_None) : PyObject_CallMethod((PyObject *)b->loader, "_give_back", NULL);
}

static PyObject *exit_batch(PyObject *self, PyObject *args)
{
	(void)args;
	return release(self, NULL);
}

static PyObject *get_source(PyObject *self, void *unused)
{
	(void)unused;
	return Py_NewRef(((struct dp_batch *)self)->loader->source);
}

static PyObject *get_seq(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct dp_batch *)self)->seq);
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(self, "copy its tensors");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct dp_batch *)self)->loader);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *loader = (PyObject *)b->loader;

	PyMem_Free(b->items);
	Py_CLEAR(b->sentence);
	dp_dealloc_handle(self);
	Py_XDECREF(loader);
}

static PyMethodDef methods[] = {
	{ "check", dp_batch_check, METH_NOARGS,
	  "check($self, /)\n--\n\nThe batch; raises Error if something of it could not be read." },
	{ "samples", samples, METH_NOARGS,
	  "samples($self, /)\n--\n\n"
	  "As WebDataset gives them: {\"__key__\": ..., \"jpg\": Tensor, ...} for each item. Raises Error, "
	  "ValueError." },
	{ "tensors", tensors, METH_NOARGS,
	  "tensors($self, /)\n--\n\n"
	  "Tensors of a safetensors source, by name. Raises Error, ValueError." },
	{ "stack", DP_CALL(dp_stack), DP_WORDS,
	  "stack($self, /, dtype='U8', shape=None, offset=0)\n--\n\n"
	  "Records as one Tensor (items, *shape): elements from byte `offset` of each, by default the whole of it.\n\n"
	  "Its rows are in the order of `rows`. Without a copy, but where elements would be misaligned. ValueError: "
	  "the "
	  "records do "
	  "not lie so that strides reach them. Error (EOPNOTSUPP): it takes a copy, and the loader may not copy." },
	{ "bytes", bytes, METH_NOARGS,
	  "bytes($self, /)\n--\n\n"
	  "(Tensor, begin): all of it, with what lies between the items, and where in the loader's memory that "
	  "begins." },
	{ "release", release, METH_NOARGS,
	  "release($self, /)\n--\n\n"
	  "Its memory takes the next batch, as soon as no view of it is left. Using it afterwards is a ValueError." },
	{ "_grid", dp_stack_grid, METH_NOARGS, NULL },
	{ "__enter__", dp_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n" },
	{ "__exit__", exit_batch, METH_VARARGS, "__exit__($self, /, *exc_info)\n--\n\nrelease()" },
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "ids", get_column, NULL, "Of each entry: the item's number.", (void *)IDS },
	{ "offsets", get_column, NULL, "Of each entry: the byte of the memory at which it begins.", (void *)OFFSETS },
	{ "lengths", get_column, NULL, "Of each entry: bytes.", (void *)LENGTHS },
	{ "items", get_items, NULL, "Items, not their fields.", NULL },
	{ "rows", dp_stack_get_rows, NULL, "The items' numbers in the order of stack()'s rows: that of the memory.",
	  NULL },
	{ "source", get_source, NULL, "The Source.", NULL },
	{ "seq", get_seq, NULL, "Its number in the epoch's order, from 0.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "failed", T_UINT, offsetof(struct dp_batch, failed), READONLY, "Entries that could not be read." },
	{ "released", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether release() was called." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Items in a piece of the loader's memory.\n\n"
		     "The piece takes another batch once this one is released (by release(), `with`, or "
		     "because nobody has it) and no "
		     "view of it is left; until then its bytes are good, even when the loader is closed." },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ Py_sq_length, length },
	{ Py_sq_item, get_item },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "data.Batch", .basicsize = sizeof(struct dp_batch),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = slots,
};

int dp_batch_add(PyObject *module)
{
	dp_batch_type = dp_add_type(module, &spec);
	return dp_batch_type ? 0 : -1;
}
