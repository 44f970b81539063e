/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-cp:
 *   main.c      options, the order of the steps, the exit status
 *   end.c       the two sides: opened, named, given their final name
 *   mem.c       the device memory
 *   run.c       the blocks in flight on the ring
 *   verify.c    the comparison by another way
 *   report.c    progress, the text and the JSON
 */
#ifndef TOOLS_CP_H
#define TOOLS_CP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <devio.h>
#include "common/summary.h"
#include "common/toolmem.h"

/* Exit status; a signal ends the program by that signal. */
enum { CP_OK = 0, CP_FAILED = 1, CP_USAGE = 2, CP_DIFFERS = 3, CP_NO_PATH = 4 };

struct cp_opts {
	const char *src, *dst;
	const char *mem;          /* --mem, NULL: auto */
	uint64_t block, offset, length, seek, staging;
	unsigned int depth;
	int path;                 /* enum devio_path */
	bool have_length, have_seek, direct, no_cache, cold, verify, json, sync, force, verbose;
	int progress;             /* -1: when stderr is a terminal */
};

/* One side of the copy: a file or a memory. */
struct cp_end {
	const char *name;         /* as the user wrote it */
	bool is_mem;
	struct devio_mem *mem;    /* is_mem: all of it; else NULL */
	struct devio_file *file;
	uint64_t start;           /* byte at which the copy begins on this side */
	uint64_t size_before;     /* source file: its size when it was opened */
	int fd;                   /* a plain descriptor of the file, for all but the copy; -1 */
	char *final;              /* destination file: its name in the end, */
	char *temp;               /* and until then; NULL: written in place */
	unsigned int mode;        /* destination file: permissions in the end */
	bool in_place_begun;      /* bytes of the destination may have changed */
};

struct cp_job {
	struct cp_opts o;
	struct devio_ctx *ctx;
	struct cp_end src, dst;
	struct devio_mem *window; /* file to file: the blocks in flight */
	struct toolmem place;     /* of the device memory */
	uint64_t length;
	uint64_t moved;           /* bytes that arrived */
	struct summary summary;
	double setup_s, seconds, cpu_s;
	uint64_t verified;        /* bytes compared and equal */
	int status;               /* CP_* */
	char error[1024];         /* the sentence of the first failure, "" if none */
};

/* Set by SIGINT, SIGTERM and SIGHUP to their number. */
extern volatile sig_atomic_t cp_stop;

/* Keeps the first failure's sentence and status; returns -1. */
int cp_fail(struct cp_job *job, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
double cp_now(void);

int cp_open_ends(struct cp_job *job);
int cp_finish_dst(struct cp_job *job);
int cp_check_src(struct cp_job *job);
/* Closes both; a temporary file that was not finished is removed. */
void cp_close_ends(struct cp_job *job);

int cp_alloc(struct cp_job *job);
int cp_run(struct cp_job *job);
int cp_verify(struct cp_job *job);

void cp_progress(struct cp_job *job, double elapsed, bool last);
void cp_explain(struct cp_job *job);
void cp_report_text(const struct cp_job *job);
void cp_report_json(const struct cp_job *job);

#endif
