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
struct dv_stat_node;
struct dv_idle_ops;

#define DV_IDLE_RINGS 16

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
	struct dv_stat_node *stats;   /* of the open rings */
	struct dv_txbind *txbinds;    /* memories that NICs send from: lib/sock/devmem_tx.c */
	struct devio_nic *nics;       /* set up to receive into device memory: lib/nic/handle.c */
	struct devio_stat closed;     /* sums of the rings that were closed */
	struct devio_stat sync;       /* of synchronous calls that need no ring; atomic */

	/* Idle rings of the synchronous calls, taken and put by exchange: lib/ring/idle.c, which sets the operations. */
	_Atomic(struct devio_ring *) idle[DV_IDLE_RINGS];
	_Atomic(const struct dv_idle_ops *) idle_ops;
};

struct dv_idle_ops {
	/* Makes idle rings drop what was closed; frees them in a forked child. */
	void (*sweep)(struct devio_ctx *ctx);
	/* Frees them all. */
	void (*free)(struct devio_ctx *ctx);
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

/* Counts closed memories and files: caches that refer to some are swept when it moved. */
extern _Atomic unsigned int dv_close_gen;
static inline void dv_ctx_count_close(void)
{
	atomic_fetch_add(&dv_close_gen, 1);
}

/* Sweeps the idle rings, if there are any. */
void dv_ctx_sweep_idle(struct devio_ctx *ctx);

void dv_log(struct devio_ctx *ctx, enum devio_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
