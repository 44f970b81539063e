/* SPDX-License-Identifier: MIT */
/* Numbers in the form of fio, and shares of ranges. */
#include "config.h"
#include <string.h>
#include "bench/run.h"

static const char *scaled(double n, double base, const char *const *units, unsigned int nr, char *buf)
{
	unsigned int i = 0;

	/* As it is printed: 999.9 is 1.00k. */
	while (i + 1 < nr && n >= base - 0.5) {
		n /= base;
		i++;
	}
	if (!i && n == (double)(uint64_t)n)
		snprintf(buf, BENCH_NUM, "%.0f%s", n, units[0]);
	else
		snprintf(buf, BENCH_NUM, "%.*f%s", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, units[i]);
	return buf;
}

const char *bench_text_count(double n, char *buf)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };

	return scaled(n, 1000, units, 5, buf);
}

const char *bench_text_bytes(double n, bool binary, char *buf)
{
	static const char *const of_1024[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	static const char *const of_1000[] = { "B", "kB", "MB", "GB", "TB", "PB" };

	return scaled(n, binary ? 1024 : 1000, binary ? of_1024 : of_1000, 6, buf);
}

const char *bench_text_clock(uint64_t ns, char *buf)
{
	unsigned long long s = (ns + 500000000) / 1000000000;

	if (s >= 3600)
		snprintf(buf, BENCH_NUM, "%02lluh:%02llum:%02llus", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, BENCH_NUM, "%02llum:%02llus", s / 60, s % 60);
	return buf;
}

void bench_text_job(const struct bench_job *job, char *buf, size_t size)
{
	static const char *const names[] = {
		"?", "read", "write", "rw", "?", "randread", "randwrite", "randrw",
	};
	size_t n = (size_t)snprintf(buf, size, "%.200s: (g=%u): rw=%s", job->name, job->group, names[job->rw & 7]);

	for (int d = 0; d < DIR_NR; d++) {
		uint64_t most = job->bs_range[d] ? job->bs_range[d] : job->bs_min[d];

		for (unsigned int i = 0; i < job->nr_split[d]; i++)
			most = job->split[d][i].bs > most ? job->split[d][i].bs : most;
		n += (size_t)snprintf(buf + n, size - n, "%s(%c) %lluB-%lluB", d ? ", " : ", bs=", d ? 'W' : 'R',
				      (unsigned long long)job->bs_min[d], (unsigned long long)most);
	}
	n += (size_t)snprintf(buf + n, size - n, ", ioengine=%s, iodepth=%llu", job->engine->name,
			      (unsigned long long)job->iodepth);
	if (!job->engine->host)
		snprintf(buf + n, size - n, ", mem=%.80s, path=%s%s", job->mem,
			 devio_path_name((unsigned int)job->path), job->direct_only ? ", direct-only" : "");
}

const uint64_t bench_range_end[BENCH_RANGES] = {
	2, 4, 10, 20, 50, 100, 250, 500, 750, 1000,
	2000, 4000, 10000, 20000, 50000, 100000, 250000, 500000, 750000, 1000000,
	2000000, 4000000, 10000000, 20000000, 50000000, 100000000, 250000000, 500000000, 750000000, 1000000000,
	2000000000, UINT64_MAX,
};

void bench_ranges(const struct bench_result *r, double *share)
{
	uint64_t total = r->dir[DIR_READ].clat.n + r->dir[DIR_WRITE].clat.n, below = 0;

	for (int i = 0; i < BENCH_RANGES; i++) {
		uint64_t now = total;

		if (bench_range_end[i] != UINT64_MAX)
			now = hist_below(&r->dir[DIR_READ].clat, bench_range_end[i]) +
			      hist_below(&r->dir[DIR_WRITE].clat, bench_range_end[i]);
		share[i] = total ? 100.0 * (double)(now - below) / (double)total : 0;
		below = now;
	}
}

void bench_shares(const uint64_t *step, double *share)
{
	uint64_t total = 0;

	for (int i = 0; i < BENCH_DEPTHS; i++)
		total += step[i];
	for (int i = 0; i < BENCH_DEPTHS; i++)
		share[i] = total ? 100.0 * (double)step[i] / (double)total : 0;
}
