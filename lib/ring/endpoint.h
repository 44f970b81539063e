/* SPDX-License-Identifier: MIT */
/*
 * What a file and a connection are to the ring: the first member of both, and
 * the table of what they do with operations and parts. The ring calls nothing
 * of theirs by name.
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
	const char *name;                  /* begins its error sentences: "file" */
	const struct dv_path *const *paths; /* best first, NULL at the end */
	/* Everything that op can do now. */
	void (*advance)(struct devio_ring *r, struct dv_op *op);
	/* The kernel's answer to a part's I/O: bytes or -errno. */
	void (*event)(struct devio_ring *r, struct dv_part *p, int res);
	/* The copy between a part's staging buffer and the memory has ended: 0 or -errno. */
	void (*copied)(struct devio_ring *r, struct dv_part *p, int err);
	/* The queue may have room again for a part that dv_part_stall() put aside. */
	void (*retry)(struct devio_ring *r, struct dv_part *p);
	/* op->canceled was set. again: the queue had no room for a cancellation (r->owes_cancel), it may have now. */
	void (*cancel)(struct devio_ring *r, struct dv_op *op, bool again);
	/* op has ended: completes c's path, best_unused, reason and frags, and drops what op holds besides its memories. */
	void (*finish)(struct devio_ring *r, struct dv_op *op, struct devio_completion *c);
	/* A part that carries a whole operation becomes one of an operation of its own. NULL: there are none. */
	void (*promote)(struct devio_ring *r, struct dv_part *p);
	/* The ring is freed with op in it; nobody will end it. May be NULL. */
	void (*forget)(struct devio_ring *r, struct dv_op *op);
	/* One of several answers of the kernel, and the end of a series of them (r->collecting). NULL: there are none. */
	void (*piece)(struct devio_ring *r, struct dv_part *p, int res, uint64_t off);
	void (*pieces)(struct devio_ring *r);
	/* The last reference is gone. */
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
