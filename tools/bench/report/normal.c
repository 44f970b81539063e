/* SPDX-License-Identifier: MIT */
/* The report in the form of fio, with the path. */
#include "config.h"
#include <string.h>
#include <time.h>
#include "bench/run.h"

static const char *const dir_name[] = { "read", "write" };

/* The unit of latencies: nsec, usec, msec. */
static double unit_of(const struct hist *h, const char **name)
{
	if (h->min > 2000000 && hist_stddev(h) > 99999) {
		*name = "msec";
		return 1e6;
	}
	if (h->min > 2000 && hist_stddev(h) > 999) {
		*name = "usec";
		return 1e3;
	}
	*name = "nsec";
	return 1;
}

/* Up to a million in full, then in thousands. */
static const char *text_lat(double n, char *buf)
{
	if (n < 1e6)
		snprintf(buf, BENCH_NUM, "%.0f", n);
	else if (n < 1e7)
		snprintf(buf, BENCH_NUM, "%.1fk", n / 1e3);
	else
		snprintf(buf, BENCH_NUM, "%.0fk", n / 1e3);
	return buf;
}

static void print_lat(FILE *out, const char *what, const struct hist *h)
{
	char min[BENCH_NUM], max[BENCH_NUM];
	const char *unit;
	double by;

	if (!h->n)
		return;
	by = unit_of(h, &unit);
	fprintf(out, "    %s (%s): min=%s, max=%s, avg=%.2f, stdev=%.2f\n", what, unit,
		text_lat((double)(uint64_t)((double)h->min / by), min),
		text_lat((double)(uint64_t)((double)h->max / by), max), hist_mean(h) / by, hist_stddev(h) / by);
}

static void print_percentiles(FILE *out, const struct bench_job *job, const char *what, const struct hist *h)
{
	uint64_t value[BENCH_PERCENTILES], by = 1;
	const char *unit = "nsec";
	int width = 5;

	if (!h->n || !h->keep)
		return;
	hist_percentiles(h, job->percentile, job->nr_percentiles, value);
	if (value[0] > 2000000) {
		by = 1000000;
		unit = "msec";
	} else if (value[0] > 2000) {
		by = 1000;
		unit = "usec";
	}
	for (unsigned int i = 0; i < job->nr_percentiles; i++) {
		char n[BENCH_NUM];
		int len;

		value[i] = (value[i] + by / 2) / by;
		len = snprintf(n, sizeof(n), "%llu", (unsigned long long)value[i]);
		width = len > width ? len : width;
	}
	fprintf(out, "    %s percentiles (%s):\n", what, unit);
	for (unsigned int i = 0; i < job->nr_percentiles; i++)
		fprintf(out, "%s%5.2fth=[%*llu]%s", i % 4 ? " " : "     | ", job->percentile[i], width,
			(unsigned long long)value[i], i + 1 == job->nr_percentiles ? "\n" : i % 4 == 3 ? ",\n" : ",");
}

static void print_dir(FILE *out, const struct bench_result *r, int d)
{
	const struct bench_stat *s = &r->dir[d];
	const struct bench_job *job = r->job;
	char iops[BENCH_NUM], bw[2][BENCH_NUM], io[BENCH_NUM];
	double rate = bench_result_bw(r, d), mean = bench_series_mean(&r->bw[d]);

	if (!s->n && !s->errors)
		return;
	fprintf(out, "  %s: IOPS=%s, BW=%s/s (%s/s)(%s/%llumsec)\n", dir_name[d],
		bench_text_count(bench_result_iops(r, d), iops), bench_text_bytes(rate, true, bw[0]),
		bench_text_bytes(rate, false, bw[1]), bench_text_bytes((double)s->bytes, true, io),
		(unsigned long long)s->runtime / 1000000);
	if (!job->engine->sync)
		print_lat(out, "slat", &s->slat);
	print_lat(out, "clat", &s->clat);
	print_lat(out, " lat", &s->lat);
	if (job->slat_pct)
		print_percentiles(out, job, "slat", &s->slat);
	if (job->clat_pct)
		print_percentiles(out, job, "clat", &s->clat);
	if (job->lat_pct)
		print_percentiles(out, job, "lat", &s->lat);
	if (r->bw[d].n) {
		fprintf(out, "   bw (  KiB/s): min=%.0f, max=%.0f, per=%.2f%%, avg=%.2f, stdev=%.2f, samples=%llu\n",
			r->bw[d].min, r->bw[d].max, rate > 0 ? 100 * mean * 1024 / rate : 0, mean,
			bench_series_stddev(&r->bw[d]), (unsigned long long)r->bw[d].n);
		fprintf(out, "   iops        : min=%.0f, max=%.0f, avg=%.2f, stdev=%.2f, samples=%llu\n",
			r->iops[d].min, r->iops[d].max, bench_series_mean(&r->iops[d]),
			bench_series_stddev(&r->iops[d]), (unsigned long long)r->iops[d].n);
	}
}

