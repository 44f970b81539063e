/* SPDX-License-Identifier: MIT */
/*
 * The shuffle: a permutation of 0..n-1 of which any element can be asked for,
 * so that an epoch of any length takes no memory and several workers agree
 * without a word. devio_loader(3) describes it; it never changes.
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

/* Where element x < n is: dv_order_at() the other way round. */
uint64_t dv_order_find(const struct dv_order *o, uint64_t x);

/* Fills perm with a permutation of 0..n-1: Fisher and Yates, for the inside of a batch. */
void dv_order_fill(uint32_t *perm, uint32_t n, uint64_t key);

#endif
