/* SPDX-License-Identifier: MIT */
/* Turning a part that carries a whole operation into a full one, for everything but a plain success. */
#include "config.h"
#include "file/file.h"
#include "file/regcache.h"
#include "ring/index.h"

/* Reconstructs the I/O from what the plan had set. */
static void restore_io(struct dv_op *op, struct dv_part *p)
{
	struct devio_file *f = dv_file_of(op);

	p->mode = op->path->direct ? DV_MODE_DIRECT : DV_MODE_CACHE;
	p->file.fd = op->path->direct ? f->dfd : f->fd;
	p->file.buf = op->file.dmabuf.buf;
	p->addr = (op->file.dmabuf.buf >= 0 ? op->file.dmabuf.off : (uintptr_t)op->mem->ptr) + op->few[0].off;
}

void dv_file_promote(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_fast *fast = &p->fast;
	struct dv_plan *pl = fast->plan;
	bool has_pair = pl != &r->pairs->no_pair;
	struct devio_file *f = (struct devio_file *)dv_fast_end(r, p);
	const struct devio_range range = { .mem = dv_fast_mem(r, p), .off = fast->mem_off, .len = p->len };
	struct dv_op *op = dv_op_take_promoted(r, &range);

	if (r->index)
		dv_index_remove_part(r, p);
	/* The operation gets references of its own, or those of the part. */
	if (has_pair) {
		dv_file_get(f);
		dv_mem_get(range.mem);
	}
	dv_op_init(r, op, &f->base, p->len, fast->cookie, pl->outcome.flags & DEVIO_DONE_WRITE);
	dv_file_op_init(op, f, p->file.off);
	op->path = dv_path_by_id(op, pl->outcome.path);
	op->forced = f->path != 0;
	op->best_unused = pl->outcome.best_unused;
	op->reason = pl->outcome.reason;
	op->issued = p->len;
	if (has_pair && pl->use != &r->no_use) {
		pl->use->users++;
		op->file.dmabuf.buf = op->file.dmabuf.hint = dv_regcache_find(r, pl->use, &op->file.dmabuf.off);
	}
	restore_io(op, p);
	dv_part_link(op, p);
	p->path = op->path;
	p->tries = 0;
	p->nr_copies = 0;
	p->done = 0;
	p->x = 0;
	p->skip = 0;
	p->take = p->len;
	p->slot.buf = NULL;
	p->fast.plan = NULL;
	if (has_pair)
		dv_plan_put(r, pl, 1);
}
