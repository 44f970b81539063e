/* SPDX-License-Identifier: MIT */
/* Where the tensors of a source go in one memory, the reads that bring them there, and the tensors. */
#include <errno.h>
#include <string.h>
#include "load.h"

#define BLOCK 4096u /* file and memory agree on this, so that reads can go directly */
#define ALIGN 64u   /* of tensors that are copied to a place of their own */
#define PLAN "devio.plan"

struct plan {
	struct dp_source *source;
	uint64_t *places;                /* by item */
	struct devio_load_range *ranges;
	uint64_t size, nr_ranges;
	int64_t misaligned;              /* the first item whose elements would be, or -1 */
};

static void free_plan(PyObject *capsule)
{
	struct plan *p = PyCapsule_GetPointer(capsule, PLAN);

	Py_DECREF((PyObject *)p->source);
	PyMem_Free(p->places);
	PyMem_Free(p->ranges);
	PyMem_Free(p);
}

/* Neighbours in file and memory are one range. */
static void add_range(struct plan *p, const struct devio_field *f, uint64_t at)
{
	struct devio_load_range *last = p->nr_ranges ? &p->ranges[p->nr_ranges - 1] : NULL;

	if (last && last->file == f->file && last->off + last->len == f->off && last->mem_off + last->len == at)
		last->len += f->len;
	else
		p->ranges[p->nr_ranges++] = (struct devio_load_range){ .off = f->off, .len = f->len, .mem_off = at,
								       .file = f->file };
}

/* Tensors whose elements are aligned, or the others. */
static int place(struct plan *p, bool aligned)
{
	for (uint64_t i = 0; i < p->source->info.items; i++) {
		struct devio_field f = DEVIO_OPTS(f);
		int rc = devio_source_get_field(p->source->base.h, i, 0, &f);

		if (rc)
			return rc;
		if (!f.len || !(f.off % dp_dtype_align(dp_dtype_find(f.dtype))) != aligned)
			continue;
		if (!aligned && p->misaligned < 0)
			p->misaligned = (int64_t)i;
		p->size += aligned ? (f.off - p->size) % BLOCK : -p->size % ALIGN;
		p->places[i] = p->size;
		add_range(p, &f, p->size);
		if (__builtin_add_overflow(p->size, f.len, &p->size) || p->size > INT64_MAX - BLOCK)
			return -EOVERFLOW;
	}
	return 0;
}

PyObject *dp_plan_new(PyObject *module, PyObject *source)
{
	struct plan *p;
	PyObject *out;
	int rc;

	(void)module;
	if (dp_is(source, dp_source_type, "source") || !dp_use((struct dp_handle *)source))
		return NULL;
	p = PyMem_Calloc(1, sizeof(*p));
	out = p ? PyCapsule_New(p, PLAN, free_plan) : NULL;
	if (!out) {
		PyMem_Free(p);
		dp_unuse((struct dp_handle *)source);
		return PyErr_NoMemory();
	}
	p->source = (struct dp_source *)Py_NewRef(source);
	p->misaligned = -1;
	p->places = PyMem_Calloc(p->source->info.items + 1, sizeof(*p->places));
	p->ranges = PyMem_Calloc(p->source->info.items + 1, sizeof(*p->ranges));
	rc = p->places && p->ranges ? place(p, true) : -ENOMEM;
	if (!rc)
		rc = place(p, false);
	dp_unuse((struct dp_handle *)source);
	if (rc) {
		Py_DECREF(out);
		return rc == -ENOMEM ? PyErr_NoMemory() : dp_raise(rc);
	}
	return Py_BuildValue("(NKL)", out, (unsigned long long)p->size, (long long)p->misaligned);
}

