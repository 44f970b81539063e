/* SPDX-License-Identifier: MIT */
/* devio.Tensor: a shape and a dtype over device memory. */
#include <string.h>
#include "load.h"

PyTypeObject *dp_tensor_type;

static int check_layout(const struct dp_tensor *t)
{
	unsigned int bits = t->dtype ? t->dtype->d.bits : 8;
	uint64_t span = t->nbytes, last = 0, step;

	for (int i = 0; i < t->ndim && t->strided && t->nbytes; i++)
		if (__builtin_mul_overflow((uint64_t)(t->shape[i] - 1), (uint64_t)t->strides[i], &step) ||
		    __builtin_add_overflow(last, step, &last))
			last = UINT64_MAX / 16;
	if (t->strided && t->nbytes && __builtin_mul_overflow(last + 1, (uint64_t)bits / 8, &span))
		span = UINT64_MAX;
	if (!span || (t->memory && t->offset <= t->memory->size && span <= t->memory->size - t->offset))
		return 0;
	PyErr_Format(PyExc_ValueError, "%llu bytes from byte %llu leave the memory of %llu", (unsigned long long)span,
		     (unsigned long long)t->offset, (unsigned long long)(t->memory ? t->memory->size : 0));
	return -1;
}

/* Bytes of the shape, and contiguous strides where none are given. */
static int lay_out(struct dp_tensor *t, const struct dp_tensor_init *init)
{
	int64_t step = 1;
	uint64_t n = t->dtype ? t->dtype->d.bits : 8;

	for (int i = t->ndim - 1; i >= 0; i--) {
		t->shape[i] = init->shape[i];
		t->strides[i] = step;
		if (init->shape[i] < 0 || __builtin_mul_overflow(n, (uint64_t)init->shape[i], &n) ||
		    __builtin_mul_overflow(step, init->shape[i] ? init->shape[i] : 1, &step)) {
			PyErr_SetString(PyExc_ValueError, "a shape has no negative sides, and less than 2^63 bytes");
			return -1;
		}
	}
	if (t->dtype && n % 8) {
		PyErr_Format(PyExc_ValueError, "the shape of %s ends inside a byte", t->dtype->d.name);
		return -1;
	}
	t->nbytes = t->dtype ? n / 8 : init->nbytes;
	for (int i = 0; i < t->ndim && init->strides; i++) {
		t->strided |= init->strides[i] != t->strides[i] && t->shape[i] != 1;
		t->strides[i] = init->strides[i];
	}
	if (!t->strided || (t->dtype && t->dtype->d.bits >= 8))
		return 0;
	PyErr_SetString(PyExc_ValueError, "only elements of whole bytes can have strides");
	return -1;
}

static PyObject *new_of(PyTypeObject *type, const struct dp_tensor_init *init)
{
	struct dp_tensor *t = (struct dp_tensor *)PyType_GenericAlloc(type, 0);

	if (!t)
		return NULL;
	t->memory = (struct dp_memory *)Py_XNewRef((PyObject *)init->memory);
	t->owner = Py_XNewRef(init->owner);
	if (t->owner && Py_IS_TYPE(t->owner, dp_batch_type))
		((struct dp_batch *)t->owner)->tensors++;
	t->dtype = init->dtype;
	t->name = init->dtype ? Py_NewRef(init->dtype->text) : dp_text(init->name);
	t->offset = init->offset;
	t->ndim = init->ndim;
	t->readonly = init->readonly || (init->memory && init->memory->readonly);
	t->shape = PyMem_Calloc(2 * (size_t)t->ndim + 1, sizeof(*t->shape));
	t->strides = t->shape + t->ndim;
	if (!t->name || !t->shape) {
		Py_DECREF(t);
		return PyErr_NoMemory();
	}
	if (lay_out(t, init) || check_layout(t)) {
		Py_DECREF(t);
		return NULL;
	}
	return (PyObject *)t;
}

PyObject *dp_tensor_new(const struct dp_tensor_init *init)
{
	return new_of(dp_tensor_type, init);
}

int64_t *dp_tensor_sides(PyObject *sequence, const char *what, int *n)
{
	Py_ssize_t nr = PySequence_Size(sequence);
	int64_t *out = nr < 0 ? NULL : nr > 64 ? NULL : PyMem_Calloc((size_t)nr + 1, sizeof(*out));

	if (!out) {
		if (nr < 0)
			PyErr_Format(PyExc_TypeError, "%s is a sequence of numbers, not %R", what, sequence);
		else
			PyErr_Format(PyExc_ValueError, "%s has more than 64 sides", what);
		return NULL;
	}
	for (Py_ssize_t i = 0; i < nr; i++) {
		PyObject *o = PySequence_GetItem(sequence, i), *index = o ? PyNumber_Index(o) : NULL;

		out[i] = index ? PyLong_AsLongLong(index) : -1;
		Py_XDECREF(index);
		Py_XDECREF(o);
		if (out[i] < 0) {
			if (!PyErr_Occurred())
				PyErr_Format(PyExc_ValueError, "%s %R has a negative side", what, sequence);
			PyMem_Free(out);
			return NULL;
		}
	}
	*n = (int)nr;
	return out;
}

