/* SPDX-License-Identifier: MIT */
/* The loader below devio.data.Loader: batches of a source, and the return of their slots. */
#include <errno.h>
#include <string.h>
#include "load.h"

static void free_loader(struct dp_handle *o)
{
	struct dp_loader *l = (struct dp_loader *)o;
	struct devio_loader *h = o->h;

	o->h = NULL;
	Py_BEGIN_ALLOW_THREADS
	devio_loader_close(h); /* waits for what is in flight */
	Py_END_ALLOW_THREADS
	dp_unuse((struct dp_handle *)l->memory);
}

static int get_u32(PyObject *words, const char *name, uint32_t *to)
{
	PyObject *o = PyDict_GetItemString(words, name);
	uint64_t n = 0;

	if (o && dp_u64(o, name, &n))
		return -1;
	if (n > UINT32_MAX) {
		PyErr_Format(PyExc_ValueError, "%s %R is out of range", name, o);
		return -1;
	}
	*to = (uint32_t)n;
	return 0;
}

/* The numbers of the options by their names; flags and path are the caller's. */
static int fill_options(PyObject *words, struct devio_loader_opts *o)
{
	const struct {
		const char *name;
		uint32_t *to;
	} all[] = {
		{ "slots", &o->slots },
		{ "batch", &o->batch },
		{ "shuffle_block", &o->shuffle_block },
		{ "align", &o->align },
		{ "max_read", &o->max_read },
		{ "merge_gap", &o->merge_gap },
		{ "depth", &o->depth },
		{ "max_files", &o->max_files },
		{ "rank", &o->rank },
		{ "world_size", &o->world_size },
		{ "worker", &o->worker },
		{ "num_workers", &o->num_workers },
		{ "flags", &o->flags },
	};
	PyObject *seed = PyDict_GetItemString(words, "seed"), *path = PyDict_GetItemString(words, "path");

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (get_u32(words, all[i].name, all[i].to))
			return -1;
	return (seed && dp_u64(seed, "seed", &o->seed)) || dp_path(path, &o->path) ? -1 : 0;
}

static int open_loader(struct dp_loader *l, const struct devio_loader_opts *o)
{
	struct dp_handle *ctx = (struct dp_handle *)l->context, *source = (struct dp_handle *)l->source;
	struct dp_handle *memory = (struct dp_handle *)l->memory;
	int rc = -EINVAL;

	if (!dp_use(ctx))
		return rc;
	if (dp_use(source)) {
		if (dp_use(memory)) { /* until free_loader() */
			Py_BEGIN_ALLOW_THREADS
			rc = devio_loader_open(ctx->h, source->h, memory->h, o, (struct devio_loader **)&l->base.h);
			Py_END_ALLOW_THREADS
			if (rc)
				dp_unuse(memory);
		}
		dp_unuse(source);
	}
	dp_unuse(ctx);
	return rc;
}

static bool is_direct(int path)
{
	return path == DEVIO_PATH_FILE_DMABUF || path == DEVIO_PATH_FILE_P2P || path == DEVIO_PATH_FILE_HOST ||
	       path == DEVIO_PATH_SOCK_DEVMEM || path == DEVIO_PATH_SOCK_ZCRX;
}

static PyObject *new_loader(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	struct devio_loader_opts o = DEVIO_OPTS(o);
	PyObject *source, *memory, *context;
	struct dp_loader *l;
	int rc;

	if (!PyArg_ParseTuple(args, "OOO:Loader", &source, &memory, &context) ||
	    dp_is(source, dp_source_type, "source") || dp_is(memory, dp_memory_type, "memory") ||
	    dp_is(context, dp_context_type, "context") || (kwargs && fill_options(kwargs, &o)))
		return NULL;
	if (((struct dp_memory *)memory)->readonly) {
		PyErr_SetString(PyExc_ValueError, "the memory is read-only: nothing can be read into it");
		return NULL;
	}
	l = (struct dp_loader *)PyType_GenericAlloc(type, 0);
	if (!l)
		return NULL;
	l->source = Py_NewRef(source);
	l->memory = Py_NewRef(memory);
	l->context = Py_NewRef(context);
	l->before_reuse = Py_NewRef(Py_None);
	l->thread = PyThread_get_thread_ident();
	l->no_copy = is_direct(o.path) || o.flags & DEVIO_FILE_DIRECT_ONLY;
	l->back = PyMem_Calloc((o.slots ? o.slots : 4) + 1ULL, sizeof(*l->back)); /* 4: the library's own choice */
	rc = l->back ? open_loader(l, &o) : -ENOMEM;
	l->base.free = free_loader;
	if (rc) {
		dp_raise(rc);
		Py_CLEAR(l);
	}
	return (PyObject *)l;
}

