/* SPDX-License-Identifier: MIT */
/* from_dlpack(): an application's tensor as ours, by DLPack or by the buffer protocol. */
#include <stdio.h>
#include <string.h>
#include "dlpack.h"
#include "load.h"

#define BORROWED "devio.borrowed"

/* What a capsule holds, of either version. */
struct loan {
	struct dl_versioned *versioned;
	struct dl_managed *plain;
	struct dl_tensor *t;
	bool readonly;
};

/* Our own capsule over somebody's managed tensor: its deleter runs when nobody needs the memory any more. */
static void end_loan(PyObject *capsule)
{
	PyObject *type, *value, *trace;
	void *m = PyCapsule_GetPointer(capsule, BORROWED);

	PyErr_Fetch(&type, &value, &trace);
	if (PyCapsule_GetContext(capsule)) {
		struct dl_versioned *v = m;

		if (v->deleter)
			v->deleter(v);
	} else {
		struct dl_managed *p = m;

		if (p->deleter)
			p->deleter(p);
	}
	PyErr_Restore(type, value, trace);
}

static PyObject *keep(const struct loan *l)
{
	PyObject *out = PyCapsule_New(l->versioned ? (void *)l->versioned : (void *)l->plain, BORROWED, end_loan);

	if (out && l->versioned)
		PyCapsule_SetContext(out, (void *)1);
	return out;
}

/* Takes the managed tensor out of the capsule, which is renamed: an owner for it, or NULL with an exception. */
static PyObject *take(PyObject *capsule, struct loan *l)
{
	PyObject *owner;

	memset(l, 0, sizeof(*l));
	if (PyCapsule_IsValid(capsule, DL_VERSIONED_NAME)) {
		l->versioned = PyCapsule_GetPointer(capsule, DL_VERSIONED_NAME);
		if (l->versioned->major != 1) {
			PyErr_Format(PyExc_BufferError, "DLPack %u.%u is not supported: versions 0 and 1 are",
				     l->versioned->major, l->versioned->minor);
			return NULL;
		}
		l->t = &l->versioned->t;
		l->readonly = l->versioned->flags & DL_READ_ONLY;
	} else if (PyCapsule_IsValid(capsule, DL_PLAIN_NAME)) {
		l->plain = PyCapsule_GetPointer(capsule, DL_PLAIN_NAME);
		l->t = &l->plain->t;
	} else {
		PyErr_SetString(PyExc_ValueError, "__dlpack__() gave no DLPack capsule, or one that was used already");
		return NULL;
	}
	owner = keep(l);
	if (owner)
		PyCapsule_SetName(capsule, l->versioned ? "used_" DL_VERSIONED_NAME : "used_" DL_PLAIN_NAME);
	return owner;
}

static int spec_of(const struct dl_tensor *t, char *spec, size_t size)
{
	const char *name = t->device_type == DL_CUDA || t->device_type == DL_CUDA_MANAGED ? "cuda" :
			   t->device_type == DL_ROCM ? "hip" : t->device_type == DL_ONEAPI ? "ze" : NULL;

	if (name)
		snprintf(spec, size, "%s:%d", name, t->device_id);
	else
		snprintf(spec, size, "host");
	if (name || t->device_type == DL_CPU || t->device_type == DL_CUDA_HOST || t->device_type == DL_ROCM_HOST)
		return 0;
	PyErr_Format(PyExc_ValueError, "DLPack's device type %d is not supported: host, CUDA, ROCm, oneAPI are",
		     t->device_type);
	return -1;
}

static bool is_contiguous(int ndim, const int64_t *shape, const int64_t *strides)
{
	int64_t step = 1;

	for (int i = 0; i < ndim; i++)
		if (!shape[i])
			return true; /* whatever its strides say */
	for (int i = ndim - 1; i >= 0 && strides; i--) {
		if (shape[i] != 1 && strides[i] != step)
			return false;
		step *= shape[i];
	}
	return true;
}

/* The tensor over `size` bytes at `at`, which owner keeps. */
static PyObject *over(struct dp_tensor_init *i, const char *spec, uint64_t at, uint64_t size, PyObject *owner,
		      PyObject *context)
{
	PyObject *out;

	if (size)
		i->memory = dp_memory_over(spec, at, size, owner, context, i->readonly);
	if (size && !i->memory)
		return NULL;
	out = dp_tensor_new(i);
	Py_XDECREF((PyObject *)i->memory);
	return out;
}

