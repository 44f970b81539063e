/* SPDX-License-Identifier: MIT */
/* Non-uniform distributions of random offsets: few blocks get most of the I/O. */
#include "config.h"
#include <math.h>
#include "run.h"

struct bench_dist_state {
	enum bench_dist kind;
	const struct bench_job *job;
	double arg;
	double h_x1, h_n, s;        /* of Zipf */
	double power;               /* of Pareto */
};

/*
 * Zipf by rejection-inversion (Hoermann and Derflinger 1996): no table, so any
 * number of blocks costs the same. h is the density, H its integral.
 */
static double zipf_H(double theta, double x)
{
	double l = log(x);
	double z = (1 - theta) * l;

	/* (x^(1 - theta) - 1) / (1 - theta), also near theta = 1 */
	return fabs(z) > 1e-8 ? expm1(z) / z * l : l;
}

static double zipf_H_inverse(double theta, double y)
{
	double z = y * (1 - theta);

	if (z < -1)
		z = -1;
	return exp(fabs(z) > 1e-8 ? log1p(z) / z * y : y);
}

static double zipf_h(double theta, double x)
{
	return exp(-theta * log(x));
}

static uint64_t zipf(const struct bench_dist_state *d, struct bench_rand *r, uint64_t n)
{
	double theta = d->arg, h_n = zipf_H(theta, (double)n + 0.5);

	for (;;) {
		double u = h_n + bench_rand_unit(r) * (d->h_x1 - h_n), x = zipf_H_inverse(theta, u);
		double k = floor(x + 0.5);

		k = k < 1 ? 1 : k > (double)n ? (double)n : k;
		if (k - x <= d->s || u >= zipf_H(theta, k + 0.5) - zipf_h(theta, k))
			return (uint64_t)k - 1;
	}
}

struct bench_dist_state *bench_dist_new(const struct bench_job *job, uint64_t nr)
{
	struct bench_dist_state *d;

	if (job->dist == DIST_RANDOM)
		return NULL;
	d = bench_keep_bytes(sizeof(*d));
	if (!d)
		return NULL;
	d->kind = (enum bench_dist)job->dist;
	d->job = job;
	if (job->nr_zones)
		return d;
	d->arg = job->dist_arg;
	d->h_x1 = zipf_H(d->arg, 1.5) - 1;
	d->s = 2 - zipf_H_inverse(d->arg, zipf_H(d->arg, 2.5) - zipf_h(d->arg, 2));
	d->h_n = zipf_H(d->arg, (double)nr + 0.5);
	/* h: the share of blocks that gets 1 - h of the I/O; with 0.2, 20 % get 80 %. */
	d->power = log(d->arg) / log(1 - d->arg);
	return d;
}

/* Scatters the ranks over the file: the hottest blocks are not neighbors. */
static uint64_t scatter(uint64_t rank, uint64_t n)
{
	return bench_rand_mix(rank + 0x9e3779b97f4a7c15u) % n;
}

static uint64_t normal(const struct bench_dist_state *d, struct bench_rand *r, uint64_t n)
{
	for (;;) {
		double a = sqrt(-2 * log(1 - bench_rand_unit(r))) * cos(2 * M_PI * bench_rand_unit(r));
		double x = (0.5 + a * d->arg / 100) * (double)n;

		if (x >= 0 && x < (double)n)
			return (uint64_t)x;
	}
}

/* A zone by its share, then a block in it: fractions of n, or bytes of blocks of bs. */
static uint64_t zoned(const struct bench_dist_state *d, struct bench_rand *r, uint64_t n, uint64_t bs)
{
	double unit = d->kind == DIST_ZONED ? (double)n : 1 / (double)bs;
	const struct bench_zone *z = d->job->zone;
	uint32_t x = (uint32_t)bench_rand_next(r);
	uint64_t from, to;

	while (x >= z->below && z < &d->job->zone[d->job->nr_zones - 1])
		z++;
	from = (uint64_t)(z->from * unit);
	to = (uint64_t)(z->to * unit);
	/* A zone smaller than a block is the block in which it starts. */
	to = to > n ? n : to;
	from = from < n ? from : n - 1;
	return from + (to > from ? bench_rand_below(r, to - from) : 0);
}

int bench_dist_check(const struct bench_job *job, uint64_t size, struct bench_err *err)
{
	for (unsigned int i = 0; i < job->nr_zones && job->dist == DIST_ZONED_ABS; i++)
		if (job->zone[i].from >= (double)size)
			return bench_fail(err, TOOL_USAGE,
					  "random_distribution=zoned_abs: zone %u starts at byte %.0f, but the "
					  "region of the file has %llu bytes",
					  i + 1, job->zone[i].from, (unsigned long long)size);
	return 0;
}

uint64_t bench_dist_draw(const struct bench_dist_state *d, struct bench_rand *r, uint64_t n, uint64_t bs)
{
	uint64_t rank;

	switch (d->kind) {
	case DIST_ZIPF:
		return scatter(zipf(d, r, n), n);
	case DIST_PARETO:
		rank = (uint64_t)((double)n * pow(bench_rand_unit(r), d->power));
		return scatter(rank < n ? rank : n - 1, n);
	case DIST_NORMAL:
		return normal(d, r, n);
	case DIST_ZONED:
	case DIST_ZONED_ABS:
		return zoned(d, r, n, bs);
	default:
		return bench_rand_below(r, n);
	}
}
