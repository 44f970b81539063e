/* SPDX-License-Identifier: MIT */
/* Statistics: each ring has its own counters, a node in the context's list; readers add them up. */
#ifndef DV_CORE_STAT_H
#define DV_CORE_STAT_H

#include <devio/stat.h>

struct devio_ctx;

struct dv_stat_node {
	struct dv_stat_node *next, **prev; /* in ctx->stats, guarded by ctx->lock */
	struct devio_stat sum;             /* written by one thread, relaxed */
};

/* Adds to a counter that other threads may read. */
static inline void dv_stat_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

void dv_stat_open(struct devio_ctx *ctx, struct dv_stat_node *node);
/* Adds the node's counters to the context's totals. */
void dv_stat_close(struct devio_ctx *ctx, struct dv_stat_node *node);

#endif
