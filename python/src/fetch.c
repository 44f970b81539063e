/* SPDX-License-Identifier: MIT */
/* Memory for what is loaded, copies of tensors, and reads of many ranges at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "load.h"

#define MAPPING "devio.mapping"
#define CHUNK (8u << 20)

struct dp_memory *dp_memory_over(const char *spec, uint64_t at, uint64_t size, PyObject *owner, PyObject *context,
				 bool readonly)
{
	return (struct dp_memory *)PyObject_CallMethod((PyObject *)dp_memory_type, "from_pointer", "sKKOOO", spec,
						       (unsigned long long)at, (unsigned long long)size, owner,
						       context ? context : Py_None, readonly ? Py_True : Py_False);
}

struct dp_memory *dp_memory_alloc(const char *spec, uint64_t size, PyObject *context)
{
	if (!strcmp(spec, "host"))
		return dp_memory_host(size, false, context);
	return (struct dp_memory *)PyObject_CallFunction((PyObject *)dp_memory_type, "sKO", spec,
							 (unsigned long long)size, context ? context : Py_None);
}

static void unmap(PyObject *capsule)
{
	munmap(PyCapsule_GetPointer(capsule, MAPPING), (size_t)(uintptr_t)PyCapsule_GetContext(capsule));
}

struct dp_memory *dp_memory_host(uint64_t size, bool huge, PyObject *context)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dp_memory *out;
	PyObject *owner;

	if (at == MAP_FAILED) {
		PyErr_SetFromErrno(dp_error);
		return NULL;
	}
	if (huge)
		(void)madvise(at, size, MADV_HUGEPAGE); /* a kernel without them has small ones */
	owner = PyCapsule_New(at, MAPPING, unmap);
	if (!owner) {
		munmap(at, size);
		return NULL;
	}
	PyCapsule_SetContext(owner, (void *)(uintptr_t)size);
	out = dp_memory_over("host", (uintptr_t)at, size, owner, context, false);
	Py_DECREF(owner);
	return out;
}

PyObject *dp_fetch_memory(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "size", "huge", "context", NULL };
	PyObject *size, *context = NULL;
	uint64_t n;
	int huge = 0;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO:host_memory", words, &size, &huge, &context) ||
	    dp_u64(size, "size", &n))
		return NULL;
	return (PyObject *)dp_memory_host(n, huge, context);
}

/* Elements of the tensor, one after the other, to a place in host memory; raw has its bytes and what lies between. */
static void gather(const struct dp_tensor *t, const char *raw, char *to)
{
	size_t size = t->dtype->d.bits / 8;
	int64_t at[64] = { 0 };

	for (uint64_t n = t->nbytes / size; n > 0; n--) {
		int64_t off = 0;
		int k = t->ndim - 1;

		for (int i = 0; i < t->ndim; i++)
			off += at[i] * t->strides[i];
		memcpy(to, raw + (size_t)off * size, size);
		to += size;
		for (; k >= 0 && ++at[k] == t->shape[k]; k--)
			at[k] = 0;
	}
}

static int copy_strided(const struct dp_tensor *t, struct devio_mem *from, struct devio_mem *to)
{
	uint64_t span = t->dtype->d.bits / 8;
	char *raw, *dense;
	int rc = -ENOMEM;

	for (int i = 0; i < t->ndim; i++)
		span += (uint64_t)((t->shape[i] - 1) * t->strides[i]) * (t->dtype->d.bits / 8);
	raw = malloc(span);
	dense = malloc(t->nbytes);
	if (raw && dense) {
		rc = devio_mem_copy_out(from, t->offset, raw, span);
		if (!rc) {
			gather(t, raw, dense);
			rc = devio_mem_copy_in(to, 0, dense, t->nbytes);
		}
	}
	free(raw);
	free(dense);
	return rc;
}

static int copy_dense(const struct dp_tensor *t, struct devio_mem *from, struct devio_mem *to)
{
	size_t room = t->nbytes < CHUNK ? t->nbytes : CHUNK;
	void *at;
	char *buf;
	int rc = 0;

	if (!devio_mem_map(to, &at))
		return devio_mem_copy_out(from, t->offset, at, t->nbytes);
	buf = malloc(room);
	if (!buf)
		return -ENOMEM;
	for (uint64_t off = 0; off < t->nbytes && !rc; off += room) {
		size_t n = t->nbytes - off < room ? t->nbytes - off : room;

		rc = devio_mem_copy_out(from, t->offset + off, buf, n);
		if (!rc)
			rc = devio_mem_copy_in(to, off, buf, n);
	}
	free(buf);
	return rc;
}

