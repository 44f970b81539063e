/* SPDX-License-Identifier: MIT */
/* Handling the result of a part's I/O: bytes, an error, the end of the file. */
#include "config.h"
#include <errno.h>
#include "file/file.h"
#include "file/regcache.h"

#define MAX_TRIES 1000 /* resubmissions of an I/O after -EAGAIN or -EINTR; far more than needed in practice */

/* If the kernel refuses the path, the operation restarts on the next one. */
static bool try_another(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	if (op->canceled || !p->path->refusal || !p->path->refusal(err))
		return false;
	/* The copied edges of a direct path do not use that path. */
	if (p->path->direct != (p->mode == DV_MODE_DIRECT))
		return false;
	if (!op->forced)
		dv_path_refused(r, op, p->path, err);
	else
		dv_op_fail(op, p->x, err, DEVIO_REASON_REFUSED);
	return true;
}

/* If O_DIRECT is refused for the edge of a direct path, use the page cache. */
static bool edge_to_cache(struct dv_part *p, int err)
{
	if (p->op->canceled || !p->path->direct || p->mode != DV_MODE_STAGED ||
	    (err != -EINVAL && err != -EOPNOTSUPP))
		return false;
	p->mode = DV_MODE_STAGED_CACHE;
	p->file.fd = dv_file_of(p->op)->fd;
	return true;
}

/* Whether the operation would continue after this error if it had not been canceled (-EINTR: by a cancellation). */
static bool would_continue(const struct dv_part *p, int err)
{
	return err == -EAGAIN || err == -EINTR ||
	       (!p->op->forced && p->path->refusal && p->path->refusal(err));
}

/* Errors that require a new registration. */
static bool mapping_gone(int err)
{
	return err == -EREMOTEIO || err == -ENXIO || err == -ENODEV;
}

static void part_error(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	if (p->mode == DV_MODE_DIRECT && p->file.buf >= 0 && mapping_gone(err))
		dv_regcache_stale(r, p->file.buf);
	if (op->canceled && would_continue(p, err))
		err = -ECANCELED;
	if (err == -EAGAIN)
		dv_file_clear_nonblock(dv_file_of(op));
	if (((err == -EAGAIN || err == -EINTR) && p->tries++ < MAX_TRIES) || edge_to_cache(p, err)) {
		dv_io_queue(r, p);
		return;
	}
	if (p->slot.buf && !op->write)
		r->nr_staged--;
	if (!try_another(r, p, err)) {
		uint32_t good = p->done > p->skip ? p->done - p->skip : 0;

		/* What a read has put into a staging buffer was not copied to the memory. */
		dv_op_fail(op, p->x + (p->slot.buf && !op->write ? 0 : good), err,
			   err == -ECANCELED ? DEVIO_REASON_CANCELED : DEVIO_REASON_IO);
	}
	dv_part_finish(r, p, 0);
}

/* The file ends within or before this part. */
static void part_short(struct devio_ring *r, struct dv_part *p)
{
	struct dv_op *op = p->op;
	const struct devio_file *f = dv_file_of(op);
	uint32_t payload = p->done > p->skip ? p->done - p->skip : 0;

	if (op->write) {
		if (p->slot.buf || !p->done || p->mode != DV_MODE_DIRECT || !try_another(r, p, -EINVAL))
			dv_op_fail(op, p->x + payload, -EIO, DEVIO_REASON_IO);
		dv_part_finish(r, p, payload);
		return;
	}
	/* A block device has a fixed end: a short read means that it was removed, and its size is now 0. */
	if (f->is_block && op->file.off + p->x + payload < f->capacity) {
		dv_op_fail(op, p->x + payload, -ENODEV, DEVIO_REASON_IO);
	} else if (p->x + payload < op->eof_x) {
		op->eof_x = p->x + payload;
	}
	p->take = payload;
	if (p->slot.buf && payload) {
		dv_part_copy(r, p);
		return;
	}
	if (p->slot.buf)
		r->nr_staged--;
	dv_part_finish(r, p, payload);
}

void dv_file_event(struct devio_ring *r, struct dv_part *p, int res)
{
	uint32_t need = p->skip + p->take;

	if (res < 0) {
		part_error(r, p, res);
		return;
	}
	p->done += res;
	if (p->done >= need) {
		if (p->slot.buf && !p->op->write)
			dv_part_copy(r, p);
		else
			dv_part_finish(r, p, p->take);
		return;
	}
	/* With O_DIRECT, a partial block means the end of the file; continue after any other short transfer. */
	if (!res || ((p->mode == DV_MODE_DIRECT || p->mode == DV_MODE_STAGED) &&
		     p->done & (dv_file_of(p->op)->off_align - 1))) {
		part_short(r, p);
		return;
	}
	dv_io_queue(r, p);
}

void dv_file_copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	if (err) {
		dv_op_fail(op, p->x, err, DEVIO_REASON_COPY);
		dv_part_finish(r, p, 0);
	} else if (op->write) {
		dv_io_queue(r, p);
	} else {
		dv_part_finish(r, p, p->take);
	}
}