/* The paths of the bytes, and why no better ones. */
static void print_paths(FILE *out, const struct bench_result *r)
{
	uint64_t total = r->dir[DIR_READ].bytes + r->dir[DIR_WRITE].bytes;
	char bytes[BENCH_NUM], why[400];

	fprintf(out, "  memory       : %s\n", r->mem);
	for (unsigned int p = 1; p < BENCH_PATHS; p++) {
		if (!r->paths.ops[p])
			continue;
		fprintf(out, "  path         : %s, %.1f%% of %s", devio_path_name(p),
			total ? 100.0 * (double)r->paths.bytes[p] / (double)total : 0,
			bench_text_bytes((double)total, true, bytes));
		fprintf(out, "; copied through host memory: %s\n",
			r->paths.copied[p] ? bench_text_bytes((double)r->paths.copied[p], true, bytes) : "nothing");
		bench_result_why(r, p, why, sizeof(why));
		if (*why)
			fprintf(out, "      reason   : %s\n", why);
	}
}

static void print_ranges(FILE *out, const struct bench_result *r)
{
	static const char *const units[] = { "nsec", "usec", "msec" };
	static const unsigned int first[] = { 0, 10, 20, BENCH_RANGES };
	double share[BENCH_RANGES];

	bench_ranges(r, share);
	for (int u = 0; u < 3; u++) {
		unsigned int on_line = 0;
		uint64_t unit = u == 0 ? 1 : u == 1 ? 1000 : 1000000;

		for (unsigned int i = first[u]; i < first[u + 1]; i++) {
			if (share[i] <= 0)
				continue;
			if (on_line % 5 == 0)
				fprintf(out, "%s  lat (%s)   : ", on_line ? "\n" : "", units[u]);
			fprintf(out, "%s", on_line % 5 ? ", " : "");
			if (bench_range_end[i] == UINT64_MAX)
				fprintf(out, ">=2000=%.2f%%", share[i]);
			else
				fprintf(out, "%llu=%.2f%%", (unsigned long long)(bench_range_end[i] / unit),
					share[i] < 0.01 ? 0.01 : share[i]);
			on_line++;
		}
		if (on_line)
			fputc('\n', out);
	}
}

static void print_steps(FILE *out, const char *what, const char *const *names, unsigned int first,
			const uint64_t *step)
{
	double share[BENCH_DEPTHS];

	bench_shares(step, share);
	fprintf(out, "%s: ", what);
	for (unsigned int i = first; i < BENCH_DEPTHS && names[i]; i++)
		fprintf(out, "%s%s=%.1f%%", i == first ? "" : ", ", names[i],
			share[i] > 0 && share[i] < 0.1 ? 0.1 : share[i]);
	fputc('\n', out);
}

static void print_cpu(FILE *out, const struct bench_result *r)
{
	static const char *const depths[] = { "", "1", "2", "4", "8", "16", "32", ">=64" };
	static const char *const batches[] = { "0", "4", "8", "16", "32", "64", ">=64", NULL };
	uint64_t ops = bench_result_ops(r), ns = 0;
	const struct bench_cost *c = &r->cost;

	for (int d = 0; d < DIR_NR; d++)
		ns = r->dir[d].runtime > ns ? r->dir[d].runtime : ns;
	ns *= r->threads;
	fprintf(out, "  cpu          : usr=%.2f%%, sys=%.2f%%, ctx=%llu, majf=%llu, minf=%llu\n",
		ns ? 100e9 * c->usr / (double)ns : 0, ns ? 100e9 * c->sys / (double)ns : 0, (unsigned long long)c->ctx,
		(unsigned long long)c->majf, (unsigned long long)c->minf);
	if (ops)
		fprintf(out, "  cpu per I/O  : usr=%.2fus, sys=%.2fus", 1e6 * c->usr / (double)ops,
			1e6 * c->sys / (double)ops);
	if (ops && c->have[0])
		fprintf(out, ", %.0f instructions", (double)c->counter[0] / (double)ops);
	if (ops && c->have[1])
		fprintf(out, ", %.0f of them in user mode", (double)c->counter[1] / (double)ops);
	if (ops && c->have[2])
		fprintf(out, ", %.0f cycles", (double)c->counter[2] / (double)ops);
	if (ops)
		fputc('\n', out);
	print_steps(out, "  IO depths    ", depths, 1, r->depth);
	print_steps(out, "     submit    ", batches, 0, r->submit);
	print_steps(out, "     complete  ", batches, 0, r->complete);
}

