/* SPDX-License-Identifier: MIT */
/*
 * What both extension modules share. devio._core has contexts, memories, files
 * and rings over libdevio; devio._load tensors, sources and loaders over
 * libdevio-load. Each is built with this header and common.c; the types live in
 * _core, from which _load takes them when it is imported.
 *
 * All of this runs with the GIL but where a function says otherwise.
 */
#ifndef DP_COMMON_H
#define DP_COMMON_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000 /* 3.11: the first stable ABI with Py_buffer */
#endif
#include <Python.h>
#include <structmember.h>
#include <stdbool.h>
#include <devio.h>

#define DP_CALL(fn) ((PyCFunction)(void (*)(void))(fn))
#define DP_WORDS (METH_VARARGS | METH_KEYWORDS)
#define DP_MODULE "devio."

/*
 * An object that owns a handle of the library, which has this one owner. Calls,
 * operations in flight and views use it; close() while it is in use takes
 * effect when the last of them ends, so that nobody sees freed memory.
 */
struct dp_handle {
	PyObject_HEAD
	PyObject *weak;
	void *h;                                /* NULL: nothing to free (any more) */
	void (*free)(struct dp_handle *o);      /* gives h back; once */
	Py_ssize_t uses;
	bool closed;
};

struct dp_memory {
	struct dp_handle base;                  /* struct devio_mem */
	PyObject *context, *owner;              /* owner: of borrowed memory, kept as long as the handle */
	uint64_t size, device_ptr;
	unsigned int caps;
	bool readonly;
	char spec[64];
};

/* Types and exceptions; in _load those of _core. */
extern PyTypeObject *dp_context_type, *dp_memory_type;
extern PyObject *dp_error, *dp_format_error;

/* The handle for a call: NULL with ValueError once it is closed. Each dp_use() is followed by a dp_unuse(). */
void *dp_use(struct dp_handle *o);
void dp_unuse(struct dp_handle *o);
void dp_close(struct dp_handle *o);

/* Methods that all handles have. */
PyObject *dp_close_method(PyObject *self, PyObject *unused);
PyObject *dp_enter(PyObject *self, PyObject *unused);
PyObject *dp_exit(PyObject *self, PyObject *args);
#define DP_HANDLE_METHODS(close_text) \
	{ "close", dp_close_method, METH_NOARGS, "close($self, /)\n--\n\n" close_text }, \
	{ "__enter__", dp_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n" }, \
	{ "__exit__", dp_exit, METH_VARARGS, "__exit__($self, /, *exc_info)\n--\n\nCloses." }

/*
 * For what the kernel reads and writes on behalf of: closes it before the
 * collector takes the objects of a cycle apart, among which may be the owner of
 * the bytes.
 */
void dp_finalize(PyObject *self);

/* The end of an object: of one with and one without a handle. */
void dp_dealloc_handle(PyObject *self);
void dp_free_object(PyObject *self);

/* A new type, added to the module under the name behind the last dot; NULL with an exception. */
PyTypeObject *dp_add_type(PyObject *module, PyType_Spec *spec);
PyTypeObject *dp_take_type(PyObject *module, const char *name);

/* Raises devio.Error with the library's sentence for -errno, unless an exception is there already. Returns NULL. */
PyObject *dp_raise(int rc);

/* Arguments. Each returns 0, or -1 with an exception that names the argument. */
int dp_u64(PyObject *o, const char *what, uint64_t *n);
int dp_u64_default(PyObject *o, const char *what, uint64_t otherwise, uint64_t *n);
int dp_timeout(PyObject *o, int64_t *ns);
int dp_path(PyObject *o, int *path);
int dp_is(PyObject *o, PyTypeObject *type, const char *what);

/* The library's spec for a device as PyTorch or we name it: "cpu", "cuda", torch.device(...). */
int dp_spec(PyObject *device, char *spec, size_t size);

/* The context to use: a new reference to the argument, or to the process's own. */
PyObject *dp_context(PyObject *context);

/* For __reduce_ex__: raises TypeError "a <type> cannot be copied or pickled: <instead>". */
PyObject *dp_refuse_copy(PyObject *self, const char *instead);

/* Text of the library. */
PyObject *dp_text(const char *s);

/* "" for none. */
PyObject *dp_reason(unsigned int reason);

/* The time until `end` (of dp_end_ns()) or `slice` ns, whichever is less; < 0 stands for no end. */
int64_t dp_end_ns(int64_t timeout_ns);
int64_t dp_left_ns(int64_t end, int64_t slice);

/* Waits are cut into these, and Python's signal handlers run in between, wherever the kernel delivered the signal. */
#define DP_SLICE_NS 200000000LL

#endif
