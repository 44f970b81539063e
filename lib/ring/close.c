/* SPDX-License-Identifier: MIT */
/* Closing a ring: memory that the kernel may still write to is not freed. */
#include "config.h"
#include <stdlib.h>
#include "core/ctx.h"
#include "core/err.h"
#include "ring/engine.h"

#define MAX_DRAIN_ERRORS 1000

static void cancel_all(struct devio_ring *r)
{
	r->closing = true;
	dv_ring_promote_all(r);
	for (unsigned int i = 0; i < r->nr_ops; i++)
		if (r->ops[i].active)
			dv_op_cancel(r, &r->ops[i]);
	dv_ring_progress(r);
}

/* 0 once nothing is in flight anymore. */
static int drain(struct devio_ring *r)
{
	int rc = 0, failures = 0;

	if (!dv_ring_active(r) && !r->nr_io)
		return 0;
	cancel_all(r);
	if (r->q.borrowed)
		return dv_ring_active(r) || r->nr_io ? -EBUSY : 0;
	while (dv_ring_active(r) || r->nr_io) {
		rc = dv_ring_step(r, r->done_tail - r->done_head + 1, -1);
		if (rc && rc != -EINTR && ++failures == MAX_DRAIN_ERRORS)
			return rc;
	}
	return 0;
}

/* Drops the references of operations that will never complete. */
static void forget_all(struct devio_ring *r)
{
	dv_ring_promote_all(r);
	for (unsigned int i = 0; i < r->nr_ops; i++)
		if (r->ops[i].active) {
			if (r->ops[i].end->ops->forget)
				r->ops[i].end->ops->forget(r, &r->ops[i]);
			dv_op_forget(&r->ops[i]);
		}
}

static void detach_clients(struct devio_ring *r, bool forked)
{
	for (struct dv_ring_client *c = r->clients; c; c = c->next)
		if (c->ops->detach)
			c->ops->detach(r, c, forked);
}

static void close_clients(struct devio_ring *r, bool forked)
{
	struct dv_ring_client *c;

	while ((c = r->clients)) {
		r->clients = c->next;
		c->ops->closed(r, c, forked);
	}
}

/*
 * The parent's ring in a forked child: frees memory and descriptors without touching
 * shared state. The staging arena was not inherited (MADV_DONTFORK): its addresses may
 * by now be in use for something else.
 */
static void free_forked(struct devio_ring *r)
{
	forget_all(r);
	detach_clients(r, true);
	r->staging.arena = NULL;
	if (r->q.pool)
		dv_pool_forget(r->q.pool);
	else
		dv_queue_exit(&r->q);
	close_clients(r, true);
	dv_ring_free(r);
}

/* True if the kernel has never seen any of the I/Os in flight. */
static bool never_sent(struct devio_ring *r)
{
	while (r->copying)
		dv_part_poll_copies(r, true);
	return r->q.uring && !r->q.borrowed && dv_queue_unsent(&r->q) == r->nr_io;
}

void dv_ring_destroy(struct devio_ring *r)
{
	int rc;

	if (!r)
		return;
	dv_fork_remove(&r->fork_node);
	if (r->ctx->fork_gen != dv_fork_gen) {
		free_forked(r);
		return;
	}
	rc = drain(r);
	if (rc && never_sent(r)) {
		forget_all(r);
		rc = 0;
	}
	dv_stat_close(r->ctx, &r->stat);
	if (rc) {
		/* Freeing memory that is a target of DMA would be worse than a leak. */
		dv_log(r->ctx, DEVIO_LOG_ERROR, "ring: closed with %u operations in flight that cannot be completed "
		       "[%s]: its memory is leaked", dv_ring_active(r), dv_errno_name(rc));
		return;
	}
	detach_clients(r, false);
	if (r->q.borrowed && r->staging.buf >= 0)
		(void)dv_queue_unregister(&r->q, r->staging.buf);
	dv_staging_unpin(&r->staging);
	dv_queue_exit(&r->q);
	close_clients(r, false);
	dv_ring_free(r);
}

DEVIO_API void devio_ring_close(struct devio_ring *r)
{
	struct devio_ctx *ctx;

	if (!r)
		return;
	ctx = r->ctx;
	dv_ring_destroy(r);
	dv_ctx_put(ctx);
}
