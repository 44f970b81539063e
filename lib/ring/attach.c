/* SPDX-License-Identifier: MIT */
/* Using the application's io_uring: it submits and reaps, we fill SQEs and process CQEs. */
#include "config.h"
#include <devio/uring.h>
#include "core/ctx.h"
#include "core/err.h"
#include "ring/engine.h"

DEVIO_API int devio_ring_attach(struct devio_ctx *ctx, struct io_uring *uring,
				const struct devio_attach_opts *opts, struct devio_ring **out)
{
	struct devio_attach_opts a;
	struct devio_ring_opts o = { .sz = sizeof(o) };
	int rc = dv_opts_copy(&a, sizeof(a), opts, "devio_attach_opts");

	if (rc)
		return rc;
	if (!ctx || !uring || !out)
		return dv_err(-EINVAL, "ring: context, io_uring or the pointer for the new ring is NULL");
	rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	o.entries = a.entries;
	o.staging = a.staging;
	o.slot = a.slot;
	rc = dv_ring_open(ctx, &o, uring, a.buf_first, a.buf_count, out);
	if (!rc)
		dv_ctx_get(ctx);
	return rc;
}

DEVIO_API int devio_ring_handle(struct devio_ring *r, const struct io_uring_cqe *cqe)
{
	int rc = dv_ring_check(r);

	if (rc)
		return rc;
	if (!dv_reap_event(r, cqe->user_data, cqe->res))
		return 0;
	dv_ring_progress(r);
	return 1;
}
