/* SPDX-License-Identifier: MIT */
/*
 * devio.Ring: many operations in flight. Each has a struct dp_op, whose address
 * is the library's cookie; it keeps the caller's cookie, the file and the memory
 * until the completion is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core.h"

#define TAKE 64u

struct dp_op {
	struct dp_op *next, **at;   /* of the ring's list */
	PyObject *cookie;
	struct dp_handle *file;
	struct dp_memory *mem;
};

struct dp_ring {
	struct dp_handle base;      /* struct devio_ring */
	PyObject *context;
	struct dp_op *ops;
	bool busy;                  /* a call is waiting without the GIL, or runs signal handlers */
	unsigned int got;           /* completions taken from the library, not yet given to the caller: */
	struct devio_completion done[TAKE];
};

static void end_op(struct dp_op *op)
{
	if (op->next)
		op->next->at = op->at;
	*op->at = op->next;
	dp_unuse(op->file);
	dp_unuse(&op->mem->base);
	Py_DECREF((PyObject *)op->file);
	Py_DECREF((PyObject *)op->mem);
	free(op);
}

static void free_ring(struct dp_handle *o)
{
	struct dp_ring *r = (struct dp_ring *)o;
	struct devio_ring *h = o->h;

	o->h = NULL;
	Py_BEGIN_ALLOW_THREADS
	devio_ring_close(h); /* waits: from here on nobody reads or writes the memories */
	Py_END_ALLOW_THREADS
	while (r->ops) {
		PyObject *cookie = r->ops->cookie;

		end_op(r->ops);
		Py_DECREF(cookie);
	}
}

static PyObject *new_ring(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "entries", "staging", "context", NULL };
	struct devio_ring_opts o = DEVIO_OPTS(o);
	PyObject *staging = NULL, *context = NULL;
	struct devio_ctx *ctx;
	struct dp_ring *r;
	int rc, entries = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iOO:Ring", words, &entries, &staging, &context) ||
	    dp_u64_default(staging, "staging", 0, &o.staging))
		return NULL;
	if (entries < 0) {
		PyErr_Format(PyExc_ValueError, "entries %d is negative", entries);
		return NULL;
	}
	o.entries = (unsigned int)entries;
	r = (struct dp_ring *)PyType_GenericAlloc(type, 0);
	if (!r)
		return NULL;
	r->base.free = free_ring;
	r->context = dp_context(context);
	ctx = r->context ? dp_use((struct dp_handle *)r->context) : NULL;
	rc = ctx ? devio_ring_open(ctx, &o, (struct devio_ring **)&r->base.h) : -EINVAL;
	if (ctx)
		dp_unuse((struct dp_handle *)r->context);
	if (rc) {
		dp_raise(rc);
		Py_CLEAR(r);
	}
	return (PyObject *)r;
}

/* The ring for a call of one thread at a time; NULL with an exception. */
static struct devio_ring *use(struct dp_ring *r)
{
	if (r->busy) {
		PyErr_SetString(PyExc_RuntimeError,
				"the ring is in use: by another thread, or below a signal handler; open a "
				"ring for each");
		return NULL;
	}
	return dp_use(&r->base);
}

static struct dp_op *begin_op(struct dp_ring *r, const struct dp_transfer *t, PyObject *cookie)
{
	struct dp_op *op = malloc(sizeof(*op));

	if (!op) {
		PyErr_NoMemory();
		return NULL;
	}
	*op = (struct dp_op){ r->ops, &r->ops, Py_NewRef(cookie), t->file, t->mem };
	if (op->next)
		op->next->at = &op->next;
	r->ops = op;
	t->file->uses++;
	t->mem->base.uses++;
	Py_INCREF((PyObject *)t->file);
	Py_INCREF((PyObject *)t->mem);
	return op;
}

/* With all three in use. */
static int queue_op(struct dp_ring *r, struct devio_ring *h, const struct dp_transfer *t, PyObject *cookie)
{
	struct dp_op *op = begin_op(r, t, cookie);
	uint64_t id = (uintptr_t)op;
	int rc;

	if (!op)
		return -ENOMEM;
	rc = t->write ? devio_ring_write(h, t->file->h, t->mem->base.h, t->mem_off, t->len, t->file_off, id) :
	     devio_ring_read(h, t->file->h, t->mem->base.h, t->mem_off, t->len, t->file_off, id);
	if (rc) {
		dp_raise(rc);
		end_op(op);
		Py_DECREF(cookie);
	}
	return rc;
}

