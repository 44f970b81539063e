/* SPDX-License-Identifier: MIT */
/*
 * The hot path: an operation with one range that needs no edges and no copy consists of a
 * single part. A plan, derived from the first operation of its kind, describes how to issue
 * it; anything out of the ordinary becomes a full operation.
 */
#include "config.h"
#include "file/file.h"
#include "ring/index.h"

/*
 * Issues the operation according to the plan, for which the caller has counted it. There is
 * a part: see dv_part_available().
 */
static inline __attribute__((always_inline)) void
issue(struct devio_ring *r, struct dv_plan *pl, struct io_uring_sqe *sqe, uint64_t mem_off, uint64_t len,
      uint64_t file_off, uint64_t cookie)
{
	struct dv_part *p = r->free_parts;

	dv_queue_fill(sqe, &pl->frame, pl->base + mem_off, len, file_off, p);
	r->free_parts = p->next;
	r->nr_io++;
	p->file.off = file_off;
	p->len = len;
	p->fast.plan = pl;
	p->fast.mem_off = mem_off;
	p->fast.cookie = cookie;
}

/*
 * Another operation of the length that was checked last, on the file and the memory of the
 * last operation, while others are in flight by the same plan.
 */
static inline __attribute__((always_inline)) bool
hot_start(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
	  uint64_t file_off, uint64_t cookie, bool write)
{
	struct dv_plan *pl;

	if (__builtin_expect(!r, 0))
		return false;
	pl = r->hot[write];
	if (pl->end != (struct dv_endpoint *)f || pl->mem != m || pl->len != len || mem_off > pl->max_off ||
	    file_off > pl->max_file_off || file_off & pl->off_mask || (pl->base + mem_off) & pl->mem_mask)
		return false;
	/* Without the fences, the compiler counts in registers to have the old values for the undoing. */
	if (__builtin_expect((int)--r->room < 0, 0)) {
		r->room = 0;
		return false;
	}
	if (__builtin_expect(!++pl->users, 0)) {
		/* It held no references: f and m may be others at the same addresses. */
		pl->users = -1;
		atomic_signal_fence(memory_order_seq_cst);
		r->room++;
		return false;
	}
	pl->left -= len;
	if (__builtin_expect(pl->left < 0, 0)) {
		pl->left = 0;
		atomic_signal_fence(memory_order_seq_cst);
		pl->users--;
		r->room++;
		return false;
	}
	issue(r, pl, dv_queue_own_sqe(&r->q), mem_off, len, file_off, cookie);
	return true;
}

/* The plan for the operation, or NULL if there is none or it does not fit. */
static struct dv_plan *find_plan(struct devio_ring *r, const struct devio_file *f, const struct devio_mem *m,
				 uint64_t mem_off, uint64_t len, uint64_t file_off, bool write)
{
	struct dv_pair *pair = dv_pair_find(r->pairs, f->id, m->id);
	struct dv_plan *pl;

	if (!pair)
		return NULL;
	pl = &pair->file.plan[write];
	/* len - 1: excludes empty operations. */
	if (pl->gen != r->plan_gen || (file_off | len) & pl->off_mask || (pl->base + mem_off) & pl->mem_mask ||
	    len - 1 >= pl->max_len || mem_off > m->size - len || file_off > pl->file_end - len)
		return NULL;
	pl->left -= len;
	if (pl->left >= 0)
		return pl;
	pl->left = 0;
	pair->file.hot_left = 0;
	return NULL;
}

/* Any operation for which there is a plan: 1, or 0 if there is none, or no room. */
static int planned_start(struct devio_ring *r, const struct devio_range *g, struct devio_file *f, uint64_t file_off,
			 uint64_t cookie, bool write)
{
	struct io_uring_sqe *sqe;
	struct dv_plan *pl;
	struct dv_part *p;

	if (!f || !g->mem || !r->room)
		return 0;
	pl = find_plan(r, f, g->mem, g->off, g->len, file_off, write);
	sqe = pl ? dv_queue_sqe(&r->q) : NULL;
	if (!sqe)
		return 0;
	pl->len = g->len;
	pl->max_off = g->mem->size - g->len;
	pl->max_file_off = pl->file_end - g->len;
	if (!r->q.borrowed && !r->index) /* the queue of a borrowed ring may be full */
		r->hot[write] = pl;
	dv_plan_get(r, pl);
	r->room--;
	p = r->free_parts;
	issue(r, pl, sqe, g->off, g->len, file_off, cookie);
	if (r->index)
		dv_index_add_part(r, p);
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
	struct devio_mem *m = g->mem;
	struct dv_plan *pl = &r->pairs->no_pair;
	struct dv_part *p = r->free_parts;
	struct io_uring_sqe *sqe;

	if (!f || !m || m->ctx != r->ctx || !dv_file_is_small_read(f, m, g->off, g->len) ||
	    g->len - 1 >= DV_CACHE_MAX || file_off >= DV_FAR_OFFSET || !r->q.uring || !r->room)
		return 0;
	sqe = dv_queue_sqe(&r->q);
	if (!sqe)
		return 0;
	pl->outcome = (struct dv_outcome){ DEVIO_PATH_FILE_BUFFERED, DEVIO_PATH_FILE_HOST, DEVIO_REASON_SMALL, 0 };
	pl->frame = dv_queue_frame(&r->q, false, f->fd, -1);
	pl->base = (uintptr_t)m->ptr;
	p->fast.end = &dv_file_get(f)->base;
	p->fast.mem = dv_mem_get(m);
	r->room--;
	issue(r, pl, sqe, g->off, g->len, file_off, cookie);
	if (r->index)
		dv_index_add_part(r, p);
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

	if (!write && small_start(r, range, file, file_off, cookie))
		return 0;
	return dv_file_start(r, &io);
}

/* Everything but hot_start(). */
static inline int start(struct devio_ring *r, const struct devio_range *range, struct devio_file *file,
			uint64_t file_off, uint64_t cookie, int write)
{
	int rc = dv_ring_check(r);

	if (rc || planned_start(r, range, file, file_off, cookie, write))
		return rc;
	return full_start(r, range, file, file_off, cookie, write);
}

/* These take the arguments in the same registers, so that the hot path can make a tail call. */
static __attribute__((noinline)) int start_read(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
						uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	return start(r, &(struct devio_range){ mem, mem_off, len }, file, file_off, cookie, 0);
}

static __attribute__((noinline)) int start_write(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
						 uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	return start(r, &(struct devio_range){ mem, mem_off, len }, file, file_off, cookie, 1);
}

DEVIO_API int devio_ring_read(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	if (hot_start(r, file, mem, mem_off, len, file_off, cookie, false))
		return 0;
	return start_read(r, file, mem, mem_off, len, file_off, cookie);
}

DEVIO_API int devio_ring_write(struct devio_ring *r, struct devio_file *file, struct devio_mem *mem,
			       uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	if (hot_start(r, file, mem, mem_off, len, file_off, cookie, true))
		return 0;
	return start_write(r, file, mem, mem_off, len, file_off, cookie);
}
