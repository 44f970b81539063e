/* SPDX-License-Identifier: MIT */
/*
 * The hot path: an operation with one range that needs no edges and no copy consists of a
 * single part. A plan, derived from the first operation of its kind, describes how to issue
 * it; anything out of the ordinary becomes a full operation.
 */
#include "config.h"
#include "file/file.h"

/* Whether the plan can be used for the operation. */
static inline bool fits(const struct dv_plan *pl, const struct devio_mem *m, uint64_t mem_off, uint64_t len,
			uint64_t file_off)
{
	if ((file_off | len) & pl->off_mask || (pl->base + mem_off) & pl->mem_mask)
		return false;
	/* len - 1: excludes empty operations. */
	return len - 1 < pl->max_len && mem_off <= m->size - len && file_off <= pl->end - len;
}

/*
 * The plan for the operation, if there is one and the ring has room; otherwise NULL: use
 * dv_file_start(). kind: 0, or DV_PLAN_BORROWED on an application's io_uring.
 */
static inline __attribute__((always_inline)) struct dv_plan *
find_plan(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
	  uint64_t file_off, bool write, unsigned int kind)
{
	struct dv_pair *pair;
	struct dv_plan *pl;

	if (!f || !m)
		return NULL;
	pair = r->last;
	if (pair->end_id != f->id || pair->mem_id != m->id) {
		pair = dv_pair_find(r->pairs, f->id, m->id);
		if (!pair)
			return NULL;
		r->last = pair;
	}
	pl = &pair->file.plan[write];
	if (pl->gen != dv_plan_gen(r) + kind ||
	    !fits(pl, m, mem_off, len, file_off) || !r->free_parts || !r->room)
		return NULL;
	if (pl->ask_cache && (pair->file.hot_left -= len) < 0) {
		pair->file.hot_left = 0;
		return NULL;
	}
	return pl;
}

/* Issues the operation according to the plan. */
static inline __attribute__((always_inline)) void
planned_start(struct devio_ring *r, const struct dv_plan *pl, struct io_uring_sqe *sqe, struct devio_file *f,
	      struct devio_mem *m, uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	struct dv_part *p = r->free_parts;

	dv_queue_fill(sqe, &pl->frame, pl->base + mem_off, len, file_off, p);
	r->free_parts = p->next;
	p->file.off = file_off;
	p->len = len;
	p->fast.end = &dv_file_get(f)->base;
	p->fast.mem = dv_mem_get(m);
	p->fast.mem_off = mem_off;
	p->fast.cookie = cookie;
	p->fast.use = pl->use;
	pl->use->users++;
	pl->use->last = dv_use_now(r);
	p->fast.outcome = pl->outcome;
	r->room--;
	r->nr_io++;
}

static inline __attribute__((always_inline)) int
fast_start(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
	   uint64_t file_off, uint64_t cookie, bool write)
{
	const struct dv_plan *pl = __builtin_expect(!r, 0) ? NULL
							   : find_plan(r, f, m, mem_off, len, file_off, write, 0);

	if (!pl)
		return 0;
	planned_start(r, pl, dv_queue_own_sqe(&r->q), f, m, mem_off, len, file_off, cookie);
	return 1;
}

/* The same on the application's io_uring: 1, or 0 if its queue has no room. */
static int borrowed_start(struct devio_ring *r, const struct devio_range *g, struct devio_file *f, uint64_t file_off,
			  uint64_t cookie, bool write)
{
	const struct dv_plan *pl = find_plan(r, f, g->mem, g->off, g->len, file_off, write, DV_PLAN_BORROWED);
	struct io_uring_sqe *sqe = pl ? dv_queue_sqe(&r->q) : NULL;

	if (!sqe)
		return 0;
	planned_start(r, pl, sqe, f, g->mem, g->off, g->len, file_off, cookie);
	return 1;
}

/*
 * A read of a short file into host memory: through the page cache, which the path table
 * would choose as well. With thousands of short files, most get a single operation, and a
 * plan would not pay off.
 */
static int small_start(struct devio_ring *r, const struct devio_range *g, struct devio_file *f, uint64_t file_off,
		       uint64_t cookie)
{
	const struct devio_mem *m = g->mem;
	struct io_uring_sqe *sqe;
	struct dv_plan pl = {
		.max_len = DV_CACHE_MAX, .use = &r->no_use,
		.outcome = { DEVIO_PATH_FILE_BUFFERED, DEVIO_PATH_FILE_HOST, DEVIO_REASON_SMALL, 0 },
	};

	if (!f || !m || m->ctx != r->ctx || !dv_file_is_small_read(f, m, g->off, g->len) ||
	    g->len - 1 >= DV_CACHE_MAX || file_off >= DV_FAR_OFFSET || !r->q.uring || !r->free_parts || !r->room)
		return 0;
	sqe = dv_queue_sqe(&r->q);
	if (!sqe)
		return 0;
	pl.frame = dv_queue_frame(&r->q, false, f->fd, -1);
	pl.base = (uintptr_t)m->ptr;
	planned_start(r, &pl, sqe, f, g->mem, g->off, g->len, file_off, cookie);
	return 1;
}

/* The general case: checks with error messages, edges, copies, several parts. */
static int full_start(struct devio_ring *r, const struct devio_range *range, struct devio_file *file,
		      uint64_t file_off, uint64_t cookie, int write)
{
	struct devio_io io = {
		.sz = sizeof(io), .file = file, .ranges = range, .nr_ranges = 1, .write = write,
		.file_off = file_off, .cookie = cookie,
	};
	int rc;

	if (r && r->q.borrowed && borrowed_start(r, range, file, file_off, cookie, write))
		return 0;
	rc = dv_ring_check(r);
	if (rc || (!write && small_start(r, range, file, file_off, cookie)))
		return rc;
	return dv_file_start(r, &io);
}

/* Takes the arguments in the same registers, so that the hot path can make a tail call. */
static __attribute__((noinline)) int full_read(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
					       uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	return full_start(r, &(struct devio_range){ mem, mem_off, len }, file, file_off, cookie, 0);
}

static __attribute__((noinline)) int full_write(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
						uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	return full_start(r, &(struct devio_range){ mem, mem_off, len }, file, file_off, cookie, 1);
}

DEVIO_API int devio_ring_read(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	if (fast_start(r, file, mem, mem_off, len, file_off, cookie, false))
		return 0;
	return full_read(r, file, mem, mem_off, len, file_off, cookie);
}

DEVIO_API int devio_ring_write(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
			       uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	if (fast_start(r, file, mem, mem_off, len, file_off, cookie, true))
		return 0;
	return full_write(r, file, mem, mem_off, len, file_off, cookie);
}
