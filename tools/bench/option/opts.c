/* SPDX-License-Identifier: MIT */
/* The table of options of a job: those of fio, and a few more. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"

#define AT(field) offsetof(struct bench_job, field)
#define NUM(n, a, field, lo, hi, g, h) { n, a, OPT_NUM, AT(field), lo, hi, NULL, NULL, g, h }
#define BOOL(n, a, field, g, h) { n, a, OPT_BOOL, AT(field), 0, 1, NULL, "1", g, h }
#define SIZE(n, a, field, lo, hi, g, h) { n, a, OPT_SIZE, AT(field), lo, hi, NULL, NULL, g, h }
#define TIME_US(n, a, field, max, g, h) { n, a, OPT_TIME_US, AT(field), 0, max, NULL, NULL, g, h }
#define TIME(n, a, field, g, h) { n, a, OPT_TIME, AT(field), 0, UINT64_MAX, NULL, NULL, g, h }
#define TEXT(n, a, field, bare, g, h) { n, a, OPT_TEXT, AT(field), 0, 0, NULL, bare, g, h }
#define CALL(n, a, fn, bare, g, h) { n, a, OPT_CALL, 0, 0, 0, fn, bare, g, h }

static const char job_g[] = "Jobs", what_g[] = "Workload", where_g[] = "Files", how_g[] = "Engine and memory",
	when_g[] = "Time and rate", check_g[] = "Verification and errors", cpu_g[] = "CPUs and NUMA",
	report_g[] = "Report of a job";

static const struct bench_option table[] = {
	TEXT("name", NULL, name, NULL, job_g, "Name of the job; on the command line it starts a new job"),
	TEXT("description", NULL, description, NULL, job_g, "Text for the report"),
	NUM("numjobs", NULL, numjobs, 1, 1024, job_g, "Number of threads that run this job"),
	BOOL("stonewall", "wait_for_previous", stonewall, job_g, "Start when the previous jobs have ended"),
	BOOL("group_reporting", NULL, group_reporting, job_g, "Report the jobs of a group as one"),
	BOOL("new_group", NULL, new_group, job_g, "Start a new reporting group"),
	NUM("loops", NULL, loops, 1, 1000000000, job_g, "Number of times to run the job"),

	CALL("rw", "readwrite", bench_call_rw, NULL, what_g,
	     "read, write, randread, randwrite, rw, randrw (read), send, receive; :N for N I/Os at each random "
	     "offset, :SIZE for holes"),
	CALL("rw_sequencer", NULL, bench_call_sequencer, NULL, what_g,
	     "With :N of a random rw: sequential or identical offsets"),
	NUM("rwmixread", NULL, rwmix_read, 0, 100, what_g, "Percentage of reads in a mix (50)"),
	CALL("rwmixwrite", NULL, bench_call_rwmixwrite, NULL, what_g, "Percentage of writes in a mix"),
	CALL("bs", "blocksize", bench_call_bs, NULL, what_g, "Bytes of one I/O: SIZE or READ,WRITE (4k)"),
	CALL("bsrange", "blocksize_range", bench_call_bsrange, NULL, what_g,
	     "Sizes from MIN to MAX, multiples of MIN: 4k-64k, or READ,WRITE"),
	CALL("bssplit", NULL, bench_call_bssplit, NULL, what_g, "Sizes with percentages: 4k/60:64k/40"),
	CALL("size", NULL, bench_call_size, NULL, what_g, "Bytes of the job's region in all files, or PERCENT%"),
	CALL("io_size", "io_limit", bench_call_io_size, NULL, what_g, "Bytes to transfer (size)"),
	CALL("offset", NULL, bench_call_offset, NULL, what_g, "Start of the region in each file: SIZE or PERCENT%"),
	CALL("offset_increment", NULL, bench_call_offset_step, NULL, what_g,
	     "Added to offset for each thread after the first: SIZE or PERCENT%"),
	CALL("random_distribution", NULL, bench_call_dist, NULL, what_g,
	     "random, zipf:THETA, pareto:H, normal:DEVIATION, zoned:ZONES, zoned_abs:ZONES"),
	BOOL("norandommap", NULL, no_map, what_g, "Random blocks may repeat before all have been used"),
	NUM("randseed", NULL, seed, 0, INT64_MAX, what_g, "Seed of the random numbers"),
	BOOL("randrepeat", "allrandrepeat", rand_repeat, what_g, "Use the same random numbers in each run (1)"),

	TEXT("filename", NULL, filename, NULL, where_g, "File or device; several are separated by colons"),
	TEXT("directory", NULL, directory, NULL, where_g, "Directory of files without a filename"),
	TEXT("filename_format", NULL, filename_format, NULL, where_g,
	     "Names of files without a filename ($jobname.$jobnum.$filenum)"),
	NUM("nrfiles", NULL, nrfiles, 1, BENCH_MAX_FILES, where_g, "Number of files"),
	SIZE("filesize", NULL, filesize, 1, INT64_MAX, where_g, "Bytes of each file (size / nrfiles)"),
	CALL("file_service_type", NULL, bench_call_service, NULL, where_g, "roundrobin[:N], random[:N] or sequential"),
	BOOL("allow_overwrite", NULL, overwrite, where_g, "Write to existing files and devices"),
	BOOL("allow_mounted_write", NULL, no_mounted_check, where_g, "Write even to a device that is in use"),
	BOOL("create_fsync", NULL, create_fsync, where_g, "fsync created files (1)"),
	BOOL("unlink", NULL, unlink, where_g, "Remove created files at the end"),
	BOOL("invalidate", NULL, invalidate, where_g, "Drop the file from the page cache first (1)"),

	TEXT("hostname", NULL, hostname, NULL, where_g, "ioengine=net: host to connect to, or address to listen on"),
	NUM("port", NULL, port, 1, 65535, where_g,
	    "ioengine=net: TCP port of the first thread; others use the next ones"),
	BOOL("listen", NULL, listen, where_g, "ioengine=net: wait for a connection"),
	CALL("protocol", "proto", bench_call_protocol, NULL, where_g, "ioengine=net: tcp, tcp4 or tcp6"),

	CALL("ioengine", NULL, bench_call_engine, NULL, how_g, "devio, liburing (io_uring), pread (psync) or net"),
	TEXT("mem", NULL, mem, NULL, how_g,
	     "Memory: cuda:0, p2pmem:BDF, udmabuf, host, ...; auto: the best of this machine"),
	CALL("path", NULL, bench_call_path, NULL, how_g, "Use this path or fail: file-dmabuf, file-p2p, ... (auto)"),
	BOOL("direct-only", NULL, direct_only, how_g, "Use a path without copies by the CPU, or fail"),
	CALL("xfer", NULL, bench_call_xfer, NULL, how_g,
	     "gdsio's transfer type: GPUD, CPUONLY, CPU_GPU, CPU_ASYNC_GPU, CPU_CACHED_GPU, GPUD_ASYNC, GPU_BATCH, or "
	     "0-6"),
	NUM("iodepth", NULL, iodepth, 1, 16384, how_g, "I/Os in flight (1)"),
	NUM("iodepth_batch", "iodepth_batch_submit", batch, 0, 16384, how_g, "I/Os per submission (1); 0: all"),
	NUM("iodepth_batch_complete", "iodepth_batch_complete_min", batch_min, 0, 16384, how_g,
	    "Completions to wait for (1); 0: poll only"),
	NUM("iodepth_batch_complete_max", NULL, batch_max, 1, 16384, how_g,
	    "Completions to reap at once (as many as to wait for)"),
	NUM("iodepth_low", NULL, depth_low, 0, 16384, how_g,
	    "When the queue is full, refill it when this many are left in flight"),
	BOOL("submit_and_wait", NULL, submit_wait, how_g, "One system call for both; slat is not measured then"),
	TIME_US("wait_spin", NULL, wait_spin, 1000000, how_g,
		"devio, net, liburing: poll this long before a wait sleeps (1; us without a suffix); 0: do not poll"),
	BOOL("direct", NULL, direct, how_g, "O_DIRECT, no page cache (1; 0 with devio: file-buffered)"),
	CALL("buffered", NULL, bench_call_buffered, "1", how_g, "The opposite of direct"),
	BOOL("fixedbufs", NULL, fixedbufs, how_g, "liburing: registered buffers and files"),
	BOOL("hugepage", NULL, hugepage, how_g, "liburing, pread: huge pages for the buffer, as mem=host has (1)"),
	SIZE("staging", NULL, staging, 65536, 1u << 30, how_g, "devio: limit of staging memory per thread"),
	SIZE("staging_slot", NULL, slot, 65536, 64u << 20, how_g, "devio: bytes of one staging buffer"),

	TIME("runtime", "timeout", runtime, when_g, "Stop after this time (s; or us, ms, m, h)"),
	BOOL("time_based", NULL, time_based, when_g, "Start again until runtime is over"),
	TIME("ramp_time", NULL, ramp, when_g, "Run this long before measuring"),
	TIME("startdelay", NULL, start_delay, when_g, "Start this much later"),
	TIME_US("thinktime", NULL, think, UINT64_MAX, when_g, "Pause between I/Os (us without a suffix, as fio)"),
	CALL("rate", NULL, bench_call_rate, NULL, when_g, "Limit of bytes per second: SIZE or READ,WRITE"),
	CALL("rate_iops", NULL, bench_call_rate_iops, NULL, when_g, "Limit of I/Os per second: N or READ,WRITE"),
	NUM("fsync", NULL, fsync, 0, 1000000000, when_g, "fdatasync after this many writes"),
	BOOL("end_fsync", NULL, end_fsync, when_g, "fdatasync after the last write"),

	CALL("verify", NULL, bench_call_verify, NULL, check_g,
	     "xxhash, pattern or null: how blocks are written and checked"),
	CALL("verify_pattern", NULL, bench_call_pattern, NULL, check_g, "0xHEX, a byte, or \"text\""),
	BOOL("do_verify", NULL, do_verify, check_g, "Read back and check after writing (1)"),
	BOOL("verify_fatal", NULL, verify_fatal, check_g, "Stop at the first difference"),
	CALL("continue_on_error", NULL, bench_call_continue, "1", check_g,
	     "none, read, write, io, verify or all (none)"),

	CALL("cpus_allowed", NULL, bench_call_cpus, NULL, cpu_g, "CPUs to run on: 0-3,8"),
	CALL("cpus_allowed_policy", NULL, bench_call_cpus_policy, NULL, cpu_g,
	     "shared, or split: one CPU for each thread"),
	CALL("numa_cpu_nodes", NULL, bench_call_numa_cpus, NULL, cpu_g, "NUMA nodes to run on: 0,1"),
	CALL("numa_mem_policy", NULL, bench_call_numa_mem, NULL, cpu_g,
	     "Host memory: default, local, prefer:N, bind:N, interleave:N"),

	CALL("percentile_list", NULL, bench_call_percentiles, NULL, report_g, "Percentiles to report: 50:99:99.9"),
	BOOL("clat_percentiles", NULL, clat_pct, report_g, "Percentiles of completion latency (1)"),
	BOOL("lat_percentiles", NULL, lat_pct, report_g, "Percentiles of total latency"),
	BOOL("slat_percentiles", NULL, slat_pct, report_g, "Percentiles of submission latency"),
	TEXT("write_bw_log", NULL, bw_log, "", report_g, "Log KiB/s over time to PREFIX_bw.N.log"),
	TEXT("write_iops_log", NULL, iops_log, "", report_g, "Log IOPS over time to PREFIX_iops.N.log"),
	TEXT("write_lat_log", NULL, lat_log, "", report_g, "Log mean latency over time to PREFIX_lat.N.log"),
	NUM("log_avg_msec", NULL, log_ms, 10, 3600000, report_g, "Interval of the logs in ms (500)"),
};

/* Options of fio that have no effect here; `only` is the one value that is accepted. */
static const struct no_effect { const char *name, *only; } no_effect[] = {
	{ "thread", "1" }, { "registerfiles", NULL }, { "gtod_reduce", "0" },
	{ "refill_buffers", NULL }, { "scramble_buffers", NULL }, { "fallocate", NULL }, { "exitall", "0" },
	{ "disable_lat", "0" }, { "disable_clat", "0" }, { "disable_slat", "0" }, { "fadvise_hint", NULL },
	{ "unified_rw_reporting", "none" }, { "create_serialize", NULL }, { "random_generator", NULL },
};

