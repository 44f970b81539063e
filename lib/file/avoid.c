/* SPDX-License-Identifier: MIT */
/*
 * Why a path through or into host memory is not taken although it could be:
 * the page cache is faster. A transfer between devices costs no CPU either
 * way, and is not compared with it.
 */
#include "config.h"
#include "file/file.h"

#define HOT_WINDOW (4 << 20)  /* bytes for which one answer about the page cache counts */

/* Does the page cache hold what a read wants? Asked once in HOT_WINDOW bytes. */
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
