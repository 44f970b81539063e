/* SPDX-License-Identifier: MIT */
/*
 * The hot path: an operation in one range that needs no edges and no copy is
 * one part and nothing else. A plan, learnt from the first operation of its
 * kind, says how; whatever turns out unusual becomes a full operation.
 */
#include "config.h"
#include <fcntl.h>
#include <string.h>
#include "core/ctx.h"
#include "path/choose.h"
#include "file/regcache.h"

#define COPY_TURN (512u << 10) /* bytes copied before the caller may fill the queue again */
#define FAR_OFFSET (3ULL << 62) /* offsets this far are checked at leisure */

/* A plan from before a fork() is void too. */
static inline unsigned int plan_gen(const struct devio_ring *r)
{
	return r->plan_gen + (dv_fork_gen << 24);
}

void dv_fast_learn(struct devio_ring *r, const struct dv_op *op)
{
	const struct devio_file *f = op->file;
	struct dv_pair *pair = dv_pair_get(r, op);
	struct dv_plan *pl = &pair->plan[op->write];
	enum devio_path id = op->path->id;

	/* An operation that goes another way (an unaligned one) says nothing of those that do not. */
	if (!r->q.uring || !(op->path->direct || (id == DEVIO_PATH_FILE_BUFFERED && op->mem->caps & DEVIO_MEM_HOST_PAGES)))
		return;
	pl->told = (struct dv_told){ id, op->best_unused, op->reason, op->write ? DEVIO_DONE_WRITE : 0 };
	pl->frame = dv_queue_frame(&r->q, op->write, op->path->direct ? f->dfd : f->fd, op->buf);
	pl->use = op->buf >= 0 ? dv_regs_use(r, op->buf) : &r->no_use;
	pl->ask_cache = !op->write && !(op->want & (DEVIO_FILE_NO_CACHE | DEVIO_FILE_DIRECT_ONLY)) && !f->path &&
			(id == DEVIO_PATH_FILE_HOST || op->reason == DEVIO_REASON_CACHED);
	if (op->path->direct) {
		pl->base = id == DEVIO_PATH_FILE_DMABUF ? op->dmabuf_off : (uintptr_t)op->mem->ptr;
		pl->off_mask = FAR_OFFSET | ((op->write ? f->write_align : f->off_align) - 1);
		pl->mem_mask = f->mem_align - 1;
		pl->max_len = DV_DIRECT_MAX;
	} else {
		pl->base = (uintptr_t)op->mem->ptr;
		pl->off_mask = FAR_OFFSET;
		pl->mem_mask = 0;
		pl->max_len = DV_CACHE_MAX;
	}
	if (pl->max_len > op->mem->size)
		pl->max_len = op->mem->size;
	pl->gen = plan_gen(r);
}

/* Whether the plan serves the operation as it stands. */
static inline bool fits(const struct dv_plan *pl, const struct devio_mem *m, uint64_t mem_off, uint64_t len,
			uint64_t file_off)
{
	if ((file_off | len) & pl->off_mask || (pl->base + mem_off) & pl->mem_mask)
		return false;
	/* len - 1: an empty operation is not usual either. */
	return len - 1 < pl->max_len && mem_off <= m->size - len;
}

/* The plan for it, if there is one and there is room; NULL: dv_op_start() must do it. */
static inline struct dv_plan *usual(struct devio_ring *r, struct devio_file *f, struct devio_mem *m,
				    uint64_t mem_off, uint64_t len, uint64_t file_off, bool write)
{
	struct dv_pair *pair;
	struct dv_plan *pl;

	if (!f || !m)
		return NULL;
	pair = r->last;
	if (pair->key != dv_pair_key(f->id, m)) {
		pair = r->last = dv_pair_slot(r, f->id, m);
		if (pair->key != dv_pair_key(f->id, m))
			return NULL;
	}
	pl = &pair->plan[write];
	if (pl->gen != plan_gen(r) ||
	    !fits(pl, m, mem_off, len, file_off) || !r->free_parts || !r->room)
		return NULL;
	if (pl->ask_cache && (pair->hot_left -= len) < 0) {
		pair->hot_left = 0;
		return NULL;
	}
	return pl;
}

