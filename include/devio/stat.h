/* SPDX-License-Identifier: MIT */
/** Counters per path, of a whole context: kept in the fallback paths too. */
#ifndef DEVIO_STAT_H
#define DEVIO_STAT_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_path_stat {
	uint64_t reads, writes;             /* operations completed, errors too */
	uint64_t bytes_read, bytes_written;
	uint64_t copied;                    /* of them through host memory on the way */
	uint64_t errors;                    /* operations that ended with -errno */
	uint64_t fell_back;                 /* operations that the kernel refused here and that went on elsewhere */
};

#define DEVIO_STAT_PATHS 16 /* room for paths to come */

struct devio_stat {
	size_t sz;
	struct devio_path_stat path[DEVIO_STAT_PATHS]; /* index: enum devio_path */
	uint64_t enters;          /* io_uring_enter calls, or batches of the thread pool */
	uint64_t staging_peak;    /* bytes of staging memory, the most at one time */
	uint64_t dmabuf_hits;     /* registration cache */
	uint64_t dmabuf_misses;
	uint64_t dmabuf_evictions;
	/* Received by sock-devmem and sock-zcrx: */
	uint64_t linear;          /* bytes that arrived in ordinary memory and were copied */
	uint64_t frags;           /* pieces in device memory ... */
	uint64_t frag_bytes;      /* ... and their bytes */
	uint64_t returned;        /* pieces that were given back to the NIC; frags - returned are out */
};

/** Sums up all rings of ctx, closed ones included. Any thread, no lock in the data's way. */
DEVIO_API int devio_stat_get(struct devio_ctx *ctx, struct devio_stat *stat);

#ifdef __cplusplus
}
#endif
#endif