static struct devio_loader *use(struct dp_loader *l)
{
	if (l->busy) {
		PyErr_SetString(PyExc_RuntimeError,
				"the loader is in use: by another thread, or below a signal handler");
		return NULL;
	}
	return dp_use(&l->base);
}

void dp_loader_return(struct dp_loader *l, uint32_t slot)
{
	if (l->base.h && !l->base.closed)
		l->back[l->nr_back++] = slot;
}

/* Slots of batches that are gone go back: their number, or -1 with an exception. */
static int give_back(struct dp_loader *l)
{
	int nr = (int)l->nr_back;

	if (!nr)
		return 0;
	if (l->before_reuse != Py_None) {
		PyObject *o = PyObject_CallNoArgs(l->before_reuse);

		if (!o)
			return -1;
		Py_DECREF(o);
	}
	while (l->nr_back && l->base.h) {
		int rc = devio_loader_release(l->base.h, l->back[--l->nr_back]);

		if (rc) {
			dp_raise(rc);
			return -1;
		}
	}
	return nr;
}

/* All slots are with the caller: cycles may hold some, and batches of earlier epochs without a tensor are released. */
static int find_slots(struct dp_loader *l)
{
	int rc;

	PyGC_Collect();
	rc = give_back(l);
	for (struct dp_batch *b = rc ? NULL : l->out, *next; b; b = next) {
		next = b->next;
		if (b->start != l->start && !b->tensors && !b->base.uses)
			dp_close(&b->base);
	}
	return rc ? rc : give_back(l);
}

/* 1: a batch, 0: the end, or -errno; with an exception or not. */
static int wait_batch(struct dp_loader *l, struct devio_batch *raw, int64_t end)
{
	bool again = true;
	int rc;

	for (;;) {
		int64_t left = dp_left_ns(end, DP_SLICE_NS);

		Py_BEGIN_ALLOW_THREADS
		rc = devio_loader_next(l->base.h, raw, left);
		Py_END_ALLOW_THREADS
		if (rc == -EAGAIN && again) {
			again = false;
			rc = find_slots(l);
			if (rc < 0)
				return rc;
			if (rc)
				continue;
			return devio_loader_next(l->base.h, raw, 0);
		}
		if (rc != -EINTR && (rc != -ETIMEDOUT || !left))
			return rc;
		if (PyErr_CheckSignals())
			return -EINTR;
	}
}

static PyObject *next(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "timeout", NULL };
	struct dp_loader *l = (struct dp_loader *)self;
	struct devio_batch raw = DEVIO_OPTS(raw);
	PyObject *timeout = NULL, *out = NULL;
	int64_t ns;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:next", words, &timeout) || dp_timeout(timeout, &ns) ||
	    !use(l))
		return NULL;
	l->busy = true;
	rc = give_back(l) < 0 ? -EINTR : wait_batch(l, &raw, dp_end_ns(ns));
	l->busy = false;
	if (rc < 0)
		dp_raise(rc);
	else
		out = rc ? dp_batch_new(l, &raw) : Py_NewRef(Py_None);
	dp_unuse(&l->base);
	return out;
}

static PyObject *start(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "epoch", "skip", NULL };
	struct dp_loader *l = (struct dp_loader *)self;
	PyObject *epoch, *skip = NULL;
	uint64_t e, s;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:start", words, &epoch, &skip) ||
	    dp_u64(epoch, "epoch", &e) || dp_u64_default(skip, "skip", 0, &s) || !use(l))
		return NULL;
	l->busy = true;
	rc = give_back(l) < 0 ? -EINTR : 0;
	l->start++;
	if (!rc) {
		Py_BEGIN_ALLOW_THREADS
		rc = devio_loader_start(l->base.h, e, s);
		Py_END_ALLOW_THREADS
	}
	l->busy = false;
	dp_unuse(&l->base);
	return rc ? dp_raise(rc) : Py_NewRef(Py_None);
}

