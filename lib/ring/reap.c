/* SPDX-License-Identifier: MIT */
/*
 * Reaping completions. Parts that carry a whole operation, the majority, complete here;
 * the others are passed to their endpoint.
 */
#include "config.h"
#include <string.h>
#include "ring/index.h"
#include "ring/pair.h"

#define COPY_BATCH (512u << 10) /* bytes copied before the caller gets a chance to refill the queue */

/* The last 32 bytes of a completion in two registers; the first of them are the outcome, the others 0. */
typedef uint64_t two_words __attribute__((vector_size(16), aligned(8), may_alias));
_Static_assert(offsetof(struct devio_completion, path) == 32 && offsetof(struct devio_completion, frags) == 40,
	       "struct dv_outcome, then zeros");

static void part_event(struct devio_ring *r, struct dv_part *p, int res)
{
	r->nr_io--;
	p->op->end->ops->event(r, p, res);
}

/* Counters of one batch, before they are added to those that other threads read. */
struct sums {
	struct dv_outcome outcome;
	uint64_t ops;
	uint64_t bytes;
};

static void sums_flush(struct devio_ring *r, const struct sums *n)
{
	struct devio_path_stat *s = &r->stat.sum.path[n->outcome.path];
	bool write = n->outcome.flags & DEVIO_DONE_WRITE;

	dv_stat_add(write ? &s->writes : &s->reads, n->ops);
	dv_stat_add(write ? &s->bytes_written : &s->bytes_read, n->bytes);
	if (n->outcome.path == DEVIO_PATH_FILE_BUFFERED)
		dv_stat_add(&s->copied, n->bytes);
}

static void sums_add(struct devio_ring *r, struct sums *n, struct dv_outcome outcome, uint64_t ops, uint64_t bytes)
{
	if (memcmp(&n->outcome, &outcome, sizeof(outcome))) {
		sums_flush(r, n);
		*n = (struct sums){ .outcome = outcome };
	}
	n->ops += ops;
	n->bytes += bytes;
}

/*
 * Completes up to n operations that were started by the plan and transferred all of their
 * bytes, and frees their parts. The number of operations; *bytes is the sum of their bytes.
 */
static inline __attribute__((always_inline)) unsigned int
complete_run(struct devio_ring *r, const struct dv_plan *pl, const struct io_uring_cqe *cqe, unsigned int n,
	     struct devio_completion *c, uint64_t *bytes)
{
	const int64_t copied = pl->outcome.path == DEVIO_PATH_FILE_BUFFERED ? -1 : 0;
	const struct devio_completion *first = c, *end = c + n;
	struct dv_part *free_parts = r->free_parts;
	const two_words none = { 0, 0 };
	two_words outcome = none;
	uint64_t sum = 0;

	memcpy(&outcome, &pl->outcome, sizeof(pl->outcome));
	for (; c != end; c++, cqe++) {
		struct dv_part *p = (struct dv_part *)(uintptr_t)cqe->user_data;
		int64_t res = cqe->res;

		if (p->fast.plan != pl || (uint32_t)res != p->len)
			break;
		c->cookie = p->fast.cookie;
		c->result = res;
		c->good = res;
		c->copied = res & copied;
		*(two_words *)&c->path = outcome;
		*(two_words *)c->resv = none;
		sum += res;
		p->next = free_parts;
		free_parts = p;
	}
	r->free_parts = free_parts;
	*bytes = sum;
	return c - first;
}

/* The same for CQEs in a row, with all that is to be counted. */
static unsigned int fast_events(struct devio_ring *r, struct dv_plan *pl, const struct io_uring_cqe *cqe,
				unsigned int n, struct sums *sums)
{
	unsigned int done, room = r->sink_end - r->sink, tail = r->done_tail & r->done_mask;
	uint64_t bytes;

	if (room) {
		done = complete_run(r, pl, cqe, n < room ? n : room, r->sink, &bytes);
		r->sink += done;
		r->room += done;
	} else {
		room = r->done_mask + 1 - tail;
		done = complete_run(r, pl, cqe, n < room ? n : room, &r->done[tail], &bytes);
		r->done_tail += done;
	}
	r->nr_io -= done;
	sums_add(r, sums, pl->outcome, done, bytes);
	return done;
}

