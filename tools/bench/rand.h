/* SPDX-License-Identifier: MIT */
/* Random numbers, and the order of the blocks of a random job. */
#ifndef TOOLS_BENCH_RAND_H
#define TOOLS_BENCH_RAND_H

#include <stdbool.h>
#include <stdint.h>

struct bench_rand {
	uint64_t state;
};

/* splitmix64: one addition and a finalizer, for any seed. */
static inline uint64_t bench_rand_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint64_t bench_rand_next(struct bench_rand *r)
{
	return bench_rand_mix(r->state += 0x9e3779b97f4a7c15u);
}

/* In [0, n). */
static inline uint64_t bench_rand_below(struct bench_rand *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)bench_rand_next(r) * n >> 64);
}

static inline double bench_rand_unit(struct bench_rand *r)
{
	return (double)(bench_rand_next(r) >> 11) * 0x1p-53;    /* [0, 1) */
}

/*
 * Every number of [0, n) once, in an order that depends on a seed: like the
 * random map of fio, but without a map. It iterates over a bijection of
 * [0, 2^bits) and skips what is not below n.
 */
struct bench_map {
	uint64_t n, mask, next, key;
	unsigned int shift;
};

static inline void bench_map_init(struct bench_map *m, uint64_t n, uint64_t seed)
{
	unsigned int bits = n > 1 ? 64 - (unsigned int)__builtin_clzll(n - 1) : 1;

	m->n = n;
	m->mask = bits > 63 ? UINT64_MAX : (1ull << bits) - 1;
	m->shift = bits / 2 + 1;
	m->key = bench_rand_mix(seed);
	m->next = 0;
}

/* Each step is invertible modulo 2^bits: a bijection. */
static inline uint64_t bench_map_at(const struct bench_map *m, uint64_t i)
{
	i = (i + m->key) & m->mask;
	i = i * 0xd1342543de82ef95u & m->mask;
	i ^= i >> m->shift;
	i = (i * 0xbf58476d1ce4e5b9u + (m->key >> 17)) & m->mask;
	i ^= i >> m->shift;
	i = i * 0x94d049bb133111ebu & m->mask;
	return i ^ i >> m->shift;
}

/* False when all have been returned. */
static inline bool bench_map_next(struct bench_map *m, uint64_t *value)
{
	uint64_t i = m->next, v;

	do {
		if (i > m->mask)
			return false;
		v = bench_map_at(m, i++);
	} while (v >= m->n);
	m->next = i;
	*value = v;
	return true;
}

#endif
