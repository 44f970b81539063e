/* SPDX-License-Identifier: MIT */
/* Plans: how the common operation on a file and a memory is executed, recorded from the first of its kind. */
#include "config.h"
#include "file/file.h"
#include "file/regcache.h"

void dv_plan_learn(struct devio_ring *r, const struct dv_op *op)
{
	const struct devio_file *f = dv_file_of(op);
	struct dv_pair *pair = dv_pair_get(r, op);
	struct dv_plan *pl = &pair->file.plan[op->write];
	enum devio_path id = op->path->id;

	/* An operation on another path, such as an unaligned one, is not representative. */
	if (!r->q.uring ||
	    !(op->path->direct || (id == DEVIO_PATH_FILE_BUFFERED && op->mem->caps & DEVIO_MEM_HOST_PAGES)))
		return;
	pl->outcome = (struct dv_outcome){ id, op->best_unused, op->reason, op->write ? DEVIO_DONE_WRITE : 0 };
	pl->frame = dv_queue_frame(&r->q, op->write, op->path->direct ? f->dfd : f->fd, op->file.dmabuf.buf);
	pl->use = op->file.dmabuf.buf >= 0 ? dv_regcache_use(r, op->file.dmabuf.buf) : &r->no_use;
	pl->ask_cache = !op->write && !(op->want & (DEVIO_FILE_NO_CACHE | DEVIO_FILE_DIRECT_ONLY)) && !f->path &&
			(id == DEVIO_PATH_FILE_HOST || op->reason == DEVIO_REASON_CACHED);
	if (op->path->direct) {
		pl->base = id == DEVIO_PATH_FILE_DMABUF ? op->file.dmabuf.off : (uintptr_t)op->mem->ptr;
		pl->off_mask = (op->write ? f->write_align : f->off_align) - 1;
		pl->mem_mask = f->mem_align - 1;
		pl->max_len = DV_DIRECT_MAX;
	} else {
		pl->base = (uintptr_t)op->mem->ptr;
		pl->off_mask = 0;
		pl->mem_mask = 0;
		pl->max_len = DV_CACHE_MAX;
	}
	if (pl->max_len > op->mem->size)
		pl->max_len = op->mem->size;
	pl->end = op->path->direct && !op->write && op->file.end < DV_FAR_OFFSET ? op->file.end : DV_FAR_OFFSET;
	if (pl->max_len > pl->end)
		pl->max_len = pl->end;
	pl->gen = dv_plan_gen(r) + (r->q.borrowed ? DV_PLAN_BORROWED : 0);
}
