/* SPDX-License-Identifier: MIT */
/* Transfers: the steps of a stream's parts, of which one at a time is in flight. */
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

/* Removes the part from the stream. */
static void dequeue(struct dv_stream *st, const struct dv_part *p)
{
	if (st->io == p)
		st->io = NULL;
	if (st->count && st->parts[st->first] == p) {
		st->first = (st->first + 1) % DV_STREAM_PARTS;
		st->count--;
	}
}

/* Completes a part that was dequeued, now or when the kernel no longer reads from the memory. */
static void complete(struct devio_ring *r, struct dv_part *p, uint32_t payload)
{
	if (p->op->write && p->sock.tx.left)
		dv_zc_pend(r, p, payload);
	else
		dv_part_finish(r, p, payload);
}

void dv_transfer_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why)
{
	struct dv_op *op = p->op;

	dequeue(dv_stream_of(op), p);
	if (!op->write)
		op->issued = p->x + p->done; /* there is no later part */
	dv_op_fail(op, p->x + p->done, err, why);
	complete(r, p, dv_sock_path(p)->ended ? 0 : p->done); /* a multishot receive has counted its bytes already */
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
 * No MSG_WAITALL to receive: the kernel would return the bytes before a reset but
 * not the reset itself, which it reports once: the next receive would see the end
 * of the stream.
 */
static int msg_flags(const struct dv_part *p)
{
	if (p->sock.step == DV_STEP_MOVE_NOW)
		return MSG_NOSIGNAL | MSG_DONTWAIT;
	return MSG_NOSIGNAL | (p->op->write && !dv_sock_path(p)->prep ? MSG_WAITALL : 0);
}

static void prep_plain(const struct dv_part *p, struct dv_net *n)
{
	n->what = p->op->write ? DV_NET_SEND : DV_NET_RECV;
	n->addr = p->addr + p->done;
	n->len = p->len - p->done;
	n->flags = msg_flags(p);
}

void dv_transfer_submit(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_stream *st = dv_stream_of(p->op);
	struct dv_net n = { .fd = s->fd };
	unsigned int nr_cqes;
	int rc;

	if (p->sock.step == DV_STEP_POLL) {
		n.what = p->op->write ? DV_NET_POLL_OUT : DV_NET_POLL_IN;
	} else if (p->sock.step == DV_STEP_PAUSE) {
		n.what = DV_NET_PAUSE;
		n.timeout = &dv_zc_pause;
	} else {
		prep_plain(p, &n);
		if (dv_sock_path(p)->prep)
			dv_sock_path(p)->prep(p, &n);
	}
	if (s->opts.idle_ns && p->sock.step != DV_STEP_MOVE_NOW && p->sock.step != DV_STEP_PAUSE) {
		int64_t ns = dv_sock_path(p)->timeout ? dv_sock_path(p)->timeout(p) : s->opts.idle_ns;

		st->timeout.tv_sec = ns / 1000000000;
		st->timeout.tv_nsec = ns % 1000000000;
		n.timeout = &st->timeout;
	}
	st->io = p;
	rc = dv_queue_net(&r->q, &n, p, dv_ring_tag(r, DV_TAG_TIMEOUT), &nr_cqes);
	if (!rc) {
		r->nr_io += nr_cqes;
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

int dv_transfer_receive(struct devio_ring *r, struct dv_op *op, uint32_t max)
{
	uint64_t left = op->len - op->issued;
	struct dv_part *p = dv_transfer_get(r, op, op->issued, left < max ? left : max);

	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_DIRECT;
	p->sock.step = DV_STEP_MOVE;
	p->len = p->take;
	op->issued += p->len;
	dv_transfer_part(r, p);
	return 0;
}

void dv_transfer_copy(struct devio_ring *r, struct dv_part *p)
{
	r->nr_staged++;
	dv_part_copy(r, p);
}

/* The socket is ready: a staging buffer will not be idle now. */
static void stage(struct devio_ring *r, struct dv_part *p)
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

static void socket_ready(struct devio_ring *r, struct dv_part *p)
{
	/* poll() may report room although there is none for zero-copy sends. */
	p->sock.tx.pauses += p->op->write && dv_sock_path(p)->prep;
	if (p->mode == DV_MODE_STAGED_CACHE && !p->slot.buf) {
		stage(r, p);
		return;
	}
	p->sock.step = DV_STEP_MOVE_NOW;
	dv_transfer_submit(r, p);
}

/* Nothing can be moved now: an empty staging buffer is returned for others to use. */
static void poll_socket(struct devio_ring *r, struct dv_part *p)
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
 * The payload is in device memory and stays queued in the socket. Either the NIC was
 * set up after this operation's path was chosen, or its memory is not accessible here.
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
	dequeue(dv_stream_of(op), p);
	op->issued = p->x;
	op->path = dv_path_by_id(op, nic->binding->per_ring ? DEVIO_PATH_SOCK_ZCRX : DEVIO_PATH_SOCK_DEVMEM);
	op->best_unused = op->reason = 0;
	dv_part_finish(r, p, 0);
}

/* The kernel reports an error once, and the end of the stream afterwards. */
static void record_error(struct dv_stream *st, int err)
{
	if (err != -ECANCELED && err != -EAGAIN && err != -EINTR)
		dv_stream_fail(st, err, dv_transfer_reason(err));
}

/* Canceled by the timeout, if there is one: the caller has handled our own cancellations. */
static void timed_out(struct devio_ring *r, struct dv_part *p)
{
	if (dv_sock_of(p->op)->opts.idle_ns)
		dv_transfer_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_transfer_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
}

static void would_block(struct devio_ring *r, struct dv_part *p)
{
	bool zerocopy = p->op->write && dv_sock_path(p)->prep;

	if (zerocopy && p->sock.step == DV_STEP_MOVE_NOW && p->sock.tx.pauses)
		pause_part(r, p);
	else
		poll_socket(r, p);
}

static void failed(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_stream *st = dv_stream_of(p->op);
	bool dead = st->err || dv_op_dead(p->op), send = p->op->write;

	if (!dead && err == -EFAULT && !send && !dv_sock_path(p)->prep) {
		unreadable(r, p);
		return;
	}
	if (!dead && err == -ENOBUFS && send && (p->sock.tx.n || st->pending)) {
		pause_part(r, p);
		return;
	}
	record_error(st, err);
	if (dead || st->err)
		dv_transfer_give_up_dead(r, p);
	else if (err == -ECANCELED)
		timed_out(r, p);
	else if (err == -EAGAIN)
		would_block(r, p);
	else
		dv_transfer_submit(r, p);
}

/* Bytes that have left the socket are lost, and with them the position in the stream. */
static void break_stream(struct devio_ring *r, struct dv_stream *st)
{
	dv_stream_fail(st, -EIO, DEVIO_REASON_BROKEN);
	if (st->io) {
		dv_op_fail(st->io->op, st->io->x, st->err, st->why);
		dv_transfer_cancel_io(r, st);
	}
}

/* Moves the payload from the NIC's memory to its destination and returns the buffers to the NIC. */
static void deliver(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	int copied = dv_sock_path(p)->deliver(r, p, n);

	if (copied < 0) {
		dv_op_fail(p->op, p->x, copied, DEVIO_REASON_COPY);
		break_stream(r, dv_stream_of(p->op));
		dv_part_finish(r, p, 0);
		return;
	}
	p->op->by_mode[DV_MODE_DIRECT] += n - (uint32_t)copied;
	p->mode = DV_MODE_STAGED_CACHE;
	dv_part_finish(r, p, (uint32_t)copied);
}

/* Returns the part if its bytes must be copied: the next receive is submitted first, so that the two overlap. */
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
	if (dv_sock_path(p)->prep)
		dv_zc_count(p);
	if (p->done == p->len) {
		dequeue(st, p);
		complete(r, p, p->len);
	} else if (st->err || dv_op_dead(op)) {
		dv_transfer_give_up_dead(r, p);
	} else if (p->sock.step == DV_STEP_MOVE_NOW && st->count == 1 && p->slot.buf) {
		/* Frees the staging buffer early: the rest is issued, and copied, again. */
		op->issued = p->x + p->done;
		dequeue(st, p);
		dv_part_finish(r, p, p->done);
	} else {
		p->sock.step = p->sock.step == DV_STEP_MOVE_NOW ? DV_STEP_POLL : DV_STEP_MOVE;
		dv_transfer_submit(r, p);
	}
}

static void resume(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_stream *st = dv_stream_of(p->op);
	int64_t idle_ns = dv_sock_of(p->op)->opts.idle_ns;

	/* If parts are pending, the first of them reads the reports. */
	if (!st->pending)
		(void)dv_zc_reap(dv_sock_of(p->op));
	p->sock.tx.pauses++;
	p->sock.step = DV_STEP_MOVE_NOW;
	if (st->err || dv_op_dead(p->op))
		dv_transfer_give_up_dead(r, p);
	else if (idle_ns && p->sock.tx.pauses * (int64_t)dv_zc_pause.tv_nsec > idle_ns)
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
		socket_ready(r, p);
	else if (send && !res)
		failed(r, p, -EIO); /* never observed, but would be retried forever */
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
		stage(r, p);
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
			break_stream(r, st);
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

	return alone ? st->count : st->count == DV_STREAM_PARTS;
}

void dv_transfer_part(struct devio_ring *r, struct dv_part *p)
{
	struct dv_stream *st = dv_stream_of(p->op);

	if (!p->op->write) {
		dv_transfer_submit(r, p);
		return;
	}
	st->parts[(st->first + st->count++) % DV_STREAM_PARTS] = p;
	if (p->sock.step == DV_STEP_COPY)
		dv_transfer_copy(r, p);
}

void dv_transfer_kick(struct devio_ring *r, struct dv_stream *st)
{
	struct dv_part *p = st->parts[st->first];

	if (st->io || !st->count || p->sock.step == DV_STEP_COPY)
		return;
	if (st->err || dv_op_dead(p->op)) {
		/* Advance again: its operation ends first, and perhaps that of the next part, too. */
		st->again = true;
		dv_transfer_give_up_dead(r, p);
		return;
	}
	/* A waiting MSG_ZEROCOPY send would occupy an io_uring worker thread per connection. */
	if (p->sock.step == DV_STEP_READY)
		p->sock.step = dv_sock_path(p)->prep ? DV_STEP_MOVE_NOW : DV_STEP_MOVE;
	dv_transfer_submit(r, p);
	st->again |= !st->io;
}