/* {path: (offset, length)}: of each file from the first byte to the last that is read. */
PyObject *dp_plan_parts(PyObject *module, PyObject *capsule)
{
	struct plan *p = PyCapsule_GetPointer(capsule, PLAN);
	unsigned int nr = p ? p->source->info.files : 0;
	struct { uint64_t begin, end; } *parts = p ? PyMem_Calloc((size_t)nr + 1, sizeof(*parts)) : NULL;
	PyObject *out = parts ? PyDict_New() : p ? PyErr_NoMemory() : NULL, *names = NULL, *o;

	(void)module;
	for (uint64_t i = 0; out && i < p->nr_ranges; i++) {
		const struct devio_load_range *g = &p->ranges[i];

		if (!parts[g->file].end || g->off < parts[g->file].begin)
			parts[g->file].begin = g->off;
		if (g->off + g->len > parts[g->file].end)
			parts[g->file].end = g->off + g->len;
	}
	for (uint64_t i = 0; out && i < p->source->info.items; i++) {
		struct devio_field f;
		int rc = dp_source_raw_field(p->source, i, 0, &f);

		if (!rc && !parts[f.file].end)
			continue; /* nothing of it is read, or it is in the dictionary */
		names = rc ? NULL : PyUnicode_DecodeFSDefault(f.path);
		o = names ? Py_BuildValue("(KK)", (unsigned long long)parts[f.file].begin,
					  (unsigned long long)(parts[f.file].end - parts[f.file].begin)) : NULL;
		if (!o || PyDict_SetItem(out, names, o))
			Py_CLEAR(out);
		Py_XDECREF(names);
		Py_XDECREF(o);
		if (!rc)
			parts[f.file].end = 0;
	}
	PyMem_Free(parts);
	return out;
}

struct devio_load_range *dp_plan_ranges(PyObject *capsule, Py_ssize_t *nr)
{
	struct plan *p = PyCapsule_GetPointer(capsule, PLAN);

	if (!p)
		return NULL;
	*nr = (Py_ssize_t)p->nr_ranges;
	return p->ranges;
}

static int add_tensor(struct plan *p, PyObject *memory, uint64_t item, PyObject *dict)
{
	struct dp_tensor_init init = { .memory = (struct dp_memory *)memory, .offset = p->places[item] };
	struct devio_field f;
	int64_t shape[64];
	PyObject *t, *key;
	int rc = -1;

	if (dp_source_raw_field(p->source, item, 0, &f))
		return -1;
	if (f.rank > 64) {
		PyErr_Format(PyExc_ValueError, "tensor %s has more than 64 dimensions", f.key);
		return -1;
	}
	memcpy(shape, f.shape, f.rank * sizeof(*shape)); /* below 2^63, the source has checked that */
	init.name = f.dtype;
	init.dtype = dp_dtype_find(f.dtype);
	init.nbytes = f.len;
	init.shape = shape;
	init.ndim = (int)f.rank;
	t = dp_tensor_new(&init); /* an empty one is on the device, too */
	key = t ? dp_text(f.key) : NULL;
	if (key)
		rc = PyDict_SetItem(dict, key, t);
	Py_XDECREF(key);
	Py_XDECREF(t);
	return rc;
}

PyObject *dp_plan_tensors(PyObject *module, PyObject *args)
{
	PyObject *capsule, *memory, *dict;
	int rc = 0, collects;
	struct plan *p;

	(void)module;
	if (!PyArg_ParseTuple(args, "OOO!:plan_tensors", &capsule, &memory, &PyDict_Type, &dict) ||
	    (memory != Py_None && dp_is(memory, dp_memory_type, "memory")))
		return NULL;
	p = PyCapsule_GetPointer(capsule, PLAN);
	if (!p)
		return NULL;
	collects = PyGC_Disable(); /* nothing becomes garbage here */
	for (uint64_t i = 0; i < p->source->info.items && !rc; i++)
		rc = add_tensor(p, memory == Py_None ? NULL : memory, i, dict);
	if (collects)
		PyGC_Enable();
	return rc ? NULL : Py_NewRef(Py_None);
}