/* One of any kind that carries a whole operation. */
static void fast_event(struct devio_ring *r, struct dv_part *p, int res, struct sums *sums)
{
	const struct io_uring_cqe cqe = { .user_data = (uintptr_t)p, .res = res };
	struct dv_plan *pl = p->fast.plan;

	if (!fast_events(r, pl, &cqe, 1, sums)) {
		dv_fast_end(r, p)->ops->promote(r, p);
		part_event(r, p, res);
		return;
	}
	if (r->index)
		dv_index_remove_part(r, p);
	if (pl == &r->pairs->no_pair) {
		dv_endpoint_put(p->fast.end);
		dv_mem_put(p->fast.mem);
	} else {
		dv_plan_put(r, pl, 1);
	}
}

bool dv_reap_event(struct devio_ring *r, uint64_t user_data, int res)
{
	uintptr_t first = (uintptr_t)r->parts, last = (uintptr_t)dv_ring_tag(r, DV_TAG_MAX);
	struct dv_part *p = (struct dv_part *)(uintptr_t)user_data;
	struct sums sums = { .ops = 0 };

	if (user_data < first || user_data >= last)
		return false;
	if (p->fast.plan) {
		fast_event(r, p, res, &sums);
		sums_flush(r, &sums);
	} else if (p == dv_ring_tag(r, DV_TAG_TIMER)) {
		r->timer_armed = false;
	} else if (p == dv_ring_tag(r, DV_TAG_TIMEOUT)) {
		r->nr_io--;
	} else if (p != dv_ring_tag(r, DV_TAG_CANCEL)) {
		part_event(r, p, res);
	}
	return true;
}

/*
 * Copies take time, during which the drive should not run out of work: once enough bytes
 * are copied and the caller has a completion, return so that it can submit more. The
 * remaining CQEs stay in the queue.
 */
static inline bool enough_copied(struct devio_ring *r)
{
	return r->copied >= COPY_BATCH && r->sink != r->sink_begin;
}

/* 32-byte CQEs: those with IORING_CQE_F_MORE report a fragment of a multishot receive. */
static void reap_big(struct devio_ring *r)
{
	unsigned int head = *r->q.own.cq.khead, tail = io_uring_smp_load_acquire(r->q.own.cq.ktail);

	while (head != tail && !enough_copied(r)) {
		uint64_t off;
		const struct io_uring_cqe *cqe = dv_queue_big_cqe(&r->q, head++, &off);

		if (cqe->flags & IORING_CQE_F_MORE) {
			struct dv_part *p = (struct dv_part *)(uintptr_t)cqe->user_data;

			p->op->end->ops->piece(r, p, cqe->res, off);
		} else {
			dv_reap_event(r, cqe->user_data, cqe->res);
		}
	}
	io_uring_smp_store_release(r->q.own.cq.khead, head);
	if (r->collecting)
		r->collecting->op->end->ops->pieces(r);
}

static void reap_pool(struct devio_ring *r)
{
	void *data;
	int res;

	while (dv_pool_reap(r->q.pool, &data, &res))
		dv_reap_event(r, (uintptr_t)data, res);
}

/* Completes operations of one plan, up to the end of the queue's memory. Their number; 0: not the first CQE's. */
static inline unsigned int reap_run(struct devio_ring *r, unsigned int head, unsigned int tail, struct sums *sums)
{
	unsigned int n = tail - head, left = r->q.own.cq.ring_entries - (head & r->q.own.cq.ring_mask);
	const struct io_uring_cqe *cqe = dv_queue_cqe(&r->q, head);
	/* On our own rings every user_data points to a part. */
	struct dv_plan *pl = ((struct dv_part *)(uintptr_t)cqe->user_data)->fast.plan;

	if (!pl || pl == &r->pairs->no_pair || r->index)
		return 0;
	n = fast_events(r, pl, cqe, n < left ? n : left, sums);
	dv_plan_put(r, pl, n);
	return n;
}

void dv_reap(struct devio_ring *r)
{
	struct sums sums = { .ops = 0 };
	unsigned int head, tail, n;

	r->copied = 0;
	if (!r->q.plain) {
		(r->q.big ? reap_big : reap_pool)(r);
		return;
	}
	head = *r->q.own.cq.khead;
	tail = io_uring_smp_load_acquire(r->q.own.cq.ktail);
	if (head == tail)
		return;
	for (; head != tail; head += n) {
		const struct io_uring_cqe *cqe;

		n = reap_run(r, head, tail, &sums);
		if (n)
			continue;
		cqe = dv_queue_cqe(&r->q, head);
		dv_reap_event(r, cqe->user_data, cqe->res);
		n = 1;
		if (enough_copied(r)) {
			head++;
			break;
		}
	}
	io_uring_smp_store_release(r->q.own.cq.khead, head);
	sums_flush(r, &sums);
}
