/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs: a slot of its buffer table per (dma-buf, target). */
#ifndef DV_REGS_H
#define DV_REGS_H

#include "path.h"

/*
 * The registration of m's dma-buf for f, made if need be: *buf is the slot of
 * the table, held until dv_regs_put(); *off is where byte 0 of m lies. -errno
 * with *why: no slot is free (all in use), or the kernel refuses. hint: the
 * slot it had before, 0 if not known.
 */
int dv_regs_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		uint64_t *off, uint8_t *why);
void dv_regs_put(struct devio_ring *r, int buf);

/* The count of those that hold the registration, for lib/fast.c; and the registration of a count. */
uint32_t *dv_regs_users(struct devio_ring *r, int buf);
int dv_regs_find(struct devio_ring *r, const uint32_t *users, uint64_t *off);

/* Lets go of memories and files that were closed and are not in use. */
void dv_regs_sweep(struct devio_ring *r);
void dv_regs_exit(struct devio_ring *r);
/* In a forked child: the same without a word to the kernel. */
void dv_regs_forget(struct devio_ring *r);

#endif
