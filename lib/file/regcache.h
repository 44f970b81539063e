/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs: a buffer table slot for each pair of dma-buf and target. */
#ifndef DV_FILE_REGCACHE_H
#define DV_FILE_REGCACHE_H

#include "ring/engine.h"

struct devio_file;

/*
 * Gets the registration of m's dma-buf for f, creating it if necessary. *buf is the slot
 * in the buffer table, in use until dv_regcache_put(); *off is the offset of byte 0 of m
 * in the dma-buf. -errno with *why: -EBUSY if all slots are in use, or the kernel's error.
 * hint: the slot used last, 0 if unknown.
 */
int dv_regcache_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		    uint64_t *off, uint8_t *why);
void dv_regcache_put(struct devio_ring *r, int buf);

/* The usage of a registration, for lib/file/fast.c, and the registration of a usage. */
struct dv_use *dv_regcache_use(struct devio_ring *r, int buf);
int dv_regcache_find(struct devio_ring *r, const struct dv_use *use, uint64_t *off);

/* The mapping is gone according to the kernel: the next user gets a new registration. */
void dv_regcache_stale(struct devio_ring *r, int buf);

/* Releases the registration that op uses, if any. */
void dv_regcache_release(struct devio_ring *r, struct dv_op *op);

#endif
