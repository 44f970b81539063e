/* SPDX-License-Identifier: MIT */
/*
 * Zero-copy sends: the kernel numbers the sends of a connection and reports by the
 * error queue which of them have completed. The first pending part waits for the
 * reports.
 */
#include "config.h"
#include <sys/socket.h>
#include "kern/zerocopy.h"
#include "sock/rx.h"

struct __kernel_timespec dv_zc_pause = { .tv_nsec = 1000000 };

void dv_zc_count(struct dv_part *p)
{
	struct dv_tx *tx = dv_sock_of(p->op)->tx;

	if (!p->sock.tx.n)
		p->sock.tx.first = tx->next;
	tx->next++;
	p->sock.tx.n++;
	p->sock.tx.left += !tx->early;
	tx->early = false;
}

void dv_zc_pend(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	struct dv_stream *st = dv_stream_of(p->op);
	bool first = !st->pending;

	p->sock.step = DV_STEP_PENDING;
	p->take = payload;
	p->sock.tx.pending = NULL;
	*st->pending_tail = p;
	st->pending_tail = &p->sock.tx.pending;
	if (first)
		dv_zc_watch(r, p, false);
}

void dv_zc_watch(struct devio_ring *r, struct dv_part *p, bool pause)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_stream *st = dv_stream_of(p->op);
	struct dv_net n = { 0 };
	unsigned int nr_cqes;

	/* No report is awaited for a connection that is to be aborted. */
	pause |= r->closing;
	n.what = pause ? DV_NET_PAUSE : DV_NET_POLL_ERR;
	n.fd = pause ? -1 : s->fd;
	if (pause) {
		n.timeout = &dv_zc_pause;
	} else if (s->opts.idle_ns && !st->err) {
		st->watch_timeout.tv_sec = s->opts.idle_ns / 1000000000;
		st->watch_timeout.tv_nsec = s->opts.idle_ns % 1000000000;
		n.timeout = &st->watch_timeout;
	}
	if (dv_queue_net(&r->q, &n, p, dv_ring_tag(r, DV_TAG_TIMEOUT), &nr_cqes))
		dv_part_stall(r, p);
	else
		r->nr_io += nr_cqes;
}

/* Marks the sends lo to hi complete. Returns how many of them are known. */
static unsigned int mark_complete(struct dv_tx *tx, struct dv_stream *st, uint32_t lo, uint32_t hi)
{
	unsigned int n = dv_tx_overlap(tx->next, 1, lo, hi);

	tx->early |= n;
	for (struct dv_part *p = st->pending; p; p = p->sock.tx.pending) {
		uint32_t k = dv_tx_overlap(p->sock.tx.first, p->sock.tx.n, lo, hi);

		p->sock.tx.left -= k < p->sock.tx.left ? k : p->sock.tx.left;
		n += k;
	}
	for (unsigned int i = 0; i < st->count; i++) {
		struct dv_part *p = st->parts[(st->first + i) % DV_STREAM_PARTS];
		uint32_t k = p->sock.tx.n ? dv_tx_overlap(p->sock.tx.first, p->sock.tx.n, lo, hi) : 0;

		p->sock.tx.left -= k < p->sock.tx.left ? k : p->sock.tx.left;
		n += k;
	}
	return n;
}

unsigned int dv_zc_reap(struct devio_sock *s)
{
	struct dv_stream *st = &s->stream[1];
	unsigned int n = 0;
	uint32_t lo, hi;

	while (s->tx && dv_zerocopy_next(s->fd, &lo, &hi))
		n += mark_complete(s->tx, st, lo, hi);
	return n;
}

/* Makes the kernel drop the unsent bytes and release the memory. */
static void abort_connection(struct devio_sock *s, int err, enum devio_reason why)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct dv_stream *st = &s->stream[1];

	(void)connect(s->fd, &none, sizeof(none));
	dv_stream_fail(st, err, why);
	for (struct dv_part *p = st->pending; p; p = p->sock.tx.pending)
		dv_op_fail(p->op, p->x, st->err, st->why);
}

/* Completes the parts that the kernel no longer reads from, in any order. */
static void finish_released(struct devio_ring *r, struct dv_stream *st)
{
	struct dv_part **at = &st->pending, *ended = NULL;

	while (*at) {
		struct dv_part *p = *at;

		if (p->sock.tx.left) {
			at = &p->sock.tx.pending;
			continue;
		}
		*at = p->sock.tx.pending;
		p->sock.tx.pending = ended;
		ended = p;
	}
	st->pending_tail = at;
	/* After the list is consistent: finishing a part may send others. */
	while (ended) {
		struct dv_part *p = ended;

		ended = p->sock.tx.pending;
		dv_part_finish(r, p, p->take);
	}
}

void dv_zc_event(struct devio_ring *r, struct dv_part *p, int res)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_stream *st = dv_stream_of(p->op);
	unsigned int n = dv_zc_reap(s);
	struct dv_part *first = st->pending;
	bool was_canceled = p->op->canceled;

	if (!n && r->closing)
		abort_connection(s, -ECANCELED, DEVIO_REASON_CANCELED);
	else if (!n && res == -ECANCELED && s->opts.idle_ns && !was_canceled && !st->err)
		abort_connection(s, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	/* The next part starts to watch before others are finished: only one part may watch at a time. */
	while (first && !first->sock.tx.left)
		first = first->sock.tx.pending;
	if (first)
		dv_zc_watch(r, first, !n);
	finish_released(r, st);
}
