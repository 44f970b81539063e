/* SPDX-License-Identifier: MIT */
/* devio.File. A long transfer is made in pieces, so that a signal's handler runs in between. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "core.h"

#define PIECE (64ULL << 20) /* 30 ms at 2 GB/s */

PyTypeObject *dp_file_type;

struct dp_file {
	struct dp_handle base;      /* struct devio_file */
	PyObject *context, *name;   /* name: bytes */
	int flags, path, direct_only;
};

static void free_file(struct dp_handle *o)
{
	struct devio_file *h = o->h;

	o->h = NULL;
	Py_BEGIN_ALLOW_THREADS
	devio_file_close(h);
	Py_END_ALLOW_THREADS
}

static int check_flags(PyObject *o, int *flags)
{
	long n;

	if (PyUnicode_Check(o)) {
		PyErr_Format(PyExc_TypeError,
			     "flags %R: these are the flags of os.open(), such as os.O_RDONLY or os.O_RDWR | "
			     "os.O_CREAT, not a mode of open()",
			     o);
		return -1;
	}
	n = PyLong_AsLong(o);
	if (n == -1 && PyErr_Occurred())
		return -1;
	*flags = (int)n;
	return 0;
}

/* Takes the values of f: 0 or -errno. */
static int open_file(struct dp_file *f, unsigned int mode)
{
	struct devio_file_opts o = DEVIO_OPTS(o);
	struct devio_ctx *ctx = dp_use((struct dp_handle *)f->context);
	const char *name = PyBytes_AsString(f->name);
	struct devio_file *h = NULL;
	int rc;

	if (!ctx)
		return -EINVAL;
	o.path = f->path;
	o.flags = f->direct_only ? DEVIO_FILE_DIRECT_ONLY : 0;
	o.mode = mode;
	do {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_file_open(ctx, name, f->flags | O_CLOEXEC, &o, &h);
		Py_END_ALLOW_THREADS
	} while (rc == -EINTR && !PyErr_CheckSignals());
	dp_unuse((struct dp_handle *)f->context);
	f->base.h = h;
	f->base.free = free_file;
	return rc;
}

static PyObject *new_file(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "", "flags", "path", "direct_only", "mode", "context", NULL };
	PyObject *name = NULL, *flags = NULL, *path = NULL, *context = NULL;
	int direct_only = 0, number, fl = O_RDONLY, rc;
	unsigned int mode = 0644;
	struct dp_file *f;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|O$OpIO:File", words, PyUnicode_FSConverter, &name, &flags,
					 &path, &direct_only, &mode, &context))
		return NULL;
	f = NULL;
	if (!(flags && check_flags(flags, &fl)) && !dp_path(path, &number))
		f = (struct dp_file *)PyType_GenericAlloc(type, 0);
	if (!f) {
		Py_DECREF(name);
		return NULL;
	}
	f->name = name;
	f->flags = fl;
	f->path = number;
	f->direct_only = direct_only;
	f->context = dp_context(context);
	if (!f->context) {
		Py_DECREF(f);
		return NULL;
	}
	rc = open_file(f, mode);
	if (rc) {
		dp_raise(rc);
		Py_CLEAR(f);
	}
	return (PyObject *)f;
}

int dp_transfer_check(struct dp_transfer *t, PyObject *file, PyObject *mem, PyObject *const offsets[3])
{
	if (dp_is(file, dp_file_type, "file") || dp_is(mem, dp_memory_type, "mem") ||
	    dp_u64(offsets[0], "mem_off", &t->mem_off) || dp_u64(offsets[1], "length", &t->len) ||
	    dp_u64(offsets[2], "file_off", &t->file_off))
		return -1;
	t->file = (struct dp_handle *)file;
	t->mem = (struct dp_memory *)mem;
	if (t->write || !t->mem->readonly)
		return 0;
	PyErr_SetString(PyExc_ValueError, "the memory is read-only: nothing can be read into it");
	return -1;
}

/* Adds what one piece did to the sum: the least direct path counts. */
static void add_piece(struct devio_completion *sum, const struct devio_completion *c)
{
	if (!sum->path || c->path >= sum->path) {
		sum->path = c->path;
		sum->best_unused = c->best_unused;
		sum->reason = c->reason;
	}
	sum->result += c->result;
	sum->good += c->good;
	sum->copied += c->copied;
	sum->flags |= c->flags;
}

/* 0, or -errno; -EINTR with an exception. */
static int move_pieces(const struct dp_transfer *t, struct devio_file *f, struct devio_mem *m,
		       struct devio_completion *sum)
{
	/* One that is out of range is refused as a whole. */
	bool whole = t->mem_off > t->mem->size || t->len > t->mem->size - t->mem_off || t->len > (uint64_t)INT64_MAX ||
		     t->file_off > (uint64_t)INT64_MAX - t->len;
	uint64_t at = 0;

	for (;;) {
		uint64_t n = t->len - at, most = PIECE - (t->file_off + at) % PIECE;
		struct devio_completion c;
		ssize_t got;

		n = whole || n < most ? n : most;
		Py_BEGIN_ALLOW_THREADS
		got = t->write ? devio_file_write(f, m, t->mem_off + at, n, t->file_off + at, &c) :
		      devio_file_read(f, m, t->mem_off + at, n, t->file_off + at, &c);
		Py_END_ALLOW_THREADS
		if (got < 0)
			return (int)got;
		add_piece(sum, &c);
		at += (uint64_t)got;
		if ((uint64_t)got < n || at == t->len)
			return 0;
		if (PyErr_CheckSignals())
			return -EINTR;
	}
}

