/* SPDX-License-Identifier: MIT */
/*
 * Staging slots: the memory between disk and device. Chunks of one size, each
 * made of 64 units; an allocation is a run of units in one chunk, found with
 * bit operations. Taken from the system when first needed, registered with
 * the ring, never more than the limit.
 */
#ifndef DV_SLOTS_H
#define DV_SLOTS_H

#include <stdint.h>
#include <stddef.h>

struct dv_queue;
struct devio_mem;
struct dv_mem_ops;

#define DV_SLOT_UNITS 64
#define DV_SLOT_PINS 8

struct dv_slots {
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
	} pins[DV_SLOT_PINS];
	unsigned int nr_pins;
};

struct dv_slot {
	char *buf;                 /* NULL: none */
	uint32_t chunk;
	uint8_t unit, units;
};

/* The shape only; no memory is taken. */
int dv_slots_init(struct dv_slots *s, uint64_t limit, uint32_t chunk_size);
void dv_slots_exit(struct dv_slots *s);
/* Takes back what dv_slots_pin() told the devices; before dv_slots_exit(), not in a forked child. */
void dv_slots_unpin(struct dv_slots *s);

/* len <= chunk_size. 0; -EAGAIN: all in use; -ENOMEM: there is no memory for the arena at all. */
int dv_slots_get(struct dv_slots *s, struct dv_queue *q, uint32_t len, struct dv_slot *slot);
void dv_slots_put(struct dv_slots *s, struct dv_slot *slot);

/* Tells the memory's device about the arena (page-locked copies), once per vendor. */
void dv_slots_pin(struct dv_slots *s, struct devio_mem *m);

#endif
