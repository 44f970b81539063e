/* SPDX-License-Identifier: MIT */
/* The index of operations in flight by cookie. */
#include "config.h"
#include <stdlib.h>
#include "ring/index.h"
#include "ring/pair.h"

/* Building an index takes as long as a few operations for each entry of the ring. */
#define IDLE_FACTOR 64

/*
 * Hash chains of entry numbers, oldest first: parts from 1 on, operations after them; 0 ends
 * a chain.
 */
struct dv_index {
	unsigned int bits;         /* 1 << bits chains */
	uint64_t started;          /* operations since the last cancellation */
	uint32_t *first, *last;    /* of each chain */
	uint32_t *next, *prev;     /* of each entry */
	uint32_t *found;           /* by dv_index_find(): room for all operations */
	uint32_t memory[];
};

static uint32_t chain(const struct dv_index *ix, uint64_t cookie)
{
	return (cookie * 0x9e3779b97f4a7c15ULL) >> (64 - ix->bits);
}

static uint32_t of_part(const struct devio_ring *r, const struct dv_part *p)
{
	return 1 + (p - r->parts);
}

static uint32_t of_op(const struct devio_ring *r, const struct dv_op *op)
{
	return 1 + r->nr_parts + (op - r->ops);
}

static void link_entry(struct dv_index *ix, uint32_t entry, uint64_t cookie)
{
	uint32_t c = chain(ix, cookie);

	ix->next[entry] = 0;
	ix->prev[entry] = ix->last[c];
	*(ix->last[c] ? &ix->next[ix->last[c]] : &ix->first[c]) = entry;
	ix->last[c] = entry;
}

static void unlink_entry(struct dv_index *ix, uint32_t entry, uint64_t cookie)
{
	uint32_t c = chain(ix, cookie), next = ix->next[entry], prev = ix->prev[entry];

	*(prev ? &ix->next[prev] : &ix->first[c]) = next;
	*(next ? &ix->prev[next] : &ix->last[c]) = prev;
}

static struct dv_index *allocate(const struct devio_ring *r)
{
	size_t entries = 1 + r->nr_parts + r->nr_ops, chains;
	unsigned int bits = 1;
	struct dv_index *ix;

	while (1u << bits < r->nr_ops)
		bits++;
	chains = (size_t)1 << bits;
	ix = calloc(1, sizeof(*ix) + (2 * chains + 2 * entries + r->nr_ops) * sizeof(ix->memory[0]));
	if (!ix)
		return NULL;
	ix->bits = bits;
	ix->first = ix->memory;
	ix->last = ix->first + chains;
	ix->next = ix->last + chains;
	ix->prev = ix->next + entries;
	ix->found = ix->prev + entries;
	return ix;
}

bool dv_index_open(struct devio_ring *r)
{
	struct dv_index *ix = r->index ? r->index : allocate(r);

	if (!ix || r->index)
		return ix;
	dv_plans_cool(r);
	dv_ring_clear_free_parts(r);
	for (unsigned int i = 0; i < r->nr_parts; i++)
		if (r->parts[i].fast.plan)
			link_entry(ix, of_part(r, &r->parts[i]), r->parts[i].fast.cookie);
	for (unsigned int i = 0; i < r->nr_ops; i++)
		if (r->ops[i].active)
			link_entry(ix, of_op(r, &r->ops[i]), r->ops[i].cookie);
	r->index = ix;
	return true;
}

void dv_index_close(struct devio_ring *r)
{
	free(r->index);
	r->index = NULL;
}

/* Whether to go on counting; otherwise there is no index anymore. */
static bool count(struct devio_ring *r)
{
	if (++r->index->started < IDLE_FACTOR * (uint64_t)(r->nr_parts + r->nr_ops))
		return true;
	dv_index_close(r);
	return false;
}

void dv_index_add_op(struct devio_ring *r, const struct dv_op *op)
{
	if (count(r))
		link_entry(r->index, of_op(r, op), op->cookie);
}

void dv_index_remove_op(struct devio_ring *r, const struct dv_op *op)
{
	unlink_entry(r->index, of_op(r, op), op->cookie);
}

void dv_index_add_part(struct devio_ring *r, const struct dv_part *p)
{
	if (count(r))
		link_entry(r->index, of_part(r, p), p->fast.cookie);
}

void dv_index_remove_part(struct devio_ring *r, const struct dv_part *p)
{
	unlink_entry(r->index, of_part(r, p), p->fast.cookie);
}

/* Turns the parts with this cookie into operations, which are appended to the chain. */
static void promote(struct devio_ring *r, uint64_t cookie)
{
	const struct dv_index *ix = r->index;
	uint32_t next;

	for (uint32_t e = ix->first[chain(ix, cookie)]; e; e = next) {
		next = ix->next[e];
		if (e <= r->nr_parts && r->parts[e - 1].fast.cookie == cookie)
			dv_fast_end(r, &r->parts[e - 1])->ops->promote(r, &r->parts[e - 1]);
	}
}

unsigned int dv_index_find(struct devio_ring *r, uint64_t cookie, const uint32_t **ops)
{
	struct dv_index *ix = r->index;
	unsigned int n = 0;

	ix->started = 0;
	promote(r, cookie);
	for (uint32_t e = ix->first[chain(ix, cookie)]; e; e = ix->next[e])
		if (e > r->nr_parts && r->ops[e - r->nr_parts - 1].cookie == cookie)
			ix->found[n++] = e - r->nr_parts - 1;
	*ops = ix->found;
	return n;
}
