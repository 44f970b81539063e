/* SPDX-License-Identifier: MIT */
/* Flows: the steps of one direction of a connection, one at a time with the kernel. */
#include "config.h"
#include <sys/socket.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "path/choose.h"

enum devio_reason dv_flow_reason(int err)
{
	switch (err) {
	case -ECONNRESET:
	case -ECONNABORTED:
	case -EPIPE:
		return DEVIO_REASON_RESET;
	case -ETIMEDOUT:
		return DEVIO_REASON_TIMEOUT;
	case -ENODEV:
		return DEVIO_REASON_REVOKED;
	case -EFAULT:
		return DEVIO_REASON_NET_UNREADABLE;
	default:
		return DEVIO_REASON_NET;
	}
}

void dv_flow_cancel_io(struct devio_ring *r, const struct dv_flow *fl)
{
	if (fl->io && dv_queue_cancel(&r->q, fl->io, &r->parts[r->nr_parts]))
		r->owes_cancel = true;
}

void dv_flow_recancel(struct devio_ring *r)
{
	r->owes_cancel = false;
	for (unsigned int i = 0; i < r->nr_ops; i++) {
		const struct dv_op *op = &r->ops[i];
		const struct dv_part *io = op->active && op->sock ? dv_flow_of(op)->io : NULL;

		if (io && io->op == op && (dv_op_dead(op) || io->enough))
			dv_flow_cancel_io(r, dv_flow_of(op));
	}
}

/* Out of the flow's hands; a part at the front of the line leaves it. */
static void leave(struct dv_flow *fl, const struct dv_part *p)
{
	if (fl->io == p)
		fl->io = NULL;
	if (fl->count && fl->line[fl->first] == p) {
		fl->first = (fl->first + 1) % DV_FLOW_LINE;
		fl->count--;
	}
}

/* Out of the stream; the kernel may still read from the memory. */
static void end(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	if (p->zc_left)
		dv_flow_hold(r, p, payload);
	else
		dv_part_finish(r, p, payload);
}

void dv_flow_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why)
{
	struct dv_op *op = p->op;

	leave(dv_flow_of(op), p);
	if (!op->write)
		op->issued = p->x + p->done; /* there is no later part */
	dv_op_fail(op, p->x + p->done, err, why);
	end(r, p, p->path->piecewise ? 0 : p->done); /* pieces were counted when they came */
}

void dv_flow_give_up_dead(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_flow *fl = dv_flow_of(p->op);

	if (fl->err)
		dv_flow_give_up(r, p, fl->err, fl->why);
	else if (p->op->canceled)
		dv_flow_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
	else
		dv_flow_give_up(r, p, p->op->err, p->op->fail_reason);
}

/*
 * A receive takes what is there. Waiting for all of it, the kernel would tell
 * of bytes and keep silent about the reset behind them, which it tells once:
 * the next receive would see the end of the stream.
 */
static int flags_of(const struct dv_part *p)
{
	if (p->step == DV_STEP_MOVE_NOW)
		return MSG_NOSIGNAL | MSG_DONTWAIT;
	return MSG_NOSIGNAL | (p->op->write && !p->path->frame ? MSG_WAITALL : 0);
}

static void to_kernel(const struct dv_part *p, struct dv_net *n)
{
	n->what = p->op->write ? DV_NET_SEND : DV_NET_RECV;
	n->addr = p->addr + p->done;
	n->len = p->len - p->done;
	n->flags = flags_of(p);
}

void dv_flow_submit(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = p->op->sock;
	struct dv_flow *fl = dv_flow_of(p->op);
	struct dv_net n = { .fd = s->fd };
	unsigned int answers;
	int rc;

	if (p->step == DV_STEP_POLL) {
		n.what = p->op->write ? DV_NET_POLL_OUT : DV_NET_POLL_IN;
	} else if (p->step == DV_STEP_PAUSE) {
		n.what = DV_NET_PAUSE;
		n.patience = &dv_flow_pause;
	} else {
		to_kernel(p, &n);
		if (p->path->frame)
			p->path->frame(p, &n);
	}
	if (s->opts.idle_ns && p->step != DV_STEP_MOVE_NOW && p->step != DV_STEP_PAUSE) {
		int64_t ns = p->path->piecewise ? dv_flow_zc_patience(p) : s->opts.idle_ns;

		fl->patience.tv_sec = ns / 1000000000;
		fl->patience.tv_nsec = ns % 1000000000;
		n.patience = &fl->patience;
	}
	fl->io = p;
	rc = dv_queue_net(&r->q, &n, p, &r->parts[r->nr_parts + 2], &answers);
	if (!rc) {
		r->nr_io += answers;
	} else if (rc == -EAGAIN) {
		p->next = r->stalled;
		r->stalled = p;
	} else {
		dv_flow_give_up(r, p, rc, DEVIO_REASON_NO_URING);
	}
}

int dv_flow_slot(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_slot *slot)
{
	int rc = dv_slots_get(&r->slots, &r->q, len, slot);

	if (rc)
		return rc;
	dv_slots_pin(&r->slots, op->mem);
	dv_stat_add(&r->stat.staging_peak, r->slots.peak - r->stat.staging_peak);
	return 0;
}

