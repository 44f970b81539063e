/* SPDX-License-Identifier: MIT */
/*
 * Reaping completions. Parts that carry a whole operation, the majority, complete here;
 * the others are passed to their endpoint.
 */
#include "config.h"
#include <string.h>
#include "ring/engine.h"

#define COPY_BATCH (512u << 10) /* bytes copied before the caller gets a chance to refill the queue */

static void part_event(struct devio_ring *r, struct dv_part *p, int res)
{
	r->nr_io--;
	p->op->end->ops->event(r, p, res);
}

static __attribute__((noinline)) void promote_event(struct devio_ring *r, struct dv_part *p, int res)
{
	p->fast.end->ops->promote(r, p);
	part_event(r, p, res);
}

/* Counters of one batch, before they are added to those that other threads read. */
struct sums {
	uint64_t outcome;          /* struct dv_outcome */
	uint64_t ops;
	uint64_t bytes;
};

static __attribute__((noinline)) void sums_flush(struct devio_ring *r, const struct sums *n)
{
	struct devio_path_stat *s;
	struct dv_outcome outcome;
	bool write;

	memcpy(&outcome, &n->outcome, sizeof(outcome));
	s = &r->stat.sum.path[outcome.path];
	write = outcome.flags & DEVIO_DONE_WRITE;

	dv_stat_add(write ? &s->writes : &s->reads, n->ops);
	dv_stat_add(write ? &s->bytes_written : &s->bytes_read, n->bytes);
	if (outcome.path == DEVIO_PATH_FILE_BUFFERED)
		dv_stat_add(&s->copied, n->bytes);
}

static inline void sums_add(struct devio_ring *r, struct sums *n, const struct dv_outcome *outcome, uint32_t bytes)
{
	uint64_t now;

	memcpy(&now, outcome, sizeof(now));
	if (n->outcome != now) {
		const struct sums was = *n; /* a copy, so that n itself stays in registers */

		sums_flush(r, &was);
		*n = (struct sums){ .outcome = now };
	}
	n->ops++;
	n->bytes += bytes;
}

static inline __attribute__((always_inline)) void fast_event(struct devio_ring *r, struct dv_part *p, int res,
							     struct sums *sums)
{
	struct dv_fast *f = &p->fast;
	struct devio_completion *c;
	struct dv_outcome outcome;

	if (__builtin_expect(res != (int)p->len, 0)) {
		promote_event(r, p, res);
		return;
	}
	outcome = f->outcome; /* one load: the stores below might change it, for all that the compiler knows */
	c = dv_ring_done(r);
	c->cookie = f->cookie;
	c->result = res;
	c->good = res;
	c->copied = outcome.path == DEVIO_PATH_FILE_BUFFERED ? res : 0;
	memcpy(&c->path, &outcome, sizeof(outcome));
	c->frags = c->resv0 = 0;
	memset(c->resv, 0, sizeof(c->resv));
	sums_add(r, sums, &outcome, res);
	f->use->users--;
	dv_endpoint_put(f->end);
	dv_mem_put(f->mem);
	f->end = NULL;
	p->next = r->free_parts;
	r->free_parts = p;
	r->nr_io--;
}

static void fast_event_alone(struct devio_ring *r, struct dv_part *p, int res)
{
	struct sums sums = { 0 };

	fast_event(r, p, res, &sums);
	sums_flush(r, &sums);
}

bool dv_reap_event(struct devio_ring *r, uint64_t user_data, int res)
{
	uintptr_t first = (uintptr_t)r->parts, last = (uintptr_t)dv_ring_tag(r, DV_TAG_MAX);
	struct dv_part *p = (struct dv_part *)(uintptr_t)user_data;

	if (user_data < first || user_data >= last)
		return false;
	if (p->fast.end)
		fast_event_alone(r, p, res);
	else if (p == dv_ring_tag(r, DV_TAG_TIMER))
		r->timer_armed = false;
	else if (p == dv_ring_tag(r, DV_TAG_TIMEOUT))
		r->nr_io--;
	else if (p != dv_ring_tag(r, DV_TAG_CANCEL))
		part_event(r, p, res);
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

void dv_reap(struct devio_ring *r)
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
		/* On our own rings every user_data points to a part. */
		struct dv_part *p = (struct dv_part *)(uintptr_t)cqe->user_data;

		if (p->fast.end) {
			fast_event(r, p, cqe->res, &sums);
			continue;
		}
		dv_reap_event(r, cqe->user_data, cqe->res);
		if (enough_copied(r))
			break;
	}
	io_uring_smp_store_release(r->q.own.cq.khead, head);
	sums_flush(r, &(struct sums){ sums.outcome, sums.ops, sums.bytes });
}
