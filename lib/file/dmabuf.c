/* SPDX-License-Identifier: MIT */
/*
 * file-dmabuf: READ_FIXED and WRITE_FIXED on the memory's dma-buf, registered as a fixed
 * buffer of the ring (posted upstream as v7; kernel/ has it for 7.3). Registrations are
 * per file, and kept in an LRU cache.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "file/file.h"
#include "file/regcache.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	int rc;

	*why = DEVIO_REASON_NO_EXPORT;
	if (!(op->mem->caps & DEVIO_MEM_EXPORT))
		return -EOPNOTSUPP;
	*why = DEVIO_REASON_NO_URING;
	if (!r->q.uring)
		return -EOPNOTSUPP;
	*why = r->q.borrowed ? DEVIO_REASON_OWN_RING : DEVIO_REASON_NO_DMABUF_IO;
	if (dv_queue_table(&r->q))
		return -EOPNOTSUPP;
	*why = DEVIO_REASON_NO_DMABUF_IO;
	if (!dv_queue_has_dmabuf(&r->q))
		return -EOPNOTSUPP;
	*why = DEVIO_REASON_NO_DIRECT;
	rc = dv_file_direct(dv_file_of(op));
	if (rc)
		return rc;
	rc = dv_regcache_get(r, dv_file_of(op), op->mem, 0, &pair->file.dmabuf.buf, &pair->file.dmabuf.off, why);
	if (!rc)
		dv_regcache_put(r, pair->file.dmabuf.buf);
	return rc == -EBUSY ? 0 : rc; /* all slots in use: issue() waits for one */
}

static void select_buf(struct dv_op *op, const struct dv_pair *pair)
{
	op->file.dmabuf.hint = pair->file.dmabuf.buf;
	op->file.dmabuf.off = pair->file.dmabuf.off;
}

/* The registration may have been evicted since: get it again, and keep it for the operation. */
static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint8_t why = 0;

	if (op->file.dmabuf.buf < 0) {
		int rc = dv_regcache_get(r, dv_file_of(op), op->mem, op->file.dmabuf.hint, &op->file.dmabuf.buf,
					 &op->file.dmabuf.off, &why);

		if (rc) {
			op->file.dmabuf.buf = -1;
			op->waits_alone = rc == -EBUSY;
			if (op->waits_alone)
				return -EAGAIN;
			if (op->forced)
				return rc;
			dv_path_refused(r, op, op->path, rc);
			return 0;
		}
		op->waits_alone = false;
		dv_pair_get(r, op)->file.dmabuf.buf = op->file.dmabuf.buf;
	}
	return dv_direct_issue(r, op);
}

/*
 * -EOPNOTSUPP: a hole, an unwritten extent, or not supported by the file system; -ENXIO,
 * -EREMOTEIO: the mapping is gone or there is no peer-to-peer route; -EBADF: not the file
 * of the registration; -EBUSY: cached pages of the range are in use and cannot be invalidated.
 */
static bool refusal(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -EREMOTEIO || err == -ENXIO || err == -EBADF ||
	       err == -EFAULT || err == -ENODEV || err == -EBUSY;
}

const struct dv_path dv_path_file_dmabuf = {
	.name = "file-dmabuf",
	.id = DEVIO_PATH_FILE_DMABUF,
	.direct = true,
	.can = can,
	.select = select_buf,
	.suits = dv_direct_suits,
	.issue = issue,
	.refusal = refusal,
};