static void copy(struct devio_ring *r, struct dv_part *p)
{
	r->nr_staged++;
	dv_part_copy(r, p);
}

/* The socket is ready: now a slot is worth having. */
static void take_slot(struct devio_ring *r, struct dv_part *p)
{
	int rc = dv_flow_slot(r, p->op, p->len, &p->slot);

	if (rc == -EAGAIN) {
		p->step = DV_STEP_SLOT;
		p->next = r->stalled;
		r->stalled = p;
		return;
	}
	if (rc) {
		dv_flow_give_up(r, p, rc, DEVIO_REASON_NO_SLOT);
		return;
	}
	p->addr = (uintptr_t)p->slot.buf;
	p->step = DV_STEP_MOVE_NOW;
	if (p->op->write)
		copy(r, p);
	else
		dv_flow_submit(r, p);
}

static void go_on(struct devio_ring *r, struct dv_part *p)
{
	/* The kernel may say that there is room, and have none for device memory. */
	p->pauses += p->path->frame != NULL;
	if (p->way == DV_WAY_STAGED_CACHE && !p->slot.buf) {
		take_slot(r, p);
		return;
	}
	p->step = DV_STEP_MOVE_NOW;
	dv_flow_submit(r, p);
}

/* Nothing can be moved now; meanwhile others need the slot more. */
static void await(struct devio_ring *r, struct dv_part *p)
{
	if (p->slot.buf && !p->done)
		dv_slots_put(&r->slots, &p->slot);
	p->step = DV_STEP_POLL;
	dv_flow_submit(r, p);
}

static void pause_part(struct devio_ring *r, struct dv_part *p)
{
	p->step = DV_STEP_PAUSE;
	dv_flow_submit(r, p);
}

/*
 * The payload lies in device memory; the socket keeps it. The NIC was set up
 * after this operation's path was chosen, or it is not for us to read.
 */
static void unreadable(struct devio_ring *r, struct dv_part *p)
{
	struct dv_op *op = p->op;
	const struct devio_nic *nic = op->forced || dv_rx_open(op->sock) ? NULL : op->sock->rx->nic;

	if (!nic || (nic->by_ring && nic->ring != r)) {
		dv_flow_give_up(r, p, -EFAULT, DEVIO_REASON_NET_UNREADABLE);
		return;
	}
	leave(dv_flow_of(op), p);
	op->issued = p->x;
	op->path = nic->by_ring ? &dv_path_sock_zcrx : &dv_path_sock_devmem;
	op->best_unused = op->reason = 0;
	dv_part_finish(r, p, 0);
}

static void failed(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_flow *fl = dv_flow_of(p->op);

	if (err == -EFAULT && !p->op->write && !p->path->frame && !fl->err && !dv_op_dead(p->op)) {
		unreadable(r, p);
		return;
	}
	if (err == -ENOBUFS && (p->zc_n || fl->held) && !fl->err && !dv_op_dead(p->op)) {
		pause_part(r, p);
		return;
	}
	if (err != -ECANCELED && err != -EAGAIN && err != -EINTR && !fl->err) {
		/* The kernel tells it once and calls it the end of the stream afterwards. */
		fl->err = err;
		fl->why = dv_flow_reason(err);
	}
	if (fl->err || dv_op_dead(p->op))
		dv_flow_give_up_dead(r, p);
	else if (err == -ECANCELED && p->op->sock->opts.idle_ns)
		dv_flow_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else if (err == -ECANCELED)
		dv_flow_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
	else if (err == -EAGAIN && p->path->frame && p->step == DV_STEP_MOVE_NOW && p->op->write && p->pauses)
		pause_part(r, p);
	else if (err == -EAGAIN)
		await(r, p);
	else
		dv_flow_submit(r, p);
}

/* Bytes of the stream that have left the socket are lost: nothing after them has its place. */
static void lose_stream(struct devio_ring *r, struct dv_flow *fl)
{
	if (!fl->err) {
		fl->err = -EIO;
		fl->why = DEVIO_REASON_BROKEN;
	}
	if (fl->io) {
		dv_op_fail(fl->io->op, fl->io->x, fl->err, fl->why);
		dv_flow_cancel_io(r, fl);
	}
}

/* What the NIC wrote into its memory goes to its place, and the NIC gets its pieces back. */
static void landed(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	int copied = p->path->landed(r, p, n);

	if (copied < 0) {
		dv_op_fail(p->op, p->x, copied, DEVIO_REASON_COPY);
		lose_stream(r, dv_flow_of(p->op));
		dv_part_finish(r, p, 0);
		return;
	}
	p->op->by_way[DV_WAY_DIRECT] += n - (uint32_t)copied;
	p->way = DV_WAY_STAGED_CACHE;
	dv_part_finish(r, p, (uint32_t)copied);
}

