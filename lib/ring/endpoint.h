/* SPDX-License-Identifier: MIT */
/*
 * The ring's view of a file or a connection: struct dv_endpoint is the first member of
 * both and points to a table of operations. The ring calls file and socket code only
 * through this table.
 */
#ifndef DV_RING_ENDPOINT_H
#define DV_RING_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct devio_completion;
struct devio_ctx;
struct devio_ring;
struct dv_op;
struct dv_part;
struct dv_path;

struct dv_endpoint;
struct dv_endpoint_ops {
	const char *name;                  /* prefix of its error messages: "file" */
	const struct dv_path *const *paths; /* best first, NULL-terminated */
	/* Advances op as far as possible. */
	void (*advance)(struct devio_ring *r, struct dv_op *op);
	/* A part's I/O has completed with res: bytes or -errno. */
	void (*event)(struct devio_ring *r, struct dv_part *p, int res);
	/* The copy between a part's staging buffer and the memory has completed: 0 or -errno. */
	void (*copied)(struct devio_ring *r, struct dv_part *p, int err);
	/* Retries a part deferred by dv_part_stall(): the queue may have room again. */
	void (*retry)(struct devio_ring *r, struct dv_part *p);
	/* op->canceled was set. again: retries a cancellation for which the queue had no room (r->owes_cancel). */
	void (*cancel)(struct devio_ring *r, struct dv_op *op, bool again);
	/* op has completed: sets c's path, best_unused, reason and frags, and drops op's references except memories. */
	void (*finish)(struct devio_ring *r, struct dv_op *op, struct devio_completion *c);
	/* Turns a part that carries a whole operation into an operation with one part. NULL if there are none. */
	void (*promote)(struct devio_ring *r, struct dv_part *p);
	/* The ring is being freed while op is in flight; op will never complete. May be NULL. */
	void (*forget)(struct devio_ring *r, struct dv_op *op);
	/* One CQE of a multishot request, and the end of a batch of them (r->collecting). NULL if there are none. */
	void (*piece)(struct devio_ring *r, struct dv_part *p, int res, uint64_t off);
	void (*pieces)(struct devio_ring *r);
	/* The last reference was dropped. */
	void (*destroy)(struct dv_endpoint *e);
};

struct dv_endpoint {
	const struct dv_endpoint_ops *ops;
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
};

static inline void dv_endpoint_get(struct dv_endpoint *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
}

static inline void dv_endpoint_put(struct dv_endpoint *e)
{
	if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
		e->ops->destroy(e);
}

#endif
