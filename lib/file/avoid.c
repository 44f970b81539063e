/* SPDX-License-Identifier: MIT */
/*
 * Why O_DIRECT paths through or into host memory are avoided although they could be used:
 * the page cache is faster. Peer-to-peer transfers cost no CPU time and are never avoided
 * in favor of it.
 */
#include "config.h"
#include "file/file.h"

#define HOT_WINDOW (4 << 20)  /* bytes for which one page cache query is valid */

/* Is the data of a read in the page cache? Queried once per HOT_WINDOW bytes. */
static bool is_hot(struct dv_pair_file *pair, const struct dv_op *op)
{
	pair->hot_left -= op->len;
	if (pair->hot_left < 0) {
		pair->hot = dv_file_cached(dv_file_of(op), op->file.off, op->len > HOT_WINDOW ? op->len : HOT_WINDOW);
		pair->hot_left = HOT_WINDOW;
	}
	return pair->hot;
}

uint8_t dv_file_avoid(struct dv_pair *pair, const struct dv_op *op)
{
	const struct devio_file *f = dv_file_of(op);

	if (op->want & (DEVIO_FILE_NO_CACHE | DEVIO_FILE_DIRECT_ONLY))
		return 0;
	if (f->small && !f->direct)
		return DEVIO_REASON_SMALL;
	return !op->write && is_hot(&pair->file, op) ? DEVIO_REASON_CACHED : 0;
}
