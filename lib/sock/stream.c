/* SPDX-License-Identifier: MIT */
/* Streams: the operations of one direction of a connection, executed and completed in order. */
#include "config.h"
#include "core/err.h"
#include "sock/sock.h"

int dv_stream_claim(struct devio_ring *r, struct dv_stream *st, bool send)
{
	bool free = false;

	if (r && atomic_load_explicit(&st->ring, memory_order_relaxed) == r)
		return 0;
	if (!atomic_compare_exchange_strong_explicit(&st->claimed, &free, true, memory_order_acquire,
						     memory_order_relaxed))
		return dv_err(-EBUSY, "sock: another ring or thread is %s on this connection: wait until it has ended",
			      send ? "sending" : "receiving");
	atomic_store_explicit(&st->ring, r, memory_order_relaxed);
	return 0;
}

void dv_stream_release(struct dv_stream *st)
{
	if (st->head)
		return;
	atomic_store_explicit(&st->ring, NULL, memory_order_relaxed);
	atomic_store_explicit(&st->claimed, false, memory_order_release);
}

void dv_stream_enqueue(struct devio_ring *r, struct dv_stream *st, struct dv_op *op)
{
	if (!st->head) {
		st->tail = &st->head;
		r->nr_staged++;
	}
	*st->tail = op;
	st->tail = &op->sock.behind;
}

/* Bytes are left to issue. */
static bool needs_bytes(const struct dv_op *op)
{
	return op->issued < op->len && op->issued < op->eof_x && !dv_op_dead(op);
}

static bool has_ended(const struct dv_op *op)
{
	return !op->parts && !op->waiting && !needs_bytes(op);
}

/* It ended before its first byte. */
static bool untouched(const struct dv_op *op)
{
	return op->err ? !op->fail_x : op->canceled && !op->issued;
}

/*
 * The first operation with bytes left to issue. None behind one that fails inside its bytes: the position in the
 * stream is then unknown.
 */
static struct dv_op *next_op(const struct dv_stream *st)
{
	struct dv_op *op = st->head;

	while (op && !needs_bytes(op)) {
		if (dv_op_dead(op) && !(untouched(op) && (!op->err || op->err == -ECANCELED)))
			return NULL;
		op = op->sock.behind;
	}
	return op;
}

static void issue(struct devio_ring *r, struct dv_stream *st)
{
	struct dv_op *op;

	while ((op = next_op(st)) && !op->waiting && (op->write ? !dv_transfer_full(op, false) : !st->io)) {
		int rc = 0;

		if (st->err)
			dv_op_fail(op, op->issued, st->err, st->why);
		else if (st->ended)
			op->eof_x = op->issued;
		else
			rc = op->path->issue(r, op);
		if (rc == -EBUSY)
			return; /* not while others are in parts[] */
		if (rc == -EAGAIN) {
			dv_op_wait(r, op);
			return;
		}
		if (rc)
			dv_op_fail(op, op->issued, rc, DEVIO_REASON_NO_SLOT);
		st->again = true;
	}
}

/*
 * Operations behind one that failed inside its bytes would get the wrong bytes: they
 * fail, too. An operation that was canceled before its first byte has no effect.
 */
static void fail_followers(struct devio_ring *r, struct dv_stream *st, const struct dv_op *op)
{
	uint64_t end = op->len < op->eof_x ? op->len : op->eof_x;

	if (st->err || !op->err || op->fail_x >= end || (op->err == -ECANCELED && !op->fail_x))
		return;
	for (struct dv_op *o = op->sock.behind; o; o = o->sock.behind) {
		dv_op_fail(o, 0, -ECANCELED, DEVIO_REASON_BROKEN);
		if (st->io && st->io->op == o)
			dv_transfer_cancel_io(r, st);
	}
	st->sweep = st->again = true;
}

static void finish(struct devio_ring *r, struct dv_stream *st, struct dv_op *op)
{
	if (op->canceled && op->issued < op->len && op->issued < op->eof_x)
		dv_op_fail(op, op->issued, -ECANCELED, DEVIO_REASON_CANCELED);
	fail_followers(r, st, op);
	dv_op_finish(r, op);
}

/* Completes operations that have ended: in order, except those that ended before their first byte. */
static void finish_ended(struct devio_ring *r, struct dv_stream *st)
{
	struct dv_op **at = &st->head;
	bool left = false;

	while (*at && (at == &st->head || st->sweep)) {
		struct dv_op *op = *at, *behind = op->sock.behind;

		if (!has_ended(op) || (at != &st->head && !untouched(op))) {
			left |= dv_op_dead(op);
			at = &op->sock.behind;
			continue;
		}
		finish(r, st, op);
		*at = behind;
		if (!behind)
			st->tail = at;
	}
	st->sweep = left;
}

void dv_stream_advance(struct devio_ring *r, struct devio_sock *s, bool send)
{
	struct dv_stream *st = &s->stream[send];

	/* It may have been released and claimed by another thread's ring in the meantime. */
	if (atomic_load_explicit(&st->ring, memory_order_relaxed) != r)
		return;
	if (st->advancing) {
		st->again = true;
		return;
	}
	dv_sock_get(s);
	st->advancing = true;
	do {
		st->again = false;
		finish_ended(r, st);
		issue(r, st);
		dv_transfer_kick(r, st);
	} while (st->again);
	st->advancing = false;
	if (!st->head) {
		r->nr_staged--;
		dv_stream_release(st);
	}
	dv_sock_put(s);
}

void dv_stream_forget(struct devio_ring *r, struct dv_op *op)
{
	struct dv_stream *st = dv_stream_of(op);

	if (atomic_load_explicit(&st->ring, memory_order_relaxed) != r)
		return;
	st->head = NULL;
	st->tail = &st->head;
	st->io = NULL;
	st->count = 0;
	st->pending = NULL;
	st->pending_tail = &st->pending;
	st->advancing = false;
	dv_stream_release(st);
}