/* As the plan says: 1, or 0 if the queue has no room. */
static inline __attribute__((always_inline)) int
planned_start(struct devio_ring *r, const struct dv_plan *pl, struct devio_file *f, struct devio_mem *m,
	      uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie)
{
	struct dv_part *p = r->free_parts;
	struct io_uring_sqe *sqe = dv_queue_sqe(&r->q);

	if (!sqe)
		return 0;
	dv_queue_fill(sqe, &pl->frame, pl->base + mem_off, len, file_off, p);
	r->free_parts = p->next;
	p->file_off = file_off;
	p->len = len;
	p->fast.file = dv_file_get(f);
	p->fast.mem = dv_mem_get(m);
	p->fast.mem_off = mem_off;
	p->fast.cookie = cookie;
	p->fast.use = pl->use;
	pl->use->users++;
	pl->use->last = dv_use_now(r);
	p->fast.told = pl->told;
	r->room--;
	r->nr_io++;
	return 1;
}

static inline __attribute__((always_inline)) int
fast_start(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
	   uint64_t file_off, uint64_t cookie, bool write)
{
	const struct dv_plan *pl = __builtin_expect(!r, 0) ? NULL : usual(r, f, m, mem_off, len, file_off, write);

	return pl ? planned_start(r, pl, f, m, mem_off, len, file_off, cookie) : 0;
}

/*
 * A read of a short file into host memory: by the page cache, as the table of
 * paths would say, but thousands of such files have no second operation from
 * which learning would pay.
 */
static int small_start(struct devio_ring *r, const struct devio_range *g, struct devio_file *f, uint64_t file_off,
		       uint64_t cookie)
{
	const struct devio_mem *m = g->mem;
	struct dv_plan pl = {
		.max_len = DV_CACHE_MAX, .use = &r->no_use,
		.told = { DEVIO_PATH_FILE_BUFFERED, DEVIO_PATH_FILE_HOST, DEVIO_REASON_SMALL, 0 },
	};

	if (!f || !m || !f->small || f->direct || f->path || f->flags || !(m->caps & DEVIO_MEM_HOST_PAGES) ||
	    f->access == O_WRONLY || f->ctx != r->ctx || m->ctx != r->ctx || g->len - 1 >= DV_CACHE_MAX ||
	    g->off > m->size || g->len > m->size - g->off || file_off & FAR_OFFSET || !r->q.uring ||
	    !r->free_parts || !r->room)
		return 0;
	pl.frame = dv_queue_frame(&r->q, false, f->fd, -1);
	pl.base = (uintptr_t)m->ptr;
	return planned_start(r, &pl, f, g->mem, g->off, g->len, file_off, cookie);
}

/* Everything else: checks with sentences, edges, copies, several parts. */
static int full_start(struct devio_ring *r, const struct devio_range *range, struct devio_file *file, uint64_t file_off,
		      uint64_t cookie, int write)
{
	struct devio_io io = {
		.sz = sizeof(io), .file = file, .ranges = range, .nr_ranges = 1, .write = write,
		.file_off = file_off, .cookie = cookie,
	};
	int rc = dv_ring_check(r);

	if (rc || (!write && small_start(r, range, file, file_off, cookie)))
		return rc;
	return dv_op_start(r, &io);
}

/* With the arguments where they are already: the hot path needs no stack for the jump here. */
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

static __attribute__((noinline)) void unusual(struct devio_ring *r, struct dv_part *p, int res)
{
	dv_op_promote(r, p);
	dv_part_event(r, p, res);
}

/* Counts of one batch, before they go to where other threads read them. */
struct sums {
	uint64_t told;             /* struct dv_told */
	uint64_t ops;
	uint64_t bytes;
};

static __attribute__((noinline)) void sums_flush(struct devio_ring *r, const struct sums *n)
{
	struct devio_path_stat *s;
	struct dv_told told;
	bool write;

	memcpy(&told, &n->told, sizeof(told));
	s = &r->stat.path[told.path];
	write = told.flags & DEVIO_DONE_WRITE;

	dv_stat_add(write ? &s->writes : &s->reads, n->ops);
	dv_stat_add(write ? &s->bytes_written : &s->bytes_read, n->bytes);
	if (told.path == DEVIO_PATH_FILE_BUFFERED)
		dv_stat_add(&s->copied, n->bytes);
}

