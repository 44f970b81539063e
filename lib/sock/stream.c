/* SPDX-License-Identifier: MIT */
/* Flows: the operations of one direction of a connection, in the order of its bytes. */
#include "config.h"
#include <devio/nic.h>
#include "core/ctx.h"
#include "core/err.h"
#include "path/choose.h"

static bool wants(const struct dv_op *op)
{
	return op->issued < op->len && op->issued < op->eof_x && !dv_op_dead(op);
}

static bool has_ended(const struct dv_op *op)
{
	return !op->parts && !op->waiting && !wants(op);
}

/* Did it end before its first byte? */
static bool untouched(const struct dv_op *op)
{
	return op->err ? !op->fail_x : op->canceled && !op->issued;
}

/* The first that wants bytes. One that ends inside its own is a stop: what becomes of those behind it is not known. */
static struct dv_op *next_of(const struct dv_flow *fl)
{
	struct dv_op *op = fl->head;

	while (op && !wants(op)) {
		if (dv_op_dead(op) && !(untouched(op) && (!op->err || op->err == -ECANCELED)))
			return NULL;
		op = op->behind;
	}
	return op;
}

static void issue(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_op *op;

	while ((op = next_of(fl)) && !op->waiting && (op->write ? !dv_flow_full(op, false) : !fl->io)) {
		int rc = 0;

		if (fl->err)
			dv_op_fail(op, op->issued, fl->err, fl->why);
		else if (fl->ended)
			op->eof_x = op->issued;
		else
			rc = op->path->issue(r, op);
		if (rc == -EBUSY)
			return; /* not beside those in the line */
		if (rc == -EAGAIN) {
			dv_op_wait(r, op);
			return;
		}
		if (rc)
			dv_op_fail(op, op->issued, rc, DEVIO_REASON_NO_SLOT);
		fl->again = true;
	}
}

/*
 * What stands behind an operation that ended inside its bytes would get those
 * of another: it ends, too. One that was cancelled before its first byte is
 * as if it had never been.
 */
static void end_those_behind(struct devio_ring *r, struct dv_flow *fl, const struct dv_op *op)
{
	uint64_t end = op->len < op->eof_x ? op->len : op->eof_x;

	if (fl->err || !op->err || op->fail_x >= end || (op->err == -ECANCELED && !op->fail_x))
		return;
	for (struct dv_op *o = op->behind; o; o = o->behind) {
		dv_op_fail(o, 0, -ECANCELED, DEVIO_REASON_BROKEN);
		if (fl->io && fl->io->op == o)
			dv_flow_cancel_io(r, fl);
	}
	fl->sweep = fl->again = true;
}

static void finish(struct devio_ring *r, struct dv_flow *fl, struct dv_op *op)
{
	if (op->canceled && op->issued < op->len && op->issued < op->eof_x)
		dv_op_fail(op, op->issued, -ECANCELED, DEVIO_REASON_CANCELED);
	end_those_behind(r, fl, op);
	dv_op_finish(r, op);
}

/* Completes what has ended: in order, but for those that ended before their turn. */
static void finish_ended(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_op **at = &fl->head;
	bool left = false;

	while (*at && (at == &fl->head || fl->sweep)) {
		struct dv_op *op = *at, *behind = op->behind;

		if (!has_ended(op) || (at != &fl->head && !untouched(op))) {
			left |= dv_op_dead(op);
			at = &op->behind;
			continue;
		}
		finish(r, fl, op);
		*at = behind;
		if (!behind)
			fl->tail = at;
	}
	fl->sweep = left;
}

void dv_flow_go(struct devio_ring *r, struct devio_sock *s, bool send)
{
	struct dv_flow *fl = &s->flow[send];

	if (fl->going) {
		fl->again = true;
		return;
	}
	dv_sock_get(s);
	fl->going = true;
	do {
		fl->again = false;
		finish_ended(r, fl);
		issue(r, fl);
		dv_flow_kick(r, fl);
	} while (fl->again);
	fl->going = false;
	if (!fl->head && atomic_load_explicit(&fl->ring, memory_order_relaxed) == r) {
		r->nr_staged--;
		atomic_store_explicit(&fl->ring, NULL, memory_order_release);
	}
	dv_sock_put(s);
}

