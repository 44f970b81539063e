/* SPDX-License-Identifier: MIT */
/* devio._core from the inside: a file for each type. */
#ifndef DP_CORE_H
#define DP_CORE_H

#include "common.h"

extern PyTypeObject *dp_file_type;

/* Each adds its types to the module: 0, or -1 with an exception. */
int dp_context_add(PyObject *module);
int dp_memory_add(PyObject *module);
int dp_completion_add(PyObject *module);
int dp_file_add(PyObject *module);
int dp_ring_add(PyObject *module);

/* The context of the process: a child of fork() gets its own. */
PyObject *dp_context_default(PyObject *module, PyObject *unused);

/* A Completion; the cookie is borrowed. */
PyObject *dp_completion_new(const struct devio_completion *c, PyObject *cookie);

/* The four arguments of a transfer, and what they stand for. */
struct dp_transfer {
	struct dp_handle *file;
	struct dp_memory *mem;
	uint64_t mem_off, len, file_off;
	bool write;
};

/* Checks them: 0, or -1 with an exception. */
int dp_transfer_check(struct dp_transfer *t, PyObject *file, PyObject *mem, PyObject *const offsets[3]);

#endif
