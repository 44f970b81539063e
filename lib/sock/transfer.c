/* SPDX-License-Identifier: MIT */
/* Transfers: the steps of one direction of a connection, one at a time with the kernel. */
#include "config.h"
#include <sys/socket.h>
#include "sock/rx.h"

enum devio_reason dv_transfer_reason(int err)
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

void dv_transfer_cancel_io(struct devio_ring *r, const struct dv_stream *st)
{
	if (st->io && dv_queue_cancel(&r->q, st->io, dv_ring_tag(r, DV_TAG_CANCEL)))
		r->owes_cancel = true;
}

/* The part leaves the stream; one at the front of the line leaves that, too. */
static void leave(struct dv_stream *st, const struct dv_part *p)
{
	if (st->io == p)
		st->io = NULL;
	if (st->count && st->line[st->first] == p) {
		st->first = (st->first + 1) % DV_STREAM_LINE;
		st->count--;
	}
}

/* Out of the stream; the kernel may still read from the memory. */
static void end(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	if (p->op->write && p->sock.tx.left)
		dv_zc_pend(r, p, payload);
	else
		dv_part_finish(r, p, payload);
}

void dv_transfer_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why)
{
	struct dv_op *op = p->op;

	leave(dv_stream_of(op), p);
	if (!op->write)
		op->issued = p->x + p->done; /* there is no later part */
	dv_op_fail(op, p->x + p->done, err, why);
	end(r, p, dv_sock_path(p)->ended ? 0 : p->done); /* pieces were counted when they arrived */
}

void dv_transfer_give_up_dead(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_stream *st = dv_stream_of(p->op);

	if (st->err)
		dv_transfer_give_up(r, p, st->err, st->why);
	else if (p->op->canceled)
		dv_transfer_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
	else
		dv_transfer_give_up(r, p, p->op->err, p->op->fail_reason);
}

/*
 * A receive takes what is there. Waiting for all of it, the kernel would
 * report bytes and not the reset behind them, which it reports once: the next
 * receive would see the end of the stream.
 */
static int flags_of(const struct dv_part *p)
{
	if (p->sock.step == DV_STEP_MOVE_NOW)
		return MSG_NOSIGNAL | MSG_DONTWAIT;
	return MSG_NOSIGNAL | (p->op->write && !dv_sock_path(p)->frame ? MSG_WAITALL : 0);
}

static void to_kernel(const struct dv_part *p, struct dv_net *n)
{
	n->what = p->op->write ? DV_NET_SEND : DV_NET_RECV;
	n->addr = p->addr + p->done;
	n->len = p->len - p->done;
	n->flags = flags_of(p);
}

void dv_transfer_submit(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_stream *st = dv_stream_of(p->op);
	struct dv_net n = { .fd = s->fd };
	unsigned int answers;
	int rc;

	if (p->sock.step == DV_STEP_POLL) {
		n.what = p->op->write ? DV_NET_POLL_OUT : DV_NET_POLL_IN;
	} else if (p->sock.step == DV_STEP_PAUSE) {
		n.what = DV_NET_PAUSE;
		n.timeout = &dv_zc_pause;
	} else {
		to_kernel(p, &n);
		if (dv_sock_path(p)->frame)
			dv_sock_path(p)->frame(p, &n);
	}
	if (s->opts.idle_ns && p->sock.step != DV_STEP_MOVE_NOW && p->sock.step != DV_STEP_PAUSE) {
		int64_t ns = dv_sock_path(p)->timeout ? dv_sock_path(p)->timeout(p) : s->opts.idle_ns;

		st->timeout.tv_sec = ns / 1000000000;
		st->timeout.tv_nsec = ns % 1000000000;
		n.timeout = &st->timeout;
	}
	st->io = p;
	rc = dv_queue_net(&r->q, &n, p, dv_ring_tag(r, DV_TAG_TIMEOUT), &answers);
	if (!rc) {
		r->nr_io += answers;
	} else if (rc == -EAGAIN) {
		dv_part_stall(r, p);
	} else {
		dv_transfer_give_up(r, p, rc, DEVIO_REASON_NO_URING);
	}
}

struct dv_part *dv_transfer_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take)
{
	struct dv_part *p = dv_part_get(r, op, x, take);

	if (p)
		p->sock = (struct dv_part_sock){ .step = DV_STEP_COPY };
	return p;
}

void dv_transfer_copy(struct devio_ring *r, struct dv_part *p)
{
	r->nr_staged++;
	dv_part_copy(r, p);
}

/* The socket is ready: now a slot is worth having. */
static void take_slot(struct devio_ring *r, struct dv_part *p)
{
	int rc = dv_part_stage(r, p->op, p->len, &p->slot);

	if (rc == -EAGAIN) {
		p->sock.step = DV_STEP_SLOT;
		dv_part_stall(r, p);
		return;
	}
	if (rc) {
		dv_transfer_give_up(r, p, rc, DEVIO_REASON_NO_SLOT);
		return;
	}
	p->addr = (uintptr_t)p->slot.buf;
	p->sock.step = DV_STEP_MOVE_NOW;
	if (p->op->write)
		dv_transfer_copy(r, p);
	else
		dv_transfer_submit(r, p);
}

