/* SPDX-License-Identifier: MIT */
/*
 * The table of fragments borrowed by the application, and batches of tokens to
 * return to the kernel. Inline, because it runs once per fragment.
 */
#ifndef DV_SOCK_FRAG_TABLE_H
#define DV_SOCK_FRAG_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kern/devmem.h"

/*
 * An entry for a borrowed fragment. The stream's receiver fills it; the thread
 * that releases the fragment, possibly another one, clears it concurrently.
 */
struct dv_frag_place {
	_Atomic uint32_t token;    /* the kernel's */
	_Atomic uint32_t gen;      /* odd while the fragment is borrowed */
};

/* The application gets tokens of our own, of index and generation: a stale one is detected. */
struct dv_frag_table {
	struct dv_frag_place *place;
	uint32_t max, next;
	_Atomic uint32_t nr;
};

#define DV_FRAG_TABLE_MIN 64u
#define DV_FRAG_TABLE_MAX 16384u
/* Allocates the entries: a connection may borrow at most half of the NIC's buffers. 0 or -ENOMEM. */
int dv_frag_table_init(struct dv_frag_table *t, uint64_t buffers);

/* The number of free entries. */
static inline uint32_t dv_frag_table_room(const struct dv_frag_table *t)
{
	return t->max - atomic_load_explicit(&t->nr, memory_order_acquire);
}

/*
 * Stores the kernel's token; returns ours, or 0 if the table is full. Takes the next
 * free entry in circular order, usually the first one tried, since fragments are
 * released in about the order in which they were received.
 */
static inline uint64_t dv_frag_table_put(struct dv_frag_table *t, uint32_t token)
{
	if (!dv_frag_table_room(t))
		return 0;
	for (;;) {
		uint32_t i = t->next, gen = atomic_load_explicit(&t->place[i].gen, memory_order_acquire);

		t->next = i + 1 < t->max ? i + 1 : 0;
		if (gen & 1)
			continue;
		atomic_store_explicit(&t->place[i].token, token, memory_order_relaxed);
		atomic_fetch_add_explicit(&t->nr, 1, memory_order_relaxed);
		atomic_store_explicit(&t->place[i].gen, gen + 1, memory_order_release);
		return (uint64_t)(gen + 1) << 32 | i;
	}
}

/* Clears the entry of our token and returns the kernel's. False: the fragment is not borrowed. */
static inline bool dv_frag_table_take(struct dv_frag_table *t, uint64_t ours, uint32_t *token)
{
	uint32_t i = (uint32_t)ours, gen = (uint32_t)(ours >> 32);

	if (!t->place || i >= t->max || !(gen & 1))
		return false;
	if (atomic_load_explicit(&t->place[i].gen, memory_order_acquire) != gen)
		return false;
	*token = atomic_load_explicit(&t->place[i].token, memory_order_relaxed);
	/* If two threads release the same fragment, one of them fails. */
	if (!atomic_compare_exchange_strong_explicit(&t->place[i].gen, &gen, gen + 1, memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	atomic_fetch_sub_explicit(&t->nr, 1, memory_order_release);
	return true;
}

/* Tokens to return to the kernel, as ranges of consecutive numbers. */
struct dv_token_batch {
	struct dv_dmabuf_token range[DV_DONTNEED_TOKENS];
	unsigned int nr, frags;    /* ranges, and tokens in all of them */
};

/* Returns the tokens to the kernel (SO_DEVMEM_DONTNEED). The number that it does not know, or -errno. */
int dv_token_batch_flush(struct dv_token_batch *b, int fd);

/* Adds a token. False: the batch is full. */
static inline bool dv_token_batch_collect(struct dv_token_batch *b, uint32_t token)
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

/* Adds a token, after a flush if the batch is full: then what the flush returned. */
static inline int dv_token_batch_add(struct dv_token_batch *b, int fd, uint32_t token)
{
	int rc;

	if (dv_token_batch_collect(b, token))
		return 0;
	rc = dv_token_batch_flush(b, fd);
	(void)dv_token_batch_collect(b, token);
	return rc;
}

#endif
