/* SPDX-License-Identifier: MIT */
/*
 * The shuffle: a permutation of 0..n-1 with random access, so that an epoch of any
 * length needs no memory and workers agree without communication. It is specified
 * in devio_loader(3) and never changes.
 */
#ifndef DV_ORDER_H
#define DV_ORDER_H

#include <stdint.h>

struct dv_order {
	uint64_t n;
	uint64_t key;
	unsigned int half;   /* bits of each half of the Feistel network */
};

/* splitmix64's output function. */
uint64_t dv_order_mix(uint64_t x);

/* n > 0. */
void dv_order_init(struct dv_order *o, uint64_t n, uint64_t seed, uint64_t epoch);

/* Element i < n. */
uint64_t dv_order_at(const struct dv_order *o, uint64_t i);

/* The position of element x < n: the inverse of dv_order_at(). */
uint64_t dv_order_find(const struct dv_order *o, uint64_t x);

/* Fills perm with a permutation of 0..n-1 (Fisher-Yates), for the items of a batch. */
void dv_order_fill(uint32_t *perm, uint32_t n, uint64_t key);

#endif