PyObject *dp_tensor_copy(struct dp_tensor *t, const char *spec)
{
	struct dp_tensor_init i = { .dtype = t->dtype, .shape = t->shape, .ndim = t->ndim, .nbytes = t->nbytes };
	PyObject *out;
	int rc;

	i.name = PyUnicode_AsUTF8AndSize(t->name, NULL);
	if (!i.name || dp_tensor_pin(t))
		return NULL;
	rc = 0;
	if (t->nbytes) {
		i.memory = dp_memory_alloc(spec, t->nbytes, t->memory->context);
		if (i.memory) {
			Py_BEGIN_ALLOW_THREADS
			rc = t->strided ? copy_strided(t, t->memory->base.h, i.memory->base.h) :
			     copy_dense(t, t->memory->base.h, i.memory->base.h);
			Py_END_ALLOW_THREADS
		}
	}
	dp_tensor_unpin(t);
	if (t->nbytes && !i.memory)
		return NULL;
	out = rc ? dp_raise(rc) : dp_tensor_new(&i);
	Py_XDECREF((PyObject *)i.memory);
	return out;
}

struct waiting {
	PyThreadState *state;
};

/* In the thread of the call, which has no GIL: non-zero if a signal handler raised an exception. */
static int interrupted(void *arg)
{
	struct waiting *w = arg;
	int rc;

	PyEval_RestoreThread(w->state);
	rc = PyErr_CheckSignals();
	w->state = PyEval_SaveThread();
	return rc;
}

struct sum {
	uint64_t paths[DEVIO_PATH_MAX], copied;
};

/* {path: bytes}, [reason, ...], copied */
static PyObject *outcome(const struct sum *sum, const struct devio_load_range *ranges, Py_ssize_t nr)
{
	PyObject *dict = PyDict_New(), *list = PyList_New(0), *o = NULL;
	int rc = dict && list ? 0 : -1;
	uint64_t reasons = 0;

	for (Py_ssize_t i = 0; i < nr; i++)
		reasons |= 1ULL << (ranges[i].len ? ranges[i].reason & 63 : 0);
	for (unsigned int i = 0; i < DEVIO_PATH_MAX && !rc; i++)
		if (sum->paths[i] && (o = PyLong_FromUnsignedLongLong(sum->paths[i]))) {
			rc = PyDict_SetItemString(dict, devio_path_name(i), o);
			Py_DECREF(o);
		}
	for (unsigned int i = 1; i < 64 && !rc; i++)
		if (reasons >> i & 1 && (o = dp_reason(i))) {
			rc = PyList_Append(list, o);
			Py_DECREF(o);
		}
	if (rc) {
		Py_XDECREF(dict);
		Py_XDECREF(list);
		return NULL;
	}
	return Py_BuildValue("(NNK)", dict, list, (unsigned long long)sum->copied);
}

/* With all of them in use. */
static int read_all(struct devio_ctx *ctx, struct dp_source *s, struct dp_memory *m, struct devio_load_range *ranges,
		    Py_ssize_t nr, struct devio_read_opts *o)
{
	struct waiting w;
	int rc;

	o->interrupt = interrupted;
	o->interrupt_arg = &w;
	w.state = PyEval_SaveThread();
	rc = devio_source_read(ctx, s->base.h, m->base.h, ranges, (uint64_t)nr, o);
	PyEval_RestoreThread(w.state);
	return rc;
}

PyObject *dp_fetch_read(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "context", "source", "memory", "plan", "path", "direct_only", "merge_gap", NULL };
	PyObject *context, *source, *memory, *plan, *path = NULL;
	struct devio_read_opts o = DEVIO_OPTS(o);
	struct devio_load_range *ranges;
	struct sum sum = { 0 };
	int direct_only = 0, rc = -EINVAL;
	Py_ssize_t nr;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO|OpI:read_plan", words, &context, &source, &memory,
					 &plan, &path, &direct_only, &o.merge_gap) ||
	    dp_is(context, dp_context_type, "context") || dp_is(source, dp_source_type, "source") ||
	    dp_is(memory, dp_memory_type, "memory") || dp_path(path, &o.path))
		return NULL;
	o.flags = direct_only ? DEVIO_FILE_DIRECT_ONLY : 0;
	o.path_bytes = sum.paths;
	o.copied = &sum.copied;
	ranges = dp_plan_ranges(plan, &nr);
	if (!ranges)
		return NULL;
	if (dp_use((struct dp_handle *)context)) {
		if (dp_use((struct dp_handle *)source)) {
			if (dp_use((struct dp_handle *)memory)) {
				rc = read_all(((struct dp_handle *)context)->h, (struct dp_source *)source,
					      (struct dp_memory *)memory, ranges, nr, &o);
				dp_unuse((struct dp_handle *)memory);
			}
			dp_unuse((struct dp_handle *)source);
		}
		dp_unuse((struct dp_handle *)context);
	}
	return rc ? dp_raise(rc) : outcome(&sum, ranges, nr);
}
