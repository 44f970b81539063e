/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-cp:
 *   main.c      options, the order of the steps, the exit status
 *   end.c       source and destination: opened, checked, renamed when complete
 *   mem.c       the device memory
 *   run.c       the blocks in flight on the ring
 *   verify.c    the comparison, by reads that do not use the path of the copy
 *   report.c    progress, paths, the report as text and JSON
 */
#ifndef TOOLS_CP_H
#define TOOLS_CP_H

#include <stdbool.h>
#include <stdint.h>
#include <devio.h>
#include "common/args.h"
#include "common/outfile.h"
#include "common/summary.h"
#include "common/term.h"
#include "common/tool.h"
#include "common/toolmem.h"

struct cp_opts {
	const char *src, *dst;
	const char *mem;          /* --mem, NULL: auto */
	uint64_t block, offset, length, seek, staging;
	unsigned int depth;
	int path;                 /* enum devio_path */
	bool have_length, have_seek, direct_only, no_cache, cold, verify, sync, force, mounted;
	struct args_report report;
};

/* Source or destination: a file or a memory. */
struct cp_end {
	const char *name;         /* as the user wrote it */
	bool is_mem;
	struct devio_mem *mem;    /* is_mem: all of it; else NULL */
	struct devio_file *file;
	uint64_t start;           /* first byte of the copy on this side */
	uint64_t size_before;     /* source file: its size when it was opened */
	int fd;                   /* a plain descriptor of the file, for everything but the copy; -1 */
	struct outfile out;       /* destination file; without a temporary name it is written in place */
	bool in_place_begun;      /* bytes of the destination may have changed */
};

struct cp_job {
	struct cp_opts o;
	struct devio_ctx *ctx;
	struct cp_end src, dst;
	struct devio_mem *window; /* file to file: the blocks in flight */
	struct toolmem place;     /* of the device memory */
	uint64_t length;
	uint64_t moved;           /* bytes that were copied */
	uint64_t holes;           /* bytes in holes of the source, which are holes of the destination */
	struct summary summary;
	struct summary_cost cost;
	struct progress progress;
	uint64_t verified;        /* bytes compared and equal */
	struct tool_error error;
};

int cp_open_ends(struct cp_job *job);
int cp_finish_dst(struct cp_job *job);
int cp_check_src(struct cp_job *job);
/* Closes both; a temporary file that was not finished is removed. */
void cp_close_ends(struct cp_job *job);

int cp_alloc(struct cp_job *job);
int cp_run(struct cp_job *job);
int cp_verify(struct cp_job *job);

void cp_progress(struct cp_job *job, double elapsed);
/* --verbose: for every path whether it can be used, and why not. */
void cp_explain(struct cp_job *job);
void cp_report_text(const struct cp_job *job);
void cp_report_json(const struct cp_job *job);

#endif