static void go_on(struct devio_ring *r, struct dv_part *p)
{
	/* The kernel may report room, and have none for device memory. */
	p->sock.tx.pauses += p->op->write && dv_sock_path(p)->frame;
	if (p->mode == DV_MODE_STAGED_CACHE && !p->slot.buf) {
		take_slot(r, p);
		return;
	}
	p->sock.step = DV_STEP_MOVE_NOW;
	dv_transfer_submit(r, p);
}

/* Nothing can be moved now; meanwhile others need the slot more. */
static void await(struct devio_ring *r, struct dv_part *p)
{
	if (p->slot.buf && !p->done)
		dv_staging_put(&r->staging, &p->slot);
	p->sock.step = DV_STEP_POLL;
	dv_transfer_submit(r, p);
}

static void pause_part(struct devio_ring *r, struct dv_part *p)
{
	p->sock.step = DV_STEP_PAUSE;
	dv_transfer_submit(r, p);
}

/*
 * The payload is in device memory, and the socket keeps it. The NIC was set up
 * after this operation's path was chosen, or the bytes are not readable here.
 */
static void unreadable(struct devio_ring *r, struct dv_part *p)
{
	struct dv_op *op = p->op;
	struct devio_sock *s = dv_sock_of(op);
	const struct devio_nic *nic = op->forced || dv_rx_open(s) ? NULL : s->rx->nic;

	if (!nic || (nic->binding->per_ring && nic->ring != r)) {
		dv_transfer_give_up(r, p, -EFAULT, DEVIO_REASON_NET_UNREADABLE);
		return;
	}
	leave(dv_stream_of(op), p);
	op->issued = p->x;
	op->path = dv_path_by_id(op, nic->binding->per_ring ? DEVIO_PATH_SOCK_ZCRX : DEVIO_PATH_SOCK_DEVMEM);
	op->best_unused = op->reason = 0;
	dv_part_finish(r, p, 0);
}

/* The kernel reports an error once and the end of the stream afterwards. */
static void keep_error(struct dv_stream *st, int err)
{
	if (st->err || err == -ECANCELED || err == -EAGAIN || err == -EINTR)
		return;
	st->err = err;
	st->why = dv_transfer_reason(err);
}

/* Cancelled by the timeout, where there is one: our own cancellations were seen to before. */
static void timed_out(struct devio_ring *r, struct dv_part *p)
{
	if (dv_sock_of(p->op)->opts.idle_ns)
		dv_transfer_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_transfer_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
}

static void not_ready(struct devio_ring *r, struct dv_part *p)
{
	bool zerocopy = p->op->write && dv_sock_path(p)->frame;

	if (zerocopy && p->sock.step == DV_STEP_MOVE_NOW && p->sock.tx.pauses)
		pause_part(r, p);
	else
		await(r, p);
}

static void failed(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_stream *st = dv_stream_of(p->op);
	bool dead = st->err || dv_op_dead(p->op), send = p->op->write;

	if (!dead && err == -EFAULT && !send && !dv_sock_path(p)->frame) {
		unreadable(r, p);
		return;
	}
	if (!dead && err == -ENOBUFS && send && (p->sock.tx.n || st->pending)) {
		pause_part(r, p);
		return;
	}
	keep_error(st, err);
	if (dead || st->err)
		dv_transfer_give_up_dead(r, p);
	else if (err == -ECANCELED)
		timed_out(r, p);
	else if (err == -EAGAIN)
		not_ready(r, p);
	else
		dv_transfer_submit(r, p);
}

/* Bytes of the stream that have left the socket are lost: nothing after them has its place. */
static void lose_stream(struct devio_ring *r, struct dv_stream *st)
{
	if (!st->err) {
		st->err = -EIO;
		st->why = DEVIO_REASON_BROKEN;
	}
	if (st->io) {
		dv_op_fail(st->io->op, st->io->x, st->err, st->why);
		dv_transfer_cancel_io(r, st);
	}
}

/* What the NIC wrote into its memory goes to its place, and the NIC gets its buffers back. */
static void deliver(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	int copied = dv_sock_path(p)->deliver(r, p, n);

	if (copied < 0) {
		dv_op_fail(p->op, p->x, copied, DEVIO_REASON_COPY);
		lose_stream(r, dv_stream_of(p->op));
		dv_part_finish(r, p, 0);
		return;
	}
	p->op->by_mode[DV_MODE_DIRECT] += n - (uint32_t)copied;
	p->mode = DV_MODE_STAGED_CACHE;
	dv_part_finish(r, p, (uint32_t)copied);
}

/* Returns the part if its bytes are in a staging buffer: the next receive goes before the copy, so that the two overlap. */
static struct dv_part *received(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_stream *st = dv_stream_of(op);

	st->io = NULL;
	op->issued = p->x + n;
	p->take = n;
	if (!n)
		st->ended = true;
	if (!n || op->want & DEVIO_SOCK_PARTIAL)
		op->eof_x = op->issued;
	if (n && p->slot.buf)
		return p;
	if (n && dv_sock_path(p)->deliver)
		deliver(r, p, n);
	else
		dv_part_finish(r, p, n);
	return NULL;
}

