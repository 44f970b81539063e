/* SPDX-License-Identifier: MIT */
/* devio.Memory: device memory, and the buffer protocol where the CPU sees it. */
#include <string.h>
#include "core.h"

static void free_memory(struct dp_handle *o)
{
	struct dp_memory *m = (struct dp_memory *)o;
	struct devio_mem *h = o->h;

	o->h = NULL;
	Py_BEGIN_ALLOW_THREADS
	devio_mem_free(h);
	Py_END_ALLOW_THREADS
	Py_CLEAR(m->owner); /* nobody reads or writes the bytes any more */
}

/* Takes h over. */
static PyObject *wrap(PyTypeObject *type, struct devio_mem *h, PyObject *context, PyObject *owner, bool readonly)
{
	struct dp_memory *m = (struct dp_memory *)PyType_GenericAlloc(type, 0);
	struct devio_mem_info info = DEVIO_OPTS(info);

	if (!m) {
		devio_mem_free(h);
		return NULL;
	}
	devio_mem_get_info(h, &info);
	m->base.h = h;
	m->base.free = free_memory;
	m->context = Py_NewRef(context);
	m->owner = Py_XNewRef(owner);
	m->size = info.size;
	m->device_ptr = info.device_ptr;
	m->caps = info.caps;
	m->readonly = readonly;
	memcpy(m->spec, info.spec, sizeof(m->spec));
	return (PyObject *)m;
}

static PyObject *new_memory(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "spec", "size", "context", NULL };
	PyObject *device, *size, *context = NULL, *out = NULL;
	struct devio_mem *h = NULL;
	struct devio_ctx *ctx;
	char spec[64];
	uint64_t n;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:Memory", words, &device, &size, &context) ||
	    dp_spec(device, spec, sizeof(spec)) || dp_u64(size, "size", &n))
		return NULL;
	context = dp_context(context);
	ctx = context ? dp_use((struct dp_handle *)context) : NULL;
	if (ctx) {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_mem_alloc(ctx, spec, n, NULL, &h);
		Py_END_ALLOW_THREADS
		dp_unuse((struct dp_handle *)context);
		out = rc ? dp_raise(rc) : wrap(type, h, context, NULL, false);
	}
	Py_XDECREF(context);
	return out;
}

static PyObject *from_pointer(PyObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "spec", "pointer", "size", "owner", "context", "readonly", NULL };
	PyObject *device, *pointer, *size, *owner = Py_None, *context = NULL, *out = NULL;
	struct devio_ctx *ctx;
	struct devio_mem *h;
	char spec[64];
	uint64_t n, at;
	int rc, readonly = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|OOp:from_pointer", words, &device, &pointer, &size, &owner,
					 &context, &readonly) ||
	    dp_spec(device, spec, sizeof(spec)) || dp_u64(pointer, "pointer", &at) || dp_u64(size, "size", &n))
		return NULL;
	context = dp_context(context);
	ctx = context ? dp_use((struct dp_handle *)context) : NULL;
	if (ctx) {
		rc = devio_mem_import_ptr(ctx, spec, (void *)(uintptr_t)at, n, &h);
		dp_unuse((struct dp_handle *)context);
		out = rc ? dp_raise(rc) : wrap((PyTypeObject *)type, h, context, owner, readonly);
	}
	Py_XDECREF(context);
	return out;
}

static PyObject *from_dmabuf(PyObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "fd", "offset", "size", "context", NULL };
	PyObject *offset, *size, *context = NULL, *out = NULL;
	struct devio_ctx *ctx;
	struct devio_mem *h;
	uint64_t n, at;
	int rc, fd;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iOO|O:from_dmabuf", words, &fd, &offset, &size, &context) ||
	    dp_u64(offset, "offset", &at) || dp_u64(size, "size", &n))
		return NULL;
	context = dp_context(context);
	ctx = context ? dp_use((struct dp_handle *)context) : NULL;
	if (ctx) {
		rc = devio_mem_import_dmabuf(ctx, fd, at, n, &h);
		dp_unuse((struct dp_handle *)context);
		out = rc ? dp_raise(rc) : wrap((PyTypeObject *)type, h, context, NULL, false);
	}
	Py_XDECREF(context);
	return out;
}

