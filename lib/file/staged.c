/* SPDX-License-Identifier: MIT */
/* One part by way of a staging slot, or of the page cache alone. */
#include "config.h"
#include <errno.h>
#include "path/choose.h"

static int cache_part(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, uint64_t *took)
{
	struct dv_part *p;
	uint64_t off, left;
	struct devio_mem *m = dv_op_at(op, x, &off, &left);

	if (len > left)
		len = left;
	if (len > DV_CACHE_MAX)
		len = DV_CACHE_MAX;
	p = dv_part_get(r, op, x, len);
	if (!p)
		return -EAGAIN;
	p->way = DV_WAY_CACHE;
	p->fd = op->file->fd;
	p->addr = (uintptr_t)m->ptr + off;
	p->file_off = op->file_off + x;
	p->len = len;
	*took = len;
	dv_part_queue(r, p);
	return 0;
}

/* Which bytes the I/O must cover for payload of at most len bytes. */
static void shape(const struct dv_op *op, uint64_t x, uint64_t len, uint32_t chunk, enum dv_way way,
		  struct dv_part *p)
{
	uint64_t pos = op->file_off + x, align = way == DV_WAY_STAGED ? op->file->off_align : 1;

	p->skip = pos & (align - 1);
	p->take = len < chunk - p->skip ? len : chunk - p->skip;
	p->len = (p->skip + p->take + align - 1) & ~(align - 1);
	p->file_off = pos - p->skip;
}

int dv_staged_issue(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, enum dv_way way,
		    uint64_t *took)
{
	struct dv_part *p, want;
	struct dv_slot slot;
	int rc;

	if (way != DV_WAY_STAGED && op->mem->caps & DEVIO_MEM_HOST_PAGES && op->nr_ranges == 1)
		return cache_part(r, op, x, len, took);
	if (!r->free_parts)
		return -EAGAIN;
	shape(op, x, len, r->slots.chunk_size, way, &want);
	rc = dv_slots_get(&r->slots, &r->q, want.len, &slot);
	if (rc)
		return rc;
	dv_slots_pin(&r->slots, op->mem);
	dv_stat_add(&r->stat.staging_peak, r->slots.peak - r->stat.staging_peak);
	p = dv_part_get(r, op, x, want.take);
	p->way = way;
	p->fd = way == DV_WAY_STAGED ? op->file->dfd : op->file->fd;
	p->slot = slot;
	p->skip = want.skip;
	p->len = want.len;
	p->file_off = want.file_off;
	p->addr = (uintptr_t)slot.buf;
	p->buf = r->slots.buf;
	*took = want.take;
	r->nr_staged++;
	if (op->write)
		dv_part_copy(r, p);
	else
		dv_part_queue(r, p);
	return 0;
}
