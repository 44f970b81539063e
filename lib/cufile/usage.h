/* SPDX-License-Identifier: MIT */
/* What is counted for the statistics and for the report: by path and reason, in all and for each file. */
#ifndef DV_CUFILE_USAGE_H
#define DV_CUFILE_USAGE_H

#include <stdatomic.h>
#include <devio.h>
#include "cufile/cufile.h"

/* Counters of one file or of all; atomic. The index is 0 for reads, 1 for writes. */
struct dv_usage {
	uint64_t ops[2], bytes[2], errors[2], ns[2];
	uint64_t path_ops[2][DEVIO_PATH_FILE_MAX], path_bytes[2][DEVIO_PATH_FILE_MAX];
	uint64_t reason_ops[DEVIO_REASON_MAX]; /* why no better path was taken */
	uint64_t copied, slowest_ns;
	uint64_t unaligned[2];
};

struct dv_file_usage {
	struct dv_usage u;
	char *name;
	dev_t dev;
	ino_t ino;
	struct dv_file_usage *next;
};

enum dv_call { DV_CALL_HANDLE_REGISTER, DV_CALL_HANDLE_DEREGISTER, DV_CALL_BUF_REGISTER, DV_CALL_BUF_DEREGISTER,
	       DV_CALL_BATCH_SUBMIT, DV_CALL_BATCH_COMPLETE, DV_CALL_BATCH_SETUP, DV_CALL_BATCH_CANCEL,
	       DV_CALL_BATCH_DESTROY, DV_CALL_BATCH_IO, DV_CALLS };

/* Buckets of latency: powers of two of a microsecond. */
#define DV_LATENCIES 32

struct dv_counts {
	struct dv_usage all;
	struct dv_usage gpu[GDS_GPUS];
	uint64_t registered[GDS_GPUS]; /* bytes, now */
	uint64_t hist[2][GDS_HIST];    /* sizes */
	uint64_t latency[DV_LATENCIES];
	struct gds_count call[DV_CALLS];
	uint64_t batch_bytes[2], batch_ns;
	uint64_t start_ns;
};
extern struct dv_counts dv_counts;

/* Whether anything is counted: a level of statistics, or a report. */
extern atomic_bool dv_counting;

/* The driver is opened with this level of statistics. */
void dv_usage_open(int level);
/* The counters of the file behind fd, kept until the process ends; NULL: nothing is counted, or no memory. */
struct dv_usage *dv_usage_of(int fd, dev_t dev, ino_t ino);
/* The first of all files' counters. */
const struct dv_file_usage *dv_usage_files(void);
void dv_usage_reset(void);
/* In a forked child. */
void dv_usage_forked(void);

void dv_usage_call(enum dv_call call, int err);
/* A transfer that is over: of this file, to this GPU (-1: host memory), ns long (0: not known). */
void dv_usage_count(struct dv_usage *file, int gpu, const struct devio_completion *c, uint64_t len, uint64_t ns);
/* The same, of a batch, besides. */
void dv_usage_batch(const struct devio_completion *c);
/* Bytes of a GPU that are registered, or (< 0) no longer. */
void dv_usage_registered(int gpu, int64_t bytes);

uint64_t dv_usage_now(void);

#endif
