/* SPDX-License-Identifier: MIT */
/* The parts of devio-bench: histogram, random numbers, values of options, job files. */
#include "config.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bench/run.h"

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t exact_percentile(const uint64_t *sorted, size_t n, double p)
{
	size_t rank = (size_t)(p * (double)n / 100);

	rank += (double)rank < p * (double)n / 100 - 1e-9;
	return sorted[rank ? rank - 1 : 0];
}

/* n values from 2^bits on downwards against the sorted list: exact up to HIST_EXACT, within 1/256 beyond. */
static void check_hist(size_t n, unsigned int bits, uint64_t seed)
{
	static const double p[] = { 0.001, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100 };
	struct bench_rand r = { seed };
	struct hist *h = malloc(sizeof(*h));
	uint64_t *v = malloc(n * sizeof(*v)), sum = 0;

	hist_init(h, true);
	for (size_t i = 0; i < n; i++) {
		v[i] = bench_rand_next(&r) >> (64 - bits + bench_rand_below(&r, 8));
		sum += v[i];
		hist_add(h, v[i]);
	}
	qsort(v, n, sizeof(*v), by_value);
	assert_int_equal(h->n, n);
	assert_int_equal(h->min, v[0]);
	assert_int_equal(h->max, v[n - 1]);
	assert_true(hist_mean(h) - (double)sum / (double)n < 1e-6 * hist_mean(h) + 1e-9);
	for (size_t i = 0; i < sizeof(p) / sizeof(*p); i++) {
		uint64_t want = exact_percentile(v, n, p[i]), got = hist_percentile(h, p[i]);
		uint64_t off = got > want ? got - want : want - got;

		if (n <= HIST_EXACT)
			assert_int_equal(got, want);
		else
			assert_true(off * 256 <= want + 256);
	}
	free(v);
	free(h);
}

static void hist_against_sorted(void **state)
{
	(void)state;
	for (unsigned int bits = 9; bits <= 41; bits += 4)
		for (size_t n = 1; n < 30000; n = n * 3 + 1)
			check_hist(n, bits, n * bits);
	check_hist(HIST_EXACT, 30, 7);
	check_hist(HIST_EXACT + 1, 30, 7);
}

static void hist_bins(void **state)
{
	unsigned int last = 0;

	(void)state;
	/* Every bin stands for a value in itself, and the bins rise. */
	for (unsigned int i = 0; i < HIST_BINS; i++)
		assert_int_equal(hist_index(hist_value(i)), i);
	for (uint64_t v = 0; v < 100000; v++) {
		assert_true(hist_index(v) >= last && hist_index(v) <= last + 1);
		last = hist_index(v);
	}
	for (uint64_t v = 0; v < 256; v++)
		assert_int_equal(hist_value(hist_index(v)), v);
	assert_int_equal(hist_index(UINT64_MAX), HIST_BINS - 1);
	assert_int_equal(hist_index((1ull << HIST_TOP) - 1), HIST_BINS - 1);
}

static void hist_merging(void **state)
{
	struct hist *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b)), *all = malloc(sizeof(*all));
	struct bench_rand r = { 3 };

	(void)state;
	for (unsigned int n = 1; n < 5000; n *= 7) {
		hist_init(a, true);
		hist_init(b, true);
		hist_init(all, true);
		for (unsigned int i = 0; i < n; i++) {
			uint64_t v = bench_rand_below(&r, 1u << 24);

			hist_add(i % 3 ? a : b, v);
			hist_add(all, v);
		}
		hist_merge(a, b);
		assert_int_equal(a->n, all->n);
		assert_int_equal(a->min, all->min);
		assert_int_equal(a->max, all->max);
		assert_true(hist_stddev(a) == hist_stddev(all));
		for (double p = 1; p <= 100; p += 1)
			assert_int_equal(hist_percentile(a, p), hist_percentile(all, p));
	}
	hist_init(a, true);
	assert_int_equal(hist_percentile(a, 99), 0);
	free(a);
	free(b);
	free(all);
}

static void map_visits_all(void **state)
{
	static uint8_t seen[5000];

	(void)state;
	for (uint64_t n = 1; n < sizeof(seen); n = n * 5 / 3 + 1)
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct bench_map m;
			uint64_t v, count = 0;

			memset(seen, 0, sizeof(seen));
			bench_map_init(&m, n, seed);
			while (bench_map_next(&m, &v)) {
				assert_true(v < n);
				assert_int_equal(seen[v]++, 0);
				count++;
			}
			assert_int_equal(count, n);
		}
}

