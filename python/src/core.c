/* SPDX-License-Identifier: MIT */
/* The module devio._core. */
#include "core.h"

static int add_spec(void *arg, const char *spec)
{
	PyObject *s = dp_text(spec);
	int rc = s ? PyList_Append(arg, s) : -1;

	Py_XDECREF(s);
	return rc;
}

static PyObject *devices(PyObject *module, PyObject *unused)
{
	PyObject *context = dp_context(NULL), *out = PyList_New(0);
	struct devio_ctx *ctx = context ? dp_use((struct dp_handle *)context) : NULL;
	int rc = -1;

	(void)module;
	(void)unused;
	if (ctx && out)
		rc = devio_mem_list(ctx, add_spec, out);
	if (ctx)
		dp_unuse((struct dp_handle *)context);
	Py_XDECREF(context);
	if (rc) {
		Py_CLEAR(out);
		dp_raise(rc);
	}
	return out;
}

static PyObject *version(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return dp_text(devio_version());
}

static PyObject *spec_of(PyObject *module, PyObject *device)
{
	char spec[64];

	(void)module;
	return dp_spec(device, spec, sizeof(spec)) ? NULL : dp_text(spec);
}

static PyMethodDef methods[] = {
	{ "_spec", spec_of, METH_O, NULL },
	{ "default", dp_context_default, METH_NOARGS,
	  "default()\n--\n\n"
	  "The context of the process, opened when first needed; a child of fork() has its own. Raises Error." },
	{ "devices", devices, METH_NOARGS,
	  "devices()\n--\n\n"
	  "The devices of this machine in whose memory this process can probably load, best first: [\"cuda:0\", ..., "
	  "\"host\"].\n\n"
	  "Loads no vendor's library and opens nothing." },
	{ "version", version, METH_NOARGS, "version()\n--\n\nThe library's version." },
	{ 0 },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "devio._core", .m_size = -1, .m_methods = methods,
	.m_doc = "Contexts, memories, files and rings of libdevio.",
};

static int add_errors(PyObject *module)
{
	PyObject *bases;

	dp_error = PyErr_NewExceptionWithDoc("devio.Error",
					     "An error of the library: errno, and the sentence that says what "
					     "failed and what to do.",
					     PyExc_OSError, NULL);
	bases = dp_error ? PyTuple_Pack(2, dp_error, PyExc_ValueError) : NULL;
	dp_format_error = bases ? PyErr_NewExceptionWithDoc("devio.FormatError",
							    "A file that is not what it says; the text "
							    "names the file, the place, and what is wrong.",
							    bases, NULL)
				: NULL;
	Py_XDECREF(bases);
	if (!dp_format_error)
		return -1;
	return PyModule_AddObjectRef(module, "Error", dp_error) < 0 ||
	       PyModule_AddObjectRef(module, "FormatError", dp_format_error) < 0 ? -1 : 0;
}

static int add_paths(PyObject *module)
{
	PyObject *paths = PyTuple_New(DEVIO_PATH_FILE_MAX), *name;

	for (unsigned int i = 0; paths && i < DEVIO_PATH_FILE_MAX; i++) {
		name = dp_text(devio_path_name(i));
		if (!name || PyTuple_SetItem(paths, i, name))
			Py_CLEAR(paths);
	}
	if (!paths || PyModule_AddObjectRef(module, "PATHS", paths) < 0)
		return -1;
	Py_DECREF(paths);
	return 0;
}

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module && (add_errors(module) || add_paths(module) || dp_context_add(module) || dp_memory_add(module) ||
		       dp_completion_add(module) || dp_file_add(module) || dp_ring_add(module)))
		Py_CLEAR(module);
	return module;
}
