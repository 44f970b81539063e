/* SPDX-License-Identifier: MIT */
/* The module devio._load. */
#include "load.h"

static PyObject *views(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromSsize_t(dp_views);
}

static PyMethodDef methods[] = {
	{ "from_dlpack", DP_CALL(dp_borrow), DP_WORDS,
	  "from_dlpack(object, /, context=None, *, writable=True)\n--\n\n"
	  "An application's tensor (PyTorch, NumPy, CuPy, JAX; any buffer) as a Tensor, without a copy.\n\n"
	  "To read into it, or with writable=False only to write from it. The application's own work on it must have "
	  "ended. "
	  "Raises ValueError (not contiguous, read-only, unknown dtype), TypeError, Error." },
	{ "plan", dp_plan_new, METH_O, NULL },
	{ "plan_parts", dp_plan_parts, METH_O, NULL },
	{ "plan_tensors", dp_plan_tensors, METH_VARARGS, NULL },
	{ "read_plan", DP_CALL(dp_fetch_read), DP_WORDS, NULL },
	{ "host_memory", DP_CALL(dp_fetch_memory), DP_WORDS, NULL },
	{ "views", views, METH_NOARGS, "views()\n--\n\nViews of tensors that consumers have now: for tests." },
	{ 0 },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "devio._load", .m_size = -1, .m_methods = methods,
	.m_doc = "Tensors, sources and loaders of libdevio-load.",
};

/* From here on threads that Python does not know cannot have the GIL any more. */
static PyObject *ending(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	dp_dlpack_ending = true;
	Py_RETURN_NONE;
}

static PyMethodDef ending_def = { "ending", ending, METH_NOARGS, NULL };

static int watch_end(void)
{
	PyObject *atexit = PyImport_ImportModule("atexit"), *fn = PyCFunction_New(&ending_def, NULL), *o = NULL;

	if (atexit && fn)
		o = PyObject_CallMethod(atexit, "register", "O", fn);
	Py_XDECREF(atexit);
	Py_XDECREF(fn);
	Py_XDECREF(o);
	return o ? 0 : -1;
}

static int take_core(void)
{
	PyObject *core = PyImport_ImportModule("devio._core");

	if (!core)
		return -1;
	dp_context_type = dp_take_type(core, "Context");
	dp_memory_type = dp_take_type(core, "Memory");
	dp_error = PyObject_GetAttrString(core, "Error");
	dp_format_error = PyObject_GetAttrString(core, "FormatError");
	Py_DECREF(core);
	return PyErr_Occurred() ? -1 : 0;
}

PyMODINIT_FUNC PyInit__load(void);
PyMODINIT_FUNC PyInit__load(void)
{
	PyObject *module = take_core() ? NULL : PyModule_Create(&definition);

	if (module && (dp_dtype_add(module) || dp_tensor_add(module) || dp_source_add(module) ||
		       dp_loader_add(module) || dp_batch_add(module) || dp_item_add(module) || watch_end()))
		Py_CLEAR(module);
	return module;
}
