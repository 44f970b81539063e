/* SPDX-License-Identifier: MIT */
/* Many reads in flight on one ring, from files that are opened on demand. */
#ifndef DV_READS_H
#define DV_READS_H

#include <stdbool.h>
#include <devio/file.h>
#include <devio/ring.h>
#include "core/outcome.h"
#include "load/links.h"

#define DV_READS_BLOCK 4096u            /* alignment with which every drive reads directly */
#define DV_READS_MAX (8u << 20)

/* A contiguous range of a file, read to a contiguous range of the memory. */
struct dv_run {
	uint64_t off, end;      /* range of the file that is read */
	uint64_t need;          /* end of the bytes that must exist; the file may end after it */
	uint64_t mem_off;       /* destination of `off` */
	uint64_t good;          /* bytes of the file before this one have been read; UINT64_MAX: no error */
	uint32_t file;
	uint32_t submitted;     /* reads */
	uint32_t inflight;      /* of these */
	int error;              /* -errno at `good` */
	struct dv_outcome outcome; /* of its reads: of the least direct path, or of the error */
};

struct dv_reads_opts {
	uint32_t max_read, depth, max_files;
	int path;
	unsigned int flags;
};

struct dv_reads_file {
	struct devio_file *file;     /* NULL: not open */
	uint64_t used;               /* time of last use */
	uint64_t checked;            /* number of the last check whether it has changed */
	uint32_t inflight;           /* reads */
	bool stale;                  /* it has changed after it was opened */
};

struct dv_reads {
	struct devio_ctx *ctx;
	const struct devio_source *source;
	struct devio_mem *mem;
	struct devio_ring *ring;
	struct dv_reads_opts o;
	struct dv_reads_file *files; /* by number */
	uint32_t *open;              /* numbers of the open files */
	uint32_t nr_open;
	uint64_t now;                /* clock of the files' last use */
	struct dv_links *links;      /* NULL: no file is on a server */
	uint32_t inflight;           /* reads */
	uint64_t reads, bytes;       /* completed */
	char errmsg[512];            /* of the last error */
};

/* Sets defaults and opens the ring. 0, or -errno with an error message; call dv_reads_close() in both cases. */
int dv_reads_open(struct dv_reads *r, struct devio_ctx *ctx, const struct devio_source *s, struct devio_mem *mem,
		  const struct dv_reads_opts *o);
void dv_reads_close(struct dv_reads *r);

static inline void dv_run_init(struct dv_run *run, uint32_t file, uint64_t off, uint64_t end, uint64_t mem_off)
{
	*run = (struct dv_run){ .off = off, .end = end, .need = end, .mem_off = mem_off, .good = UINT64_MAX,
				.file = file };
}

/*
 * Submits the run's next reads. True: all are submitted, or the run has failed (see
 * its error); false: the ring is full. dv_reads_number() returns `number`.
 */
bool dv_reads_submit(struct dv_reads *r, struct dv_run *run, uint32_t number);

/*
 * Whether c completes a read. A read from a server consists of several operations;
 * the last to complete becomes the completion of the read.
 */
static inline bool dv_reads_complete(struct dv_reads *r, struct devio_completion *c)
{
	return !(c->cookie & DV_LINKS_COOKIE) || dv_links_done(r->links, c);
}

/* The number of the run to which the completion belongs. */
static inline uint32_t dv_reads_number(const struct devio_completion *c)
{
	return c->cookie >> 32;
}

/* Accounts for a completion of the run. */
void dv_reads_done(struct dv_reads *r, struct dv_run *run, const struct devio_completion *c);

/*
 * After all reads of the runs: those of a file that has changed since it was indexed
 * fail, since some of their bytes may be older and some newer than the index. One
 * system call for each file. check: another number for each call.
 */
void dv_reads_check(struct dv_reads *r, struct dv_run *runs, uint32_t nr, uint64_t check);

#endif
