/* SPDX-License-Identifier: MIT */
/*
 * Tensors as DLPack capsules. A deleter is the consumer's to call: from any
 * thread, without the GIL, while an exception is pending, or when the
 * interpreter has ended.
 */
#include <stdlib.h>
#include <string.h>
#include "dlpack.h"
#include "load.h"

struct export {
	union {
		struct dl_managed plain;
		struct dl_versioned versioned;
	};
	struct dp_tensor *tensor;
};

bool dp_dlpack_ending;

static void give_back(struct export *e)
{
	PyObject *type, *value, *trace;
	PyGILState_STATE gil;

	/* The process ends, and its memory with it. */
	if (!Py_IsInitialized() || (dp_dlpack_ending && !PyGILState_GetThisThreadState()))
		return;
	gil = PyGILState_Ensure();
	PyErr_Fetch(&type, &value, &trace);
	dp_tensor_unpin(e->tensor);
	Py_DECREF((PyObject *)e->tensor);
	PyErr_Restore(type, value, trace);
	PyGILState_Release(gil);
	free(e);
}

static void delete_plain(struct dl_managed *m)
{
	if (m)
		give_back(m->ctx);
}

static void delete_versioned(struct dl_versioned *m)
{
	if (m)
		give_back(m->ctx);
}

/* Of a capsule that no consumer took: a consumer renames it, and then the deleter is its to call. */
static void capsule_gone(PyObject *capsule)
{
	struct dl_versioned *v;
	struct dl_managed *m;

	if (PyCapsule_IsValid(capsule, DL_VERSIONED_NAME)) {
		v = PyCapsule_GetPointer(capsule, DL_VERSIONED_NAME);
		v->deleter(v);
	} else if (PyCapsule_IsValid(capsule, DL_PLAIN_NAME)) {
		m = PyCapsule_GetPointer(capsule, DL_PLAIN_NAME);
		m->deleter(m);
	}
}

static void device_of(const struct dp_tensor *t, int32_t *type, int32_t *number)
{
	static const struct {
		const char *name;
		int32_t type;
	} kinds[] = { { "cuda:", DL_CUDA }, { "hip:", DL_ROCM }, { "ze:", DL_ONEAPI } };
	const char *spec = t->memory ? t->memory->spec : "host";

	*type = DL_CPU;
	*number = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(spec, kinds[i].name, strlen(kinds[i].name))) {
			*type = kinds[i].type;
			*number = atoi(spec + strlen(kinds[i].name));
		}
}

PyObject *dp_dlpack_device(PyObject *self, PyObject *unused)
{
	int32_t type, number;

	(void)unused;
	device_of((struct dp_tensor *)self, &type, &number);
	return Py_BuildValue("(ii)", type, number);
}

static int fill(struct dl_tensor *to, struct dp_tensor *t, bool strides)
{
	uint64_t at;

	device_of(t, &to->device_type, &to->device_id);
	if (dp_tensor_address(t, to->device_type == DL_CPU, &at))
		return -1;
	to->data = (void *)(uintptr_t)at;
	to->ndim = t->ndim;
	to->code = (uint8_t)t->dtype->d.dlpack;
	to->bits = (uint8_t)t->dtype->d.bits;
	to->lanes = 1;
	to->shape = t->shape;
	to->strides = strides || t->strided ? t->strides : NULL;
	return 0;
}

/* With the tensor pinned, which the capsule takes over. */
static PyObject *wrap(struct dp_tensor *t, bool versioned, uint64_t flags)
{
	struct export *e = calloc(1, sizeof(*e));
	PyObject *out;

	if (!e)
		return PyErr_NoMemory();
	if (fill(versioned ? &e->versioned.t : &e->plain.t, t, versioned)) {
		free(e);
		return NULL;
	}
	if (versioned) {
		e->versioned.major = 1;
		e->versioned.ctx = e;
		e->versioned.deleter = delete_versioned;
		e->versioned.flags = flags;
	} else {
		e->plain.ctx = e;
		e->plain.deleter = delete_plain;
	}
	out = PyCapsule_New(e, versioned ? DL_VERSIONED_NAME : DL_PLAIN_NAME, capsule_gone);
	if (!out)
		free(e);
	else
		e->tensor = (struct dp_tensor *)Py_NewRef((PyObject *)t);
	return out;
}

