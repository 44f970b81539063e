/* SPDX-License-Identifier: MIT */
/* Rings for synchronous calls: taken from the context's idle rings for one operation, then returned. */
#include "config.h"
#include "core/ctx.h"
#include "ring/idle.h"

#define SYNC_ENTRIES 8

int dv_idle_take(struct devio_ctx *ctx, struct devio_ring **out)
{
	struct devio_ring_opts o = { .sz = sizeof(o), .entries = SYNC_ENTRIES, .flags = DEVIO_RING_SHARED };

	for (int i = 0; i < DV_IDLE_RINGS; i++) {
		struct devio_ring *r = NULL;

		if (atomic_load_explicit(&ctx->idle[i], memory_order_relaxed))
			r = atomic_exchange(&ctx->idle[i], NULL);
		if (r) {
			*out = r;
			return 0;
		}
	}
	return dv_ring_open(ctx, &o, NULL, 0, 0, out);
}

static void store(struct devio_ctx *ctx, struct devio_ring *r)
{
	for (int i = 0; i < DV_IDLE_RINGS; i++) {
		struct devio_ring *none = NULL;

		if (atomic_compare_exchange_strong(&ctx->idle[i], &none, r))
			return;
	}
	dv_ring_destroy(r);
}

static void sweep(struct devio_ctx *ctx)
{
	for (int i = 0; i < DV_IDLE_RINGS; i++) {
		struct devio_ring *r = NULL;

		if (atomic_load_explicit(&ctx->idle[i], memory_order_relaxed))
			r = atomic_exchange(&ctx->idle[i], NULL);
		if (!r)
			continue;
		if (ctx->fork_gen != dv_fork_gen) {
			dv_ring_destroy(r);
			continue;
		}
		if (r->clients)
			dv_ring_progress(r);
		store(ctx, r);
	}
}

static void free_all(struct devio_ctx *ctx)
{
	for (int i = 0; i < DV_IDLE_RINGS; i++)
		dv_ring_destroy(atomic_exchange(&ctx->idle[i], NULL));
}

static const struct dv_idle_ops idle_ops = { .sweep = sweep, .free = free_all };

/* A memory or file closed while the ring was in use may still be in its caches: sweep them. */
void dv_idle_put(struct devio_ctx *ctx, struct devio_ring *r)
{
	unsigned int seen = r->close_gen;
	bool has_clients = r->clients;

	/* If the wait failed, the operation may still be in flight. */
	if (dv_ring_active(r)) {
		dv_ring_destroy(r);
		return;
	}
	if (!atomic_load_explicit(&ctx->idle_ops, memory_order_relaxed))
		atomic_store_explicit(&ctx->idle_ops, &idle_ops, memory_order_release);
	store(ctx, r);
	if (has_clients && seen != dv_close_gen)
		sweep(ctx);
}

int dv_idle_wait(struct devio_ring *r, struct devio_completion *c)
{
	int n;

	do {
		n = devio_ring_wait(r, c, 1, 1, -1);
	} while (n == -EINTR || n == 0);
	return n < 0 ? n : 0;
}
