/* SPDX-License-Identifier: MIT */
/*
 * Pointers of the application whose memory is not known: what lib/cufile/ asks. Exported under
 * DEVIO_PRIVATE for use by libcufile only.
 */
#ifndef DV_MEM_PTR_H
#define DV_MEM_PTR_H

#include <stdbool.h>
#include <devio/mem.h>
#include "core/err.h"

/* Device memory that a pointer is in. */
struct dv_ptr {
	uint64_t base, size; /* the range that the vendor reports for the pointer */
	uint64_t id;         /* of the allocation: another one at the same address has another id */
	int ordinal;         /* as in cuda:N */
	bool managed;        /* migrates between host and device */
};

/*
 * 1: device memory, *p is filled in; 0: host memory, page-locked or not; -errno with an error message. Loads no
 * vendor library: a process that has not loaded one has no pointers of it.
 */
DV_PRIVATE int dv_ptr_find(const void *ptr, struct dv_ptr *p);

/*
 * Imports size bytes at ptr, which dv_ptr_find() has found to be device memory. copies: it is never exported as a
 * dma-buf, so that the application may free it at any time. *mem is owned by the caller.
 */
DV_PRIVATE int dv_ptr_import(struct devio_ctx *ctx, const struct dv_ptr *p, const void *ptr, uint64_t size, bool copies,
			     struct devio_mem **mem);

#endif
