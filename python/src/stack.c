/* SPDX-License-Identifier: MIT */
/* Records of a batch as one tensor, by strides. */
#include <string.h>
#include "load.h"

/* Records at regular places: where the first lies, the step to the next, and which item each row is. */
struct grid {
	uint64_t first, step;
	uint32_t *row;       /* index in items[]; PyMem_Free() it */
};

static int irregular(struct grid *g, const char *why)
{
	PyMem_Free(g->row);
	g->row = NULL;
	PyErr_SetString(PyExc_ValueError, why);
	return -1;
}

static int find_grid(const struct dp_batch *b, struct grid *g)
{
	uint64_t last = 0;

	g->row = NULL;
	g->first = UINT64_MAX;
	for (uint32_t i = 0; i < b->nr; i++) {
		const struct devio_item *it = &b->items[i];

		if (it->len != b->items[0].len)
			return irregular(g, "the items are not of one length");
		g->first = it->mem_off < g->first ? it->mem_off : g->first;
		last = it->mem_off > last ? it->mem_off : last;
	}
	if (!b->nr || !b->items[0].len)
		return irregular(g, "the batch has no bytes");
	g->step = b->nr > 1 ? (last - g->first) / (b->nr - 1) : b->items[0].len;
	g->row = PyMem_Calloc(b->nr, sizeof(*g->row));
	if (!g->row || !g->step)
		return irregular(g, "no memory, or items at one place");
	for (uint32_t i = 0; i < b->nr; i++) {
		uint64_t off = b->items[i].mem_off - g->first, n = off / g->step;

		if (off % g->step || n >= b->nr || g->row[n])
			return irregular(g, "the items lie at irregular places: open the loader with align=1");
		g->row[n] = i + 1;
	}
	return 0;
}

PyObject *dp_stack_grid(PyObject *self, PyObject *unused)
{
	struct dp_batch *b = (struct dp_batch *)self;
	struct grid g;
	PyObject *rows;

	(void)unused;
	if (find_grid(b, &g))
		return NULL;
	rows = PyList_New(b->nr);
	for (uint32_t i = 0; rows && i < b->nr; i++) {
		PyObject *n = PyLong_FromUnsignedLongLong(b->items[g.row[i] - 1].id);

		if (!n || PyList_SetItem(rows, i, n))
			Py_CLEAR(rows);
	}
	PyMem_Free(g.row);
	return rows ? Py_BuildValue("(KKN)", (unsigned long long)g.first, (unsigned long long)g.step, rows) : NULL;
}

PyObject *dp_stack_get_rows(PyObject *self, void *unused)
{
	PyObject *grid = dp_stack_grid(self, NULL), *out;

	(void)unused;
	out = grid ? Py_NewRef(PyTuple_GetItem(grid, 2)) : NULL;
	Py_XDECREF(grid);
	return out;
}

/* Rows of bytes, packed into memory of their own, as elements: where they would be misaligned. */
static PyObject *stack_copy(struct dp_batch *b, struct dp_tensor_init *i, uint64_t at, uint64_t step, int64_t row)
{
	const int64_t shape[2] = { b->nr, row }, strides[2] = { (int64_t)step, 1 };
	struct dp_tensor_init bytes = { .memory = i->memory, .owner = (PyObject *)b, .dtype = dp_dtype_find("U8"),
					.offset = at, .shape = shape, .strides = strides, .ndim = 2 };
	PyObject *view, *copy = NULL, *out = NULL;

	if (dp_item_may_copy(b, "records"))
		return NULL;
	view = dp_tensor_new(&bytes);
	if (view)
		copy = dp_tensor_copy((struct dp_tensor *)view, i->memory->spec);
	if (copy) {
		i->memory = ((struct dp_tensor *)copy)->memory;
		i->offset = 0;
		i->strides = NULL;
		i->owner = NULL;
		out = dp_tensor_new(i);
	}
	Py_XDECREF(view);
	Py_XDECREF(copy);
	return out;
}

/* shape has the row's sides behind the first place. */
static PyObject *stack_rows(struct dp_batch *b, const struct dp_dtype *dtype, int64_t *shape, int ndim, uint64_t offset)
{
	uint64_t size = dp_dtype_align(dtype), row = size;
	int64_t strides[66];
	struct dp_tensor_init i = { .memory = (struct dp_memory *)b->loader->memory,
				    .owner = (PyObject *)b,
				    .dtype = dtype,
				    .shape = shape,
				    .strides = strides,
				    .ndim = ndim };
	struct grid g;

	for (int k = ndim - 1; k > 0; k--) {
		strides[k] = (int64_t)(row / size);
		if (__builtin_mul_overflow(row, (uint64_t)shape[k], &row))
			row = UINT64_MAX;
	}
	if (find_grid(b, &g))
		return NULL;
	PyMem_Free(g.row);
	if (offset > b->items[0].len || row > b->items[0].len - offset) {
		PyErr_Format(PyExc_ValueError, "%s from byte %llu leaves a record of %llu bytes", dtype->d.name,
			     (unsigned long long)offset, (unsigned long long)b->items[0].len);
		return NULL;
	}
	shape[0] = b->nr;
	i.offset = g.first + offset;
	if (g.step % size || (i.memory->device_ptr + i.offset) % size)
		return stack_copy(b, &i, i.offset, g.step, (int64_t)row);
	strides[0] = (int64_t)(g.step / size);
	return dp_tensor_new(&i);
}

PyObject *dp_stack(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "dtype", "shape", "offset", NULL };
	struct dp_batch *b = (struct dp_batch *)self;
	PyObject *shape = Py_None, *offset = NULL, *ok;
	const char *name = "U8";
	const struct dp_dtype *dtype;
	int64_t sides[66], *given;
	uint64_t off;
	int n = 1;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|sOO:stack", words, &name, &shape, &offset) ||
	    dp_u64_default(offset, "offset", 0, &off) || dp_batch_check_open(b))
		return NULL;
	dtype = dp_dtype_find(name);
	if (!dtype || dtype->d.bits < 8) {
		PyErr_Format(PyExc_ValueError, "no dtype of whole bytes is called '%s': devio.DTYPES lists them", name);
		return NULL;
	}
	ok = dp_batch_check(self, NULL);
	if (!ok)
		return NULL;
	Py_DECREF(ok);
	if (shape == Py_None) {
		sides[1] = b->nr && off <= b->items[0].len ? (int64_t)((b->items[0].len - off) / dp_dtype_align(dtype))
							   : 0;
	} else {
		given = dp_tensor_sides(shape, "shape", &n);
		if (!given)
			return NULL;
		memcpy(sides + 1, given, (size_t)n * sizeof(*sides));
		PyMem_Free(given);
	}
	return stack_rows(b, dtype, sides, n + 1, off);
}
