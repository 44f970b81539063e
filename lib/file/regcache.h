/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs: a slot of its buffer table per (dma-buf, target). */
#ifndef DV_FILE_REGCACHE_H
#define DV_FILE_REGCACHE_H

#include "ring/engine.h"

struct devio_file;

/*
 * The registration of m's dma-buf for f, made if need be: *buf is the slot of
 * the table, held until dv_regcache_put(); *off is where byte 0 of m lies. -errno
 * with *why: -EBUSY when all slots are in use just now, or the kernel refuses.
 * hint: the slot it had before, 0 if not known.
 */
int dv_regcache_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		uint64_t *off, uint8_t *why);
void dv_regcache_put(struct devio_ring *r, int buf);

/* The use made of the registration, for lib/file/fast.c; and the registration of a use. */
struct dv_use *dv_regcache_use(struct devio_ring *r, int buf);
int dv_regcache_find(struct devio_ring *r, const struct dv_use *use, uint64_t *off);

/* The kernel says that the mapping is gone: the next user gets a new registration. */
void dv_regcache_stale(struct devio_ring *r, int buf);

/* Drops the registration that op holds, if any. */
void dv_regcache_release(struct devio_ring *r, struct dv_op *op);

#endif
