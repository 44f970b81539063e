/* SPDX-License-Identifier: MIT */
/* Internals of the context: state shared by memories, files and rings. */
#ifndef DV_CTX_H
#define DV_CTX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
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
	unsigned int fork_gen;        /* dv_fork_gen at open */
	devio_log_fn log;
	void *log_arg;
	int log_level;
	int path;
	unsigned int flags;
	char *sysfs_root;             /* never NULL */

	pthread_mutex_t lock;         /* protects the fields below; never taken per operation */
	struct dv_stat_node *stats;   /* of the open rings */
	struct dv_txbind *txbinds;    /* memories bound to NICs for sending: lib/sock/tx.c */
	struct devio_nic *nics;       /* set up to receive into device memory: lib/nic/handle.c */
	struct devio_stat closed;     /* totals of closed rings */
	struct devio_stat sync;       /* synchronous calls that need no ring; atomic */

	/* Idle rings for synchronous calls, taken and returned by atomic exchange (lib/ring/idle.c sets idle_ops). */
	_Atomic(struct devio_ring *) idle[DV_IDLE_RINGS];
	_Atomic(const struct dv_idle_ops *) idle_ops;
};

struct dv_idle_ops {
	/* Makes idle rings drop state of closed objects; frees the rings in a forked child. */
	void (*sweep)(struct devio_ctx *ctx);
	/* Frees all idle rings. */
	void (*free)(struct devio_ctx *ctx);
};

/* Incremented in the child at each fork(). */
extern unsigned int dv_fork_gen;

/* An object whose child() is called in the child at each fork(), before anything else runs there. */
struct dv_fork_node {
	struct dv_fork_node *next, **prev;
	void (*child)(struct dv_fork_node *node);
};

void dv_fork_add(struct dv_fork_node *node);
void dv_fork_remove(struct dv_fork_node *node);

struct devio_ctx *dv_ctx_get(struct devio_ctx *ctx);
void dv_ctx_put(struct devio_ctx *ctx);

/* -ECHILD with an error message if the object was opened before a fork(). */
int dv_ctx_forked(const struct devio_ctx *ctx);

/* An ID for a file, a stream or a memory in caches: never 0, and never used again. */
uint64_t dv_ctx_new_id(void);

/* Called when the object is destroyed. Caches drop what they keep for an ID for which dv_ctx_id_retired() is true. */
void dv_ctx_retire_id(uint64_t id);
/* Whether the object is known to be destroyed; only the last DV_ID_WINDOW destroyed objects are known for sure. */
bool dv_ctx_id_retired(uint64_t id);
#define DV_ID_WINDOW 65536

/* Counts closed memories and files: caches that may refer to one are swept after it has changed. */
extern _Atomic unsigned int dv_close_gen;
static inline void dv_ctx_count_close(void)
{
	atomic_fetch_add(&dv_close_gen, 1);
}

/* Sweeps the idle rings, if any. */
void dv_ctx_sweep_idle(struct devio_ctx *ctx);

void dv_log(struct devio_ctx *ctx, enum devio_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