static PyObject *queue(PyObject *self, PyObject *args, PyObject *kwargs, bool write)
{
	static char *words[] = { "file", "mem", "mem_off", "length", "file_off", "cookie", NULL };
	struct dp_ring *r = (struct dp_ring *)self;
	PyObject *file, *mem, *n[3], *cookie = Py_None;
	struct dp_transfer t = { .write = write };
	struct devio_ring *h;
	int rc = -1;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO|O", words, &file, &mem, &n[0], &n[1], &n[2], &cookie) ||
	    dp_transfer_check(&t, file, mem, n))
		return NULL;
	h = use(r);
	if (!h)
		return NULL;
	if (dp_use(t.file)) {
		if (dp_use(&t.mem->base)) {
			rc = queue_op(r, h, &t, cookie);
			dp_unuse(&t.mem->base);
		}
		dp_unuse(t.file);
	}
	dp_unuse(&r->base);
	return rc ? NULL : Py_NewRef(Py_None);
}

static PyObject *read_ring(PyObject *self, PyObject *args, PyObject *kwargs)
{
	return queue(self, args, kwargs, false);
}

static PyObject *write_ring(PyObject *self, PyObject *args, PyObject *kwargs)
{
	return queue(self, args, kwargs, true);
}

static PyObject *submit(PyObject *self, PyObject *unused)
{
	struct dp_ring *r = (struct dp_ring *)self;
	struct devio_ring *h = use(r);
	int rc;

	(void)unused;
	if (!h)
		return NULL;
	r->busy = true;
	do {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_ring_submit(h);
		Py_END_ALLOW_THREADS
	} while (rc == -EINTR && !PyErr_CheckSignals());
	r->busy = false;
	dp_unuse(&r->base);
	return rc < 0 ? dp_raise(rc) : PyLong_FromLong(rc);
}

/* Completions become objects, and their operations end: a list, or NULL with an exception. */
static PyObject *take(struct dp_ring *r)
{
	struct devio_completion done[TAKE];
	unsigned int n = r->got;
	PyObject *out = PyList_New(n);

	if (!out)
		return NULL;
	memcpy(done, r->done, n * sizeof(*done));
	r->got = 0; /* first: what ends below may run the program's code */
	for (unsigned int i = 0; i < n; i++) {
		struct dp_op *op = (struct dp_op *)(uintptr_t)done[i].cookie;
		PyObject *cookie = op->cookie, *c = dp_completion_new(&done[i], cookie);

		end_op(op);
		Py_DECREF(cookie);
		PyList_SetItem(out, i, c ? c : Py_NewRef(Py_None));
		if (!c)
			Py_CLEAR(out);
		if (!out)
			break;
	}
	return out;
}

/* Until there are `least`: 0, or -errno; -EINTR with an exception. What was taken stays for the next call then. */
static int wait_for(struct dp_ring *r, struct devio_ring *h, unsigned int least, int64_t end)
{
	int n;

	for (;;) {
		int64_t left = least ? dp_left_ns(end, DP_SLICE_NS) : 0;
		unsigned int min = least > r->got ? least - r->got : 0;

		Py_BEGIN_ALLOW_THREADS
		n = devio_ring_wait(h, r->done + r->got, min, TAKE - r->got, left);
		Py_END_ALLOW_THREADS
		if (n < 0 && n != -EINTR)
			return r->got ? 0 : n;
		r->got += n > 0 ? (unsigned int)n : 0;
		if (r->got >= least || !devio_ring_inflight(h) || (n >= 0 && !left))
			return 0;
		if (PyErr_CheckSignals())
			return -EINTR;
	}
}

static PyObject *wait(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "least", "timeout", NULL };
	struct dp_ring *r = (struct dp_ring *)self;
	PyObject *timeout = NULL;
	struct devio_ring *h;
	unsigned int least = 1;
	int64_t ns;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|IO:wait", words, &least, &timeout) || dp_timeout(timeout, &ns))
		return NULL;
	h = use(r);
	if (!h)
		return NULL;
	r->busy = true;
	rc = wait_for(r, h, least < TAKE ? least : TAKE, dp_end_ns(ns));
	r->busy = false;
	dp_unuse(&r->base);
	return rc ? dp_raise(rc) : take(r);
}

static PyObject *peek(PyObject *self, PyObject *unused)
{
	struct dp_ring *r = (struct dp_ring *)self;
	struct devio_ring *h = use(r);
	int n;

	(void)unused;
	if (!h)
		return NULL;
	n = r->got < TAKE ? devio_ring_peek(h, r->done + r->got, TAKE - r->got) : 0;
	r->got += n > 0 ? (unsigned int)n : 0;
	dp_unuse(&r->base);
	return n < 0 && n != -EINTR && !r->got ? dp_raise(n) : take(r);
}