static PyObject *move(PyObject *self, PyObject *args, PyObject *kwargs, bool write)
{
	static char *words[] = { "mem", "mem_off", "length", "file_off", NULL };
	struct devio_completion sum = { 0 };
	struct dp_transfer t = { .write = write };
	PyObject *mem, *n[3];
	struct devio_file *f;
	struct devio_mem *m;
	int rc = -EINVAL;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO", words, &mem, &n[0], &n[1], &n[2]) ||
	    dp_transfer_check(&t, self, mem, n))
		return NULL;
	f = dp_use(t.file);
	m = f ? dp_use(&t.mem->base) : NULL;
	if (m) {
		rc = move_pieces(&t, f, m, &sum);
		dp_unuse(&t.mem->base);
	}
	if (f)
		dp_unuse(t.file);
	return rc ? dp_raise(rc) : dp_completion_new(&sum, Py_None);
}

static PyObject *read_file(PyObject *self, PyObject *args, PyObject *kwargs)
{
	return move(self, args, kwargs, false);
}

static PyObject *write_file(PyObject *self, PyObject *args, PyObject *kwargs)
{
	return move(self, args, kwargs, true);
}

static PyObject *sync_file(PyObject *self, PyObject *unused)
{
	struct dp_handle *o = (struct dp_handle *)self;
	struct devio_file *f = dp_use(o);
	int rc;

	(void)unused;
	if (!f)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_file_sync(f);
		Py_END_ALLOW_THREADS
	} while (rc == -EINTR && !PyErr_CheckSignals());
	dp_unuse(o);
	if (rc)
		return dp_raise(rc);
	Py_RETURN_NONE;
}

static PyObject *get_size(PyObject *self, void *unused)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	struct dp_handle *o = (struct dp_handle *)self;
	struct devio_file *f = dp_use(o);
	int rc;

	(void)unused;
	if (!f)
		return NULL;
	rc = devio_file_get_info(f, &info);
	dp_unuse(o);
	return rc ? dp_raise(rc) : PyLong_FromUnsignedLongLong(info.size);
}

static PyObject *get_name(PyObject *self, void *unused)
{
	PyObject *name = ((struct dp_file *)self)->name;

	(void)unused;
	return PyUnicode_DecodeFSDefaultAndSize(PyBytes_AsString(name), PyBytes_Size(name));
}

static PyObject *repr(PyObject *self)
{
	PyObject *name = get_name(self, NULL);
	PyObject *out = name ? PyUnicode_FromFormat("<devio.File %R%s>", name,
						    ((struct dp_handle *)self)->closed ? ", closed" : "")
			     : NULL;

	Py_XDECREF(name);
	return out;
}

/* Copies and pickles open the file again, by its name, and create and truncate nothing. */
static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	struct dp_file *f = (struct dp_file *)self;
	PyObject *module = PyImport_ImportModule("devio._reopen"), *name = get_name(self, NULL), *out = NULL;

	(void)protocol;
	if (module && name)
		out = PyObject_CallMethod(module, "reduce", "Oisi", name, f->flags & ~(O_CREAT | O_EXCL | O_TRUNC),
					  devio_path_name((unsigned int)f->path), f->direct_only);
	Py_XDECREF(module);
	Py_XDECREF(name);
	return out;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(((struct dp_file *)self)->context);
	return 0;
}

static int clear(PyObject *self)
{
	Py_CLEAR(((struct dp_file *)self)->context);
	return 0;
}

static void dealloc(PyObject *self)
{
	Py_CLEAR(((struct dp_file *)self)->name);
	dp_dealloc_handle(self);
}

static PyMethodDef methods[] = {
	{ "read", DP_CALL(read_file), DP_WORDS,
	  "read($self, /, mem, mem_off, length, file_off)\n--\n\n"
	  "Reads `length` bytes at byte `file_off` of the file to byte `mem_off` of the memory; waits.\n\n"
	  "Returns a Completion; fewer bytes only where the file ends. Raises Error." },
	{ "write", DP_CALL(write_file), DP_WORDS,
	  "write($self, /, mem, mem_off, length, file_off)\n--\n\n"
	  "Writes `length` bytes from byte `mem_off` of the memory to byte `file_off` of the file; waits.\n\n"
	  "Returns a Completion. Raises Error." },
	{ "sync", sync_file, METH_NOARGS,
	  "sync($self, /)\n--\n\nfdatasync(2): what was written is durable. Raises Error." },
	DP_HANDLE_METHODS("Closes it, as soon as no call uses it. Operations in flight keep the file."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "size", get_size, NULL, "Bytes now; of a block device its capacity.", NULL },
	{ "name", get_name, NULL, "As it was opened.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "File(file, /, flags=0, *, path='auto', direct_only=False, mode=420, context=None)\n--\n\n"
	  "A file or a block device, opened by its name with flags of os.open(), by default os.O_RDONLY.\n\n"
	  "path: force a path, one of devio.PATHS; direct_only: a direct path or Error (EOPNOTSUPP), never a copy;\n"
	  "mode: permissions of a file that O_CREAT makes. For any number of threads.\n"
	  "Copies and pickles open the file again by its name. Raises Error." },
	{ Py_tp_new, new_file },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_repr, repr },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "File", .basicsize = sizeof(struct dp_file),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, .slots = slots,
};

int dp_file_add(PyObject *module)
{
	dp_file_type = dp_add_type(module, &spec);
	return dp_file_type ? 0 : -1;
}
