/* SPDX-License-Identifier: MIT */
/* Tensors by Python's buffer protocol, and by __cuda_array_interface__. */
#include <string.h>
#include "load.h"

Py_ssize_t dp_views;

static char empty[16];

static int check_flags(const struct dp_tensor *t, int flags)
{
	if (!t->dtype || !*t->dtype->format)
		PyErr_Format(PyExc_BufferError, "buffers have no %U: view(\"U8\") gives the bytes", t->name);
	else if (t->readonly && (flags & PyBUF_WRITABLE) == PyBUF_WRITABLE)
		PyErr_SetString(PyExc_BufferError, "the tensor is read-only");
	else if (t->strided && ((flags & PyBUF_STRIDES) != PyBUF_STRIDES ||
				(flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS ||
				(flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS ||
				(flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS))
		PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous");
	else if (!t->strided && t->ndim > 1 && (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS)
		PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous in Fortran's order");
	else
		return 0;
	return -1;
}

/* The sides as Py_ssize_t, then the strides in bytes. */
static Py_ssize_t *sides_of(const struct dp_tensor *t)
{
	Py_ssize_t *n = PyMem_Calloc(2 * (size_t)t->ndim + 1, sizeof(*n));

	for (int i = 0; n && i < t->ndim; i++) {
		n[i] = (Py_ssize_t)t->shape[i];
		n[t->ndim + i] = (Py_ssize_t)(t->strides[i] * (int64_t)(t->dtype->d.bits / 8));
	}
	return n;
}

static int fill_view(struct dp_tensor *t, Py_buffer *view, int flags)
{
	Py_ssize_t *sides;
	uint64_t at;

	if (dp_tensor_address(t, true, &at))
		return -1;
	sides = sides_of(t);
	if (!sides) {
		PyErr_NoMemory();
		return -1;
	}
	view->buf = at ? (void *)(uintptr_t)at : empty;
	view->obj = Py_NewRef((PyObject *)t);
	view->len = (Py_ssize_t)t->nbytes;
	view->itemsize = t->dtype->d.bits / 8;
	view->readonly = t->readonly;
	view->format = flags & PyBUF_FORMAT ? (char *)t->dtype->format : NULL;
	view->ndim = t->ndim;
	view->shape = flags & PyBUF_ND ? sides : NULL;
	view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? sides + t->ndim : NULL;
	view->suboffsets = NULL;
	view->internal = sides;
	return 0;
}

int dp_buffer_get(PyObject *self, Py_buffer *view, int flags)
{
	struct dp_tensor *t = (struct dp_tensor *)self;

	view->obj = NULL;
	if (check_flags(t, flags) || dp_tensor_pin(t))
		return -1;
	if (!fill_view(t, view, flags))
		return 0;
	dp_tensor_unpin(t);
	return -1;
}

void dp_buffer_release(PyObject *self, Py_buffer *view)
{
	PyMem_Free(view->internal);
	dp_tensor_unpin((struct dp_tensor *)self);
}

static PyObject *byte_strides(const struct dp_tensor *t)
{
	PyObject *out;

	if (!t->strided)
		return Py_NewRef(Py_None);
	out = PyTuple_New(t->ndim);
	for (int i = 0; out && i < t->ndim; i++)
		if (PyTuple_SetItem(out, i, PyLong_FromLongLong(t->strides[i] * (int64_t)(t->dtype->d.bits / 8))))
			Py_CLEAR(out);
	return out;
}

/* The consumer keeps the tensor alive and never says that it has finished: the memory stays as long as the tensor. */
PyObject *dp_buffer_cuda(PyObject *self, void *unused)
{
	struct dp_tensor *t = (struct dp_tensor *)self;
	PyObject *shape, *strides;
	uint64_t at = 0;

	(void)unused;
	if (!t->memory || strncmp(t->memory->spec, "cuda", 4) || !t->dtype || !*t->dtype->typestr) {
		PyErr_Format(PyExc_AttributeError,
			     "__cuda_array_interface__: the tensor is not in memory of CUDA, or CUDA's "
			     "interface has no %U",
			     t->name);
		return NULL;
	}
	if (!t->pinned && dp_tensor_pin(t))
		return NULL;
	t->pinned = true;
	if (dp_tensor_address(t, false, &at))
		return NULL;
	shape = PyObject_GetAttrString(self, "shape");
	strides = byte_strides(t);
	if (!shape || !strides) {
		Py_XDECREF(shape);
		Py_XDECREF(strides);
		return NULL;
	}
	return Py_BuildValue("{sNsssNs(KO)sOsi}", "shape", shape, "typestr", t->dtype->typestr, "strides", strides,
			     "data", (unsigned long long)at, t->readonly ? Py_True : Py_False, "stream", Py_None,
			     "version", 3);
}
