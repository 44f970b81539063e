/* SPDX-License-Identifier: MIT */
/* A run: the threads, what they count, and the sums of it. */
#ifndef TOOLS_BENCH_RUN_H
#define TOOLS_BENCH_RUN_H

#include <pthread.h>
#include <stdio.h>
#include "bench.h"
#include "hist.h"
#include "rand.h"

/* Of depths: 0, 1, 2-3, 4-7, ..., >= 64; of batches: 0, 1-4, 5-8, ..., 33-64, more; the last is unused. */
#define BENCH_DEPTHS 8
#define BENCH_PATHS DEVIO_STAT_PATHS
#define BENCH_COUNTERS 3            /* instructions, user instructions, cycles */

/* One direction. Written by its thread only; n, bytes and lat_sum are read by the sampler meanwhile. */
struct bench_stat {
	uint64_t n, bytes;          /* completed without error */
	uint64_t issued;            /* bytes */
	uint64_t shorts, errors, lat_sum;
	uint64_t runtime;           /* ns */
	struct hist slat, clat, lat;
};

/* Operations and bytes by path. */
struct bench_paths {
	uint64_t ops[BENCH_PATHS], copied[BENCH_PATHS], bytes[BENCH_PATHS], fell_back;
	uint32_t why[BENCH_PATHS];  /* best_unused << 16 | reason, of the last operation that had one */
};

struct bench_cost {
	double usr, sys;            /* s of CPU */
	uint64_t ctx, majf, minf;
	uint64_t counter[BENCH_COUNTERS];
	bool have[BENCH_COUNTERS];
};

/* Samples of one value of the whole group, twice a second. */
struct bench_series {
	uint64_t n;
	double min, max, sum, squares;
};

/* The unit of a report: a thread, or a group. */
struct bench_result {
	const struct bench_job *job;
	const char *name;
	unsigned int group, threads, tid;
	int error;                  /* -errno that stopped it */
	int first_error;            /* the first error that did not stop it */
	uint64_t verified, verify_errors, total_errors, elapsed;
	struct bench_stat dir[DIR_NR];
	struct bench_series bw[DIR_NR], iops[DIR_NR];
	uint64_t seen_n[DIR_NR], seen_bytes[DIR_NR];    /* by the sampler */
	struct bench_paths paths;
	struct bench_cost cost;
	uint64_t depth[BENCH_DEPTHS], submit[BENCH_DEPTHS], complete[BENCH_DEPTHS];
	char mem[64], cause[400];   /* the memory's spec; the message of the error */
};

/* The position of a thread in one file. */
struct bench_place {
	uint64_t pos[DIR_NR];       /* end of the last I/O in the region */
	uint64_t last[DIR_NR];      /* start of the last I/O */
	uint64_t run[DIR_NR];       /* I/Os since a random offset */
	struct bench_map map[DIR_NR];
	uint64_t *written;          /* verify: a bit for each block */
	struct bench_last {
		uint16_t seq;       /* of the last write that was issued */
		uint8_t busy;       /* writes in flight, at most 255 */
		bool raced;         /* two were in flight at once: either may be the last one */
	} *latest;                  /* verify=xxhash: of each block */
};

struct bench_io {
	uint64_t start, issue, off, mem_off;
	uint32_t len, file;
	uint8_t dir;
	bool check;                 /* verify it when it completes */
	uint32_t index;
};

/* A completion that is not counted yet; its bench_io may be in flight again. */
struct bench_completed {
	const struct devio_completion *c;       /* in the thread's done[] */
	uint64_t lat, clat;
	uint8_t dir;
	bool is_short;
};

struct bench_pace {
	uint64_t next;              /* earliest start of the next I/O */
	uint64_t per_op;            /* ns, 0: no limit */
	uint64_t bytes_s;           /* 0: no limit */
};

enum bench_phase { PHASE_MAIN, PHASE_VERIFY };

