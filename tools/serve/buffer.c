/* SPDX-License-Identifier: MIT */
/*
 * devio-serve: where an answer is in its connection's memory. Answers are sent
 * in order, so the memory is a circular buffer. The head is right before the
 * data: one send has both. The data has the same offset modulo 4096 as in the
 * file, so that the drive can write it there directly.
 */
#include "config.h"
#include "serve.h"

/* The first offset of the head, from `from` on, that aligns the data. */
static uint64_t align_head(uint64_t from, uint64_t off)
{
	uint64_t bytes = from + DV_WIRE_HEAD;

	return bytes + ((off - bytes) & (SERVE_BLOCK - 1)) - DV_WIRE_HEAD;
}

bool serve_buffer_alloc(const struct serve *s, const struct serve_conn *c, struct serve_answer *a, uint64_t off)
{
	const struct serve_answer *oldest = &c->answers[c->first];
	const struct serve_answer *newest = &c->answers[(c->first + c->count - 1) % SERVE_ANSWERS];
	uint64_t head = c->count ? oldest->from : 0, tail = c->count ? newest->end : 0, limit = s->share;

	if (c->count && tail <= head)
		limit = head; /* the newest one is before the oldest one */
	for (int pass = 0; pass < 2; pass++) {
		a->from = tail;
		a->start = a->len ? align_head(tail, off) : tail;
		a->end = a->start + DV_WIRE_HEAD + a->len;
		if (a->end <= limit)
			return true;
		if (!c->count || tail <= head)
			return false;
		tail = 0; /* wrap around, up to the oldest one */
		limit = head;
	}
	return false;
}
