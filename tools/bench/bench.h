/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-bench, from the command line to the report:
 *   main.c      the order of the steps, the exit status
 *   option/     cli.c (the command line), jobfile.c (sections and keys), opts.c (the table of options),
 *               value.c (sizes, times, percentages, lists), enum.c (names), sequencer.c (orders of offsets),
 *               job.c (jobs from options: defaults, checks, clones)
 *   file.c      files created, sized, and kept from being overwritten
 *   group.c     the threads of jobs that run together; sampling
 *   thread.c    one thread: set-up, phases, what it counted; loop.c its inner loop
 *   gen.c       the next I/O: direction, file, offset, length; dist.c: distributions of random offsets
 *   verify.c    what is written, and whether it reads back the same
 *   engine/     devio, liburing, pread, net
 *   cpu.c       CPUs, NUMA nodes, counters of the CPU
 *   hist.c      latencies
 *   compare.c   engines side by side
 *   tune.c      the search for block size and depth
 *   report/     result.c (sums over threads), live.c (the progress line), log.c (logs over time), text.c (numbers as
 *               fio writes them), normal.c json.c terse.c comparison.c (reports), output.c (their file),
 *               plot.c (charts, by gnuplot)
 */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <devio.h>
#include "common/opts.h"
#include "common/tool.h"

enum bench_dir { DIR_READ, DIR_WRITE, DIR_NR };
enum { RW_READ = 1, RW_WRITE = 2, RW_RANDOM = 4 };
enum bench_dist { DIST_RANDOM, DIST_ZIPF, DIST_PARETO, DIST_NORMAL, DIST_ZONED, DIST_ZONED_ABS };
enum bench_verify { VERIFY_NONE, VERIFY_XXHASH, VERIFY_PATTERN, VERIFY_NULL };
enum bench_continue { CONTINUE_READ = 1, CONTINUE_WRITE = 2, CONTINUE_VERIFY = 4 };
enum bench_service { SERVICE_ROUND_ROBIN, SERVICE_RANDOM, SERVICE_SEQUENTIAL };
enum bench_fallback { NUMA_DEFAULT, NUMA_PREFER, NUMA_BIND, NUMA_INTERLEAVE, NUMA_LOCAL };

#define BENCH_SPLITS 32
#define BENCH_ZONES 256
#define BENCH_PERCENTILES 20        /* the limit of fio */
#define BENCH_SETS 160
#define BENCH_MAX_FILES 4096
#define UNSET UINT64_MAX

/* An error: its message and its exit status. */
struct bench_err {
	char text[1024];
	int status;
};