const struct bench_option *bench_option_at(unsigned int i)
{
	return i < sizeof(table) / sizeof(*table) ? &table[i] : NULL;
}

/* - and _ are the same, as on the command line of fio. */
static bool same(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

const struct bench_option *bench_option_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (same(name, table[i].name) || (table[i].alias && same(name, table[i].alias)))
			return &table[i];
	return NULL;
}

static int remember(struct bench_job *job, const char *key, const char *value, struct bench_err *err)
{
	struct bench_set *set = job->set;
	unsigned int i = 0;

	while (i < job->nr_sets && strcmp(set[i].key, key))
		i++;
	if (i == BENCH_SETS)
		return bench_fail(err, TOOL_USAGE, "%s: more than %d options", key, BENCH_SETS);
	set[i].key = bench_keep(key);
	set[i].value = bench_keep(value);
	if (!set[i].key || !set[i].value)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	job->nr_sets += i == job->nr_sets;
	return 0;
}

static bool is_time(const struct bench_option *o)
{
	return o->type == OPT_TIME || o->type == OPT_TIME_US;
}

static int set_number(const struct bench_option *o, uint64_t *n, const char *value, struct bench_err *err)
{
	uint64_t v = 0;
	char *end;
	int rc = 0;

	if (o->type == OPT_SIZE) {
		rc = bench_value_size(value, &v);
	} else if (is_time(o)) {
		rc = bench_value_time(value, &v);
		if (!rc && o->type == OPT_TIME_US && !value[strspn(value, "0123456789.")])
			v /= 1000000;       /* fio's unit of such times, without a suffix */
	} else if (value[0] < '0' || value[0] > '9') {
		rc = -EINVAL;
	} else {
		errno = 0;
		v = strtoull(value, &end, 10);
		rc = *end ? -EINVAL : errno ? -ERANGE : 0;
	}
	if (rc == -EINVAL)
		return bench_fail(err, TOOL_USAGE, "%s=%s: not %s", o->name, value, o->type == OPT_SIZE ? "a size" :
				  is_time(o) ? "a time (such as 30, 500ms, 2m)" : "a number");
	if (rc || v < o->min || v > o->max)
		return bench_fail(err, TOOL_USAGE, "%s=%s: not from %llu to %llu%s", o->name, value,
				  (unsigned long long)o->min, (unsigned long long)o->max, is_time(o) ? " ns" : "");
	*n = v;
	return 0;
}

