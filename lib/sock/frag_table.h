/* SPDX-License-Identifier: MIT */
/* Pieces that are out, and tokens on their way back: what is done for every single one, and so inline. */
#ifndef DV_LENT_H
#define DV_LENT_H

#include "sock/rx.h"

/* How many more may go out. */
static inline uint32_t dv_lent_room(const struct dv_rx *rx)
{
	return rx->max_lent - atomic_load_explicit(&rx->nr_lent, memory_order_acquire);
}

/*
 * Ours for the kernel's; 0: as many are out as may be. The next free place in
 * turn: mostly the very next, since pieces come back in about the order in
 * which they went.
 */
static inline uint64_t dv_lent_put(struct dv_rx *rx, uint32_t token)
{
	if (!dv_lent_room(rx))
		return 0;
	for (;;) {
		uint32_t i = rx->next_lent, gen = atomic_load_explicit(&rx->lent[i].gen, memory_order_acquire);

		rx->next_lent = i + 1 < rx->max_lent ? i + 1 : 0;
		if (gen & 1)
			continue;
		atomic_store_explicit(&rx->lent[i].token, token, memory_order_relaxed);
		atomic_fetch_add_explicit(&rx->nr_lent, 1, memory_order_relaxed);
		atomic_store_explicit(&rx->lent[i].gen, gen + 1, memory_order_release);
		return (uint64_t)(gen + 1) << 32 | i;
	}
}

/* The kernel's for ours: false if it is not out. */
static inline bool dv_lent_take(struct dv_rx *rx, uint64_t ours, uint32_t *token)
{
	uint32_t i = (uint32_t)ours, gen = (uint32_t)(ours >> 32);

	if (!rx->lent || i >= rx->max_lent || !(gen & 1))
		return false;
	if (atomic_load_explicit(&rx->lent[i].gen, memory_order_acquire) != gen)
		return false;
	*token = atomic_load_explicit(&rx->lent[i].token, memory_order_relaxed);
	/* Of two that release the same piece one is right. */
	if (!atomic_compare_exchange_strong_explicit(&rx->lent[i].gen, &gen, gen + 1, memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	atomic_fetch_sub_explicit(&rx->nr_lent, 1, memory_order_release);
	return true;
}

/* Puts token behind the ranges; false: there is no room. */
static inline bool dv_back_collect(struct dv_back *b, uint32_t token)
{
	struct dv_dmabuf_token *last = b->nr ? &b->range[b->nr - 1] : NULL;

	if (b->frags == DV_DONTNEED_FRAGS)
		return false;
	if (last && token == last->token_start + last->token_count) {
		last->token_count++;
	} else if (last && token + 1 == last->token_start) {
		last->token_start--;
		last->token_count++;
	} else if (b->nr == DV_DONTNEED_TOKENS) {
		return false;
	} else {
		b->range[b->nr++] = (struct dv_dmabuf_token){ token, 1 };
	}
	b->frags++;
	return true;
}

/* Collects a token to give back: what the kernel did not know of those for which room was made, or -errno. */
static inline int dv_back_put(struct dv_back *b, int fd, uint32_t token)
{
	int rc;

	if (dv_back_collect(b, token))
		return 0;
	rc = dv_back_flush(b, fd);
	(void)dv_back_collect(b, token);
	return rc;
}

#endif