/* util.c: sets *err, returns -1 */
int bench_fail(struct bench_err *err, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *bench_keep(const char *text);   /* a copy that lives until bench_keep_free() */
void *bench_keep_bytes(size_t size);        /* zeroed, the same */
void bench_keep_free(void);
uint64_t bench_now(void);                   /* ns, monotonic */

struct bench_split {
	uint32_t bs;
	uint32_t below;             /* of 2^32: random numbers below select this size */
};

/* A part of the file, as fractions or (zoned_abs) in bytes, and its share of the I/O. */
struct bench_zone {
	double from, to;
	uint32_t below;             /* of 2^32 */
};

/* An option as it was given, for the report. */
struct bench_set {
	const char *key, *value;
};

/* The options of a job. Numbers that are UNSET get their default in bench_jobs_finish(). */
struct bench_job {
	const char *name, *description, *filename, *filename_format, *directory,
		*mem, *hostname, *bw_log, *iops_log, *lat_log;
	const struct bench_engine *engine;
	uint64_t rw, rwmix_read, bs[DIR_NR], bs_min[DIR_NR], bs_max;
	uint64_t bs_range[DIR_NR];  /* bsrange: the largest size, bs being the smallest; 0: not a range */
	struct bench_split split[DIR_NR][BENCH_SPLITS];
	unsigned int nr_split[DIR_NR];
	uint64_t size, size_pct, io_size, io_size_pct, filesize, offset, offset_pct, offset_step, offset_step_pct,
		nrfiles, service, service_run;
	uint64_t numjobs, loops, iodepth, batch, batch_min, batch_max, depth_low, submit_wait, wait_spin;
	uint64_t direct, invalidate, fixedbufs, hugepage, unlink, fsync, end_fsync, create_fsync;
	uint64_t runtime, ramp, start_delay, time_based, think;        /* ns */
	uint64_t rate[DIR_NR], rate_iops[DIR_NR];
	uint64_t verify, do_verify, verify_fatal, continue_on;
	uint8_t pattern[512];
	unsigned int pattern_len;
	uint64_t seed, rand_repeat, no_map, dist, no_mounted_check, overwrite;
	double dist_arg;
	struct bench_zone zone[BENCH_ZONES];
	unsigned int nr_zones;
	uint64_t every, identical, hole;    /* the number of rw: I/Os at each random offset; bytes skipped */
	cpu_set_t cpus;
	uint64_t have_cpus, cpus_split, numa_policy, numa_mem_nodes, have_numa_cpus;
	uint64_t group_reporting, new_group, stonewall;
	double percentile[BENCH_PERCENTILES];
	unsigned int nr_percentiles;
	uint64_t clat_pct, lat_pct, slat_pct, log_ms;
	uint64_t port, listen, protocol;    /* of a connection; protocol: 4, 6 or 0 for either */
	uint64_t path, direct_only, xfer, staging, slot;
	struct bench_set set[BENCH_SETS];
	unsigned int nr_sets;
	unsigned int group, wave;   /* of reports; of runs: a stonewall starts a new wave */
	uint64_t io_total;          /* bytes of one loop, in all files */
	struct bench_file *file;
	unsigned int nr_files;      /* of one thread */
	bool own_files;             /* each thread has its own files in file[] */
};

/* A file of a job; each thread opens it. */
struct bench_file {
	const char *name;
	uint64_t start, size;       /* the region that the job uses */
	uint64_t have;              /* size of the file or device at the start */
	bool is_block;
};

/* option/opts.c: the table */
enum bench_type { OPT_NUM, OPT_SIZE, OPT_TIME, OPT_TIME_US, OPT_BOOL, OPT_TEXT, OPT_CALL };
struct bench_option {
	const char *name, *alias;
	enum bench_type type;
	size_t where;               /* in struct bench_job */
	uint64_t min, max;
	int (*call)(struct bench_job *job, const char *value, struct bench_err *err);
	const char *bare;           /* the value of an option without one; NULL: a value is required */
	const char *group, *help;
};
const struct bench_option *bench_option_find(const char *name);
const struct bench_option *bench_option_at(unsigned int i);   /* NULL past the last */
bool bench_option_known(const char *key);
void bench_option_guess(struct opt_guess *g);                 /* all names, for a mistyped one */
int bench_option_unknown(const char *key, const struct opt_guess *g, struct bench_err *err); /* -1 */
/* Sets key (fio's name) to value (NULL: none was given). 0, or -1 with *err. */
int bench_option_set(struct bench_job *job, const char *key, const char *value, struct bench_err *err);

/* option/value.c: 0, -EINVAL or -ERANGE; the functions of the table: 0, or -1 with *err */
int bench_value_size(const char *text, uint64_t *bytes);
int bench_value_time(const char *text, uint64_t *ns);
int bench_value_list(const char *text, uint64_t max, void (*fn)(void *arg, uint64_t n), void *arg);
int bench_call_rw(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_bs(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_bsrange(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_bssplit(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_size(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_io_size(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_offset(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_offset_step(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_rwmixwrite(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_buffered(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_rate(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_rate_iops(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_verify(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_pattern(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_dist(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_protocol(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_sequencer(struct bench_job *job, const char *value, struct bench_err *err);
int bench_rw_number(struct bench_job *job, const char *text, struct bench_err *err);
int bench_call_continue(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_engine(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_service(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_path(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_xfer(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_cpus(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_cpus_policy(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_numa_cpus(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_numa_mem(struct bench_job *job, const char *value, struct bench_err *err);
int bench_call_percentiles(struct bench_job *job, const char *value, struct bench_err *err);

/* option/jobfile.c */
struct bench_ini {
	/* key NULL: a section starts. value NULL: a key alone. Non-zero stops parsing and is returned. */
	int (*fn)(void *arg, const char *section, const char *key, const char *value, unsigned int line);
	void *arg;
	const char *inside;         /* an included file: the section that it is a part of; NULL: a file of sections */
	unsigned int line;          /* out: the last line read */
	const char *error;          /* out: the syntax error of that line, if there is one */
};
/* text is modified, and must end in NUL. 0, -EINVAL, or what fn returned. */
int bench_ini_parse(char *text, struct bench_ini *ini);

/* option/job.c */
struct bench_jobs {
	struct bench_job global, *job;
	unsigned int nr;
};
void bench_job_init(struct bench_job *job);
struct bench_job *bench_job_add(struct bench_jobs *jobs, const struct bench_job *like, const char *name,
				struct bench_err *err);
int bench_job_file(struct bench_jobs *jobs, const char *name, const char *section, struct bench_err *err);
int bench_job_text(struct bench_jobs *jobs, char *text, const char *name, const char *section, struct bench_err *err);
/* Defaults and checks of all jobs. */
int bench_jobs_finish(struct bench_jobs *jobs, struct bench_err *err);
/* Values that depend on other options: block sizes, batches, ... May be called again after a change. */
void bench_job_defaults(struct bench_job *job);
void bench_jobs_free(struct bench_jobs *jobs);

/* file.c: what is added to the region's start for a thread by offset_increment */
uint64_t bench_file_offset(const struct bench_job *job, const struct bench_file *f, uint64_t clone);
/* 0, or -1 with *err. Checks the files, creates missing ones, fills in regions and sizes. */
int bench_files_prepare(struct bench_jobs *jobs, bool quiet, struct bench_err *err);
/* Remembers a file as used. */
int bench_files_note(const struct stat *st, struct bench_err *err);
/* Refuses to write a report to a file that the jobs use; `what` is the option, such as "--output=". */
int bench_files_spare(const char *what, const char *name, struct bench_err *err);
void bench_files_unlink(const struct bench_jobs *jobs);

/* the engines, engine/ */
struct bench_thread;
struct bench_io;
struct bench_engine {
	const char *name, *alias;
	bool sync;                  /* queue() completes the operation */
	bool host;                  /* into host memory: mem and path have no effect */
	bool net;                   /* a connection instead of files */
	int (*open)(struct bench_thread *t, struct bench_err *err);
	void (*close)(struct bench_thread *t);
	int (*queue)(struct bench_thread *t, struct bench_io *io);            /* 0 or -errno */
	int (*submit)(struct bench_thread *t);                                /* 0 or -errno */
	int (*reap)(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns);
	void (*halt)(struct bench_thread *t);                                 /* the time is over; may be NULL */
	int (*flush)(struct bench_thread *t, unsigned int file);              /* fdatasync */
	int (*put)(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len);
	int (*get)(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len);
};
extern const struct bench_engine bench_devio, bench_liburing, bench_pread, bench_net;
const struct bench_engine *bench_engine_find(const char *name);

/* The command line: what to do with all jobs. */
enum bench_format { OUT_NORMAL = 1, OUT_JSON = 2, OUT_JSON_PLUS = 4, OUT_TERSE = 8, OUT_MARKDOWN = 16 };
struct bench_cmd {
	unsigned int formats;
	const char *output, *section, *plot, *compare;
	bool tune, parse_only, quiet;
	int eta;                    /* -1: when stderr is a terminal */
	uint64_t eta_ms, rounds, tune_ms;
	int argc;
	char **argv;
	FILE *out;
	const struct bench_jobs *announced;     /* printed when the first of them starts; NULL: none */
	bool begun;                 /* the report replaces what was in the file */
	bool done;                  /* --help and the like: nothing to run */
};
int bench_cli_parse(int argc, char **argv, struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_err *err);

#endif
