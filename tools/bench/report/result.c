/* SPDX-License-Identifier: MIT */
/* Sums of the threads, and values computed from them. */
#include "config.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "bench/run.h"

struct bench_result *bench_result_new(const struct bench_job *job, struct bench_err *err)
{
	struct bench_result *r = calloc(1, sizeof(*r));

	if (!r) {
		bench_fail(err, TOOL_FAILED, "out of memory");
		return NULL;
	}
	r->job = job;
	r->name = job->name;
	r->group = job->group;
	r->threads = 1;
	for (int d = 0; d < DIR_NR; d++) {
		hist_init(&r->dir[d].slat, job->slat_pct);
		hist_init(&r->dir[d].clat, true);
		hist_init(&r->dir[d].lat, job->lat_pct);
	}
	return r;
}

void bench_result_clear(struct bench_result *r)
{
	for (int d = 0; d < DIR_NR; d++) {
		struct bench_stat *s = &r->dir[d];

		/* The sampler may read these meanwhile. */
		__atomic_store_n(&s->n, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&s->bytes, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&s->lat_sum, 0, __ATOMIC_RELAXED);
		s->issued = s->shorts = s->runtime = 0;
		hist_init(&s->slat, s->slat.keep);
		hist_init(&s->clat, s->clat.keep);
		hist_init(&s->lat, s->lat.keep);
	}
	memset(&r->paths, 0, sizeof(r->paths));
	memset(r->depth, 0, sizeof(r->depth));
	memset(r->submit, 0, sizeof(r->submit));
	memset(r->complete, 0, sizeof(r->complete));
}

static void merge_dir(struct bench_stat *s, const struct bench_stat *from)
{
	s->n += from->n;
	s->bytes += from->bytes;
	s->issued += from->issued;
	s->shorts += from->shorts;
	s->errors += from->errors;
	s->lat_sum += from->lat_sum;
	s->runtime = from->runtime > s->runtime ? from->runtime : s->runtime;
	hist_merge(&s->slat, &from->slat);
	hist_merge(&s->clat, &from->clat);
	hist_merge(&s->lat, &from->lat);
}

static void merge_cost(struct bench_cost *c, const struct bench_cost *from)
{
	c->usr += from->usr;
	c->sys += from->sys;
	c->ctx += from->ctx;
	c->majf += from->majf;
	c->minf += from->minf;
	for (int i = 0; i < BENCH_COUNTERS; i++) {
		c->counter[i] += from->counter[i];
		c->have[i] = c->have[i] && from->have[i];
	}
}

static void merge_series(struct bench_series *s, const struct bench_series *from)
{
	if (!from->n)
		return;
	s->min = !s->n || from->min < s->min ? from->min : s->min;
	s->max = from->max > s->max ? from->max : s->max;
	s->sum += from->sum;
	s->squares += from->squares;
	s->n += from->n;
}

void bench_result_merge(struct bench_result *r, const struct bench_result *from)
{
	r->threads += from->threads;
	r->error = r->error ? r->error : from->error;
	r->first_error = r->first_error ? r->first_error : from->first_error;
	r->verified += from->verified;
	r->verify_errors += from->verify_errors;
	r->total_errors += from->total_errors;
	r->elapsed = from->elapsed > r->elapsed ? from->elapsed : r->elapsed;
	for (int d = 0; d < DIR_NR; d++) {
		merge_dir(&r->dir[d], &from->dir[d]);
		merge_series(&r->bw[d], &from->bw[d]);
		merge_series(&r->iops[d], &from->iops[d]);
	}
	for (int p = 0; p < BENCH_PATHS; p++) {
		r->paths.ops[p] += from->paths.ops[p];
		r->paths.bytes[p] += from->paths.bytes[p];
		r->paths.copied[p] += from->paths.copied[p];
		r->paths.why[p] = r->paths.why[p] ? r->paths.why[p] : from->paths.why[p];
	}
	r->paths.fell_back += from->paths.fell_back;
	merge_cost(&r->cost, &from->cost);
	for (int i = 0; i < BENCH_DEPTHS; i++) {
		r->depth[i] += from->depth[i];
		r->submit[i] += from->submit[i];
		r->complete[i] += from->complete[i];
	}
	if (!*r->mem)
		memcpy(r->mem, from->mem, sizeof(r->mem));
	if (!*r->cause)
		memcpy(r->cause, from->cause, sizeof(r->cause));
}

void bench_series_add(struct bench_series *s, double value)
{
	s->min = !s->n || value < s->min ? value : s->min;
	s->max = value > s->max ? value : s->max;
	s->sum += value;
	s->squares += value * value;
	s->n++;
}

double bench_series_mean(const struct bench_series *s)
{
	return s->n ? s->sum / (double)s->n : 0;
}

double bench_series_stddev(const struct bench_series *s)
{
	double mean = bench_series_mean(s), var;

	if (s->n < 2)
		return 0;
	var = (s->squares - (double)s->n * mean * mean) / ((double)s->n - 1);
	return var > 0 ? sqrt(var) : 0;
}

static double per_second(uint64_t what, uint64_t ns)
{
	return ns ? (double)what * 1e9 / (double)ns : 0;
}

double bench_result_bw(const struct bench_result *r, int dir)
{
	return per_second(r->dir[dir].bytes, r->dir[dir].runtime);
}

double bench_result_iops(const struct bench_result *r, int dir)
{
	return per_second(r->dir[dir].n, r->dir[dir].runtime);
}

uint64_t bench_result_ops(const struct bench_result *r)
{
	return r->dir[DIR_READ].n + r->dir[DIR_WRITE].n;
}

unsigned int bench_result_path(const struct bench_result *r)
{
	unsigned int best = 0;

	for (unsigned int p = 1; p < BENCH_PATHS; p++)
		if (r->paths.bytes[p] > r->paths.bytes[best] || (!r->paths.ops[best] && r->paths.ops[p]))
			best = p;
	return best;
}

uint64_t bench_result_copied(const struct bench_result *r)
{
	uint64_t sum = 0;

	for (int p = 0; p < BENCH_PATHS; p++)
		sum += r->paths.copied[p];
	return sum;
}

void bench_result_why(const struct bench_result *r, unsigned int path, char *buf, size_t size)
{
	uint32_t why = r->paths.why[path];

	if (!size)
		return;
	*buf = 0;
	if (why >> 16)
		snprintf(buf, size, "not %s: %s", devio_path_name(why >> 16), devio_reason_text(why & 0xffff));
}

int bench_result_status(const struct bench_results *results)
{
	int status = TOOL_OK;

	for (unsigned int i = 0; i < results->nr; i++) {
		const struct bench_result *r = results->r[i];

		if (r->verify_errors)
			return TOOL_DIFFERS;
		if (r->error == -EOPNOTSUPP && (r->job->path || r->job->direct_only))
			status = TOOL_NO_PATH;
		else if ((r->error || r->total_errors) && !status)
			status = TOOL_FAILED;
	}
	return status;
}

int bench_results_add(struct bench_results *results, struct bench_result *r, struct bench_err *err)
{
	if (results->nr == results->size) {
		unsigned int size = results->size ? 2 * results->size : 16;
		struct bench_result **more = realloc(results->r, size * sizeof(*more));

		if (!more)
			return bench_fail(err, TOOL_FAILED, "out of memory");
		results->r = more;
		results->size = size;
	}
	results->r[results->nr++] = r;
	return 0;
}

void bench_results_free(struct bench_results *results)
{
	for (unsigned int i = 0; i < results->nr; i++)
		free(results->r[i]);
	free(results->r);
	memset(results, 0, sizeof(*results));
}
