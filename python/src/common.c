/* SPDX-License-Identifier: MIT */
#include "common.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

PyTypeObject *dp_context_type, *dp_memory_type;
PyObject *dp_error, *dp_format_error;

static const char *short_name(PyObject *self)
{
	static char name[64];
	PyObject *text = PyType_GetName(Py_TYPE(self));
	const char *s = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;

	snprintf(name, sizeof(name), "%s", s ? s : "object");
	Py_XDECREF(text);
	return name;
}

void *dp_use(struct dp_handle *o)
{
	if (o->closed || !o->h) {
		PyErr_Format(PyExc_ValueError, "%s is closed", short_name((PyObject *)o));
		return NULL;
	}
	o->uses++;
	return o->h;
}

static void free_handle(struct dp_handle *o)
{
	if (o->h && o->free)
		o->free(o);
	o->h = NULL;
}

void dp_unuse(struct dp_handle *o)
{
	if (!--o->uses && o->closed)
		free_handle(o);
}

void dp_close(struct dp_handle *o)
{
	if (o->closed)
		return;
	o->closed = true;
	if (!o->uses)
		free_handle(o);
}

PyObject *dp_close_method(PyObject *self, PyObject *unused)
{
	(void)unused;
	dp_close((struct dp_handle *)self);
	Py_RETURN_NONE;
}

PyObject *dp_enter(PyObject *self, PyObject *unused)
{
	(void)unused;
	return Py_NewRef(self);
}

PyObject *dp_exit(PyObject *self, PyObject *args)
{
	(void)args;
	dp_close((struct dp_handle *)self);
	Py_RETURN_NONE;
}

void dp_finalize(PyObject *self)
{
	PyObject *type, *value, *trace;

	PyErr_Fetch(&type, &value, &trace);
	dp_close((struct dp_handle *)self);
	PyErr_Restore(type, value, trace);
}

void dp_free_object(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);

	free_it(self);
	Py_DECREF(type);
}

void dp_dealloc_handle(PyObject *self)
{
	struct dp_handle *o = (struct dp_handle *)self;
	inquiry clear = (inquiry)PyType_GetSlot(Py_TYPE(self), Py_tp_clear);

	PyObject_GC_UnTrack(self);
	if (o->weak)
		PyObject_ClearWeakRefs(self);
	o->closed = true;
	free_handle(o);
	if (clear)
		clear(self);
	dp_free_object(self);
}

PyTypeObject *dp_add_type(PyObject *module, PyType_Spec *spec)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

	if (type && PyModule_AddObjectRef(module, strrchr(spec->name, '.') + 1, type) < 0)
		Py_CLEAR(type);
	return (PyTypeObject *)type; /* the reference stays with the static pointer */
}

PyTypeObject *dp_take_type(PyObject *module, const char *name)
{
	return (PyTypeObject *)PyObject_GetAttrString(module, name);
}

PyObject *dp_text(const char *s)
{
	return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "surrogateescape");
}

PyObject *dp_reason(unsigned int reason)
{
	return dp_text(reason ? devio_reason_text(reason) : "");
}

PyObject *dp_raise(int rc)
{
	PyObject *text, *args;
	const char *s = devio_errmsg();

	if (PyErr_Occurred())
		return NULL;
	text = dp_text(s && *s ? s : strerror(-rc));
	args = text ? Py_BuildValue("(iN)", -rc, text) : NULL;
	if (args)
		PyErr_SetObject(rc == -EBADMSG ? dp_format_error : dp_error, args);
	Py_XDECREF(args);
	return NULL;
}

int dp_u64(PyObject *o, const char *what, uint64_t *n)
{
	PyObject *i = PyNumber_Index(o);
	unsigned long long v;

	if (!i) {
		PyErr_Format(PyExc_TypeError, "%s is a number, not %R", what, o);
		return -1;
	}
	v = PyLong_AsUnsignedLongLong(i);
	Py_DECREF(i);
	if (v == (unsigned long long)-1 && PyErr_Occurred()) {
		PyErr_Format(PyExc_ValueError, "%s %R is not in 0..2^64-1", what, o);
		return -1;
	}
	*n = v;
	return 0;
}

