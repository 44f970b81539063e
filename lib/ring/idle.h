/* SPDX-License-Identifier: MIT */
/* The rings of synchronous calls: kept by the context while they are idle. */
#ifndef DV_RING_IDLE_H
#define DV_RING_IDLE_H

#include "ring/engine.h"

int dv_idle_take(struct devio_ctx *ctx, struct devio_ring **r);
/* Gives it back; one that still has something in flight is closed. */
void dv_idle_put(struct devio_ctx *ctx, struct devio_ring *r);
/* The completion of the one operation that was started. */
int dv_idle_wait(struct devio_ring *r, struct devio_completion *c);

#endif