struct bench_thread {
	/* What the inner loop uses, together. */
	const struct bench_engine *engine;
	void *eng;
	uint64_t now, end, ramp_end, left;      /* ns; ns; ns; bytes still to issue */
	unsigned int depth, inflight, queued, free, nr_ready, batch, batch_min, batch_max, low;
	bool measuring, stop, filling, limited, mixed, submit_wait, no_slat;
	struct bench_io **free_io, **queue;
	struct bench_io *pending;               /* the next one, which is not due yet */
	struct devio_completion *done;
	struct bench_completed *completed;
	unsigned int nr_completed;
	struct bench_result *res;
	struct bench_rand rand;
	struct bench_place *place;
	unsigned int file, file_run;
	enum bench_phase phase;
	uint32_t mix;                           /* share of reads, of 2^32 */
	struct bench_pace pace[DIR_NR];
	/* What it does not use. */
	const struct bench_job *job;
	const struct bench_run *run;
	struct bench_file *files;               /* the job's, with its own offsets */
	unsigned int nr_files, clone, verify_file, since_flush;
	uint64_t slot, verify_pos, verify_id, begin, measured_from;
	uint16_t write_seq;                     /* of the last write, for verify */
	struct bench_io *io;
	uint8_t *scratch, *wanted;
	struct bench_dist_state *dist;
	struct bench_cost before;
	int counter_fd[BENCH_COUNTERS];
	pthread_t thread;
	bool started, ready, finished;
	struct bench_err err;
	uint64_t pass;
};

/* All threads that run together. */
struct bench_run {
	struct devio_ctx *ctx;
	struct bench_thread *thread;
	struct bench_result *result;            /* one per thread */
	unsigned int nr;
	pthread_mutex_t lock;
	pthread_cond_t cond;                    /* signaled by the threads; the sampler waits for it */
	unsigned int nr_ready, nr_finished;
	bool go, abort;
	uint64_t begin;
	uint64_t id;                            /* of this run, for --verify */
};

/* group.c: runs nr jobs together; their results are appended to *results. */
struct bench_results {
	struct bench_result **r;
	unsigned int nr, size;
};
struct bench_live;
int bench_group_run(struct devio_ctx *ctx, struct bench_job *const *job, unsigned int nr, struct bench_live *live,
		    struct bench_results *results, struct bench_err *err);
/* Runs all jobs, in order. */
int bench_run_all(struct devio_ctx *ctx, struct bench_jobs *jobs, struct bench_live *live,
		  struct bench_results *results, struct bench_err *err);
void bench_results_free(struct bench_results *results);
int bench_results_add(struct bench_results *results, struct bench_result *r, struct bench_err *err);

/* thread.c */
void *bench_thread_main(void *arg);
int bench_thread_setup(struct bench_thread *t, struct bench_err *err);
void bench_thread_free(struct bench_thread *t);
void bench_measure_begin(struct bench_thread *t);

/* loop.c */
void bench_loop(struct bench_thread *t);

/* gen.c */
void bench_gen_init(struct bench_thread *t);
bool bench_gen_next(struct bench_thread *t, struct bench_io *io);   /* false: nothing more */

/* dist.c */
struct bench_dist_state;
struct bench_dist_state *bench_dist_new(const struct bench_job *job, uint64_t nr);
uint64_t bench_dist_draw(const struct bench_dist_state *d, struct bench_rand *r, uint64_t nr, uint64_t bs);
int bench_dist_check(const struct bench_job *job, uint64_t size, struct bench_err *err);

/* verify.c */
int bench_verify_known(uint64_t kind);                              /* 0 or -EOPNOTSUPP */
int bench_verify_fill(struct bench_thread *t, struct bench_io *io);
void bench_verify_wrote(struct bench_thread *t, const struct bench_io *io); /* has completed, or failed */
int bench_verify_check(struct bench_thread *t, struct bench_io *io);   /* 0, -EILSEQ with res->cause, -errno */
void bench_fill_random(void *buf, size_t len, uint64_t seed);

/* cpu.c */
int bench_cpu_bind(struct bench_thread *t, struct bench_err *err);
void bench_cost_open(struct bench_thread *t);
void bench_cost_close(struct bench_thread *t);
void bench_cost_get(const struct bench_thread *t, struct bench_cost *cost);

