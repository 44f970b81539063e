/* SPDX-License-Identifier: MIT */
/* Latencies: count, minimum, maximum, mean, standard deviation and percentiles. */
#include "config.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "hist.h"

void hist_init(struct hist *h, bool keep)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
	h->keep = keep;
}

void hist_merge(struct hist *h, const struct hist *from)
{
	if (h->n + from->n <= HIST_EXACT)
		memcpy(h->exact + h->n, from->exact, from->n * sizeof(*h->exact));
	h->n += from->n;
	h->sum += from->sum;
	h->squares += from->squares;
	h->min = from->min < h->min ? from->min : h->min;
	h->max = from->max > h->max ? from->max : h->max;
	for (unsigned int i = 0; h->keep && i < HIST_BINS; i++)
		h->bin[i] += from->bin[i];
}

/* The bounds of a bin: [low, low + width). */
static uint64_t bin_low(unsigned int bin, uint64_t *width)
{
	unsigned int shift = bin >> HIST_SUB;

	shift = shift > 1 ? shift - 1 : 0;
	*width = 1ull << shift;
	return (uint64_t)(bin - (shift << HIST_SUB)) << shift;
}

uint64_t hist_value(unsigned int bin)
{
	uint64_t width, low = bin_low(bin, &width);

	return low + width / 2;
}

double hist_mean(const struct hist *h)
{
	return h->n ? (double)h->sum / (double)h->n : 0;
}

double hist_stddev(const struct hist *h)
{
	/* n * squares - sum^2, without the cancellation that doubles would suffer. */
	unsigned __int128 sum = h->sum, a, b;

	if (h->n < 2)
		return 0;
	if (h->squares > ~(unsigned __int128)0 / h->n) {
		double mean = hist_mean(h), var = (double)h->squares / (double)h->n - mean * mean;

		return var > 0 ? sqrt(var) : 0;
	}
	a = h->squares * h->n;
	b = sum * sum;
	return a > b ? sqrt((double)(a - b) / ((double)h->n * (double)(h->n - 1))) : 0;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The rank, from 1, of the value that p percent do not exceed. */
static uint64_t rank_of(uint64_t n, double p)
{
	/* Less than one part in 10^12 above a whole number is a rounding error. */
	double exact = p * (double)n / 100, rank = ceil(exact * (1 - 1e-12));

	if (rank < 1)
		return 1;
	return rank >= (double)n ? n : (uint64_t)rank;
}

static void from_exact(const struct hist *h, const double *p, unsigned int nr, uint64_t *value)
{
	uint64_t sorted[HIST_EXACT];

	memcpy(sorted, h->exact, h->n * sizeof(*sorted));
	qsort(sorted, h->n, sizeof(*sorted), compare);
	for (unsigned int i = 0; i < nr; i++)
		value[i] = sorted[rank_of(h->n, p[i]) - 1];
}

void hist_percentiles(const struct hist *h, const double *p, unsigned int nr, uint64_t *value)
{
	uint64_t seen = 0;
	unsigned int bin = 0;

	if (!h->n || !h->keep) {
		memset(value, 0, nr * sizeof(*value));
		return;
	}
	if (h->n <= HIST_EXACT) {
		from_exact(h, p, nr, value);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t rank = rank_of(h->n, p[i]);

		while (bin < HIST_BINS - 1 && seen + h->bin[bin] < rank)
			seen += h->bin[bin++];
		value[i] = hist_value(bin);
		/* The middle of the first or the last bin may be outside the range of the values. */
		value[i] = value[i] < h->min ? h->min : value[i] > h->max ? h->max : value[i];
	}
}

uint64_t hist_percentile(const struct hist *h, double p)
{
	uint64_t value;

	hist_percentiles(h, &p, 1, &value);
	return value;
}

uint64_t hist_below(const struct hist *h, uint64_t limit)
{
	unsigned int end = hist_index(limit);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < end; i++)
		sum += h->bin[i];
	return sum;
}