static int check_place(const struct dp_tensor_init *i)
{
	uint64_t at = i->offset + (i->memory ? i->memory->device_ptr : 0);
	unsigned int align = dp_dtype_align(i->dtype);

	if (!i->memory || !(at % align))
		return 0;
	PyErr_Format(PyExc_ValueError,
		     "byte %llu of the memory is not at a multiple of %u, the size of a %s: use \"U8\"",
		     (unsigned long long)i->offset, align, i->dtype->d.name);
	return -1;
}

static PyObject *new_tensor(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "memory", "offset", "shape", "dtype", "strides", "owner", NULL };
	PyObject *memory, *offset, *shape, *strides = Py_None, *owner = NULL, *out = NULL;
	struct dp_tensor_init i = { 0 };
	int64_t *sides, *steps = NULL;
	int n = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOs|OO:Tensor", words, &memory, &offset, &shape, &i.name,
					 &strides, &owner) ||
	    (memory != Py_None && dp_is(memory, dp_memory_type, "memory")) || dp_u64(offset, "offset", &i.offset))
		return NULL;
	i.memory = memory == Py_None ? NULL : (struct dp_memory *)memory;
	i.owner = owner;
	i.dtype = dp_dtype_find(i.name);
	if (!i.dtype) {
		PyErr_Format(PyExc_ValueError, "no dtype is called '%s': devio.DTYPES lists them", i.name);
		return NULL;
	}
	i.shape = sides = dp_tensor_sides(shape, "shape", &i.ndim);
	if (sides && strides != Py_None)
		i.strides = steps = dp_tensor_sides(strides, "strides", &n);
	if (steps && n != i.ndim)
		PyErr_Format(PyExc_ValueError, "strides %R for a shape of %R", strides, shape);
	else if (sides && (steps || strides == Py_None) && !check_place(&i))
		out = new_of(type, &i);
	PyMem_Free(sides);
	PyMem_Free(steps);
	return out;
}

int dp_tensor_pin(struct dp_tensor *t)
{
	struct dp_handle *batch = t->owner && Py_IS_TYPE(t->owner, dp_batch_type) ? (struct dp_handle *)t->owner : NULL;

	if (batch && batch->closed) {
		PyErr_SetString(PyExc_ValueError, "the batch was released");
		return -1;
	}
	if (t->memory && !dp_use(&t->memory->base))
		return -1;
	if (batch)
		batch->uses++;
	dp_views++;
	return 0;
}

void dp_tensor_unpin(struct dp_tensor *t)
{
	dp_views--;
	if (t->owner && Py_IS_TYPE(t->owner, dp_batch_type))
		dp_unuse((struct dp_handle *)t->owner);
	if (t->memory)
		dp_unuse(&t->memory->base);
}

#define HOLD "devio.hold"

static void end_hold(PyObject *capsule)
{
	struct dp_tensor *t = PyCapsule_GetPointer(capsule, HOLD);

	dp_tensor_unpin(t);
	Py_DECREF((PyObject *)t);
}

PyObject *dp_tensor_hold(PyObject *self, PyObject *unused)
{
	struct dp_tensor *t = (struct dp_tensor *)self;
	PyObject *out;

	(void)unused;
	if (dp_tensor_pin(t))
		return NULL;
	out = PyCapsule_New(t, HOLD, end_hold);
	if (out)
		Py_INCREF(self);
	else
		dp_tensor_unpin(t);
	return out;
}

int dp_tensor_address(const struct dp_tensor *t, bool cpu, uint64_t *at)
{
	void *p = NULL;

	*at = 0;
	if (!t->nbytes)
		return 0;
	if (t->memory->device_ptr && !cpu) {
		*at = t->memory->device_ptr + t->offset;
		return 0;
	}
	if (devio_mem_map(t->memory->base.h, &p)) {
		PyErr_Format(PyExc_BufferError, "the CPU does not see the memory of %s: %s", t->memory->spec,
			     devio_errmsg());
		return -1;
	}
	*at = (uintptr_t)p + t->offset;
	return 0;
}

