/* SPDX-License-Identifier: MIT */
/*
 * Staging buffers: host memory between drive and device. An arena of equally sized
 * chunks of 64 units each; a buffer is a run of units in one chunk, found with bit
 * operations. The arena is allocated on first use, within the limit, and registered with
 * the ring.
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
	uint32_t first_partial;    /* where the search starts: no free unit before it */
	uint64_t *free;            /* bitmap of free units per chunk */
	uint64_t used, peak;       /* bytes */
	int buf;                   /* slot in the ring's buffer table, -1: not registered */
	struct {                   /* vendors for which the arena is page-locked, or failed to be */
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

/* Sets the geometry; does not allocate the arena. */
int dv_staging_init(struct dv_staging *s, uint64_t limit, uint32_t chunk_size);
void dv_staging_exit(struct dv_staging *s);
/* Undoes dv_staging_pin(); call before dv_staging_exit(), but not in a forked child. */
void dv_staging_unpin(struct dv_staging *s);

/* Allocates len <= chunk_size bytes. 0, -EAGAIN: all in use, -ENOMEM: the arena cannot be allocated. */
int dv_staging_get(struct dv_staging *s, struct dv_queue *q, uint32_t len, struct dv_staging_buf *slot);
void dv_staging_put(struct dv_staging *s, struct dv_staging_buf *slot);

/* Page-locks the arena for the memory's device, once per vendor. */
void dv_staging_pin(struct dv_staging *s, struct devio_mem *m);

#endif