/* Neighbours in time are not neighbours in the file. */
static void map_is_random(void **state)
{
	uint64_t v, last = 0, near = 0, ups = 0, n = 100000;
	struct bench_map m;

	(void)state;
	bench_map_init(&m, n, 42);
	while (bench_map_next(&m, &v)) {
		near += v - last + 16 < 32;
		ups += v > last;
		last = v;
	}
	assert_true(near < n / 1000);
	assert_in_range(ups, n * 49 / 100, n * 51 / 100);
}

static double share_of_top(const char *dist, uint64_t n, double top)
{
	static uint32_t count[1000];
	struct bench_rand r = { 9 };
	struct bench_dist_state *d;
	struct bench_err err;
	struct bench_job job;
	uint64_t sorted[1000], sum = 0;

	bench_job_init(&job);
	assert_int_equal(bench_option_set(&job, "random_distribution", dist, &err), 0);
	d = bench_dist_new(&job, n);
	memset(count, 0, sizeof(count));
	for (int i = 0; i < 100000; i++) {
		uint64_t v = bench_dist_draw(d, &r, n, 4096);

		assert_true(v < n);
		count[v]++;
	}
	for (uint64_t i = 0; i < n; i++)
		sorted[i] = count[i];
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (uint64_t i = 0; i < (uint64_t)(top * (double)n); i++)
		sum += sorted[n - 1 - i];
	return (double)sum / 100000;
}

static void distributions(void **state)
{
	(void)state;
	assert_true(share_of_top("pareto:0.2", 1000, 0.2) > 0.75);
	assert_true(share_of_top("zipf:1.2", 1000, 0.1) > 0.6);
	assert_true(share_of_top("zipf:1.0", 1000, 0.1) > 0.5);
	assert_true(share_of_top("zipf:0.5", 1000, 0.1) < 0.5);
	assert_true(share_of_top("normal:10", 1000, 0.4) > 0.9);
	assert_true(share_of_top("zoned:60/10:40/90", 1000, 0.1) > 0.59);
	assert_true(share_of_top("zoned_abs:90/409600:/1g", 1000, 0.1) > 0.89);
}

