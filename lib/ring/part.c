/* SPDX-License-Identifier: MIT */
/* Parts: one I/O each, plus the copies between staging buffer and memory. */
#include "config.h"
#include <errno.h>
#include "ring/engine.h"

struct dv_part *dv_part_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take)
{
	struct dv_part *p = r->free_parts;

	if (!dv_part_available(r))
		return NULL;
	r->free_parts = p->next;
	r->nr_held++;
	dv_part_link(op, p);
	p->fast.plan = NULL;
	p->path = op->path;
	p->tries = 0;
	p->nr_copies = 0;
	p->done = 0;
	p->x = x;
	p->skip = 0;
	p->take = take;
	p->slot.buf = NULL;
	return p;
}

int dv_part_stage(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_staging_buf *slot)
{
	int rc = dv_staging_get(&r->staging, &r->q, len, slot);

	if (rc)
		return rc;
	dv_staging_pin(&r->staging, op->mem);
	dv_stat_add(&r->stat.sum.staging_peak, r->staging.peak - r->stat.sum.staging_peak);
	return 0;
}

void dv_part_finish(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	struct dv_op *op = p->op;

	op->by_mode[p->mode] += payload;
	if (p->slot.buf)
		dv_staging_put(&r->staging, &p->slot);
	*p->op_prev = p->op_next;
	if (p->op_next)
		p->op_next->op_prev = p->op_prev;
	p->next = r->free_parts;
	r->free_parts = p;
	r->nr_held--;
	if (!--op->parts && !op->waiting)
		op->end->ops->advance(r, op);
}

void dv_part_stall(struct devio_ring *r, struct dv_part *p)
{
	p->next = r->stalled;
	r->stalled = p;
}

/* Waits for all copies; *err is set if one failed. */
static void wait_copies(struct dv_part *p, int *err)
{
	for (int i = 0; i < p->nr_copies; i++) {
		int rc = dv_mem_copy_wait(p->copy_mem[i], &p->copy[i]);

		if (rc)
			*err = rc;
	}
	p->nr_copies = 0;
}

/* Starts the copies, one per range. 1: all done, 0: some in flight, -errno: none in flight. */
static int start_copies(struct dv_part *p, uint32_t take)
{
	char *host = p->slot.buf + p->skip;
	uint64_t off, left;
	int err = 0;

	for (uint32_t n = 0; n < take && !err;) {
		struct devio_mem *m = dv_op_at(p->op, p->x + n, &off, &left);
		uint32_t len = left < take - n ? left : take - n;
		int rc;

		if (p->nr_copies == DV_PART_COPIES)
			wait_copies(p, &err);
		rc = dv_mem_copy(m, off, host + n, len, p->op->write, &p->copy[p->nr_copies]);
		if (rc < 0)
			err = rc;
		else if (!rc)
			p->copy_mem[p->nr_copies++] = m;
		n += len;
	}
	if (err)
		wait_copies(p, &err);
	return err ? err : !p->nr_copies;
}

static void copied(struct devio_ring *r, struct dv_part *p, int err)
{
	r->nr_staged--;
	p->op->end->ops->copied(r, p, err);
}

void dv_part_copy(struct devio_ring *r, struct dv_part *p)
{
	int rc = start_copies(p, p->take);

	if (rc) {
		r->copied += p->take;
		copied(r, p, rc < 0 ? rc : 0);
		return;
	}
	p->next = r->copying;
	r->copying = p;
}

/* 1: all succeeded, 0: some in flight, -errno: all completed, one with an error. */
static int poll_part(struct dv_part *p, bool wait)
{
	int err = 0;

	while (p->nr_copies) {
		int i = p->nr_copies - 1;
		int rc = dv_mem_copy_poll(p->copy_mem[i], &p->copy[i], wait);

		if (!rc)
			return 0;
		p->nr_copies--;
		if (rc < 0) {
			wait_copies(p, &err);
			return rc;
		}
	}
	return 1;
}

void dv_part_poll_copies(struct devio_ring *r, bool wait)
{
	struct dv_part *list = r->copying, **keep = &r->copying;

	/* Finishing a part may start new copies: they are put at the front of a new list. */
	r->copying = NULL;
	while (list) {
		struct dv_part *p = list;
		int rc = poll_part(p, wait && !p->next);

		list = p->next;
		if (!rc) {
			p->next = NULL;
			while (*keep)
				keep = &(*keep)->next;
			*keep = p;
			continue;
		}
		copied(r, p, rc < 0 ? rc : 0);
	}
}
