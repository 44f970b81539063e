/* SPDX-License-Identifier: MIT */
/*
 * Flows: parts that were sent from the memory itself. The kernel counts the
 * sends of a connection and tells by the error queue which of them it has let
 * go of; the first part that is held waits for that news.
 */
#include "config.h"
#include <sys/socket.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "kern/zerocopy.h"
#include "path/choose.h"

struct __kernel_timespec dv_flow_pause = { .tv_nsec = 1000000 };

void dv_flow_count(struct dv_part *p)
{
	struct dv_tx *tx = p->op->sock->tx;

	if (!p->zc_n)
		p->zc_first = tx->next;
	tx->next++;
	p->zc_n++;
	p->zc_left += !tx->early;
	tx->early = false;
}

void dv_flow_hold(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	struct dv_flow *fl = dv_flow_of(p->op);
	bool first = !fl->held;

	p->step = DV_STEP_HELD;
	p->take = payload;
	p->held = NULL;
	*fl->held_tail = p;
	fl->held_tail = &p->held;
	if (first)
		dv_flow_watch(r, p, false);
}

void dv_flow_watch(struct devio_ring *r, struct dv_part *p, bool pause)
{
	struct devio_sock *s = p->op->sock;
	struct dv_flow *fl = dv_flow_of(p->op);
	struct dv_net n = { 0 };
	unsigned int answers;
	int rc;

	/* Nobody would tell of a connection that is to be aborted. */
	pause |= r->closing;
	n.what = pause ? DV_NET_PAUSE : DV_NET_POLL_ERR;
	n.fd = pause ? -1 : s->fd;
	if (pause) {
		n.patience = &dv_flow_pause;
	} else if (s->opts.idle_ns && !fl->err) {
		fl->held_patience.tv_sec = s->opts.idle_ns / 1000000000;
		fl->held_patience.tv_nsec = s->opts.idle_ns % 1000000000;
		n.patience = &fl->held_patience;
	}
	rc = dv_queue_net(&r->q, &n, p, &r->parts[r->nr_parts + 2], &answers);
	if (!rc) {
		r->nr_io += answers;
		return;
	}
	p->next = r->stalled;
	r->stalled = p;
}

/* The sends lo to hi are over: 1 for each that was known. */
static unsigned int let_go(struct dv_tx *tx, struct dv_flow *fl, uint32_t lo, uint32_t hi)
{
	unsigned int n = dv_tx_overlap(tx->next, 1, lo, hi);

	tx->early |= n;
	for (struct dv_part *p = fl->held; p; p = p->held) {
		uint32_t k = dv_tx_overlap(p->zc_first, p->zc_n, lo, hi);

		p->zc_left -= k < p->zc_left ? k : p->zc_left;
		n += k;
	}
	for (unsigned int i = 0; i < fl->count; i++) {
		struct dv_part *p = fl->line[(fl->first + i) % DV_FLOW_LINE];
		uint32_t k = p->zc_n ? dv_tx_overlap(p->zc_first, p->zc_n, lo, hi) : 0;

		p->zc_left -= k < p->zc_left ? k : p->zc_left;
		n += k;
	}
	return n;
}

unsigned int dv_flow_reap(struct devio_sock *s)
{
	struct dv_flow *fl = &s->flow[1];
	unsigned int n = 0;
	uint32_t lo, hi;

	while (s->tx && dv_zerocopy_next(s->fd, &lo, &hi))
		n += let_go(s->tx, fl, lo, hi);
	return n;
}

/* The kernel gives the bytes up, and the memory back. */
static void abort_connection(struct devio_sock *s, int err, enum devio_reason why)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct dv_flow *fl = &s->flow[1];

	(void)connect(s->fd, &none, sizeof(none));
	if (!fl->err) {
		fl->err = err;
		fl->why = why;
	}
	for (struct dv_part *p = fl->held; p; p = p->held)
		dv_op_fail(p->op, p->x, fl->err, fl->why);
}

/* Ends those that the kernel has let go of, in any order. */
static void finish_free(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_part **at = &fl->held, *ended = NULL;

	while (*at) {
		struct dv_part *p = *at;

		if (p->zc_left) {
			at = &p->held;
			continue;
		}
		*at = p->held;
		p->held = ended;
		ended = p;
	}
	fl->held_tail = at;
	/* Ending one may send others: the list is whole by now. */
	while (ended) {
		struct dv_part *p = ended;

		ended = p->held;
		dv_part_finish(r, p, p->take);
	}
}

void dv_flow_held(struct devio_ring *r, struct dv_part *p, int res)
{
	struct devio_sock *s = p->op->sock;
	struct dv_flow *fl = dv_flow_of(p->op);
	unsigned int n = dv_flow_reap(s);
	struct dv_part *first = fl->held;
	bool was_canceled = p->op->canceled;

	if (!n && r->closing)
		abort_connection(s, -ECANCELED, DEVIO_REASON_CANCELED);
	else if (!n && res == -ECANCELED && s->opts.idle_ns && !was_canceled && !fl->err)
		abort_connection(s, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	/* The first stays the one that watches until another does: nobody else may begin to meanwhile. */
	while (first && !first->zc_left)
		first = first->held;
	if (first)
		dv_flow_watch(r, first, !n);
	finish_free(r, fl);
}
