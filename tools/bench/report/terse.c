/* SPDX-License-Identifier: MIT */
/* The report as one line per job: terse version 3 of fio, with the path as last field. */
#include "config.h"
#include "bench/run.h"

static void us(FILE *out, const struct hist *h)
{
	fprintf(out, ";%llu;%llu;%f;%f", h->n ? (unsigned long long)h->min / 1000 : 0,
		(unsigned long long)h->max / 1000, hist_mean(h) / 1e3, hist_stddev(h) / 1e3);
}

static void one_dir(FILE *out, const struct bench_result *r, int d)
{
	const struct bench_stat *s = &r->dir[d];
	const struct bench_job *job = r->job;
	uint64_t value[BENCH_PERCENTILES];
	double bw = bench_result_bw(r, d);

	fprintf(out, ";%llu;%llu;%llu;%llu", (unsigned long long)s->bytes >> 10, (unsigned long long)bw >> 10,
		(unsigned long long)bench_result_iops(r, d), (unsigned long long)s->runtime / 1000000);
	us(out, &s->slat);
	us(out, &s->clat);
	hist_percentiles(&s->clat, job->percentile, job->nr_percentiles, value);
	for (unsigned int i = 0; i < BENCH_PERCENTILES; i++)
		if (i < job->nr_percentiles)
			fprintf(out, ";%f%%=%llu", job->percentile[i], (unsigned long long)value[i] / 1000);
		else
			fprintf(out, ";0%%=0");
	us(out, &s->lat);
	fprintf(out, ";%llu;%llu;%f%%;%f;%f", (unsigned long long)r->bw[d].min, (unsigned long long)r->bw[d].max,
		bw > 0 ? 100 * bench_series_mean(&r->bw[d]) * 1024 / bw : 0, bench_series_mean(&r->bw[d]),
		bench_series_stddev(&r->bw[d]));
}

static void one_line(FILE *out, const struct bench_result *r)
{
	double share[BENCH_RANGES], depth[BENCH_DEPTHS];
	uint64_t ns = 0;

	for (int d = 0; d < DIR_NR; d++)
		ns = r->dir[d].runtime > ns ? r->dir[d].runtime : ns;
	ns *= r->threads;
	fprintf(out, "3;devio-bench-%s;%s;%u;%d", devio_version(), r->name, r->group, -r->error);
	for (int d = 0; d < DIR_NR; d++)
		one_dir(out, r, d);
	fprintf(out, ";%f%%;%f%%;%llu;%llu;%llu", ns ? 100e9 * r->cost.usr / (double)ns : 0,
		ns ? 100e9 * r->cost.sys / (double)ns : 0, (unsigned long long)r->cost.ctx,
		(unsigned long long)r->cost.majf, (unsigned long long)r->cost.minf);
	bench_shares(r->depth, depth);
	for (unsigned int i = 1; i < BENCH_DEPTHS; i++)
		fprintf(out, ";%.1f%%", depth[i]);
	bench_ranges(r, share);
	/* Version 3 has no nanoseconds: they count as the first range of microseconds. */
	for (unsigned int i = 0; i < 10; i++)
		share[10] += share[i];
	for (unsigned int i = 10; i < BENCH_RANGES; i++)
		fprintf(out, ";%.2f%%", share[i]);
	fprintf(out, ";%s\n", bench_result_path(r) ? devio_path_name(bench_result_path(r)) : r->job->engine->name);
}

void bench_terse(FILE *out, const struct bench_results *results)
{
	for (unsigned int i = 0; i < results->nr; i++)
		one_line(out, results->r[i]);
}
