/* SPDX-License-Identifier: MIT */
/* Statistics: totals over all rings of a context. */
#include "config.h"
#include "core/ctx.h"
#include "core/err.h"
#include "core/stat.h"

#define FIRST offsetof(struct devio_stat, path)

/* All fields after sz are 64-bit counters; the peaks of rings that are open at the same time add up. */
static void add(struct devio_stat *to, const struct devio_stat *from)
{
	uint64_t *t = (uint64_t *)((char *)to + FIRST);
	const uint64_t *f = (const uint64_t *)((const char *)from + FIRST);

	for (size_t i = 0; i < (sizeof(*to) - FIRST) / sizeof(*t); i++)
		t[i] += __atomic_load_n(&f[i], __ATOMIC_RELAXED);
}

/* The staging memory of the open rings, or the highest value so far. */
static uint64_t staging_peak(const struct devio_ctx *ctx)
{
	uint64_t sum = 0;

	for (const struct dv_stat_node *n = ctx->stats; n; n = n->next)
		sum += __atomic_load_n(&n->sum.staging_peak, __ATOMIC_RELAXED);
	return sum > ctx->closed.staging_peak ? sum : ctx->closed.staging_peak;
}

void dv_stat_open(struct devio_ctx *ctx, struct dv_stat_node *node)
{
	pthread_mutex_lock(&ctx->lock);
	node->next = ctx->stats;
	node->prev = &ctx->stats;
	if (node->next)
		node->next->prev = &node->next;
	ctx->stats = node;
	pthread_mutex_unlock(&ctx->lock);
}

void dv_stat_close(struct devio_ctx *ctx, struct dv_stat_node *node)
{
	uint64_t peak;

	pthread_mutex_lock(&ctx->lock);
	peak = staging_peak(ctx);
	add(&ctx->closed, &node->sum);
	ctx->closed.staging_peak = peak;
	*node->prev = node->next;
	if (node->next)
		node->next->prev = node->prev;
	pthread_mutex_unlock(&ctx->lock);
}

DEVIO_API int devio_stat_get(struct devio_ctx *ctx, struct devio_stat *stat)
{
	struct devio_stat sum = { 0 };
	int rc;

	if (!ctx)
		return dv_err(-EINVAL, "stat: context is NULL");
	rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	pthread_mutex_lock(&ctx->lock);
	add(&sum, &ctx->closed);
	add(&sum, &ctx->sync);
	for (const struct dv_stat_node *n = ctx->stats; n; n = n->next)
		add(&sum, &n->sum);
	sum.staging_peak = staging_peak(ctx);
	pthread_mutex_unlock(&ctx->lock);
	return dv_info_copy(stat, &sum, sizeof(sum), "devio_stat");
}