struct request {
	PyObject *stream, *max_version, *device, *copy;
	bool versioned, copies, forbidden;
	char spec[64];
};

/* The device that is asked for: the tensor's own, or the host's. */
static int check_device(const struct dp_tensor *t, struct request *q)
{
	int32_t type, number;
	int want_type, want_number;

	device_of(t, &type, &number);
	memcpy(q->spec, t->memory ? t->memory->spec : "host", sizeof("host"));
	if (t->memory)
		memcpy(q->spec, t->memory->spec, sizeof(q->spec));
	if (!q->device || q->device == Py_None)
		return 0;
	if (!PyTuple_Check(q->device) || !PyArg_ParseTuple(q->device, "ii", &want_type, &want_number)) {
		PyErr_Clear();
		PyErr_Format(PyExc_TypeError, "dl_device is DLPack's (type, number), not %R", q->device);
		return -1;
	}
	if (want_type == type && want_number == number)
		return 0;
	if (want_type != DL_CPU) {
		PyErr_Format(PyExc_BufferError,
			     "the tensor lies on device (%d, %d), and can be copied to the CPU alone, not to %R", type,
			     number, q->device);
		return -1;
	}
	q->copies = true;
	memcpy(q->spec, "host", sizeof("host"));
	return 0;
}

static int check_request(const struct dp_tensor *t, struct request *q)
{
	unsigned int align = dp_dtype_align(t->dtype);
	PyObject *major;
	uint64_t at;

	if (!t->dtype) {
		PyErr_Format(PyExc_BufferError, "the dtype %U is not known: view(\"U8\") gives the bytes", t->name);
		return -1;
	}
	if (q->max_version && q->max_version != Py_None) {
		major = PySequence_GetItem(q->max_version, 0);
		q->versioned = major && PyLong_AsLong(major) >= 1;
		Py_XDECREF(major);
		if (PyErr_Occurred())
			return -1;
	}
	if (check_device(t, q))
		return -1;
	if (q->copy && q->copy != Py_None) {
		int yes = PyObject_IsTrue(q->copy);

		if (yes < 0)
			return -1;
		q->copies |= yes;
		q->forbidden = !yes;
	}
	at = t->offset + (t->memory ? t->memory->device_ptr : 0);
	q->copies |= t->nbytes && at % align; /* misaligned: it was borrowed like that */
	if (q->copies && q->forbidden) {
		PyErr_SetString(PyExc_BufferError, "only a copy can be given, and copy=False excludes it");
		return -1;
	}
	if (!q->copies && t->readonly && !q->versioned) {
		PyErr_SetString(PyExc_BufferError, "the tensor is read-only, which DLPack can say from version 1 on");
		return -1;
	}
	return 0;
}

PyObject *dp_dlpack_out(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "stream", "max_version", "dl_device", "copy", NULL };
	struct dp_tensor *t = (struct dp_tensor *)self;
	struct request q = { 0 };
	PyObject *copy, *out;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", words, &q.stream, &q.max_version, &q.device,
					 &q.copy) || check_request(t, &q))
		return NULL;
	copy = q.copies ? dp_tensor_copy(t, q.spec) : Py_NewRef(self);
	if (!copy)
		return NULL;
	t = (struct dp_tensor *)copy;
	out = NULL;
	if (!dp_tensor_pin(t)) {
		out = wrap(t, q.versioned, (t->readonly ? DL_READ_ONLY : 0) | (q.copies ? DL_IS_COPIED : 0));
		if (!out)
			dp_tensor_unpin(t);
	}
	Py_DECREF(copy);
	return out;
}
