/* SPDX-License-Identifier: MIT */
/* The context's inside: what memories, files and rings share. */
#ifndef DV_CTX_H
#define DV_CTX_H

#include <pthread.h>
#include <stdatomic.h>
#include <devio/ctx.h>
#include <devio/stat.h>

struct devio_ring;
struct devio_nic;
struct dv_txbind;

#define DV_SYNC_RINGS 16

struct devio_ctx {
	_Atomic unsigned int refs;
	unsigned int fork_gen;        /* dv_fork_gen when it was opened */
	devio_log_fn log;
	void *log_arg;
	int log_level;
	int path;
	unsigned int flags;
	char *sysfs_root;             /* never NULL */

	pthread_mutex_t lock;         /* guards what follows; never taken per operation */
	struct devio_ring *rings;     /* live rings, for the statistics */
	struct dv_txbind *txbinds;    /* memories that NICs send from (lib/sock/devmem_tx.c) */
	struct devio_nic *nics;       /* set up to receive into device memory */
	struct devio_stat closed;     /* sums of the rings that were closed */
	struct devio_stat sync;       /* of synchronous calls that need no ring; atomic */

	/* Idle rings for the synchronous calls; taken and put by exchange. */
	_Atomic(struct devio_ring *) idle[DV_SYNC_RINGS];
};

/* Counts fork()s that this process is the child of. */
extern unsigned int dv_fork_gen;

struct devio_ctx *dv_ctx_get(struct devio_ctx *ctx);
void dv_ctx_put(struct devio_ctx *ctx);

/* -ECHILD with its sentence if the object came from before a fork(). */
int dv_ctx_forked(const struct devio_ctx *ctx);

/*
 * A number that names a file or a memory in caches; it comes again after 2^32
 * others, when no cache of a few dozen entries remembers it.
 */
uint32_t dv_ctx_new_id(void);

/* Counts closed memories and files: caches that hold some look when it moved. */
extern _Atomic unsigned int dv_closings;
static inline void dv_ctx_closing(void)
{
	atomic_fetch_add(&dv_closings, 1);
}

/* lib/ring/idle.c: lets idle rings let go of what was closed; frees them in a forked child. */
void dv_sync_sweep(struct devio_ctx *ctx);

/* lib/core/stat.c */
void dv_stat_sum(struct devio_stat *to, const struct devio_stat *from);
/* Keeps what a ring counted that is about to leave ctx->rings; ctx->lock is held. */
void dv_stat_close(struct devio_ctx *ctx, const struct devio_ring *r);

void dv_log(struct devio_ctx *ctx, enum devio_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