static void print_result(FILE *out, const struct bench_result *r)
{
	time_t now = time(NULL);
	char when[32] = "";

	ctime_r(&now, when);
	fprintf(out, "\n%s: (groupid=%u, jobs=%u): err=%2d%s%s%s: pid=%u: %s", r->name, r->group, r->threads,
		r->error < 0 ? -r->error : 0, r->error ? " (" : "", r->error ? strerror(-r->error) : "",
		r->error ? ")" : "", r->tid, when);
	if (r->job->description)
		fprintf(out, "  Description  : [%s]\n", r->job->description);
	print_paths(out, r);
	for (int d = 0; d < DIR_NR; d++)
		print_dir(out, r, d);
	print_ranges(out, r);
	print_cpu(out, r);
	fprintf(out, "     issued rwts: total=%llu,%llu,0,0 short=%llu,%llu,0,0 dropped=0,0,0,0\n",
		(unsigned long long)r->dir[0].n, (unsigned long long)r->dir[1].n, (unsigned long long)r->dir[0].shorts,
		(unsigned long long)r->dir[1].shorts);
	if (r->verified)
		fprintf(out, "     verified  : %llu blocks, %llu of them differ\n", (unsigned long long)r->verified,
			(unsigned long long)r->verify_errors);
	if (r->total_errors)
		fprintf(out, "     errors    : total=%llu, first_error=%d/<%s>\n", (unsigned long long)r->total_errors,
			-r->first_error, strerror(-r->first_error));
	if (*r->cause)
		fprintf(out, "     cause     : %s\n", r->cause);
}

static void print_group_dir(FILE *out, const struct bench_results *results, unsigned int group, int d)
{
	double least = 0, most = 0, bytes = 0, agg;
	uint64_t shortest = UINT64_MAX, longest = 0;
	char t[8][BENCH_NUM];

	for (unsigned int i = 0; i < results->nr; i++) {
		const struct bench_result *r = results->r[i];
		double bw = bench_result_bw(r, d);

		if (r->group != group || !r->dir[d].n)
			continue;
		least = least > 0 && least < bw ? least : bw;
		most = bw > most ? bw : most;
		bytes += (double)r->dir[d].bytes;
		longest = r->dir[d].runtime > longest ? r->dir[d].runtime : longest;
		shortest = r->dir[d].runtime < shortest ? r->dir[d].runtime : shortest;
	}
	if (!longest)
		return;
	agg = bytes * 1e9 / (double)longest;
	fprintf(out, "%7s: bw=%s/s (%s/s), %s/s-%s/s (%s/s-%s/s), io=%s (%s), run=%llu-%llumsec\n",
		d ? "WRITE" : "READ", bench_text_bytes(agg, true, t[0]), bench_text_bytes(agg, false, t[1]),
		bench_text_bytes(least, true, t[2]), bench_text_bytes(most, true, t[3]),
		bench_text_bytes(least, false, t[4]), bench_text_bytes(most, false, t[5]),
		bench_text_bytes(bytes, true, t[6]), bench_text_bytes(bytes, false, t[7]),
		(unsigned long long)shortest / 1000000, (unsigned long long)longest / 1000000);
}

void bench_normal(FILE *out, const struct bench_results *results)
{
	unsigned int groups = 0;

	for (unsigned int i = 0; i < results->nr; i++) {
		print_result(out, results->r[i]);
		if (results->r[i]->group >= groups)
			groups = results->r[i]->group + 1;
	}
	for (unsigned int g = 0; g < groups; g++) {
		fprintf(out, "\nRun status group %u (all jobs):\n", g);
		for (int d = 0; d < DIR_NR; d++)
			print_group_dir(out, results, g, d);
	}
}