static PyObject *export(PyObject *self, PyObject *unused)
{
	struct dp_memory *m = (struct dp_memory *)self;
	struct devio_mem *h = dp_use(&m->base);
	uint64_t off = 0;
	int rc, fd = -1;

	(void)unused;
	if (!h)
		return NULL;
	rc = devio_mem_export(h, &fd, &off);
	dp_unuse(&m->base);
	return rc ? dp_raise(rc) : Py_BuildValue("(iK)", fd, (unsigned long long)off);
}

static PyObject *map(PyObject *self, PyObject *unused)
{
	struct dp_memory *m = (struct dp_memory *)self;
	struct devio_mem *h = dp_use(&m->base);
	void *at = NULL;
	int rc;

	(void)unused;
	if (!h)
		return NULL;
	rc = devio_mem_map(h, &at);
	dp_unuse(&m->base);
	return rc ? dp_raise(rc) : PyLong_FromVoidPtr(at);
}

static PyObject *copy_in(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "offset", "data", NULL };
	struct dp_memory *m = (struct dp_memory *)self;
	struct devio_mem *h;
	PyObject *offset, *out = NULL;
	uint64_t at;
	Py_buffer data;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oy*:copy_in", words, &offset, &data))
		return NULL;
	if (m->readonly)
		PyErr_SetString(PyExc_ValueError, "the memory is read-only");
	else if (!dp_u64(offset, "offset", &at) && (h = dp_use(&m->base))) {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_mem_copy_in(h, at, data.buf, (size_t)data.len);
		Py_END_ALLOW_THREADS
		dp_unuse(&m->base);
		out = rc ? dp_raise(rc) : Py_NewRef(Py_None);
	}
	PyBuffer_Release(&data);
	return out;
}

static PyObject *copy_out(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "offset", "length", NULL };
	struct dp_memory *m = (struct dp_memory *)self;
	PyObject *offset, *length, *out;
	struct devio_mem *h;
	uint64_t at, n;
	char *to;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:copy_out", words, &offset, &length) ||
	    dp_u64(offset, "offset", &at) || dp_u64(length, "length", &n))
		return NULL;
	if (at > m->size || n > m->size - at) {
		PyErr_Format(PyExc_ValueError, "%llu bytes at %llu leave a memory of %llu", (unsigned long long)n,
			     (unsigned long long)at, (unsigned long long)m->size);
		return NULL;
	}
	h = dp_use(&m->base);
	out = h ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n) : NULL;
	if (out) {
		to = PyBytes_AsString(out);
		Py_BEGIN_ALLOW_THREADS
		rc = devio_mem_copy_out(h, at, to, (size_t)n);
		Py_END_ALLOW_THREADS
		if (rc) {
			Py_CLEAR(out);
			dp_raise(rc);
		}
	}
	if (h)
		dp_unuse(&m->base);
	return out;
}

static int get_buffer(PyObject *self, Py_buffer *view, int flags)
{
	struct dp_memory *m = (struct dp_memory *)self;
	struct devio_mem *h = dp_use(&m->base);
	void *at = NULL;

	view->obj = NULL;
	if (!h)
		return -1;
	if (devio_mem_map(h, &at))
		PyErr_Format(PyExc_BufferError, "the CPU does not see the memory: %s", devio_errmsg());
	else if (m->size > PY_SSIZE_T_MAX)
		PyErr_SetString(PyExc_BufferError, "the memory is larger than a buffer can be");
	else if (!PyBuffer_FillInfo(view, self, at, (Py_ssize_t)m->size, m->readonly, flags))
		return 0;
	dp_unuse(&m->base);
	return -1;
}

static void release_buffer(PyObject *self, Py_buffer *view)
{
	(void)view;
	dp_unuse((struct dp_handle *)self);
}

static PyObject *get_size(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct dp_memory *)self)->size);
}

static PyObject *get_device_ptr(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct dp_memory *)self)->device_ptr);
}

static PyObject *get_spec(PyObject *self, void *unused)
{
	(void)unused;
	return dp_text(((struct dp_memory *)self)->spec);
}