static void received(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = dv_flow_of(op);

	fl->io = NULL;
	op->issued = p->x + n;
	p->take = n;
	if (!n)
		fl->ended = true;
	if (!n || op->want & DEVIO_SOCK_PARTIAL)
		op->eof_x = op->issued;
	if (n && p->path->landed) {
		landed(r, p, n);
		return;
	}
	if (!n || !p->slot.buf) {
		dv_part_finish(r, p, n);
		return;
	}
	/* The next receive before the copy: the two overlap. */
	dv_flow_go(r, op->sock, false);
	copy(r, p);
}

static void sent(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = dv_flow_of(op);

	p->done += n;
	p->pauses = 0;
	if (p->path->frame)
		dv_flow_count(p);
	if (p->done == p->len) {
		leave(fl, p);
		end(r, p, p->len);
	} else if (fl->err || dv_op_dead(op)) {
		dv_flow_give_up_dead(r, p);
	} else if (p->step == DV_STEP_MOVE_NOW && fl->count == 1 && p->slot.buf) {
		/* The slot does not wait for the rest, which is copied again. */
		op->issued = p->x + p->done;
		leave(fl, p);
		dv_part_finish(r, p, p->done);
	} else {
		p->step = p->step == DV_STEP_MOVE_NOW ? DV_STEP_POLL : DV_STEP_MOVE;
		dv_flow_submit(r, p);
	}
}

static void resume(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_flow *fl = dv_flow_of(p->op);

	/* The news are for the one that watches, if there is one. */
	if (!fl->held)
		(void)dv_flow_reap(p->op->sock);
	p->pauses++;
	p->step = DV_STEP_MOVE_NOW;
	if (fl->err || dv_op_dead(p->op))
		dv_flow_give_up_dead(r, p);
	else if (p->op->sock->opts.idle_ns && p->pauses * (int64_t)dv_flow_pause.tv_nsec > p->op->sock->opts.idle_ns)
		dv_flow_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_flow_submit(r, p);
}

void dv_flow_event(struct devio_ring *r, struct dv_part *p, int res)
{
	struct devio_sock *s = dv_sock_get(p->op->sock);
	bool send = p->op->write;

	if (p->step == DV_STEP_HELD)
		dv_flow_held(r, p, res);
	else if (p->step == DV_STEP_PAUSE)
		resume(r, p);
	else if (p->path->piecewise)
		dv_flow_zc_ended(r, p, res);
	else if (res < 0)
		failed(r, p, res);
	else if (p->step == DV_STEP_POLL && (dv_op_dead(p->op) || dv_flow_of(p->op)->err))
		dv_flow_give_up_dead(r, p);
	else if (p->step == DV_STEP_POLL)
		go_on(r, p);
	else if (send && !res)
		failed(r, p, -EIO); /* not seen; without this it would be tried for ever */
	else if (send)
		sent(r, p, res);
	else
		received(r, p, res);
	dv_flow_go(r, s, send);
	dv_sock_put(s);
}

void dv_flow_retry(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = dv_sock_get(p->op->sock);
	bool send = p->op->write;

	if (p->step == DV_STEP_HELD)
		dv_flow_watch(r, p, false);
	else if (dv_flow_of(p->op)->err || dv_op_dead(p->op))
		dv_flow_give_up_dead(r, p);
	else if (p->step == DV_STEP_SLOT)
		take_slot(r, p);
	else
		dv_flow_submit(r, p);
	dv_flow_go(r, s, send);
	dv_sock_put(s);
}

void dv_flow_copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = dv_flow_of(op);

	if (err)
		dv_op_fail(op, p->x, err, DEVIO_REASON_COPY);
	if (!op->write) {
		if (err)
			lose_stream(r, fl);
		dv_part_finish(r, p, err ? 0 : p->take);
	} else if (fl->io != p) {
		p->step = DV_STEP_READY;
		dv_flow_go(r, op->sock, true);
	} else if (fl->err || dv_op_dead(op)) {
		dv_flow_give_up_dead(r, p);
	} else {
		dv_flow_submit(r, p);
	}
}

bool dv_flow_full(const struct dv_op *op, bool alone)
{
	const struct dv_flow *fl = dv_flow_of(op);

	return alone ? fl->count : fl->count == DV_FLOW_LINE;
}

void dv_flow_part(struct devio_ring *r, struct dv_part *p)
{
	struct dv_flow *fl = dv_flow_of(p->op);

	if (!p->op->write) {
		dv_flow_submit(r, p);
		return;
	}
	fl->line[(fl->first + fl->count++) % DV_FLOW_LINE] = p;
	if (p->step == DV_STEP_COPY)
		copy(r, p);
}

void dv_flow_kick(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_part *p = fl->line[fl->first];

	if (fl->io || !fl->count || p->step == DV_STEP_COPY)
		return;
	if (fl->err || dv_op_dead(p->op)) {
		/* Its operation ends first, and with it perhaps the one whose part is next. */
		fl->again = true;
		dv_flow_give_up_dead(r, p);
		return;
	}
	/* With MSG_ZEROCOPY io_uring would wait in a thread, one for each connection. */
	if (p->step == DV_STEP_READY)
		p->step = p->path->frame ? DV_STEP_MOVE_NOW : DV_STEP_MOVE;
	dv_flow_submit(r, p);
	fl->again |= !fl->io;
}