static PyObject *tuple_of(const int64_t *n, int nr)
{
	PyObject *out = PyTuple_New(nr);

	for (int i = 0; out && i < nr; i++) {
		PyObject *o = PyLong_FromLongLong(n[i]);

		if (!o || PyTuple_SetItem(out, i, o))
			Py_CLEAR(out);
	}
	return out;
}

static PyObject *get_shape(PyObject *self, void *unused)
{
	(void)unused;
	return tuple_of(((struct dp_tensor *)self)->shape, ((struct dp_tensor *)self)->ndim);
}

static PyObject *get_strides(PyObject *self, void *unused)
{
	struct dp_tensor *t = (struct dp_tensor *)self;

	(void)unused;
	return t->strided ? tuple_of(t->strides, t->ndim) : Py_NewRef(Py_None);
}

static PyObject *get_memory(PyObject *self, void *unused)
{
	PyObject *m = (PyObject *)((struct dp_tensor *)self)->memory;

	(void)unused;
	return Py_NewRef(m ? m : Py_None);
}

static PyObject *get_number(PyObject *self, void *which)
{
	struct dp_tensor *t = (struct dp_tensor *)self;

	return PyLong_FromUnsignedLongLong(which ? t->nbytes : t->offset);
}

/* Sides of the bytes of elements that are no whole bytes, or not known: by rows if these end at a byte. */
static int byte_sides(const struct dp_tensor *t, int64_t *shape)
{
	uint64_t row = t->ndim ? (uint64_t)t->shape[t->ndim - 1] * (t->dtype ? t->dtype->d.bits : 1) : 1;

	if (!t->dtype || row % 8) {
		shape[0] = (int64_t)t->nbytes;
		return 1;
	}
	memcpy(shape, t->shape, (size_t)t->ndim * sizeof(*shape));
	shape[t->ndim - 1] = (int64_t)(row / 8);
	return t->ndim;
}

static PyObject *view_as(PyObject *self, PyObject *dtype)
{
	struct dp_tensor *t = (struct dp_tensor *)self;
	int64_t shape[66], strides[66];
	struct dp_tensor_init i = { .memory = t->memory, .owner = t->owner, .offset = t->offset, .shape = shape,
				    .ndim = t->ndim, .readonly = t->readonly };
	const char *name = PyUnicode_AsUTF8AndSize(dtype, NULL);
	unsigned int old = t->dtype ? t->dtype->d.bits : 0;

	i.dtype = name ? dp_dtype_find(name) : NULL;
	if (!i.dtype) {
		if (name)
			PyErr_Format(PyExc_ValueError, "no dtype is called %R: devio.DTYPES lists them", dtype);
		return NULL;
	}
	memcpy(shape, t->shape, (size_t)t->ndim * sizeof(*shape));
	memcpy(strides, t->strides, (size_t)t->ndim * sizeof(*strides));
	i.strides = t->strided ? strides : NULL;
	if (old == i.dtype->d.bits)
		return dp_tensor_new(&i);
	if (i.dtype->d.bits != 8) {
		PyErr_Format(PyExc_ValueError, "%U viewed as %R: other sizes than bytes are not supported", t->name,
			     dtype);
		return NULL;
	}
	if (old < 8) {
		i.ndim = byte_sides(t, shape);
		i.strides = NULL;
		return dp_tensor_new(&i);
	}
	for (int k = 0; k < t->ndim; k++)
		strides[k] *= old / 8;
	shape[t->ndim] = old / 8;
	strides[t->ndim] = 1;
	i.ndim++;
	return dp_tensor_new(&i);
}

static PyObject *numpy(PyObject *self, PyObject *unused)
{
	struct dp_tensor *t = (struct dp_tensor *)self;
	PyObject *view, *module, *out = NULL;

	(void)unused;
	if (!t->dtype || !*t->dtype->format) {
		PyErr_Format(PyExc_TypeError, "NumPy has no %U: use torch.from_dlpack(), or view(\"U8\") for the bytes",
			     t->name);
		return NULL;
	}
	view = PyMemoryView_FromObject(self); /* of the tensor itself NumPy would hide what is wrong */
	module = view ? PyImport_ImportModule("numpy") : NULL;
	if (module)
		out = PyObject_CallMethod(module, "asarray", "O", view);
	Py_XDECREF(module);
	Py_XDECREF(view);
	return out;
}

/* NumPy calls it where it gets no buffer: with the exception that says why. */
static PyObject *array(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "dtype", "copy", NULL };
	PyObject *dtype = Py_None, *copy = Py_None, *out, *other;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", words, &dtype, &copy))
		return NULL;
	out = numpy(self, NULL);
	if (!out || (dtype == Py_None && copy != Py_True))
		return out;
	other = dtype == Py_None ? PyObject_CallMethod(out, "copy", NULL)
				 : PyObject_CallMethod(out, "astype", "O", dtype);
	Py_DECREF(out);
	return other;
}