static void sizes(void **state)
{
	static const struct { const char *text; uint64_t bytes; int rc; } all[] = {
		{ "0", 0, 0 }, { "4096", 4096, 0 }, { "4k", 4096, 0 }, { "4K", 4096, 0 }, { "4kb", 4096, 0 },
		{ "4KB", 4096, 0 }, { "4KiB", 4096, 0 }, { "4ki", 4096, 0 }, { "1m", 1 << 20, 0 },
		{ "2G", 2ull << 30, 0 },
		{ "3t", 3ull << 40, 0 }, { "1p", 1ull << 50, 0 }, { "12b", 12, 0 }, { "", 0, -EINVAL },
		{ "k", 0, -EINVAL },
		{ "-1", 0, -EINVAL }, { "4x", 0, -EINVAL }, { "4kx", 0, -EINVAL }, { "4 k", 0, -EINVAL },
		{ "9223372036854775808", 0, -ERANGE }, { "9000000000g", 0, -ERANGE }, { "8192p", 0, -ERANGE },
		{ "99999999999999999999999999999999999999", 0, -ERANGE }, { "0x10", 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint64_t bytes = 0;
		int rc = bench_value_size(all[i].text, &bytes);

		if (rc != all[i].rc || (!rc && bytes != all[i].bytes))
			fail_msg("%s: %d, %llu", all[i].text, rc, (unsigned long long)bytes);
	}
}

static void times(void **state)
{
	static const struct { const char *text; uint64_t ns; int rc; } all[] = {
		{ "30", 30000000000u, 0 }, { "500ms", 500000000, 0 }, { "1.5s", 1500000000, 0 },
		{ "2m", 120000000000u, 0 },
		{ "1h", 3600000000000u, 0 }, { "7us", 7000, 0 }, { "0", 0, 0 }, { "", 0, -EINVAL }, { "x", 0, -EINVAL },
		{ "5 parsecs", 0, -EINVAL }, { "-3", 0, -EINVAL }, { "1e300", 0, -ERANGE }, { "nan", 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		uint64_t ns = 0;
		int rc = bench_value_time(all[i].text, &ns);

		if (rc != all[i].rc || (!rc && ns != all[i].ns))
			fail_msg("%s: %d, %llu", all[i].text, rc, (unsigned long long)ns);
	}
}

/* Every bad value is refused, and the error names the option. */
static void bad_values(void **state)
{
	static const char *const bad[][2] = {
		{ "rw", "reed" }, { "rw", "" }, { "bs", "0" }, { "bs", "2g" }, { "bs", "4k,4k,4k,4k" }, { "bs", "," },
		{ "bssplit", "4k/50:8k/40" }, { "bssplit", "4k/60:8k/60" }, { "bssplit", "" }, { "bssplit", "x/100" },
		{ "size", "101%" }, { "size", "%" }, { "size", "-4k" }, { "offset", "1q" }, { "rwmixread", "101" },
		{ "iodepth", "0" }, { "iodepth", "16385" }, { "iodepth", "4x" }, { "numjobs", "-1" },
		{ "numjobs", "1025" },
		{ "runtime", "soon" }, { "time_based", "2" }, { "direct", "yes" }, { "ioengine", "libaio" },
		{ "path", "file-nonsense" }, { "xfer", "7" }, { "verify", "md5" }, { "verify_pattern", "0x" },
		{ "verify_pattern", "0xgg" }, { "verify_pattern", "256" }, { "random_distribution", "zipf:0" },
		{ "random_distribution", "zipf:" }, { "random_distribution", "pareto:1" },
		{ "random_distribution", "zoned:50/5" },
		{ "random_distribution", "zoned:50/50:60/50" }, { "random_distribution", "zoned:50/50:50/40" },
		{ "random_distribution", "zoned:" }, { "random_distribution", "zoned:100" },
		{ "random_distribution", "zoned:100/x" }, { "random_distribution", "zoned_abs:100/0" },
		{ "rw", "randread:0" }, { "rw", "read:x" }, { "rw", "read:-4k" }, { "rw_sequencer", "backwards" },
		{ "cpus_allowed", "" }, { "cpus_allowed", "3-1" },
		{ "cpus_allowed", "1,,2" }, { "cpus_allowed", "1," }, { "cpus_allowed", "99999" },
		{ "percentile_list", "0" },
		{ "percentile_list", "99:50" }, { "percentile_list", "101" }, { "percentile_list", "50:" },
		{ "percentile_list", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21" },
		{ "numa_mem_policy", "bind" }, { "numa_mem_policy", "local:0" }, { "numa_mem_policy", "bind:x" },
		{ "file_service_type", "zipf" }, { "file_service_type", "roundrobin:0" },
		{ "continue_on_error", "maybe" },
		{ "staging", "1" }, { "nrfiles", "0" }, { "loops", "0" }, { "rate", "fast" }, { "rate_iops", "1,x" },
		{ "no_such_option", "1" }, { "zonesize", "1m" }, { "protocol", "udp" }, { "port", "70000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bench_err err = { "", 0 };
		struct bench_job job;

		bench_job_init(&job);
		if (!bench_option_set(&job, bad[i][0], bad[i][1], &err))
			fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
		if (!strstr(err.text, bad[i][0]) || !err.status)
			fail_msg("%s=%s: %s", bad[i][0], bad[i][1], err.text);
	}
}

static void good_values(void **state)
{
	struct bench_job job;
	struct bench_err err;

	(void)state;
	bench_job_init(&job);
	assert_int_equal(bench_option_set(&job, "blocksize", "4k,16k", &err), 0);
	assert_int_equal(job.bs[DIR_WRITE], 16384);
	assert_int_equal(bench_option_set(&job, "bssplit", "4k/10:64k/:1m/", &err), 0);
	assert_int_equal(job.nr_split[DIR_READ], 3);
	assert_in_range(job.split[DIR_READ][1].below, 0.549 * 0x1p32, 0.551 * 0x1p32);
	assert_int_equal(job.split[DIR_READ][2].below, UINT32_MAX);
	assert_int_equal(bench_option_set(&job, "rwmixwrite", "30", &err), 0);
	assert_int_equal(job.rwmix_read, 70);
	assert_int_equal(bench_option_set(&job, "verify-pattern", "0xdeadbeef1", &err), 0);
	assert_int_equal(job.pattern_len, 5);
	assert_int_equal(job.pattern[0], 0x0d);
	assert_int_equal(job.pattern[4], 0xf1);
	assert_int_equal(bench_option_set(&job, "size", "50%", &err), 0);
	assert_int_equal(job.size_pct, 50);
	assert_int_equal(bench_option_set(&job, "xfer", "GPU_BATCH", &err), 0);
	assert_true(job.direct_only && !job.batch && job.iodepth == 16);
	assert_int_equal(bench_option_set(&job, "time_based", NULL, &err), 0);
	assert_int_equal(job.time_based, 1);
	assert_int_equal(bench_option_set(&job, "rate", "1m,2m", &err), 0);
	assert_int_equal(job.rate[DIR_WRITE], 2 << 20);
}

static const char job_file[] = "# a comment\n; another\n[global]\nbs=8k\nrw = randread \n\n[first "
			       "job]\nsize=1m\niodepth=4\ntime_based\nruntime=5\n"
			       "[global]\nbs=16k\n[second]\r\nrw=write\r\nsize=${TEST_SIZE}\n[third[x]]\nsize=1m\n";

static void job_files(void **state)
{
	struct bench_jobs jobs = { 0 };
	struct bench_err err = { "", 0 };
	char text[sizeof(job_file)];

	(void)state;
	setenv("TEST_SIZE", "3m", 1);
	bench_job_init(&jobs.global);
	strcpy(text, job_file);
	assert_int_equal(bench_job_text(&jobs, text, "test", NULL, &err), 0);
	assert_int_equal(bench_jobs_finish(&jobs, &err), 0);
	assert_int_equal(jobs.nr, 3);
	assert_string_equal(jobs.job[0].name, "first job");
	assert_int_equal(jobs.job[0].bs[DIR_READ], 8192);
	assert_int_equal(jobs.job[0].rw, RW_READ | RW_RANDOM);
	assert_int_equal(jobs.job[0].iodepth, 4);
	assert_int_equal(jobs.job[1].bs[DIR_READ], 16384);
	assert_int_equal(jobs.job[1].rw, RW_WRITE);
	assert_int_equal(jobs.job[1].size, 3 << 20);
	assert_string_equal(jobs.job[2].name, "third[x]");
	bench_jobs_free(&jobs);
	strcpy(text, job_file);
	bench_job_init(&jobs.global);
	assert_int_equal(bench_job_text(&jobs, text, "test", "second", &err), 0);
	assert_int_equal(jobs.nr, 1);
	bench_jobs_free(&jobs);
}

/* Wrong files are refused with the number of the line. */
static void bad_job_files(void **state)
{
	static const struct { const char *text, *line; } bad[] = {
		{ "bs=4k\n", "line 1" }, { "[a]\nbs=4k\n[]\n", "line 3" }, { "[a\n", "line 1" },
		{ "[a] b\n", "line 1" },
		{ "[a]\n=3\n", "line 2" }, { "[a]\nbs\n", "line 2" }, { "[a]\nbs=\n", "line 2" },
		{ "[a]\n\n\nnonsense=1\n", "nonsense" }, { "[a]\nbs=${NOT_IN_THE_ENVIRONMENT}\n", "NOT_IN" },
		{ "[a]\nrw=read:x\n", "size of the hole" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bench_jobs jobs = { 0 };
		struct bench_err err = { "", 0 };
		char text[256];

		bench_job_init(&jobs.global);
		strcpy(text, bad[i].text);
		assert_true(bench_job_text(&jobs, text, "test", NULL, &err) < 0);
		assert_int_equal(err.status, TOOL_USAGE);
		if (!strstr(err.text, bad[i].line))
			fail_msg("%s: %s", bad[i].text, err.text);
		bench_jobs_free(&jobs);
	}
}

static void numbers(void **state)
{
	char buf[BENCH_NUM];

	(void)state;
	assert_string_equal(bench_text_count(999, buf), "999");
	assert_string_equal(bench_text_count(31423.7, buf), "31.4k");
	assert_string_equal(bench_text_count(999999, buf), "1.00M");
	assert_string_equal(bench_text_bytes(4096, true, buf), "4.00KiB");
	assert_string_equal(bench_text_bytes(129274754, false, buf), "129MB");
	assert_string_equal(bench_text_clock(65000000000u, buf), "01m:05s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hist_against_sorted), cmocka_unit_test(hist_bins), cmocka_unit_test(hist_merging),
		cmocka_unit_test(map_visits_all), cmocka_unit_test(map_is_random), cmocka_unit_test(distributions),
		cmocka_unit_test(sizes), cmocka_unit_test(times), cmocka_unit_test(bad_values),
		cmocka_unit_test(good_values), cmocka_unit_test(job_files), cmocka_unit_test(bad_job_files),
		cmocka_unit_test(numbers),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	bench_keep_free();
	return rc;
}
