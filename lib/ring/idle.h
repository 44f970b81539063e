/* SPDX-License-Identifier: MIT */
/* Rings for synchronous calls, cached in the context while idle. */
#ifndef DV_RING_IDLE_H
#define DV_RING_IDLE_H

#include "ring/engine.h"

int dv_idle_take(struct devio_ctx *ctx, struct devio_ring **r);
/* Returns the ring; if an operation is still in flight, closes it instead. */
void dv_idle_put(struct devio_ctx *ctx, struct devio_ring *r);
/* Waits for the completion of the operation. 0 or -errno. */
int dv_idle_wait(struct devio_ring *r, struct devio_completion *c);

#endif