static PyObject *repr(PyObject *self)
{
	struct dp_tensor *t = (struct dp_tensor *)self;
	PyObject *shape = get_shape(self, NULL), *out;

	out = shape ? PyUnicode_FromFormat("devio.Tensor(%U, %R, %s)", t->name, shape,
					   t->memory ? t->memory->spec : "empty")
		    : NULL;
	Py_XDECREF(shape);
	return out;
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(
		self, "it is a view of device memory: copy what from_dlpack() or numpy() gives, or devio.save() it");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct dp_tensor *)self)->memory);
	Py_VISIT(((struct dp_tensor *)self)->owner);
	return 0;
}

/* No tp_clear: a view may still need both. The cycles that a tensor is part of are broken elsewhere. */
static void dealloc(PyObject *self)
{
	struct dp_tensor *t = (struct dp_tensor *)self;

	PyObject_GC_UnTrack(self);
	if (t->weak)
		PyObject_ClearWeakRefs(self);
	if (t->pinned)
		dp_tensor_unpin(t);
	if (t->owner && Py_IS_TYPE(t->owner, dp_batch_type))
		((struct dp_batch *)t->owner)->tensors--;
	Py_CLEAR(t->owner);
	Py_XDECREF((PyObject *)t->memory);
	Py_XDECREF(t->name);
	PyMem_Free(t->shape);
	dp_free_object(self);
}

static PyMethodDef methods[] = {
	{ "__dlpack__", DP_CALL(dp_dlpack_out), DP_WORDS,
	  "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
	  "A capsule for torch.from_dlpack() and the like, of DLPack 1 if max_version allows it.\n\n"
	  "Transfers ended before: no stream has to wait. copy=True, or dl_device=(1, 0) of memory of a device: a "
	  "copy.\n"
	  "BufferError where that cannot be." },
	{ "__dlpack_device__", dp_dlpack_device, METH_NOARGS,
	  "__dlpack_device__($self, /)\n--\n\nDLPack's (type, number)." },
	{ "numpy", numpy, METH_NOARGS,
	  "numpy($self, /)\n--\n\nA NumPy array over the same bytes.\n\n"
	  "TypeError: NumPy has no such dtype. BufferError: the CPU does not see the memory." },
	{ "__array__", DP_CALL(array), DP_WORDS, "__array__($self, /, dtype=None, copy=None)\n--\n\nFor NumPy." },
	{ "view", view_as, METH_O,
	  "view($self, dtype, /)\n--\n\n"
	  "The same bytes as elements of another dtype of the same size, or as bytes: \"U8\" adds a last side.\n\n"
	  "Packed elements become the bytes of their rows; those of a dtype that is not known the bytes of all." },
	{ "_hold", dp_tensor_hold, METH_NOARGS, NULL },
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "shape", get_shape, NULL, "Elements in each direction.", NULL },
	{ "strides", get_strides, NULL, "In elements; None: contiguous.", NULL },
	{ "memory", get_memory, NULL, "The Memory, or None of an empty one.", NULL },
	{ "offset", get_number, NULL, "Byte of the memory at which it begins.", NULL },
	{ "nbytes", get_number, NULL, "Bytes of its elements.", (void *)1 },
	{ "__cuda_array_interface__", dp_buffer_cuda, NULL, "For CUDA's Python packages, version 3.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_tensor, weak), READONLY, NULL },
	{ "dtype", T_OBJECT, offsetof(struct dp_tensor, name), READONLY, "As safetensors spells it: \"BF16\"." },
	{ "readonly", T_BOOL, offsetof(struct dp_tensor, readonly), READONLY, "Whether views of it are." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Tensor(memory, offset, shape, dtype, strides=None, owner=None)\n--\n\n"
	  "Elements from byte `offset` of a Memory, contiguous unless `strides` (in elements) are given.\n\n"
	  "Nothing is copied; the memory lives as long as any view, and so does `owner`." },
	{ Py_tp_new, new_tensor },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_repr, repr },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ Py_bf_getbuffer, dp_buffer_get },
	{ Py_bf_releasebuffer, dp_buffer_release },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "Tensor", .basicsize = sizeof(struct dp_tensor),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = slots,
};

int dp_tensor_add(PyObject *module)
{
	dp_tensor_type = dp_add_type(module, &spec);
	return dp_tensor_type ? 0 : -1;
}