int dp_u64_default(PyObject *o, const char *what, uint64_t otherwise, uint64_t *n)
{
	*n = otherwise;
	return o && o != Py_None ? dp_u64(o, what, n) : 0;
}

int dp_timeout(PyObject *o, int64_t *ns)
{
	double s;

	*ns = -1;
	if (!o || o == Py_None)
		return 0;
	s = PyFloat_AsDouble(o);
	if (s == -1.0 && PyErr_Occurred())
		return -1;
	if (isnan(s) || s < 0) {
		PyErr_Format(PyExc_ValueError, "timeout %R: seconds from 0 on, or None to wait without an end", o);
		return -1;
	}
	*ns = s > 4e9 ? -1 : (int64_t)(s * 1e9);
	return 0;
}

int dp_path(PyObject *o, int *path)
{
	const char *name;

	*path = 0;
	if (!o)
		return 0;
	if (!PyUnicode_Check(o)) {
		PyErr_Format(PyExc_TypeError, "path is the name of a path such as \"file-host\", not %R", o);
		return -1;
	}
	name = PyUnicode_AsUTF8AndSize(o, NULL);
	if (!name)
		return -1;
	*path = devio_path_parse(name);
	if (*path >= 0)
		return 0;
	PyErr_Format(PyExc_ValueError, "no path is called %R: devio.PATHS lists them", o);
	return -1;
}

int dp_is(PyObject *o, PyTypeObject *type, const char *what)
{
	PyObject *name;

	if (PyObject_TypeCheck(o, type))
		return 0;
	name = PyType_GetName(type);
	PyErr_Format(PyExc_TypeError, "%s is a devio.%U, not %R", what, name, (PyObject *)Py_TYPE(o));
	Py_XDECREF(name);
	return -1;
}

/* PyTorch's device types, and ours. */
static const char *const names[][2] = { { "cpu", "host" }, { "cuda", "cuda" }, { "xpu", "ze" } };

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

int dp_spec(PyObject *device, char *spec, size_t size)
{
	PyObject *text = PyObject_Str(device);
	const char *s = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
	size_t len = s ? strcspn(s, ":") : 0;
	const char *number = s && s[len] ? s + len + 1 : "";
	int rc = s ? 0 : -1;

	if (s)
		snprintf(spec, size, "%s", s);
	for (size_t i = 0; s && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i][0]) != len || strncmp(s, names[i][0], len) || (s[len] && !is_number(number)))
			continue;
		if (!strcmp(names[i][1], "host"))
			snprintf(spec, size, "host");
		else
			snprintf(spec, size, "%s:%s", names[i][1], s[len] ? number : "0");
	}
	if (s && strlen(s) >= size) {
		PyErr_Format(PyExc_ValueError, "device %R is no device: devio.devices() lists those of this machine",
			     device);
		rc = -1;
	}
	Py_XDECREF(text);
	return rc;
}

PyObject *dp_context(PyObject *context)
{
	PyObject *module, *own;

	if (context && context != Py_None)
		return dp_is(context, dp_context_type, "context") ? NULL : Py_NewRef(context);
	module = PyImport_ImportModule("devio._core");
	own = module ? PyObject_CallMethod(module, "default", NULL) : NULL;
	Py_XDECREF(module);
	return own;
}

PyObject *dp_refuse_copy(PyObject *self, const char *instead)
{
	PyErr_Format(PyExc_TypeError, "a devio.%s cannot be copied or pickled: %s", short_name(self), instead);
	return NULL;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t dp_end_ns(int64_t timeout_ns)
{
	return timeout_ns < 0 ? -1 : now_ns() + timeout_ns;
}

int64_t dp_left_ns(int64_t end, int64_t slice)
{
	int64_t left;

	if (end < 0)
		return slice;
	left = end - now_ns();
	return left < 0 ? 0 : left < slice ? left : slice;
}
