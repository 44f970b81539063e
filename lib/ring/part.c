/* SPDX-License-Identifier: MIT */
/* Parts: one I/O each, from the queue to the copy and back to the operation. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "path/choose.h"
#include "file/regcache.h"

#define MAX_TRIES 1000 /* of an I/O that the kernel wants again; far beyond any honest need */

struct dv_part *dv_part_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take)
{
	struct dv_part *p = r->free_parts;

	if (!p)
		return NULL;
	r->free_parts = p->next;
	p->op = op;
	p->fast.file = NULL;
	p->path = op->path;
	p->tries = 0;
	p->nr_copies = 0;
	p->buf = -1;
	p->done = 0;
	p->zc_n = p->zc_left = p->pauses = 0;
	p->since = 0;
	p->enough = false;
	p->x = x;
	p->skip = 0;
	p->take = take;
	p->slot.buf = NULL;
	op->parts++;
	return p;
}

void dv_part_finish(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	struct dv_op *op = p->op;

	op->by_way[p->way] += payload;
	if (p->slot.buf)
		dv_slots_put(&r->slots, &p->slot);
	p->next = r->free_parts;
	r->free_parts = p;
	if (!--op->parts && !op->waiting)
		dv_op_advance(r, op);
}

void dv_part_queue(struct devio_ring *r, struct dv_part *p)
{
	struct dv_rw rw = {
		.write = p->op->write, .fd = p->fd, .buf = p->buf, .len = p->len - p->done,
		.addr = p->addr + p->done, .off = p->file_off + p->done,
	};

	if (p->op->sock) {
		dv_flow_retry(r, p);
		return;
	}
	if (!dv_queue_rw(&r->q, &rw, p)) {
		r->nr_io++;
		return;
	}
	p->next = r->stalled;
	r->stalled = p;
}

static void wait_copies(struct dv_part *p, int *err)
{
	for (int i = 0; i < p->nr_copies; i++) {
		int rc;

		do {
			rc = dv_mem_copy_poll(p->copy_mem[i], &p->copy[i], true);
		} while (!rc);
		if (rc < 0)
			*err = rc;
	}
	p->nr_copies = 0;
}

/* Starts the copies, one a range: 1 all done, 0 some run, -errno (then none runs). */
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

static void part_copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	r->nr_staged--;
	if (op->sock) {
		dv_flow_copied(r, p, err);
	} else if (err) {
		dv_op_fail(op, p->x, err, DEVIO_REASON_COPY);
		dv_part_finish(r, p, 0);
	} else if (op->write) {
		dv_part_queue(r, p);
	} else {
		dv_part_finish(r, p, p->take);
	}
}

void dv_part_copy(struct devio_ring *r, struct dv_part *p)
{
	int rc = start_copies(p, p->take);

	if (rc) {
		r->copied += p->take;
		part_copied(r, p, rc < 0 ? rc : 0);
		return;
	}
	p->next = r->copying;
	r->copying = p;
}

/* 1: all ended well, 0: some run, -errno: all ended, one badly. */
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

	/* Finishing a part may start others' copies: those go to the front of a fresh list. */
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
		part_copied(r, p, rc < 0 ? rc : 0);
	}
}

/* The kernel does not want it this way: the operation begins anew on the next path. */
static bool try_another(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	if (op->canceled || !p->path->refusal || !p->path->refusal(err))
		return false;
	/* Edges and heads of a direct path are not that path's own. */
	if (p->path->direct != (p->way == DV_WAY_DIRECT))
		return false;
	if (!op->forced)
		dv_path_refused(r, op, p->path);
	else
		dv_op_fail(op, p->x, err, DEVIO_REASON_REFUSED);
	return true;
}

/* The edge of a direct path that O_DIRECT refuses: by the page cache. */
static bool edge_by_cache(struct dv_part *p, int err)
{
	if (p->op->canceled || !p->path->direct || p->way != DV_WAY_STAGED ||
	    (err != -EINVAL && err != -EOPNOTSUPP))
		return false;
	p->way = DV_WAY_STAGED_CACHE;
	p->fd = p->op->file->fd;
	return true;
}

/* Would it not be the end, if the operation had not been cancelled? The kernel interrupts with -EINTR, too. */
static bool goes_on_after(const struct dv_part *p, int err)
{
	return err == -EAGAIN || err == -EINTR ||
	       (!p->op->forced && p->path->refusal && p->path->refusal(err));
}

/* An answer of the kernel after which only another registration helps. */
static bool mapping_gone(int err)
{
	return err == -EREMOTEIO || err == -ENXIO || err == -ENODEV;
}

static void part_error(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;

	if (p->way == DV_WAY_DIRECT && p->buf >= 0 && mapping_gone(err))
		dv_regs_stale(r, p->buf);
	if (op->canceled && goes_on_after(p, err))
		err = -ECANCELED;
	if (err == -EAGAIN)
		dv_file_let_wait(op->file);
	if (((err == -EAGAIN || err == -EINTR) && p->tries++ < MAX_TRIES) || edge_by_cache(p, err)) {
		dv_part_queue(r, p);
		return;
	}
	if (p->slot.buf && !op->write)
		r->nr_staged--;
	if (!try_another(r, p, err)) {
		uint32_t good = p->done > p->skip ? p->done - p->skip : 0;

		/* What a read put into a slot was not copied on. */
		dv_op_fail(op, p->x + (p->slot.buf && !op->write ? 0 : good), err,
			   err == -ECANCELED ? DEVIO_REASON_CANCELED : DEVIO_REASON_IO);
	}
	dv_part_finish(r, p, 0);
}

/* The file ends inside or before this part. */
static void part_short(struct devio_ring *r, struct dv_part *p)
{
	struct dv_op *op = p->op;
	uint32_t got = p->done > p->skip ? p->done - p->skip : 0;

	if (op->write) {
		if (p->slot.buf || !p->done || p->way != DV_WAY_DIRECT || !try_another(r, p, -EINVAL))
			dv_op_fail(op, p->x + got, -EIO, DEVIO_REASON_IO);
		dv_part_finish(r, p, got);
		return;
	}
	/* A block device does not end early: it has gone, and the kernel tells a size of 0. */
	if (op->file->is_block && op->file_off + p->x + got < op->file->capacity) {
		dv_op_fail(op, p->x + got, -ENODEV, DEVIO_REASON_IO);
	} else if (p->x + got < op->eof_x) {
		op->eof_x = p->x + got;
	}
	p->take = got;
	if (p->slot.buf && got) {
		dv_part_copy(r, p);
		return;
	}
	if (p->slot.buf)
		r->nr_staged--;
	dv_part_finish(r, p, got);
}

void dv_part_event(struct devio_ring *r, struct dv_part *p, int res)
{
	uint32_t need = p->skip + p->take;

	r->nr_io--;
	if (p->op->sock) {
		dv_flow_event(r, p, res);
		return;
	}
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
	/* Through O_DIRECT a broken block is the end of the file; go on after anything else. */
	if (!res || ((p->way == DV_WAY_DIRECT || p->way == DV_WAY_STAGED) &&
		     p->done & (p->op->file->off_align - 1))) {
		part_short(r, p);
		return;
	}
	dv_part_queue(r, p);
}
