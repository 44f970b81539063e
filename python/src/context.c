/* SPDX-License-Identifier: MIT */
#include <unistd.h>
#include "core.h"

static void free_context(struct dp_handle *o)
{
	devio_ctx_close(o->h);
}

static PyObject *new_context(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { NULL };
	struct dp_handle *o;
	struct devio_ctx *ctx;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Context", words))
		return NULL;
	rc = devio_ctx_open(NULL, &ctx);
	if (rc)
		return dp_raise(rc);
	o = (struct dp_handle *)PyType_GenericAlloc(type, 0);
	if (!o) {
		devio_ctx_close(ctx);
		return NULL;
	}
	o->h = ctx;
	o->free = free_context;
	return (PyObject *)o;
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(self, "open another one with Context()");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	return 0;
}

PyObject *dp_context_default(PyObject *module, PyObject *unused)
{
	static PyObject *own;
	static pid_t pid;

	(void)module;
	(void)unused;
	if (!own || pid != getpid() || ((struct dp_handle *)own)->closed) {
		PyObject *fresh = PyObject_CallNoArgs((PyObject *)dp_context_type), *old = own;

		if (!fresh)
			return NULL;
		own = fresh;
		pid = getpid();
		Py_XDECREF(old);
	}
	return Py_NewRef(own);
}

static PyMethodDef methods[] = {
	DP_HANDLE_METHODS("Closes it. What was opened from it stays open."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Context()\n--\n\nA context of the library, for any number of threads.\n\n"
	  "Most programs need only the one that default() returns. Raises Error." },
	{ Py_tp_new, new_context },
	{ Py_tp_dealloc, dp_dealloc_handle },
	{ Py_tp_traverse, traverse },
	{ Py_tp_methods, methods },
	{ Py_tp_members, members },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "Context", .basicsize = sizeof(struct dp_handle),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = slots,
};

int dp_context_add(PyObject *module)
{
	dp_context_type = dp_add_type(module, &spec);
	return dp_context_type ? 0 : -1;
}
