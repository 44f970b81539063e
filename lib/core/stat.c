/* SPDX-License-Identifier: MIT */
/* Statistics: each ring counts for itself, a reader sums up. */
#include "config.h"
#include "core/ctx.h"
#include "core/err.h"
#include "ring/engine.h"

#define FIRST offsetof(struct devio_stat, path)

/* All fields behind sz are 64-bit counters; of the peaks of rings that live at one time the sum is told. */
void dv_stat_sum(struct devio_stat *to, const struct devio_stat *from)
{
	uint64_t *t = (uint64_t *)((char *)to + FIRST);
	const uint64_t *f = (const uint64_t *)((const char *)from + FIRST);

	for (size_t i = 0; i < (sizeof(*to) - FIRST) / sizeof(*t); i++)
		t[i] += __atomic_load_n(&f[i], __ATOMIC_RELAXED);
}

/* Staging of the live rings, at most; of all that there ever were it is the maximum that counts. */
static uint64_t staging_peak(const struct devio_ctx *ctx)
{
	uint64_t sum = 0;

	for (const struct devio_ring *r = ctx->rings; r; r = r->next)
		sum += __atomic_load_n(&r->stat.staging_peak, __ATOMIC_RELAXED);
	return sum > ctx->closed.staging_peak ? sum : ctx->closed.staging_peak;
}

void dv_stat_close(struct devio_ctx *ctx, const struct devio_ring *r)
{
	uint64_t peak = staging_peak(ctx);

	dv_stat_sum(&ctx->closed, &r->stat);
	ctx->closed.staging_peak = peak;
}

DEVIO_API int devio_stat_get(struct devio_ctx *ctx, struct devio_stat *stat)
{
	struct devio_stat sum = { 0 };
	int rc;

	if (!ctx)
		return dv_err(-EINVAL, "stat: the context is NULL");
	rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	pthread_mutex_lock(&ctx->lock);
	dv_stat_sum(&sum, &ctx->closed);
	dv_stat_sum(&sum, &ctx->sync);
	for (struct devio_ring *r = ctx->rings; r; r = r->next)
		dv_stat_sum(&sum, &r->stat);
	sum.staging_peak = staging_peak(ctx);
	pthread_mutex_unlock(&ctx->lock);
	return dv_info_copy(stat, &sum, sizeof(sum), "devio_stat");
}