static PyObject *repr(PyObject *self)
{
	struct dp_memory *m = (struct dp_memory *)self;

	return PyUnicode_FromFormat("<devio.Memory %s, %llu bytes%s%s>", m->spec, (unsigned long long)m->size,
				    m->readonly ? ", read-only" : "", m->base.closed ? ", closed" : "");
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(self, "allocate another Memory and copy the bytes with copy_out() and copy_in()");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(((struct dp_memory *)self)->context);
	Py_VISIT(((struct dp_memory *)self)->owner);
	return 0;
}

static int clear(PyObject *self)
{
	struct dp_memory *m = (struct dp_memory *)self;

	dp_close(&m->base); /* before the owner of its bytes goes */
	Py_CLEAR(m->context);
	if (!m->base.h)
		Py_CLEAR(m->owner);
	return 0;
}

static PyMethodDef methods[] = {
	{ "from_pointer", DP_CALL(from_pointer), DP_WORDS | METH_CLASS,
	  "from_pointer($type, /, spec, pointer, size, owner=None, context=None, readonly=False)\n--\n\n"
	  "Borrows `size` bytes at an address that the application owns, on the device `spec`.\n\n"
	  "`owner` is kept alive until close(), and until nothing uses the memory any more.\nRaises Error (EFAULT: the "
	  "vendor's library does not know the pointer)." },
	{ "from_dmabuf", DP_CALL(from_dmabuf), DP_WORDS | METH_CLASS,
	  "from_dmabuf($type, /, fd, offset, size, context=None)\n--\n\n"
	  "Bytes [offset, offset + size) of a dma-buf. The descriptor is duplicated. Raises Error." },
	{ "export", export, METH_NOARGS,
	  "export($self, /)\n--\n\n"
	  "(fd, offset): a dma-buf, whose descriptor is the caller's to close, and where byte 0 lies in it.\n\n"
	  "Raises Error (EOPNOTSUPP: the memory cannot be exported)." },
	{ "map", map, METH_NOARGS,
	  "map($self, /)\n--\n\n"
	  "The address at which the CPU sees byte 0, valid until close().\n\nNothing keeps the memory alive for it; "
	  "memoryview(memory) does. Raises Error (EOPNOTSUPP)." },
	{ "copy_in", DP_CALL(copy_in), DP_WORDS,
	  "copy_in($self, /, offset, data)\n--\n\n"
	  "Copies the bytes of `data` (bytes, or any contiguous buffer) to byte `offset`. Raises Error (ERANGE)." },
	{ "copy_out", DP_CALL(copy_out), DP_WORDS,
	  "copy_out($self, /, offset, length)\n--\n\n"
	  "Copies `length` bytes from byte `offset` to the host, as bytes. ValueError: they leave the memory." },
	DP_HANDLE_METHODS(
		"Frees it, as soon as no view, call or operation uses it. Using it afterwards is a ValueError."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "size", get_size, NULL, "Bytes.", NULL },
	{ "spec", get_spec, NULL, "The device, as it was opened: \"cuda:0\".", NULL },
	{ "device_ptr", get_device_ptr, NULL, "The device pointer, or the host's; 0 if there is none.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ "readonly", T_BOOL, offsetof(struct dp_memory, readonly), READONLY, "Whether nothing may be read into it." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Memory(spec, size, context=None)\n--\n\n"
		     "`size` bytes of memory of the device `spec`: \"cuda:0\", \"hip:0\", "
		     "\"ze:0\", \"host\", ..., see devio.devices().\n\n"
		     "\"cpu\" is \"host\", and \"cuda\" is \"cuda:0\". Where the CPU sees the "
		     "memory, memoryview() and NumPy do too. "
		     "Raises Error." },
	{ Py_tp_new, new_memory },
	{ Py_tp_dealloc, dp_dealloc_handle },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_repr, repr },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ Py_bf_getbuffer, get_buffer },
	{ Py_bf_releasebuffer, release_buffer },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "Memory", .basicsize = sizeof(struct dp_memory),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, .slots = slots,
};

int dp_memory_add(PyObject *module)
{
	dp_memory_type = dp_add_type(module, &spec);
	return dp_memory_type ? 0 : -1;
}
