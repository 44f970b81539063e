/* SPDX-License-Identifier: MIT */
/* devio._load from the inside: tensors, sources, loaders. */
#ifndef DP_LOAD_H
#define DP_LOAD_H

#include "common.h"
#include <devio/load.h>

/* A row of libdevio-load's table, and how Python's buffers and CUDA's interface write it. */
struct dp_dtype {
	struct devio_dtype d;
	char format[4];      /* struct module; "" if it has none */
	char typestr[8];     /* __cuda_array_interface__; "" if it has none */
	PyObject *text;      /* its name */
};

int dp_dtype_add(PyObject *module);
const struct dp_dtype *dp_dtype_find(const char *name);
const struct dp_dtype *dp_dtype_of_dlpack(unsigned int code, unsigned int bits);
const struct dp_dtype *dp_dtype_of_format(const char *format, Py_ssize_t itemsize);

/* Bytes that an element's address is a multiple of; packed and unknown ones are bytes. */
static inline unsigned int dp_dtype_align(const struct dp_dtype *t)
{
	return t && t->d.bits >= 8 ? t->d.bits / 8 : 1;
}

struct dp_tensor {
	PyObject_HEAD
	PyObject *weak;
	struct dp_memory *memory;        /* NULL: it is empty */
	PyObject *owner;                 /* kept alive; a Batch is in use while a view is */
	const struct dp_dtype *dtype;    /* NULL: not known, its data are bytes */
	PyObject *name;                  /* of the dtype */
	uint64_t offset, nbytes;
	int64_t *shape, *strides;        /* strides in elements; both in one allocation */
	int ndim;
	bool strided, readonly, pinned;  /* pinned: in use until it goes */
};

extern PyTypeObject *dp_tensor_type, *dp_batch_type;

int dp_tensor_add(PyObject *module);

/*
 * A tensor; memory may be NULL, strides too: contiguous. nbytes counts where
 * the dtype is not known. Checks everything but the alignment. NULL with an exception.
 */
struct dp_tensor_init {
	struct dp_memory *memory;
	PyObject *owner;
	const struct dp_dtype *dtype;
	const char *name;
	uint64_t offset, nbytes;
	const int64_t *shape, *strides;
	int ndim;
	bool readonly;
};
PyObject *dp_tensor_new(const struct dp_tensor_init *init);

/* The numbers of a sequence: a new array (PyMem_Free() it) of *n; NULL with an exception. */
int64_t *dp_tensor_sides(PyObject *sequence, const char *what, int *n);

/* A view of the tensor begins and ends: its memory and its batch are in use meanwhile. 0, or -1 with an exception. */
int dp_tensor_pin(struct dp_tensor *t);
void dp_tensor_unpin(struct dp_tensor *t);

/* Where its first element lies: for the device's library, or for the CPU. 0, or -1 with a BufferError. */
int dp_tensor_address(const struct dp_tensor *t, bool cpu, uint64_t *at);

/* A contiguous copy in new memory of the device. NULL with an exception. */
PyObject *dp_tensor_copy(struct dp_tensor *t, const char *spec);

/* Views: dlpack.c, buffer.c. */
PyObject *dp_dlpack_out(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *dp_dlpack_device(PyObject *self, PyObject *unused);
extern bool dp_dlpack_ending; /* the interpreter is about to end */
int dp_buffer_get(PyObject *self, Py_buffer *view, int flags);
void dp_buffer_release(PyObject *self, Py_buffer *view);
PyObject *dp_buffer_cuda(PyObject *self, void *unused);

/* A capsule that is a view for as long as it lives. */
PyObject *dp_tensor_hold(PyObject *self, PyObject *unused);

/* Views that consumers have now. */
extern Py_ssize_t dp_views;

/* from_dlpack(), borrow.c; the buffer's half of it. */
PyObject *dp_borrow(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *dp_borrow_buffer(PyObject *object, PyObject *context, bool writable);

/* Memory over somebody's bytes; owner is kept. */
struct dp_memory *dp_memory_over(const char *spec, uint64_t at, uint64_t size, PyObject *owner, PyObject *context,
				 bool readonly);

/* Memory of the host that is not touched before it is read into; huge: of huge pages if they are to be had. */
struct dp_memory *dp_memory_host(uint64_t size, bool huge, PyObject *context);
struct dp_memory *dp_memory_alloc(const char *spec, uint64_t size, PyObject *context);

struct dp_source {
	struct dp_handle base;           /* struct devio_source */
	PyObject *kind, *files;
	struct devio_source_info info;
	uint64_t record_size, header;
	bool tail;
};
extern PyTypeObject *dp_source_type;
int dp_source_add(PyObject *module);
PyObject *dp_source_field(struct dp_source *s, uint64_t item, unsigned int n);
/* The same without an object: 0, or -1 with an exception. */
int dp_source_raw_field(struct dp_source *s, uint64_t item, unsigned int n, struct devio_field *f);

struct dp_batch;
struct dp_loader {
	struct dp_handle base;           /* struct devio_loader */
	PyObject *source, *memory, *context;
	PyObject *before_reuse;          /* called before slots of batches that are gone are given back */
	uint32_t *back;                  /* their slots: given back at the next turn */
	uint32_t nr_back;
	struct dp_batch *out;            /* list of batches with a slot */
	uint64_t start;                  /* counts start() */
	uint64_t paths[DEVIO_PATH_MAX];
	uint64_t reasons;                /* bits */
	unsigned long thread;
	bool busy, no_copy;
};
int dp_loader_add(PyObject *module);

/* Takes a slot back, from whatever thread. */
void dp_loader_return(struct dp_loader *l, uint32_t slot);

struct dp_batch {
	struct dp_handle base;           /* the slot, + 1 */
	struct dp_loader *loader;
	struct dp_batch *next, **at;
	struct devio_item *items;
	PyObject *sentence;              /* why something of it failed */
	uint64_t seq, start;
	uint32_t nr, failed;
	Py_ssize_t tensors;              /* that there are of it */
};
int dp_batch_add(PyObject *module);
PyObject *dp_batch_new(struct dp_loader *l, const struct devio_batch *raw);

/* ValueError if it was released; Error if something of it could not be read. */
int dp_batch_check_open(struct dp_batch *b);
PyObject *dp_batch_check(PyObject *self, PyObject *unused);

/* Its methods for records: stack.c. */
PyObject *dp_stack(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *dp_stack_grid(PyObject *self, PyObject *unused);
PyObject *dp_stack_get_rows(PyObject *self, void *unused);

int dp_item_add(PyObject *module);
PyObject *dp_item_new(struct dp_batch *b, Py_ssize_t n);
PyObject *dp_item_tensor(struct dp_batch *b, const struct devio_item *i);
PyObject *dp_item_info(struct dp_batch *b, const struct devio_item *i);

/* An element is misaligned: 0 if it may be copied, or -1 with an exception that says that it may not. */
int dp_item_may_copy(const struct dp_batch *b, const char *what);

/*
 * plan.c: plan() gives (a capsule, bytes of memory, number of the first item that would be
 * misaligned or -1); plan_parts() what of each file is read; plan_tensors() fills a dict.
 */
PyObject *dp_plan_new(PyObject *module, PyObject *source);
PyObject *dp_plan_parts(PyObject *module, PyObject *capsule);
PyObject *dp_plan_tensors(PyObject *module, PyObject *args);
/* Its reads. NULL with an exception. */
struct devio_load_range *dp_plan_ranges(PyObject *capsule, Py_ssize_t *nr);

/* read_plan(), host_memory(): fetch.c. */
PyObject *dp_fetch_read(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *dp_fetch_memory(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
