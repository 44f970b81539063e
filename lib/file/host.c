/* SPDX-License-Identifier: MIT */
/* file-host: O_DIRECT on ordinary pages of host memory. */
#include "config.h"
#include <errno.h>
#include "file/file.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)pair;
	*why = DEVIO_REASON_NOT_HOST;
	if (!(op->mem->caps & DEVIO_MEM_HOST_PAGES))
		return -EOPNOTSUPP;
	*why = DEVIO_REASON_NO_DIRECT;
	return dv_file_direct(dv_file_of(op));
}

/* Not -EFAULT: the address is invalid then, and a copy would crash. */
static bool refusal(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP;
}

const struct dv_path dv_path_file_host = {
	.name = "file-host",
	.id = DEVIO_PATH_FILE_HOST,
	.direct = true,
	.can = can,
	.avoid = dv_file_avoid,
	.suits = dv_direct_suits,
	.issue = dv_direct_issue,
	.refusal = refusal,
};
