/* SPDX-License-Identifier: MIT */
/*
 * Staging slots: the memory between disk and device. Chunks of one size, each
 * made of 64 units; an allocation is a run of units in one chunk, found with
 * bit operations. Taken from the system when first needed, registered with
 * the ring, never more than the limit.
 */
#ifndef DV_RING_STAGING_H
#define DV_RING_STAGING_H

#include <stdint.h>
#include <stddef.h>

struct dv_queue;
struct devio_mem;
struct dv_mem_ops;

#define DV_STAGING_UNITS 64
#define DV_STAGING_PINS 8

struct dv_staging {
	char *arena;               /* NULL until needed */
	uint32_t chunk_size;       /* bytes, 64 units */
	uint32_t unit_shift;
	uint32_t nr_chunks;        /* at most */
	uint32_t first_partial;    /* where to look first: no free unit before it */
	uint64_t *free;            /* a bit a free unit, by chunk */
	uint64_t used, peak;       /* bytes */
	int buf;                   /* slot of the ring's buffer table, -1: not registered */
	struct {                   /* vendors that know the arena */
		const struct dv_mem_ops *ops;
		void *handle;
	} pins[DV_STAGING_PINS];
	unsigned int nr_pins;
};

struct dv_staging_buf {
	char *buf;                 /* NULL: none */
	uint32_t chunk;
	uint8_t unit, units;
};

/* The shape only; no memory is taken. */
int dv_staging_init(struct dv_staging *s, uint64_t limit, uint32_t chunk_size);
void dv_staging_exit(struct dv_staging *s);
/* Takes back what dv_staging_pin() told the devices; before dv_staging_exit(), not in a forked child. */
void dv_staging_unpin(struct dv_staging *s);

/* len <= chunk_size. 0; -EAGAIN: all in use; -ENOMEM: there is no memory for the arena at all. */
int dv_staging_get(struct dv_staging *s, struct dv_queue *q, uint32_t len, struct dv_staging_buf *slot);
void dv_staging_put(struct dv_staging *s, struct dv_staging_buf *slot);

/* Tells the memory's device about the arena (page-locked copies), once per vendor. */
void dv_staging_pin(struct dv_staging *s, struct devio_mem *m);

#endif
