/* SPDX-License-Identifier: MIT */
/*
 * Latencies: count, minimum, maximum, mean, standard deviation and percentiles.
 *
 * The first HIST_EXACT values are stored, so their percentiles are exact. With
 * more, values below 256 ns have a bin each, and every power of two above has
 * 128 bins of equal width; a bin is represented by its middle. The error of a
 * percentile is half a bin at most: 1/256 of the value, 0.4 %. Values from 2^42
 * ns (73 minutes) on go into the last bin; minimum, maximum, mean and standard
 * deviation are exact in any case.
 */
#ifndef TOOLS_BENCH_HIST_H
#define TOOLS_BENCH_HIST_H

#include <stdbool.h>
#include <stdint.h>

#define HIST_EXACT 1024
#define HIST_SUB 7                  /* 2^7 bins for each power of two */
#define HIST_TOP 42
#define HIST_BINS ((HIST_TOP - HIST_SUB + 1) << HIST_SUB)

struct hist {
	uint64_t n, min, max, sum;
	unsigned __int128 squares;
	bool keep;                  /* percentiles are needed */
	uint64_t exact[HIST_EXACT];
	uint64_t bin[HIST_BINS];
};

void hist_init(struct hist *h, bool keep);

static inline unsigned int hist_index(uint64_t value)
{
	unsigned int shift;

	if (value < 2u << HIST_SUB)
		return (unsigned int)value;
	if (value >> HIST_TOP)
		return HIST_BINS - 1;
	shift = 63 - HIST_SUB - (unsigned int)__builtin_clzll(value);
	return (shift << HIST_SUB) + (unsigned int)(value >> shift);
}

static inline void hist_add(struct hist *h, uint64_t value)
{
	h->sum += value;
	h->squares += (unsigned __int128)value * value;
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	if (h->keep) {
		h->bin[hist_index(value)]++;
		if (__builtin_expect(h->n < HIST_EXACT, 0))
			h->exact[h->n] = value;
	}
	h->n++;
}

/* Adds the values of from. */
void hist_merge(struct hist *h, const struct hist *from);

/* The value that represents a bin: its middle. */
uint64_t hist_value(unsigned int bin);

double hist_mean(const struct hist *h);
double hist_stddev(const struct hist *h);

/* The least value that p percent (0 < p <= 100) of all do not exceed; 0 if there are no values. */
uint64_t hist_percentile(const struct hist *h, double p);

/* The same for nr ascending percentages, faster than one by one. */
void hist_percentiles(const struct hist *h, const double *p, unsigned int nr, uint64_t *value);

/* Number of values below limit, to the width of a bin. */
uint64_t hist_below(const struct hist *h, uint64_t limit);

#endif