static PyObject *from_loan(const struct loan *l, PyObject *owner, PyObject *context, bool writable)
{
	const struct dl_tensor *t = l->t;
	struct dp_tensor_init i = { .shape = t->shape, .ndim = t->ndim, .readonly = l->readonly };
	uint64_t size;
	char spec[64];

	if (writable && l->readonly) {
		PyErr_SetString(PyExc_ValueError, "the tensor is read-only: writable=False takes it");
		return NULL;
	}
	i.dtype = dp_dtype_of_dlpack(t->code, t->bits);
	if (!i.dtype || t->lanes != 1) {
		PyErr_Format(PyExc_ValueError, "no dtype of ours is DLPack's code %d, %d bits, %d lanes", t->code,
			     t->bits, t->lanes);
		return NULL;
	}
	if (!is_contiguous(t->ndim, t->shape, t->strides)) {
		PyErr_SetString(PyExc_ValueError,
				"the tensor is not contiguous: call contiguous() or ascontiguousarray() first");
		return NULL;
	}
	if (spec_of(t, spec, sizeof(spec)))
		return NULL;
	size = i.dtype->d.bits;
	for (int k = 0; k < t->ndim; k++)
		size *= (uint64_t)t->shape[k];
	return over(&i, spec, (uint64_t)(uintptr_t)t->data + t->byte_offset, size / 8, owner, context);
}

static bool is_dense(const Py_buffer *v)
{
	return PyBuffer_IsContiguous(v, 'C') && !v->suboffsets;
}

PyObject *dp_borrow_buffer(PyObject *object, PyObject *context, bool writable)
{
	PyObject *owner = PyMemoryView_FromObject(object), *out = NULL;
	struct dp_tensor_init i = { 0 };
	int64_t shape[64];
	Py_buffer v;

	if (!owner || PyObject_GetBuffer(owner, &v, PyBUF_FULL_RO)) {
		Py_XDECREF(owner);
		return NULL;
	}
	i.dtype = dp_dtype_of_format(v.format, v.itemsize);
	i.shape = shape;
	i.ndim = v.ndim;
	i.readonly = v.readonly;
	for (int k = 0; k < v.ndim; k++)
		shape[k] = v.shape[k];
	if (writable && v.readonly)
		PyErr_SetString(PyExc_ValueError, "the buffer is read-only: writable=False takes it");
	else if (!i.dtype)
		PyErr_Format(PyExc_ValueError, "no dtype of ours is the buffer's format '%s'", v.format);
	else if (!is_dense(&v) && v.len)
		PyErr_SetString(PyExc_ValueError, "the buffer is not contiguous: call ascontiguousarray() first");
	else
		out = over(&i, "host", (uintptr_t)v.buf, (uint64_t)v.len, owner, context);
	PyBuffer_Release(&v);
	Py_DECREF(owner); /* the memory has it */
	return out;
}

/* Its capsule, of version 1 if it knows that. */
static PyObject *capsule_of(PyObject *object)
{
	PyObject *method = PyObject_GetAttrString(object, "__dlpack__");
	PyObject *none = PyTuple_New(0), *words = Py_BuildValue("{s(ii)}", "max_version", 1, 1), *out = NULL;

	if (method && none && words) {
		out = PyObject_Call(method, none, words);
		if (!out && PyErr_ExceptionMatches(PyExc_TypeError)) {
			PyErr_Clear();
			out = PyObject_CallNoArgs(method);
		}
	}
	Py_XDECREF(method);
	Py_XDECREF(none);
	Py_XDECREF(words);
	return out;
}

/*
 * Old exporters refuse what DLPack 0 has no word for (booleans, what is
 * read-only), but give it as a buffer, or, of which only reading is sure, as
 * NumPy's array. The first exception is the one that is raised.
 */
static PyObject *otherwise(PyObject *object, PyObject *context, bool writable)
{
	PyObject *type, *value, *trace, *array, *out = NULL;

	PyErr_Fetch(&type, &value, &trace);
	if (PyObject_CheckBuffer(object)) {
		out = dp_borrow_buffer(object, context, writable);
	} else if (!writable && PyObject_HasAttrString(object, "__array__")) {
		array = PyObject_CallMethod(object, "__array__", NULL);
		out = array ? dp_borrow_buffer(array, context, false) : NULL;
		Py_XDECREF(array);
	}
	if (out || (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_ValueError) && PyObject_CheckBuffer(object))) {
		Py_XDECREF(type);
		Py_XDECREF(value);
		Py_XDECREF(trace);
		return out;
	}
	PyErr_Clear();
	PyErr_Restore(type, value, trace);
	return NULL;
}

PyObject *dp_borrow(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "", "context", "writable", NULL };
	PyObject *object, *context = NULL, *capsule, *owner, *out;
	struct loan l;
	int writable = 1;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$p:from_dlpack", words, &object, &context, &writable))
		return NULL;
	if (!PyObject_HasAttrString(object, "__dlpack__")) {
		if (PyObject_CheckBuffer(object))
			return dp_borrow_buffer(object, context, writable);
		PyErr_Format(PyExc_TypeError, "%R has neither __dlpack__() nor the buffer protocol",
			     (PyObject *)Py_TYPE(object));
		return NULL;
	}
	capsule = capsule_of(object);
	if (!capsule)
		return PyErr_ExceptionMatches(PyExc_Exception) ? otherwise(object, context, writable) : NULL;
	owner = take(capsule, &l);
	out = owner ? from_loan(&l, owner, context, writable) : NULL;
	Py_XDECREF(owner);
	Py_DECREF(capsule);
	return out;
}