static inline void sums_add(struct devio_ring *r, struct sums *n, const struct dv_told *told, uint32_t bytes)
{
	uint64_t now;

	memcpy(&now, told, sizeof(now));
	if (n->told != now) {
		const struct sums was = *n; /* a copy: n itself stays in registers */

		sums_flush(r, &was);
		*n = (struct sums){ .told = now };
	}
	n->ops++;
	n->bytes += bytes;
}

static inline __attribute__((always_inline)) void fast_event(struct devio_ring *r, struct dv_part *p, int res,
							     struct sums *sums)
{
	struct dv_fast *f = &p->fast;
	struct devio_completion *c;

	if (__builtin_expect(res != (int)p->len, 0)) {
		unusual(r, p, res);
		return;
	}
	c = dv_ring_done(r);
	c->cookie = f->cookie;
	c->result = res;
	c->good = res;
	c->copied = f->told.path == DEVIO_PATH_FILE_BUFFERED ? res : 0;
	memcpy(&c->path, &f->told, sizeof(f->told));
	c->frags = c->resv0 = 0;
	memset(c->resv, 0, sizeof(c->resv));
	sums_add(r, sums, &f->told, res);
	f->use->users--;
	dv_file_put(f->file);
	dv_mem_put(f->mem);
	f->file = NULL;
	p->next = r->free_parts;
	r->free_parts = p;
	r->nr_io--;
}

void dv_fast_event(struct devio_ring *r, struct dv_part *p, int res)
{
	struct sums sums = { 0 };

	fast_event(r, p, res, &sums);
	sums_flush(r, &sums);
}

/*
 * Copies take their time, in which the disk should not run out of work: once
 * some were made and the caller has a completion, it gets the chance to ask
 * for more. What the kernel has completed besides waits in the queue.
 */
static inline bool enough_copied(struct devio_ring *r)
{
	return r->copied >= COPY_TURN && r->sink != r->sink_begin;
}

/* Completions of 32 bytes: some tell of a piece of a stream, and that more will follow. */
static void reap_big(struct devio_ring *r)
{
	unsigned int head = *r->q.own.cq.khead, tail = io_uring_smp_load_acquire(r->q.own.cq.ktail);

	while (head != tail && !enough_copied(r)) {
		uint64_t off;
		const struct io_uring_cqe *cqe = dv_queue_big_cqe(&r->q, head++, &off);

		if (cqe->flags & IORING_CQE_F_MORE)
			dv_flow_piece(r, (struct dv_part *)(uintptr_t)cqe->user_data, cqe->res, off);
		else
			dv_ring_event(r, cqe->user_data, cqe->res);
	}
	io_uring_smp_store_release(r->q.own.cq.khead, head);
	dv_flow_pieces(r);
}

static void reap_pool(struct devio_ring *r)
{
	void *data;
	int res;

	while (dv_pool_reap(r->q.pool, &data, &res))
		dv_ring_event(r, (uintptr_t)data, res);
}

void dv_fast_reap(struct devio_ring *r)
{
	unsigned int head, tail;
	struct sums sums = { 0 };

	r->copied = 0;
	if (!r->q.plain) {
		(r->q.big ? reap_big : reap_pool)(r);
		return;
	}
	head = *r->q.own.cq.khead;
	tail = io_uring_smp_load_acquire(r->q.own.cq.ktail);
	if (head == tail)
		return;
	while (head != tail) {
		const struct io_uring_cqe *cqe = dv_queue_cqe(&r->q, head++);
		/* On a ring of ours every user_data is a part. */
		struct dv_part *p = (struct dv_part *)(uintptr_t)cqe->user_data;

		if (p->fast.file) {
			fast_event(r, p, cqe->res, &sums);
			continue;
		}
		dv_ring_event(r, cqe->user_data, cqe->res);
		if (enough_copied(r))
			break;
	}
	io_uring_smp_store_release(r->q.own.cq.khead, head);
	sums_flush(r, &(struct sums){ sums.told, sums.ops, sums.bytes });
}
