/* SPDX-License-Identifier: MIT */
/* file-p2p: O_DIRECT on P2PDMA pages mapped into the process (Linux 6.2). */
#include "config.h"
#include <errno.h>
#include "file/file.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	void *ptr;

	(void)r;
	(void)pair;
	*why = DEVIO_REASON_NO_P2P_PAGES;
	if (!(op->mem->caps & DEVIO_MEM_P2P_PAGES) || devio_mem_map(op->mem, &ptr))
		return -EOPNOTSUPP;
	*why = DEVIO_REASON_NO_DIRECT;
	return dv_file_direct(dv_file_of(op));
}

/*
 * -EREMOTEIO: no peer-to-peer route between the two devices; -EINVAL: the host bridge is
 * not on the kernel's list; -EFAULT: the file system does not support device pages.
 */
static bool refusal(int err)
{
	return err == -EREMOTEIO || err == -EINVAL || err == -EOPNOTSUPP || err == -EFAULT;
}

const struct dv_path dv_path_file_p2p = {
	.name = "file-p2p",
	.id = DEVIO_PATH_FILE_P2P,
	.direct = true,
	.can = can,
	.suits = dv_direct_suits,
	.issue = dv_direct_issue,
	.refusal = refusal,
};
