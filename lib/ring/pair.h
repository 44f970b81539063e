/* SPDX-License-Identifier: MIT */
/* A ring's cached state for a pair of a file or stream and a memory. */
#ifndef DV_RING_PAIR_H
#define DV_RING_PAIR_H

#include "core/outcome.h"
#include "ring/engine.h"

#define DV_PAIRS_FIRST 16
#define DV_PAIR_CHUNKS 14
#define DV_PAIRS_MAX (DV_PAIRS_FIRST << (DV_PAIR_CHUNKS - 1)) /* of a ring: 131072 */

/*
 * How the common operation on a file and a memory is executed: lib/file/fast.c. As long as
 * operations are in flight by it, the plan holds the references that they need, and the plan
 * of the hot path is one of these: what it points to is the file and the memory, not others
 * at the same addresses.
 */
struct dv_plan {
	struct dv_endpoint *end;
	struct devio_mem *mem;
	uint64_t len;              /* the length that was checked last */
	uint64_t max_off;          /* in the memory, at this length */
	uint64_t max_file_off;     /* in the file, at this length */
	uint64_t off_mask;         /* bits that must be 0 in offsets and lengths */
	uint64_t base;             /* address of byte 0 of the memory, as the kernel expects it */
	uint64_t mem_mask;         /* bits that must be 0 in addresses */
	int64_t left;              /* bytes left until the page cache is to be queried again; else INT64_MAX */
	int users;                 /* operations in flight, minus 1 */
	unsigned int gen;          /* valid if equal to the ring's plan_gen */
	struct dv_frame frame;     /* SQE template: opcode, descriptor and buffer */
	struct dv_outcome outcome;
	struct dv_use *use;        /* usage of the registered buffer, or the ring's no_use */
	uint64_t max_len;          /* at most the size of the memory, and file_end */
	uint64_t file_end;         /* offset behind the last byte; at most 2^62 */
};

/* The file-specific fields of a pair. */
struct dv_pair_file {
	struct dv_plan plan[2];    /* of reads and writes */
	bool hot;                  /* the data was in the page cache when last queried */
	int64_t hot_left;          /* bytes left until the page cache is queried again */
	struct {
		int buf;           /* file-dmabuf: buffer table slot used last */
		uint64_t off;      /* offset of byte 0 of the memory in the dma-buf */
	} dmabuf;
};

struct dv_pair {
	uint64_t end_id, mem_id;   /* of the file or stream and of the memory; 0: a free pair */
	struct dv_pair *next;      /* free pair */
	uint16_t known, can;       /* bit: 1 << enum devio_path */
	uint16_t refused;          /* refused by the kernel too often to try again */
	uint8_t refusals[DEVIO_PATH_MAX]; /* consecutive operations refused by the kernel */
	uint8_t why[DEVIO_PATH_MAX]; /* enum devio_reason if it cannot be used */
	struct dv_pair_file file;
};

struct dv_pair_slot {
	uint64_t hash;
	struct dv_pair *pair;      /* NULL: empty */
};

/*
 * The pairs of a ring: a hash table with linear probing, at most half full. Pairs do not
 * move; their number doubles when most of them belong to objects that are still open.
 */
struct dv_pairs {
	struct dv_pair_slot *slot;
	unsigned int shift;        /* a hash shifted by it is the slot's index */
	unsigned int nr_chunks;
	unsigned int phase;        /* of the eviction at the limit */
	struct dv_pair *free;
	struct dv_pair *chunk[DV_PAIR_CHUNKS]; /* twice as many pairs as all before it */
	struct dv_pair scratch;    /* stands in if no other is available; its ids remain 0 */
	struct dv_plan no_pair;    /* of operations for which there is no pair */
};

static inline uint64_t dv_pair_hash(uint64_t end_id, uint64_t mem_id)
{
	return (end_id + mem_id * 0xd6e8feb86659fd93ULL) * 0x9e3779b97f4a7c15ULL;
}

/* NULL: not known yet, or evicted. */
static inline struct dv_pair *dv_pair_find(const struct dv_pairs *ps, uint64_t end_id, uint64_t mem_id)
{
	uint64_t hash = dv_pair_hash(end_id, mem_id);
	size_t mask = SIZE_MAX >> ps->shift;

	for (size_t i = hash >> ps->shift; ps->slot[i].pair; i = (i + 1) & mask)
		if (ps->slot[i].hash == hash && ps->slot[i].pair->end_id == end_id &&
		    ps->slot[i].pair->mem_id == mem_id)
			return ps->slot[i].pair;
	return NULL;
}

/* The hot path does not use the next operation's plan until it has been found once more. */
static inline void dv_plans_cool(struct devio_ring *r)
{
	r->hot[0] = r->hot[1] = &r->pairs->scratch.file.plan[0]; /* never in use */
}

/* Called when something has changed on which plans may depend. */
static inline void dv_plans_invalidate(struct devio_ring *r)
{
	r->plan_gen++;
	dv_plans_cool(r);
}

/* Operations that were started by the plan have completed, or hold references of their own. */
void dv_plan_release(struct devio_ring *r, struct dv_plan *pl);
static inline void dv_plan_put(struct devio_ring *r, struct dv_plan *pl, unsigned int n)
{
	pl->users -= n;
	if (pl->users < 0)
		dv_plan_release(r, pl);
}

/* Counts an operation, and takes the references for the first one. */
static inline void dv_plan_get(struct devio_ring *r, struct dv_plan *pl)
{
	if (pl->users < 0) {
		dv_endpoint_get(pl->end);
		dv_mem_get(pl->mem);
		pl->use->users++;
		pl->use->last = dv_use_now(r);
	}
	pl->users++;
}

/* The endpoint and the memory of a part that carries a whole operation. */
static inline struct dv_endpoint *dv_fast_end(const struct devio_ring *r, const struct dv_part *p)
{
	return p->fast.plan == &r->pairs->no_pair ? p->fast.end : p->fast.plan->end;
}

static inline struct devio_mem *dv_fast_mem(const struct devio_ring *r, const struct dv_part *p)
{
	return p->fast.plan == &r->pairs->no_pair ? p->fast.mem : p->fast.plan->mem;
}

/* NULL: out of memory. */
struct dv_pairs *dv_pairs_new(void);
void dv_pairs_free(struct dv_pairs *ps);

/*
 * The pair of op's endpoint and memory, created if it is not known; creating one may evict
 * others. Never NULL: where nothing can be allocated or evicted, a pair that nobody finds again.
 */
struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op);

#endif
