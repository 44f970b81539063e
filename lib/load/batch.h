/* SPDX-License-Identifier: MIT */
/*
 * A batch in its slot of the memory: its items, the reads that load them and, once
 * these have completed, the result for each field.
 */
#ifndef DV_BATCH_H
#define DV_BATCH_H

#include <devio/load.h>
#include "load/order.h"
#include "load/reads.h"

/* Where a field is placed in the memory. */
struct dv_place {
	uint64_t mem_off, len;
	uint64_t end;            /* its end in the file */
	uint32_t run, field;
};

struct dv_sample {
	uint64_t id;
	uint32_t first;          /* index of its first place */
};

enum dv_slot_state { DV_SLOT_FREE, DV_SLOT_LOADING, DV_SLOT_DELIVERED };

struct dv_batch_slot {
	enum dv_slot_state state;
	uint32_t number;
	uint64_t seq;
	uint64_t base, used;     /* bytes of the memory */
	struct dv_run *runs;
	struct dv_place *places;
	struct dv_sample *samples;
	uint32_t *perm;          /* samples in the order of delivery */
	struct devio_item *items;
	uint32_t nr_runs, nr_places, nr_samples;
	uint32_t submitted;      /* runs whose reads are all submitted */
	uint32_t inflight;       /* reads */
	struct dv_batch_slot *next; /* in the queue of loading slots or the list of free ones */
};

/* How batches are laid out: the same for all batches of a loader. */
struct dv_layout {
	const struct devio_source *source;
	uint64_t slot_bytes, align;
	uint32_t batch, gap, max_read;
	uint32_t places;         /* per slot */
};

/* A part of an epoch: blocks [pos, stop) of the order, and the remaining items of the current block. */
struct dv_cursor {
	struct dv_order order;
	bool shuffle;
	uint64_t items, block;   /* items in the source, and per block */
	uint64_t pos, stop;
	uint64_t item, end;
	uint64_t taken;          /* items, including skipped ones */
};

/* Starts an epoch for part `part` of `parts`. */
void dv_cursor_start(struct dv_cursor *c, uint64_t seed, uint64_t epoch, uint64_t part, uint64_t parts);

/* The number of items left; at the start, all of the part. */
uint64_t dv_cursor_left(const struct dv_cursor *c);

/* The next item, which dv_cursor_take() consumes. False: end of the part. */
bool dv_cursor_peek(struct dv_cursor *c, uint64_t *item);

static inline void dv_cursor_take(struct dv_cursor *c)
{
	c->item++;
	c->taken++;
}

void dv_cursor_skip(struct dv_cursor *c, uint64_t nr);

/* The most bytes of a slot that the item can occupy. */
uint64_t dv_batch_need(const struct dv_layout *l, uint64_t item);

/* Takes items from the cursor until the batch or the slot is full. False: none are left. */
bool dv_batch_plan(const struct dv_layout *l, struct dv_batch_slot *s, struct dv_cursor *c, bool drop_last);

/* Fills items[]. Returns the number of failed ones. */
uint32_t dv_batch_finish(struct dv_batch_slot *s, uint64_t *bytes);

#endif