static void sent(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_stream *st = dv_stream_of(op);

	p->done += n;
	p->sock.tx.pauses = 0;
	if (dv_sock_path(p)->frame)
		dv_zc_count(p);
	if (p->done == p->len) {
		leave(st, p);
		end(r, p, p->len);
	} else if (st->err || dv_op_dead(op)) {
		dv_transfer_give_up_dead(r, p);
	} else if (p->sock.step == DV_STEP_MOVE_NOW && st->count == 1 && p->slot.buf) {
		/* The slot does not wait for the rest, which is copied again. */
		op->issued = p->x + p->done;
		leave(st, p);
		dv_part_finish(r, p, p->done);
	} else {
		p->sock.step = p->sock.step == DV_STEP_MOVE_NOW ? DV_STEP_POLL : DV_STEP_MOVE;
		dv_transfer_submit(r, p);
	}
}

static void resume(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_stream *st = dv_stream_of(p->op);

	/* The reports are for the part that watches, if there is one. */
	if (!st->pending)
		(void)dv_zc_reap(dv_sock_of(p->op));
	p->sock.tx.pauses++;
	p->sock.step = DV_STEP_MOVE_NOW;
	if (st->err || dv_op_dead(p->op))
		dv_transfer_give_up_dead(r, p);
	else if (dv_sock_of(p->op)->opts.idle_ns && p->sock.tx.pauses * (int64_t)dv_zc_pause.tv_nsec > dv_sock_of(p->op)->opts.idle_ns)
		dv_transfer_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_transfer_submit(r, p);
}

struct dv_part *dv_transfer_event(struct devio_ring *r, struct dv_part *p, int res)
{
	bool send = p->op->write;

	if (p->sock.step == DV_STEP_PENDING)
		dv_zc_event(r, p, res);
	else if (p->sock.step == DV_STEP_PAUSE)
		resume(r, p);
	else if (dv_sock_path(p)->ended)
		dv_sock_path(p)->ended(r, p, res);
	else if (res < 0)
		failed(r, p, res);
	else if (p->sock.step == DV_STEP_POLL && (dv_op_dead(p->op) || dv_stream_of(p->op)->err))
		dv_transfer_give_up_dead(r, p);
	else if (p->sock.step == DV_STEP_POLL)
		go_on(r, p);
	else if (send && !res)
		failed(r, p, -EIO); /* not seen; without this it would be tried for ever */
	else if (send)
		sent(r, p, res);
	else
		return received(r, p, res);
	return NULL;
}

void dv_transfer_retry(struct devio_ring *r, struct dv_part *p)
{
	if (p->sock.step == DV_STEP_PENDING)
		dv_zc_watch(r, p, false);
	else if (dv_stream_of(p->op)->err || dv_op_dead(p->op))
		dv_transfer_give_up_dead(r, p);
	else if (p->sock.step == DV_STEP_SLOT)
		take_slot(r, p);
	else
		dv_transfer_submit(r, p);
}

void dv_transfer_copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;
	struct dv_stream *st = dv_stream_of(op);

	if (err)
		dv_op_fail(op, p->x, err, DEVIO_REASON_COPY);
	if (!op->write) {
		if (err)
			lose_stream(r, st);
		dv_part_finish(r, p, err ? 0 : p->take);
	} else if (st->io != p) {
		p->sock.step = DV_STEP_READY;
	} else if (st->err || dv_op_dead(op)) {
		dv_transfer_give_up_dead(r, p);
	} else {
		dv_transfer_submit(r, p);
	}
}

bool dv_transfer_full(const struct dv_op *op, bool alone)
{
	const struct dv_stream *st = dv_stream_of(op);

	return alone ? st->count : st->count == DV_STREAM_LINE;
}

void dv_transfer_part(struct devio_ring *r, struct dv_part *p)
{
	struct dv_stream *st = dv_stream_of(p->op);

	if (!p->op->write) {
		dv_transfer_submit(r, p);
		return;
	}
	st->line[(st->first + st->count++) % DV_STREAM_LINE] = p;
	if (p->sock.step == DV_STEP_COPY)
		dv_transfer_copy(r, p);
}

void dv_transfer_kick(struct devio_ring *r, struct dv_stream *st)
{
	struct dv_part *p = st->line[st->first];

	if (st->io || !st->count || p->sock.step == DV_STEP_COPY)
		return;
	if (st->err || dv_op_dead(p->op)) {
		/* Its operation ends first, and with it perhaps the one whose part is next. */
		st->again = true;
		dv_transfer_give_up_dead(r, p);
		return;
	}
	/* With MSG_ZEROCOPY io_uring would wait in a thread, one for each connection. */
	if (p->sock.step == DV_STEP_READY)
		p->sock.step = dv_sock_path(p)->frame ? DV_STEP_MOVE_NOW : DV_STEP_MOVE;
	dv_transfer_submit(r, p);
	st->again |= !st->io;
}