static PyObject *cancel(PyObject *self, PyObject *cookie)
{
	struct dp_ring *r = (struct dp_ring *)self;
	struct devio_ring *h = use(r);
	long found = 0;

	if (!h)
		return NULL;
	for (struct dp_op *op = r->ops; op; op = op->next)
		if (op->cookie == cookie && devio_ring_cancel(h, (uintptr_t)op) > 0)
			found++;
	dp_unuse(&r->base);
	return PyLong_FromLong(found);
}

static PyObject *fileno_ring(PyObject *self, PyObject *unused)
{
	struct dp_handle *o = (struct dp_handle *)self;
	struct devio_ring *h = dp_use(o);
	int fd;

	(void)unused;
	if (!h)
		return NULL;
	fd = devio_ring_fd(h);
	dp_unuse(o);
	return fd < 0 ? dp_raise(fd) : PyLong_FromLong(fd);
}

static PyObject *get_inflight(PyObject *self, void *unused)
{
	struct dp_handle *o = (struct dp_handle *)self;
	struct devio_ring *h = dp_use(o);
	unsigned int n;

	(void)unused;
	if (!h)
		return NULL;
	n = devio_ring_inflight(h) + ((struct dp_ring *)self)->got;
	dp_unuse(o);
	return PyLong_FromUnsignedLong(n);
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(self, "open another one with Ring()");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct dp_ring *r = (struct dp_ring *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(r->context);
	for (struct dp_op *op = r->ops; op; op = op->next) {
		Py_VISIT(op->cookie);
		Py_VISIT((PyObject *)op->file);
		Py_VISIT((PyObject *)op->mem);
	}
	return 0;
}

static int clear(PyObject *self)
{
	dp_close((struct dp_handle *)self);
	Py_CLEAR(((struct dp_ring *)self)->context);
	return 0;
}

static PyMethodDef methods[] = {
	{ "read", DP_CALL(read_ring), DP_WORDS,
	  "read($self, /, file, mem, mem_off, length, file_off, cookie=None)\n--\n\n"
	  "Queues a read; its completion carries `cookie`, any object.\n\n"
	  "File and memory are kept until it completes. Raises Error (EAGAIN: the ring is full, wait() first)." },
	{ "write", DP_CALL(write_ring), DP_WORDS,
	  "write($self, /, file, mem, mem_off, length, file_off, cookie=None)\n--\n\n"
	  "Queues a write, as read()." },
	{ "submit", submit, METH_NOARGS,
	  "submit($self, /)\n--\n\n"
	  "Hands what is queued to the kernel; returns the number of operations. Raises Error." },
	{ "wait", DP_CALL(wait), DP_WORDS,
	  "wait($self, /, least=1, timeout=None)\n--\n\n"
	  "Submits, waits for `least` completions (or `timeout` seconds), returns those that are there.\n\n"
	  "At most 64 at once; fewer than `least` after the timeout, and where fewer are in flight.\n"
	  "Signal handlers run meanwhile. Raises Error." },
	{ "peek", peek, METH_NOARGS,
	  "peek($self, /)\n--\n\nThe completions that are there, at most 64. Raises Error." },
	{ "cancel", cancel, METH_O,
	  "cancel($self, cookie, /)\n--\n\n"
	  "Asks that the operations with this cookie (this very object) end; returns their number.\n\n"
	  "Each still completes, with -ECANCELED or as usual." },
	{ "fileno", fileno_ring, METH_NOARGS,
	  "fileno($self, /)\n--\n\n"
	  "For select, poll and event loops: readable when peek() has something to do." },
	DP_HANDLE_METHODS("Cancels what is in flight, waits for it, and frees the ring."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "inflight", get_inflight, NULL, "Operations whose completion was not taken yet.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Ring(entries=0, staging=0, context=None)\n--\n\n"
		     "Many operations in flight, of one thread: the first that submits or waits.\n\n"
		     "entries: operations in flight at most (128 if 0); staging: bytes of staging memory "
		     "(32 MiB if 0). Raises Error." },
	{ Py_tp_new, new_ring },
	{ Py_tp_dealloc, dp_dealloc_handle },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_finalize, dp_finalize },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "Ring", .basicsize = sizeof(struct dp_ring),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, .slots = slots,
};

int dp_ring_add(PyObject *module)
{
	return dp_add_type(module, &spec) ? 0 : -1;
}