void dv_flow_canceled(struct devio_ring *r, struct dv_op *op)
{
	dv_flow_of(op)->sweep = true;
	dv_flow_go(r, op->sock, op->write);
}

void dv_flow_forget(struct dv_op *op)
{
	struct dv_flow *fl = dv_flow_of(op);

	fl->head = NULL;
	fl->tail = &fl->head;
	fl->io = NULL;
	fl->count = 0;
	fl->held = NULL;
	fl->held_tail = &fl->held;
	fl->going = false;
	atomic_store_explicit(&fl->ring, NULL, memory_order_release);
}

int dv_flow_check(const struct devio_ctx *ctx, const struct devio_sock_io *io, uint64_t *len)
{
	static const unsigned int known = DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL;

	if (!io->sock)
		return dv_err(-EINVAL, "ring: a connection is needed");
	if (io->sock->ctx != ctx)
		return dv_err(-EINVAL, "ring: the connection belongs to another context");
	if (io->sock->listening)
		return dv_err(-ENOTCONN, "sock: a listener neither receives nor sends: accept a connection from it");
	if ((io->path && io->path < DEVIO_PATH_SOCK_DEVMEM) || io->path >= DEVIO_PATH_MAX || io->flags & ~known)
		return dv_err(-EINVAL, "ring: path %d is none of connections, or flags 0x%x are unknown", io->path,
			      io->flags);
	return dv_op_check_ranges(ctx, io->ranges, io->nr_ranges, len);
}

int dv_flow_claim(struct devio_ring *r, struct dv_flow *fl, bool send)
{
	struct devio_ring *none = NULL;

	if (atomic_load_explicit(&fl->ring, memory_order_relaxed) == r ||
	    atomic_compare_exchange_strong_explicit(&fl->ring, &none, r, memory_order_acquire, memory_order_relaxed))
		return 0;
	return dv_err(-EBUSY, "sock: another ring or thread is %s on this connection: wait for it",
		      send ? "sending" : "receiving");
}

void dv_flow_let_go(struct dv_flow *fl)
{
	if (!fl->head)
		atomic_store_explicit(&fl->ring, NULL, memory_order_release);
}

static void set_frags(struct dv_op *op, const struct devio_frags_io *f)
{
	op->frags = f->frags;
	op->max_frags = f->max;
	op->frag_host = f->host;
}

static void enqueue(struct devio_ring *r, struct dv_flow *fl, struct dv_op *op)
{
	if (!fl->head) {
		fl->tail = &fl->head;
		r->nr_staged++;
	}
	*fl->tail = op;
	fl->tail = &op->behind;
}

int dv_flow_start(struct devio_ring *r, const struct devio_sock_io *io, const struct devio_frags_io *frags)
{
	struct devio_sock *s = io->sock;
	struct dv_flow *fl;
	struct dv_op *op;
	uint64_t len = 0;
	int rc = dv_flow_check(r->ctx, io, &len);

	if (rc)
		return rc;
	fl = &s->flow[!!io->send];
	rc = dv_flow_claim(r, fl, io->send);
	if (!rc)
		rc = dv_op_take(r, io->ranges, io->nr_ranges, &op);
	if (rc) {
		if (rc != -EBUSY)
			dv_flow_let_go(fl);
		return rc;
	}
	dv_op_init(op, len, io->cookie, io->send);
	op->sock = dv_sock_get(s);
	op->want = io->flags | (s->opts.flags & (DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL));
	if (frags)
		set_frags(op, frags);
	enqueue(r, fl, op);
	rc = len ? dv_path_choose(r, op, io->path ? io->path : s->opts.path) : 0;
	if (rc)
		dv_op_fail(op, 0, rc, op->fail_reason);
	dv_flow_go(r, s, io->send);
	return 0;
}
