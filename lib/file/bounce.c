/* SPDX-License-Identifier: MIT */
/*
 * file-bounce: O_DIRECT between drive and staging buffers, overlapped with copies between
 * staging buffers and memory.
 */
#include "config.h"
#include <errno.h>
#include "file/file.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)pair;
	*why = DEVIO_REASON_NO_DIRECT;
	return dv_file_direct(dv_file_of(op));
}

/* Errors for an alignment or a file that O_DIRECT does not support after all. */
static bool refusal(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP;
}

/* Head and tail of a write share a page with adjacent data: written through the page cache, at the end. */
static int issue_write(struct devio_ring *r, struct dv_op *op)
{
	uint64_t x = op->issued, left = op->len - x, taken;
	uint64_t align = dv_file_of(op)->write_align;
	uint64_t head = -(op->file.off + x) & (align - 1);
	int rc;

	if (head || left < align) {
		taken = head && head < left ? head : left;
		op->file.edge[op->file.nr_edges].x = x;
		op->file.edge[op->file.nr_edges++].len = taken;
	} else {
		rc = dv_staged_issue(r, op, x, left & ~(align - 1), DV_MODE_STAGED, &taken);
		if (rc)
			return rc;
	}
	op->issued += taken;
	return 0;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t taken;
	int rc;

	if (op->write)
		return issue_write(r, op);
	rc = dv_staged_issue(r, op, op->issued, op->len - op->issued, DV_MODE_STAGED, &taken);
	if (!rc)
		op->issued += taken;
	return rc;
}

const struct dv_path dv_path_file_bounce = {
	.name = "file-bounce",
	.id = DEVIO_PATH_FILE_BOUNCE,
	.can = can,
	.avoid = dv_file_avoid,
	.issue = issue,
	.refusal = refusal,
};