/* For Batch.release(): now, if that may be. */
static PyObject *give_back_now(PyObject *self, PyObject *unused)
{
	struct dp_loader *l = (struct dp_loader *)self;

	(void)unused;
	if (!l->busy && l->thread == PyThread_get_thread_ident() && l->base.h && give_back(l) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *info(PyObject *self, PyObject *unused)
{
	struct devio_loader_info i = DEVIO_OPTS(i);
	struct dp_loader *l = (struct dp_loader *)self;
	int rc;

	(void)unused;
	if (!use(l))
		return NULL;
	rc = devio_loader_get_info(l->base.h, &i);
	dp_unuse(&l->base);
	if (rc)
		return dp_raise(rc);
	return Py_BuildValue("(KKIKKKK)", (unsigned long long)i.items, (unsigned long long)i.slot_bytes, i.slots,
			     (unsigned long long)i.reads, (unsigned long long)i.read_bytes,
			     (unsigned long long)i.item_bytes, (unsigned long long)i.batches);
}

static PyObject *get_paths(PyObject *self, void *unused)
{
	struct dp_loader *l = (struct dp_loader *)self;
	PyObject *out = PyDict_New(), *n;

	(void)unused;
	for (unsigned int i = 0; out && i < DEVIO_PATH_MAX; i++) {
		if (!l->paths[i])
			continue;
		n = PyLong_FromUnsignedLongLong(l->paths[i]);
		if (!n || PyDict_SetItemString(out, devio_path_name(i), n))
			Py_CLEAR(out);
		Py_XDECREF(n);
	}
	return out;
}

static PyObject *get_reasons(PyObject *self, void *unused)
{
	struct dp_loader *l = (struct dp_loader *)self;
	PyObject *out = PyList_New(0), *s;

	(void)unused;
	for (unsigned int i = 1; out && i < 64; i++) {
		if (!(l->reasons >> i & 1))
			continue;
		s = dp_reason(i);
		if (!s || PyList_Append(out, s))
			Py_CLEAR(out);
		Py_XDECREF(s);
	}
	return out;
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	(void)protocol;
	return dp_refuse_copy(self, "open another one; its Source can be copied and pickled");
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct dp_loader *l = (struct dp_loader *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(l->source);
	Py_VISIT(l->memory);
	Py_VISIT(l->context);
	Py_VISIT(l->before_reuse);
	return 0;
}

static int clear(PyObject *self)
{
	struct dp_loader *l = (struct dp_loader *)self;

	dp_close(&l->base);
	Py_CLEAR(l->before_reuse);
	if (l->base.h)
		return 0;
	Py_CLEAR(l->source);
	Py_CLEAR(l->memory);
	Py_CLEAR(l->context);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct dp_loader *l = (struct dp_loader *)self;
	uint32_t *back = l->back;

	dp_close(&l->base);
	l->back = NULL;
	PyMem_Free(back);
	dp_dealloc_handle(self);
}

static PyMethodDef methods[] = {
	{ "next", DP_CALL(next), DP_WORDS,
	  "next($self, /, timeout=None)\n--\n\nThe next Batch, or None at the end of the epoch." },
	{ "start", DP_CALL(start), DP_WORDS, "start($self, /, epoch, skip=0)\n--\n\nBegins an epoch." },
	{ "info", info, METH_NOARGS, "info($self, /)\n--\n\nCounters." },
	{ "_give_back", give_back_now, METH_NOARGS, NULL },
	DP_HANDLE_METHODS("Waits for what is in flight and closes it. The batches' bytes stay."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

static PyGetSetDef getset[] = {
	{ "paths", get_paths, NULL, "Bytes by the path that they took, since the opening.", NULL },
	{ "reasons", get_reasons, NULL, "Why no better path was taken.", NULL },
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ "source", T_OBJECT, offsetof(struct dp_loader, source), READONLY, "The Source." },
	{ "memory", T_OBJECT, offsetof(struct dp_loader, memory), READONLY, "The Memory." },
	{ "_returned", T_UINT, offsetof(struct dp_loader, nr_back), READONLY, "Slots that the next turn gives back." },
	{ "before_reuse", T_OBJECT, offsetof(struct dp_loader, before_reuse), 0,
	  "Called before slots of collected batches are read into: to wait for a device that still computes." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Loader(source, memory, context, **options)" },
	{ Py_tp_new, new_loader },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_finalize, dp_finalize },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "_load.Loader", .basicsize = sizeof(struct dp_loader),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, .slots = slots,
};

int dp_loader_add(PyObject *module)
{
	return dp_add_type(module, &spec) ? 0 : -1;
}
