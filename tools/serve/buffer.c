/* SPDX-License-Identifier: MIT */
/*
 * devio-serve: where an answer lies in its connection's memory. Answers leave
 * in their order, so the memory is used in a circle. The head stands right
 * before the bytes: both go out as one piece. The bytes have the same place
 * modulo 4096 as in the file, so that the drive can write them there directly.
 */
#include "config.h"
#include "serve.h"

/* The first place for the head at or behind `from`. */
static uint64_t place(uint64_t from, uint64_t off)
{
	uint64_t bytes = from + DV_WIRE_HEAD;

	return bytes + ((off - bytes) & (SERVE_BLOCK - 1)) - DV_WIRE_HEAD;
}

bool serve_room_take(const struct serve *s, const struct serve_conn *c, struct serve_answer *a, uint64_t off)
{
	const struct serve_answer *oldest = &c->answers[c->first];
	const struct serve_answer *newest = &c->answers[(c->first + c->count - 1) % SERVE_ANSWERS];
	uint64_t head = c->count ? oldest->from : 0, tail = c->count ? newest->end : 0, limit = s->share;

	if (c->count && tail <= head)
		limit = head; /* the newest one stands before the oldest one */
	for (int turn = 0; turn < 2; turn++) {
		a->from = tail;
		a->start = a->len ? place(tail, off) : tail;
		a->end = a->start + DV_WIRE_HEAD + a->len;
		if (a->end <= limit)
			return true;
		if (!c->count || tail <= head)
			return false;
		tail = 0; /* from the front again, before the oldest one */
		limit = head;
	}
	return false;
}
