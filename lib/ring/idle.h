/* SPDX-License-Identifier: MIT */
/* What the synchronous calls of files and connections share: rings that are idle meanwhile. */
#ifndef DV_SYNC_H
#define DV_SYNC_H

#include "ring/engine.h"

int dv_sync_take(struct devio_ctx *ctx, struct devio_ring **r);
/* Gives it back; one that has something in flight still is closed. */
void dv_sync_give(struct devio_ctx *ctx, struct devio_ring *r);
/* The completion of the one operation that was started. */
int dv_sync_wait(struct devio_ring *r, struct devio_completion *c);
/* devio_file_explain() and devio_sock_explain(), for an operation that is never started. */
int dv_sync_explain(struct devio_ctx *ctx, struct dv_op *op, int path, struct devio_completion *verdict, char *buf,
		    size_t size);

#endif
