/* SPDX-License-Identifier: MIT */
/* Issuing one part through a staging buffer, or through the page cache only. */
#include "config.h"
#include <errno.h>
#include "file/file.h"

static int cache_part(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, uint64_t *taken)
{
	struct dv_part *p;
	uint64_t off, left;
	struct devio_mem *m = dv_op_at(op, x, &off, &left);

	if (len > left)
		len = left;
	if (len > DV_CACHE_MAX)
		len = DV_CACHE_MAX;
	p = dv_io_get(r, op, x, len);
	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_CACHE;
	p->file.fd = dv_file_of(op)->fd;
	p->addr = (uintptr_t)m->ptr + off;
	p->file.off = op->file.off + x;
	p->len = len;
	*taken = len;
	dv_io_queue(r, p);
	return 0;
}

/* Determines the aligned I/O that covers a payload of at most len bytes. */
static void shape(const struct dv_op *op, uint64_t x, uint64_t len, uint32_t chunk, enum dv_mode mode,
		  struct dv_part *p)
{
	uint64_t pos = op->file.off + x, align = mode == DV_MODE_STAGED ? dv_file_of(op)->off_align : 1;

	p->skip = pos & (align - 1);
	p->take = len < chunk - p->skip ? len : chunk - p->skip;
	p->len = (p->skip + p->take + align - 1) & ~(align - 1);
	p->file.off = pos - p->skip;
}

int dv_staged_issue(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, enum dv_mode mode,
		    uint64_t *taken)
{
	struct dv_part *p, want;
	struct dv_staging_buf slot;
	int rc;

	if (mode != DV_MODE_STAGED && op->mem->caps & DEVIO_MEM_HOST_PAGES && op->nr_ranges == 1)
		return cache_part(r, op, x, len, taken);
	if (!dv_part_available(r))
		return -EAGAIN;
	shape(op, x, len, r->staging.chunk_size, mode, &want);
	rc = dv_part_stage(r, op, want.len, &slot);
	if (rc)
		return rc;
	p = dv_io_get(r, op, x, want.take);
	p->mode = mode;
	p->file.fd = mode == DV_MODE_STAGED ? dv_file_of(op)->dfd : dv_file_of(op)->fd;
	p->slot = slot;
	p->skip = want.skip;
	p->len = want.len;
	p->file.off = want.file.off;
	p->addr = (uintptr_t)slot.buf;
	p->file.buf = r->staging.buf;
	*taken = want.take;
	r->nr_staged++;
	if (op->write)
		dv_part_copy(r, p);
	else
		dv_io_queue(r, p);
	return 0;
}
