/* SPDX-License-Identifier: MIT */
/* The position in an epoch: an epoch is an order of blocks, a part of it a consecutive range of them. */
#include "config.h"
#include "load/batch.h"

static uint64_t blocks(const struct dv_cursor *c)
{
	return c->items / c->block + (c->items % c->block != 0);
}

/* total * part / parts without overflow. */
static uint64_t share(uint64_t total, uint64_t part, uint64_t parts)
{
	return (uint64_t)((unsigned __int128)total * part / parts);
}

void dv_cursor_start(struct dv_cursor *c, uint64_t seed, uint64_t epoch, uint64_t part, uint64_t parts)
{
	uint64_t n = blocks(c);

	if (n)
		dv_order_init(&c->order, n, seed, epoch);
	c->pos = share(n, part, parts);
	c->stop = share(n, part + 1, parts);
	c->item = c->end = c->taken = 0;
}

/* Whether the last block of the source, which may be short, is still to come. */
static bool last_block_left(const struct dv_cursor *c)
{
	uint64_t last = blocks(c) - 1, at = c->shuffle ? dv_order_find(&c->order, last) : last;

	return at >= c->pos && at < c->stop;
}

uint64_t dv_cursor_left(const struct dv_cursor *c)
{
	uint64_t n = (c->stop - c->pos) * c->block;

	if (n && c->items % c->block && last_block_left(c))
		n -= c->block - c->items % c->block;
	return n + (c->end - c->item);
}

/* Makes the next block current. False: there is none. */
static bool next_block(struct dv_cursor *c)
{
	uint64_t block;

	if (c->pos == c->stop)
		return false;
	block = c->shuffle ? dv_order_at(&c->order, c->pos) : c->pos;
	c->pos++;
	c->item = block * c->block;
	c->end = c->items - c->item < c->block ? c->items : c->item + c->block;
	return true;
}

void dv_cursor_skip(struct dv_cursor *c, uint64_t nr)
{
	while (nr && (c->item < c->end || next_block(c))) {
		uint64_t n = c->end - c->item < nr ? c->end - c->item : nr;

		c->item += n;
		c->taken += n;
		nr -= n;
	}
}

bool dv_cursor_peek(struct dv_cursor *c, uint64_t *item)
{
	if (c->item == c->end && !next_block(c))
		return false;
	*item = c->item;
	return true;
}
