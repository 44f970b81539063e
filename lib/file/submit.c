/* SPDX-License-Identifier: MIT */
/* Operations on files: splitting requests into parts, and falling back to the next path. */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "file/file.h"
#include "file/regcache.h"

/* Restarts the whole operation on another path: bytes already transferred are transferred again. */
static void op_restart(struct devio_ring *r, struct dv_op *op)
{
	int rc;

	dv_regcache_release(r, op);
	op->restart = false;
	op->issued = 0;
	op->cur = 0;
	op->cur_x = 0;
	op->file.nr_edges = 0;
	op->eof_x = UINT64_MAX;
	op->err = 0;
	memset(op->by_mode, 0, sizeof(op->by_mode));
	op->flags |= DEVIO_DONE_FELL_BACK;
	rc = dv_path_choose(r, op, 0);
	if (rc)
		dv_op_fail(op, 0, rc, op->fail_reason);
}

/* Issues the edges of a write through the page cache, after everything else. */
static int issue_edges(struct devio_ring *r, struct dv_op *op)
{
	while (op->file.nr_edges) {
		uint64_t taken;
		int i = op->file.nr_edges - 1;
		int rc = dv_staged_issue(r, op, op->file.edge[i].x, op->file.edge[i].len, DV_MODE_STAGED_CACHE, &taken);

		if (rc)
			return rc;
		op->file.edge[i].x += taken;
		op->file.edge[i].len -= taken;
		if (!op->file.edge[i].len)
			op->file.nr_edges--;
	}
	return 0;
}

static bool can_issue(const struct dv_op *op)
{
	return op->issued < op->len && op->issued < op->eof_x && !op->err && !op->restart && !op->canceled;
}

/* After a failure or cancellation, what has not been issued yet counts as failed. */
static void fail_rest(struct dv_op *op)
{
	uint64_t x = op->restart ? 0 : op->file.nr_edges ? op->file.edge[0].x : op->issued;

	if (op->canceled && (op->restart || op->file.nr_edges || (op->issued < op->len && op->issued < op->eof_x)))
		dv_op_fail(op, x, -ECANCELED, DEVIO_REASON_CANCELED);
	if (op->err && op->file.nr_edges && x < op->fail_x)
		op->fail_x = x;
}

void dv_file_advance(struct devio_ring *r, struct dv_op *op)
{
	int rc = 0;

	for (;;) {
		/* An extra count, so that parts that complete immediately do not finish the operation here. */
		op->parts++;
		while (!rc && can_issue(op))
			rc = op->path->issue(r, op);
		if (!rc && op->parts == 1 && op->file.nr_edges && !op->err && !op->restart && !op->canceled)
			rc = issue_edges(r, op);
		op->parts--;
		if (rc == -EAGAIN) {
			dv_op_wait(r, op);
			return;
		}
		if (rc)
			dv_op_fail(op, op->issued, rc, DEVIO_REASON_NO_SLOT);
		if (op->parts)
			return;
		if (!op->restart || op->canceled)
			break;
		op_restart(r, op);
		rc = 0;
	}
	fail_rest(op);
	dv_op_finish(r, op);
}

int dv_file_check(const struct devio_ctx *ctx, const struct devio_io *io, uint64_t *total)
{
	static const unsigned int known = DEVIO_FILE_DIRECT_ONLY | DEVIO_FILE_NO_CACHE;
	int rc = 0;

	if (!io->file)
		return dv_err(-EINVAL, "ring: file is NULL");
	if (io->file->base.ctx != ctx)
		return dv_err(-EINVAL, "ring: the file belongs to another context");
	if (io->path < 0 || io->path >= DEVIO_PATH_FILE_MAX || io->flags & ~known)
		return dv_err(-EINVAL, "ring: unknown path %d or flags 0x%x", io->path, io->flags);
	if (io->file->access != O_RDWR && (io->file->access == O_WRONLY) != !!io->write)
		return dv_err(-EBADF, "file: not opened for %s", io->write ? "writing" : "reading");
	rc = dv_op_check_ranges(ctx, io->ranges, io->nr_ranges, total);
	if (!rc && (io->file_off > INT64_MAX || *total > INT64_MAX - io->file_off))
		rc = dv_err(-EOVERFLOW, "file: offset %llu plus length %llu exceeds 2^63 - 1",
			    (unsigned long long)io->file_off, (unsigned long long)*total);
	return rc;
}

int dv_file_start(struct devio_ring *r, const struct devio_io *io)
{
	struct dv_op *op;
	uint64_t len = 0;
	bool plannable;
	int rc = dv_file_check(r->ctx, io, &len);

	if (!rc)
		rc = dv_op_take(r, io->ranges, io->nr_ranges, &op);
	if (rc)
		return rc;
	dv_op_init(r, op, &dv_file_get(io->file)->base, len, io->cookie, io->write);
	dv_file_op_init(op, io->file, io->file_off);
	op->want |= io->flags;
	if (len) {
		if (!io->write)
			op->file.end = dv_file_end(io->file, io->file_off + len);
		rc = dv_path_choose(r, op, io->path ? io->path : io->file->path);
		if (rc)
			dv_op_fail(op, 0, rc, op->fail_reason);
	}
	plannable = len && !rc && !io->path && !io->flags && op->nr_ranges == 1;
	dv_file_advance(r, op);
	/* If the operation has already completed, it has failed. */
	if (plannable && op->active && op->parts == 1 && op->issued == len)
		dv_plan_learn(r, op);
	return 0;
}

DEVIO_API int devio_ring_io(struct devio_ring *r, const struct devio_io *io)
{
	struct devio_io known;
	int rc = dv_ring_check(r);

	if (!rc)
		rc = dv_opts_copy(&known, sizeof(known), io, "devio_io");
	if (!rc)
		rc = dv_file_start(r, &known);
	return rc;
}
