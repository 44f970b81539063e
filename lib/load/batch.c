/* SPDX-License-Identifier: MIT */
/*
 * The layout of a batch. A run begins and ends at a multiple of `align` in the
 * file and in the memory, so that it is read directly and no head or tail has to
 * be copied. Nothing here allocates.
 */
#include "config.h"
#include <string.h>
#include "load/batch.h"

#define NO_RUN UINT32_MAX

static uint64_t down(const struct dv_layout *l, uint64_t n)
{
	return n & ~(l->align - 1);
}

static uint64_t up(const struct dv_layout *l, uint64_t n)
{
	return down(l, n + l->align - 1);
}

uint64_t dv_batch_need(const struct dv_layout *l, uint64_t item)
{
	unsigned int n = dv_source_fields(l->source, item);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct dv_span p = dv_source_span(l->source, item, i);

		if (p.len)
			sum += up(l, p.off + p.len) - down(l, p.off) + (sum ? l->gap : 0);
	}
	return sum;
}

/* Extends the last run by the span. False: the span needs a run of its own. */
static bool extend(const struct dv_layout *l, struct dv_batch_slot *s, const struct dv_span *p, bool *full)
{
	struct dv_run *run = s->nr_runs ? &s->runs[s->nr_runs - 1] : NULL;
	uint64_t end = up(l, p->off + p->len), more;

	if (!run || run->file != p->file || p->off < run->off || p->off > run->end + l->gap)
		return false;
	more = end > run->end ? end - run->end : 0;
	if (more && end - run->off > l->max_read)
		return false;
	*full = more > l->slot_bytes - s->used;
	if (*full)
		return true;
	run->end += more;
	s->used += more;
	if (run->need < p->off + p->len)
		run->need = p->off + p->len;
	return true;
}

/* False: the slot is full. */
static bool place(const struct dv_layout *l, struct dv_batch_slot *s, const struct dv_span *p, uint32_t field)
{
	struct dv_place *to = &s->places[s->nr_places];
	uint64_t from = down(l, p->off), end = up(l, p->off + p->len);
	bool full = false;

	*to = (struct dv_place){ s->base, p->len, p->off + p->len, NO_RUN, field };
	if (p->len) {
		if (!extend(l, s, p, &full)) {
			full = end - from > l->slot_bytes - s->used;
			if (!full) {
				dv_run_init(&s->runs[s->nr_runs++], p->file, from, end, s->base + s->used);
				s->runs[s->nr_runs - 1].need = p->off + p->len;
				s->used += end - from;
			}
		}
		if (full)
			return false;
		to->run = s->nr_runs - 1;
		to->mem_off = s->runs[to->run].mem_off + (p->off - s->runs[to->run].off);
	}
	s->nr_places++;
	return true;
}

/* All fields of an item, or none. */
static bool place_item(const struct dv_layout *l, struct dv_batch_slot *s, uint64_t item)
{
	unsigned int n = dv_source_fields(l->source, item);
	uint32_t runs = s->nr_runs, places = s->nr_places;
	struct dv_run last = { 0 };
	uint64_t used = s->used;

	if (runs)
		last = s->runs[runs - 1];
	for (unsigned int i = 0; i < n; i++) {
		struct dv_span p = dv_source_span(l->source, item, i);

		if (place(l, s, &p, i))
			continue;
		if (runs)
			s->runs[runs - 1] = last;
		s->nr_runs = runs;
		s->nr_places = places;
		s->used = used;
		return false;
	}
	s->samples[s->nr_samples++] = (struct dv_sample){ item, places };
	return true;
}

bool dv_batch_plan(const struct dv_layout *l, struct dv_batch_slot *s, struct dv_cursor *c, bool drop_last)
{
	uint64_t item, at = c->taken;

	s->used = 0;
	s->nr_runs = s->nr_places = s->nr_samples = 0;
	s->submitted = s->inflight = 0;
	while (s->nr_samples < l->batch && dv_cursor_peek(c, &item) && place_item(l, s, item))
		dv_cursor_take(c);
	if (!s->nr_samples || (drop_last && s->nr_samples < l->batch && !dv_cursor_peek(c, &item)))
		return false;
	/*
	 * Neighbours were read together, but are not delivered in that order. The key is the position in the epoch,
	 * not seq, so that a resumed epoch is the same.
	 */
	if (c->shuffle && c->block > 1)
		dv_order_fill(s->perm, s->nr_samples, dv_order_mix(c->order.key + at));
	else
		for (uint32_t i = 0; i < s->nr_samples; i++)
			s->perm[i] = i;
	return true;
}

static void fill_item(const struct dv_batch_slot *s, const struct dv_place *p, struct devio_item *to)
{
	const struct dv_run *run;

	to->mem_off = p->mem_off;
	to->len = p->len;
	to->field = p->field;
	to->error = 0;
	to->path = to->best_unused = to->reason = to->flags = 0;
	memset(to->resv, 0, sizeof(to->resv));
	if (p->run == NO_RUN)
		return;
	run = &s->runs[p->run];
	to->error = p->end > run->good ? run->error : 0;
	to->path = run->outcome.path;
	to->best_unused = run->outcome.best_unused;
	to->reason = run->outcome.reason;
	to->flags = run->outcome.flags;
}

uint32_t dv_batch_finish(struct dv_batch_slot *s, uint64_t *bytes)
{
	struct devio_item *to = s->items;
	uint32_t failed = 0;

	for (uint32_t i = 0; i < s->nr_samples; i++) {
		uint32_t k = s->perm[i], end = k + 1 < s->nr_samples ? s->samples[k + 1].first : s->nr_places;

		for (uint32_t p = s->samples[k].first; p < end; p++, to++) {
			to->id = s->samples[k].id;
			fill_item(s, &s->places[p], to);
			failed += to->error != 0;
			*bytes += to->len;
		}
	}
	return failed;
}