/* report/result.c */
struct bench_result *bench_result_new(const struct bench_job *job, struct bench_err *err);
void bench_result_clear(struct bench_result *r);                    /* at the end of ramp_time */
void bench_result_merge(struct bench_result *r, const struct bench_result *from);
void bench_series_add(struct bench_series *s, double value);
double bench_series_mean(const struct bench_series *s);
double bench_series_stddev(const struct bench_series *s);
double bench_result_bw(const struct bench_result *r, int dir);      /* bytes/s */
double bench_result_iops(const struct bench_result *r, int dir);
uint64_t bench_result_ops(const struct bench_result *r);
unsigned int bench_result_path(const struct bench_result *r);       /* that transferred most bytes */
uint64_t bench_result_copied(const struct bench_result *r);
void bench_result_why(const struct bench_result *r, unsigned int path, char *buf, size_t size);
int bench_result_status(const struct bench_results *results);       /* exit status */

/* report/live.c: called by the thread that waits for the others; poll returns when the next poll is due */
struct bench_live *bench_live_new(struct bench_cmd *cmd, struct bench_err *err);
void bench_live_free(struct bench_live *live);
int bench_live_open(struct bench_live *live, struct bench_job *const *job, unsigned int nr, struct bench_err *err);
void bench_live_begin(struct bench_live *live);     /* all threads are ready */
uint64_t bench_live_poll(struct bench_live *live, struct bench_run *run, bool last);
struct bench_sample {
	double s, bw[DIR_NR], iops[DIR_NR], lat_us;
};
const struct bench_sample *bench_live_samples(const struct bench_live *live, unsigned int *nr);

/* report/log.c: write_bw_log, write_iops_log, write_lat_log */
struct bench_logs;
int bench_logs_open(struct bench_logs **logs, struct bench_job *const *job, unsigned int nr, struct bench_err *err);
void bench_logs_begin(struct bench_logs *logs);
uint64_t bench_logs_poll(struct bench_logs *logs, const struct bench_run *run, bool last);
void bench_logs_close(struct bench_logs *logs);

/* report/text.c: numbers in the form of fio; buf has BENCH_NUM bytes and is returned */
#define BENCH_NUM 40
const char *bench_text_count(double n, char *buf);                  /* 31.4k */
const char *bench_text_bytes(double n, bool binary, char *buf);     /* 123MiB, 129MB */
const char *bench_text_clock(uint64_t ns, char *buf);               /* 01m:05s */
#define BENCH_JOB_TEXT 600
void bench_text_job(const struct bench_job *job, char *buf, size_t size);  /* one line, of BENCH_JOB_TEXT bytes */

/* report/output.c */
/* Opens or creates a file for a report, and leaves what is in it to bench_output_empty(). NULL with *err. */
FILE *bench_output_file(const char *what, const char *name, struct bench_err *err);
void bench_output_empty(FILE *f);
int bench_output_open(struct bench_cmd *cmd, struct bench_err *err);
void bench_output_begin(struct bench_cmd *cmd);                     /* the threads are ready; more calls do nothing */
int bench_output_close(struct bench_cmd *cmd, struct bench_err *err);

/* reports */
void bench_normal(FILE *out, const struct bench_results *results);
void bench_terse(FILE *out, const struct bench_results *results);
int bench_json(FILE *out, const struct bench_jobs *jobs, const struct bench_results *results, bool plus);
/* Share of latencies in each of fio's 32 ranges: ns 10, us 10, ms 12. Percent. */
#define BENCH_RANGES 32
extern const uint64_t bench_range_end[BENCH_RANGES];                /* ns; UINT64_MAX: no end */
void bench_ranges(const struct bench_result *r, double *share);
/* Percentages of the steps of depth, submit, complete. */
void bench_shares(const uint64_t *step, double *share);

/* modes */
int bench_compare(struct devio_ctx *ctx, struct bench_cmd *cmd, const struct bench_jobs *jobs,
		  struct bench_live *live, struct bench_err *err);
int bench_tune(struct devio_ctx *ctx, const struct bench_cmd *cmd, const struct bench_jobs *jobs,
	       struct bench_live *live, struct bench_err *err);
int bench_plot_run(const struct bench_cmd *cmd, const struct bench_live *live, const struct bench_results *results,
		   struct bench_err *err);
struct bench_point {
	uint64_t bs, depth;
	double bw, iops, p99_us, cpu;
};
int bench_plot_tune(const struct bench_cmd *cmd, const struct bench_point *point, unsigned int nr, unsigned int best,
		    struct bench_err *err);

#endif
