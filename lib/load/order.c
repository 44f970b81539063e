/* SPDX-License-Identifier: MIT */
/* A Feistel network over the next power of four, iterated until the value is below n (cycle walking). */
#include "config.h"
#include "load/order.h"

#define GOLDEN 0x9e3779b97f4a7c15ULL
#define ROUNDS 6
#define MIN_HALF 4 /* with fewer bits the network has too few permutations */

uint64_t dv_order_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

void dv_order_init(struct dv_order *o, uint64_t n, uint64_t seed, uint64_t epoch)
{
	o->n = n;
	o->key = dv_order_mix(dv_order_mix(seed + GOLDEN) + (epoch + 1) * GOLDEN);
	o->half = MIN_HALF;
	while (o->half < 32 && (n - 1) >> (2 * o->half))
		o->half++;
}

static uint64_t network(const struct dv_order *o, uint64_t x)
{
	uint64_t mask = (1ULL << o->half) - 1, left = x >> o->half, right = x & mask;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		uint64_t next = left ^ (dv_order_mix(o->key + round * GOLDEN + right) & mask);

		left = right;
		right = next;
	}
	return left << o->half | right;
}

static uint64_t inverse(const struct dv_order *o, uint64_t x)
{
	uint64_t mask = (1ULL << o->half) - 1, left = x >> o->half, right = x & mask;

	for (unsigned int round = ROUNDS; round >= 1; round--) {
		uint64_t before = right ^ (dv_order_mix(o->key + round * GOLDEN + left) & mask);

		right = left;
		left = before;
	}
	return left << o->half | right;
}

uint64_t dv_order_find(const struct dv_order *o, uint64_t x)
{
	do
		x = inverse(o, x);
	while (x >= o->n);
	return x;
}

uint64_t dv_order_at(const struct dv_order *o, uint64_t i)
{
	do
		i = network(o, i);
	while (i >= o->n);
	return i;
}

void dv_order_fill(uint32_t *perm, uint32_t n, uint64_t key)
{
	for (uint32_t i = 0; i < n; i++) {
		/* The upper half of the product: 0..i, as uniform as 2^32 allows. */
		uint32_t k = ((dv_order_mix(key + (i + 1) * GOLDEN) >> 32) * (i + 1)) >> 32;

		perm[i] = perm[k];
		perm[k] = i;
	}
}
