/* SPDX-License-Identifier: MIT */
/* Many reads in flight on one ring, of files that are opened when they are needed. */
#ifndef DV_READS_H
#define DV_READS_H

#include <stdbool.h>
#include <devio/file.h>
#include <devio/ring.h>
#include "core/outcome.h"
#include "load/links.h"

#define DV_READS_BLOCK 4096u            /* what every drive reads directly */
#define DV_READS_MAX (8u << 20)

/* One contiguous piece of a file on its way to one of the memory. */
struct dv_run {
	uint64_t off, end;      /* bytes of the file that are read */
	uint64_t need;          /* and how far they have to be there */
	uint64_t mem_off;       /* of `off` */
	uint64_t good;          /* what lies before this byte of the file has arrived; all if UINT64_MAX */
	uint32_t file;
	uint32_t started;       /* reads */
	uint32_t inflight;      /* of these */
	int error;              /* why `good` is what it is */
	struct dv_outcome outcome; /* of its reads; of several the least direct path */
};

struct dv_reads_opts {
	uint32_t max_read, depth, max_files;
	int path;
	unsigned int flags;
};

struct dv_reads {
	struct devio_ctx *ctx;
	const struct devio_source *source;
	struct devio_mem *mem;
	struct devio_ring *ring;
	struct dv_reads_opts o;
	struct devio_file **files;   /* by number, NULL if not open */
	uint64_t *used;              /* when last, by number */
	uint32_t *open;              /* numbers of the open ones */
	uint32_t nr_open;
	uint64_t now;
	struct dv_links *links;      /* NULL: no file is at a server */
	uint32_t inflight;           /* reads */
	uint64_t reads, bytes;       /* that ended */
	char sentence[512];          /* of the last failure */
};

/* Defaults into *o, and the ring opened. 0, or -errno with a sentence; dv_reads_close() in both cases. */
int dv_reads_open(struct dv_reads *r, struct devio_ctx *ctx, const struct devio_source *s, struct devio_mem *mem,
		  const struct dv_reads_opts *o);
void dv_reads_close(struct dv_reads *r);

static inline void dv_run_init(struct dv_run *run, uint32_t file, uint64_t off, uint64_t end, uint64_t mem_off)
{
	*run = (struct dv_run){ .off = off, .end = end, .need = end, .mem_off = mem_off, .good = UINT64_MAX,
				.file = file };
}

/*
 * Begins the run's next reads: true when all are begun (or failed: see error),
 * false when the ring is full. `number` comes back from dv_reads_done().
 */
bool dv_reads_begin(struct dv_reads *r, struct dv_run *run, uint32_t number);

/*
 * Is it the end of a read? A read from a server takes several operations, of
 * which the last to end becomes the read's completion.
 */
static inline bool dv_reads_ended(struct dv_reads *r, struct devio_completion *c)
{
	return !(c->cookie & DV_LINKS_COOKIE) || dv_links_done(r->links, c);
}

/* The run to which the completion of a read belongs. */
static inline uint32_t dv_reads_number(const struct devio_completion *c)
{
	return c->cookie >> 32;
}

/* Takes a completion of the run. */
void dv_reads_done(struct dv_reads *r, struct dv_run *run, const struct devio_completion *c);

#endif
