/* SPDX-License-Identifier: MIT */
/** Counters per path of a context, fallback paths included. */
#ifndef DEVIO_STAT_H
#define DEVIO_STAT_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_path_stat {
	uint64_t reads, writes;             /* operations completed, including failed ones */
	uint64_t bytes_read, bytes_written;
	uint64_t copied;                    /* bytes copied through host memory */
	uint64_t errors;                    /* operations that completed with -errno */
	uint64_t fell_back;                 /* operations that the kernel refused here and that fell back */
};

#define DEVIO_STAT_PATHS 16 /* including room for future paths */

struct devio_stat {
	size_t sz;
	struct devio_path_stat path[DEVIO_STAT_PATHS]; /* index: enum devio_path */
	uint64_t enters;          /* io_uring_enter(2) calls, or batches of the thread pool */
	uint64_t staging_peak;    /* peak of the staging memory in use, in bytes */
	uint64_t dmabuf_hits;     /* cache of registered dma-bufs */
	uint64_t dmabuf_misses;
	uint64_t dmabuf_evictions;
	/* Received through sock-devmem and sock-zcrx: */
	uint64_t linear;          /* bytes that arrived in host memory and were copied */
	uint64_t frags;           /* fragments in device memory ... */
	uint64_t frag_bytes;      /* ... and their bytes */
	uint64_t returned;        /* fragments returned to the NIC; frags - returned are outstanding */
};

/**
 * Returns the totals of all rings of ctx, closed ones included (set stat->sz first). Thread
 * safe; takes no lock used by transfers. Errors: -EINVAL.
 */
DEVIO_API int devio_stat_get(struct devio_ctx *ctx, struct devio_stat *stat);

#ifdef __cplusplus
}
#endif
#endif
