/* SPDX-License-Identifier: MIT */
/* The endpoint operations of a file. */
#include "config.h"
#include "file/file.h"
#include "file/regcache.h"

static void cancel(struct devio_ring *r, struct dv_op *op, bool again)
{
	/* If the queue has no room for the cancellation, the I/O completes normally. */
	if (!again)
		(void)dv_op_cancel_parts(r, op);
}

/* The path that moved most of the bytes. */
static enum devio_path main_path(const struct dv_op *op)
{
	static const enum devio_path of_mode[] = {
		[DV_MODE_STAGED] = DEVIO_PATH_FILE_BOUNCE,
		[DV_MODE_STAGED_CACHE] = DEVIO_PATH_FILE_BUFFERED,
		[DV_MODE_CACHE] = DEVIO_PATH_FILE_BUFFERED,
	};
	enum devio_path id = op->path ? op->path->id : DEVIO_PATH_AUTO;
	uint64_t best = 0;

	for (int m = DV_MODE_DIRECT; m <= DV_MODE_CACHE; m++) {
		if (op->by_mode[m] <= best)
			continue;
		best = op->by_mode[m];
		if (m != DV_MODE_DIRECT)
			id = of_mode[m];
	}
	return id;
}

static void finish(struct devio_ring *r, struct dv_op *op, struct devio_completion *c)
{
	c->path = main_path(op);
	if (op->path && c->path != op->path->id && c->result >= 0) {
		/* The edges were longer than the middle. */
		c->best_unused = op->path->id;
		c->reason = DEVIO_REASON_ALIGN;
	}
	if (op->path && !op->tried && c->result > 0)
		dv_path_worked(r, op);
	dv_regcache_release(r, op);
}

const struct dv_endpoint_ops dv_file_endpoint_ops = {
	.name = "file",
	.paths = dv_file_paths,
	.advance = dv_file_advance,
	.event = dv_file_event,
	.copied = dv_file_copied,
	.retry = dv_io_queue,
	.cancel = cancel,
	.finish = finish,
	.promote = dv_file_promote,
	.destroy = dv_file_destroy,
};
