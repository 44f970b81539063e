/* SPDX-License-Identifier: MIT */
/* Per-ring state for pairs of an endpoint and a memory. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "ring/pair.h"

#define EVICT 8 /* at the limit, every EVICTth pair makes room */

static size_t chunk_pairs(unsigned int chunk)
{
	return chunk ? (size_t)DV_PAIRS_FIRST << (chunk - 1) : DV_PAIRS_FIRST;
}

static size_t total(const struct dv_pairs *ps)
{
	return (size_t)DV_PAIRS_FIRST << (ps->nr_chunks - 1);
}

static void insert(struct dv_pairs *ps, struct dv_pair *pair)
{
	uint64_t hash = dv_pair_hash(pair->end_id, pair->mem_id);
	size_t i = hash >> ps->shift, mask = SIZE_MAX >> ps->shift;

	while (ps->slot[i].pair)
		i = (i + 1) & mask;
	ps->slot[i] = (struct dv_pair_slot){ hash, pair };
}

static void release(struct dv_pairs *ps, struct dv_pair *pair)
{
	pair->end_id = 0;
	pair->next = ps->free;
	ps->free = pair;
}

/* Refills the emptied table: entries cannot be removed one by one from a table with linear probing. */
static void insert_all(struct dv_pairs *ps)
{
	for (unsigned int c = 0; c < ps->nr_chunks; c++)
		for (size_t i = 0; i < chunk_pairs(c); i++)
			if (ps->chunk[c][i].end_id)
				insert(ps, &ps->chunk[c][i]);
}

static bool grow(struct dv_pairs *ps)
{
	size_t n = chunk_pairs(ps->nr_chunks), slots = 4 * (ps->nr_chunks ? n : n / 2);
	struct dv_pair_slot *slot;
	struct dv_pair *chunk;

	if (ps->nr_chunks == DV_PAIR_CHUNKS)
		return false;
	slot = calloc(slots, sizeof(*slot));
	chunk = calloc(n, sizeof(*chunk));
	if (!slot || !chunk) {
		free(slot);
		free(chunk);
		return false;
	}
	free(ps->slot);
	ps->slot = slot;
	ps->shift = 64 - __builtin_ctzll(slots);
	insert_all(ps);
	ps->chunk[ps->nr_chunks++] = chunk;
	for (size_t i = n; i-- > 0;)
		release(ps, &chunk[i]);
	return true;
}

static void clear(struct dv_pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	pair->file.plan[0].users = pair->file.plan[1].users = -1;
}

static bool may_evict(const struct dv_pair *pair)
{
	return pair->end_id && pair->file.plan[0].users < 0 && pair->file.plan[1].users < 0;
}

/* Frees the pairs of destroyed objects or, with any, every EVICTth pair. The number of pairs freed. */
static size_t evict(struct dv_pairs *ps, bool any)
{
	unsigned int phase = any ? ++ps->phase : 0;
	size_t n = 0;

	for (unsigned int c = 0; c < ps->nr_chunks; c++)
		for (size_t i = 0; i < chunk_pairs(c); i++) {
			struct dv_pair *pair = &ps->chunk[c][i];

			if (!may_evict(pair) || !(any ? (i + phase) % EVICT == 0 : dv_ctx_id_retired(pair->end_id) ||
							dv_ctx_id_retired(pair->mem_id)))
				continue;
			release(ps, pair);
			n++;
		}
	memset(ps->slot, 0, (SIZE_MAX >> ps->shift) * sizeof(*ps->slot) + sizeof(*ps->slot));
	insert_all(ps);
	return n;
}

/*
 * Objects that are opened and closed for ever must not make the table grow; searching for
 * their pairs must not be done for each new one.
 */
static void make_room(struct dv_pairs *ps)
{
	if (evict(ps, false) < total(ps) / 4 && !grow(ps))
		evict(ps, true);
}

struct dv_pairs *dv_pairs_new(void)
{
	struct dv_pairs *ps = calloc(1, sizeof(*ps));

	if (!ps || !grow(ps)) {
		free(ps);
		return NULL;
	}
	clear(&ps->scratch);
	return ps;
}

void dv_pairs_free(struct dv_pairs *ps)
{
	if (!ps)
		return;
	for (unsigned int c = 0; c < ps->nr_chunks; c++)
		free(ps->chunk[c]);
	free(ps->slot);
	free(ps);
}

struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op)
{
	struct dv_pairs *ps = r->pairs;
	struct dv_pair *pair = dv_pair_find(ps, op->end_id, op->mem->id);

	if (pair)
		return pair;
	if (!ps->free)
		make_room(ps);
	pair = ps->free;
	if (!pair) {
		clear(&ps->scratch);
		return &ps->scratch;
	}
	ps->free = pair->next;
	clear(pair);
	pair->end_id = op->end_id;
	pair->mem_id = op->mem->id;
	insert(ps, pair);
	return pair;
}

void dv_plan_release(struct devio_ring *r, struct dv_plan *pl)
{
	pl->use->users--;
	pl->use->last = dv_use_now(r);
	dv_mem_put(pl->mem);
	dv_endpoint_put(pl->end);
}