static const struct no_effect *find_no_effect(const char *key)
{
	for (size_t i = 0; i < sizeof(no_effect) / sizeof(*no_effect); i++)
		if (same(key, no_effect[i].name))
			return &no_effect[i];
	return NULL;
}

bool bench_option_known(const char *key)
{
	return bench_option_find(key) || find_no_effect(key);
}

void bench_option_guess(struct opt_guess *g)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		opt_guess(g, table[i].name);
		if (table[i].alias)
			opt_guess(g, table[i].alias);
	}
}

int bench_option_unknown(const char *key, const struct opt_guess *g, struct bench_err *err)
{
	if (g->best)
		return bench_fail(err, TOOL_USAGE, "unrecognized option '%s'. Did you mean --%s?", key, g->best);
	return bench_fail(err, TOOL_USAGE,
			  "unrecognized option '%s' (--help lists the options of fio that devio-bench has)", key);
}

/* Not an option of the table: one of fio that has no effect here, or unknown. */
static int set_other(struct bench_job *job, const char *key, const char *value, struct bench_err *err)
{
	const struct no_effect *n = find_no_effect(key);
	struct opt_guess guess;

	if (!n) {
		opt_guess_begin(&guess, key, strlen(key));
		bench_option_guess(&guess);
		return bench_option_unknown(key, &guess, err);
	}
	if (n->only && value && strcmp(value, n->only))
		return bench_fail(err, TOOL_USAGE, "%s=%s: only %s is supported", key, value, n->only);
	return remember(job, n->name, value ? value : "1", err);
}

int bench_option_set(struct bench_job *job, const char *key, const char *value, struct bench_err *err)
{
	const struct bench_option *o = bench_option_find(key);
	uint64_t *number;
	const char **text;
	int rc = 0;

	if (!o)
		return set_other(job, key, value, err);
	if (!value)
		value = o->bare;
	if (!value || (!*value && !o->bare))
		return bench_fail(err, TOOL_USAGE, "%s: value missing", o->name);
	if (strlen(value) > 65536)
		return bench_fail(err, TOOL_USAGE, "%s: value longer than 64k", o->name);
	number = (uint64_t *)((char *)job + o->where);
	text = (const char **)((char *)job + o->where);
	if (o->type == OPT_CALL)
		rc = o->call(job, value, err);
	else if (o->type == OPT_TEXT)
		rc = (*text = bench_keep(value)) ? 0 : bench_fail(err, TOOL_FAILED, "out of memory");
	else
		rc = set_number(o, number, value, err);
	return rc ? -1 : remember(job, o->name, value, err);
}
