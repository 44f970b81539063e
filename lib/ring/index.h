/* SPDX-License-Identifier: MIT */
/*
 * The operations in flight by cookie, for devio_ring_cancel(). A ring has an index from its
 * first cancellation until it has started many operations without another one: a program
 * that cancels nothing pays nothing. The hot path of submission is not used meanwhile.
 */
#ifndef DV_RING_INDEX_H
#define DV_RING_INDEX_H

#include "ring/engine.h"

/* Creates the ring's index if there is none. False: out of memory. */
bool dv_index_open(struct devio_ring *r);
void dv_index_close(struct devio_ring *r);

/* The elements of r->ops that have the cookie, valid until the next call: their number. Parts become operations. */
unsigned int dv_index_find(struct devio_ring *r, uint64_t cookie, const uint32_t **ops);

/* Called only if r->index is set. An operation is an entry by itself, or by the part that carries all of it. */
void dv_index_add_op(struct devio_ring *r, const struct dv_op *op);
void dv_index_remove_op(struct devio_ring *r, const struct dv_op *op);
void dv_index_add_part(struct devio_ring *r, const struct dv_part *p);
void dv_index_remove_part(struct devio_ring *r, const struct dv_part *p);

#endif
