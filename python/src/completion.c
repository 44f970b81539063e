/* SPDX-License-Identifier: MIT */
/* devio.Completion: how an operation ended. The sentence is made when it is asked for. */
#include <string.h>
#include "core.h"

static PyTypeObject *completion_type;

struct dp_completion {
	PyObject_HEAD
	struct devio_completion c;
	PyObject *cookie;
};

PyObject *dp_completion_new(const struct devio_completion *c, PyObject *cookie)
{
	struct dp_completion *o = (struct dp_completion *)PyType_GenericAlloc(completion_type, 0);

	if (!o)
		return NULL;
	o->c = *c;
	o->cookie = Py_NewRef(cookie);
	return (PyObject *)o;
}

static const struct devio_completion *of(PyObject *self)
{
	return &((struct dp_completion *)self)->c;
}

static PyObject *get_result(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromLongLong(of(self)->result);
}

static PyObject *get_good(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(of(self)->good);
}

static PyObject *get_copied(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(of(self)->copied);
}

static PyObject *get_path(PyObject *self, void *unused)
{
	(void)unused;
	return dp_text(devio_path_name(of(self)->path));
}

static PyObject *get_best_unused(PyObject *self, void *unused)
{
	(void)unused;
	return dp_text(of(self)->best_unused ? devio_path_name(of(self)->best_unused) : "");
}

static PyObject *get_reason(PyObject *self, void *unused)
{
	(void)unused;
	return dp_reason(of(self)->reason);
}

static PyObject *get_text(PyObject *self, void *unused)
{
	char text[512];

	(void)unused;
	devio_completion_text(of(self), text, sizeof(text));
	return dp_text(text);
}

static PyObject *value(PyObject *self, PyObject *unused)
{
	PyObject *text, *args;

	(void)unused;
	if (of(self)->result >= 0)
		return get_result(self, NULL);
	text = get_text(self, NULL);
	args = text ? Py_BuildValue("(iN)", (int)-of(self)->result, text) : NULL;
	if (args)
		PyErr_SetObject(dp_error, args);
	Py_XDECREF(args);
	return NULL;
}

static PyObject *repr(PyObject *self)
{
	PyObject *text = get_text(self, NULL);
	PyObject *out = text ? PyUnicode_FromFormat("<devio.Completion %U>", text) : NULL;

	Py_XDECREF(text);
	return out;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(((struct dp_completion *)self)->cookie);
	return 0;
}

static int clear(PyObject *self)
{
	Py_CLEAR(((struct dp_completion *)self)->cookie);
	return 0;
}

static void dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	dp_free_object(self);
}

static PyMethodDef methods[] = {
	{ "value", value, METH_NOARGS, "value($self, /)\n--\n\n"
	  "The bytes transferred; raises Error if the operation failed." },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "cookie", T_OBJECT, offsetof(struct dp_completion, cookie), READONLY,
	  "The object that came with the operation." },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "result", get_result, NULL, "Bytes transferred (fewer only at the end of the file), or -errno.", NULL },
	{ "good", get_good, NULL, "Contiguous bytes from the start that were transferred, in an error too.", NULL },
	{ "copied", get_copied, NULL, "Bytes that were copied through host memory.", NULL },
	{ "path", get_path, NULL, "The path that carried the operation, one of devio.PATHS.", NULL },
	{ "best_unused", get_best_unused, NULL, "The best path that was not taken; \"\": none is better.", NULL },
	{ "reason", get_reason, NULL, "Why not `best_unused`, or why the operation failed; \"\": no better path.",
	  NULL },
	{ "text", get_text, NULL, "All of it in a sentence.", NULL },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "How an operation ended." },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_repr, repr },
	{ Py_tp_methods, methods },
	{ Py_tp_members, members },
	{ Py_tp_getset, getset },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "Completion", .basicsize = sizeof(struct dp_completion),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = slots,
};

int dp_completion_add(PyObject *module)
{
	completion_type = dp_add_type(module, &spec);
	return completion_type ? 0 : -1;
}
