/* SPDX-License-Identifier: MIT */
/* file-buffered: the page cache plus a copy: by the kernel for host memory, through a staging buffer otherwise. */
#include "config.h"
#include <errno.h>
#include "file/file.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)op;
	(void)pair;
	*why = DEVIO_REASON_NONE;
	return 0;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t taken;
	int rc = dv_staged_issue(r, op, op->issued, op->len - op->issued, DV_MODE_STAGED_CACHE, &taken);

	if (!rc)
		op->issued += taken;
	return rc;
}

const struct dv_path dv_path_file_buffered = {
	.name = "file-buffered",
	.id = DEVIO_PATH_FILE_BUFFERED,
	.can = can,
	.issue = issue,
};
