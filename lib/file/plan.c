/* SPDX-License-Identifier: MIT */
/* Plans: how the common operation on a file and a memory is executed, recorded from the first of its kind. */
#include "config.h"
#include <string.h>
#include "file/file.h"
#include "file/regcache.h"

/* Operations in flight by the plan complete with its outcome, and have its registered buffer in use. */
static bool in_use_otherwise(const struct dv_plan *pl, const struct dv_outcome *outcome, const struct dv_use *use)
{
	return pl->users >= 0 && (pl->use != use || memcmp(&pl->outcome, outcome, sizeof(*outcome)));
}

void dv_plan_learn(struct devio_ring *r, const struct dv_op *op)
{
	const struct devio_file *f = dv_file_of(op);
	struct dv_pair *pair = dv_pair_get(r, op);
	struct dv_plan *pl = &pair->file.plan[op->write];
	enum devio_path id = op->path->id;
	struct dv_outcome outcome = { id, op->best_unused, op->reason, op->write ? DEVIO_DONE_WRITE : 0 };
	struct dv_use *use = op->file.dmabuf.buf >= 0 ? dv_regcache_use(r, op->file.dmabuf.buf) : &r->no_use;

	/* An operation on another path, such as an unaligned one, is not representative. */
	if (!r->q.uring || in_use_otherwise(pl, &outcome, use) ||
	    !(op->path->direct || (id == DEVIO_PATH_FILE_BUFFERED && op->mem->caps & DEVIO_MEM_HOST_PAGES)))
		return;
	pl->end = op->end;
	pl->mem = op->mem;
	pl->outcome = outcome;
	pl->use = use;
	pl->frame = dv_queue_frame(&r->q, op->write, op->path->direct ? f->dfd : f->fd, op->file.dmabuf.buf);
	pl->left = INT64_MAX;
	if (!op->write && !(op->want & (DEVIO_FILE_NO_CACHE | DEVIO_FILE_DIRECT_ONLY)) && !f->path &&
	    (id == DEVIO_PATH_FILE_HOST || op->reason == DEVIO_REASON_CACHED))
		pl->left = pair->file.hot_left;
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
	pl->file_end = op->path->direct && !op->write && op->file.end < DV_FAR_OFFSET ? op->file.end : DV_FAR_OFFSET;
	if (pl->max_len > pl->file_end)
		pl->max_len = pl->file_end;
	pl->len = UINT64_MAX; /* no length has been checked yet */
	pl->gen = r->plan_gen;
}
