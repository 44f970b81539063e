/* SPDX-License-Identifier: MIT */
/* Queueing a part's I/O. */
#include "config.h"
#include "file/file.h"

struct dv_part *dv_io_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take)
{
	struct dv_part *p = dv_part_get(r, op, x, take);

	if (p)
		p->file.buf = -1;
	return p;
}

void dv_io_queue(struct devio_ring *r, struct dv_part *p)
{
	struct dv_rw rw = {
		.write = p->op->write, .fd = p->file.fd, .buf = p->file.buf, .len = p->len - p->done,
		.addr = p->addr + p->done, .off = p->file.off + p->done,
	};

	if (dv_queue_rw(&r->q, &rw, p))
		dv_part_stall(r, p);
	else
		r->nr_io++;
}
