/* SPDX-License-Identifier: MIT */
/* The endpoint operations of a connection: what the ring calls. */
#include "config.h"
#include "sock/sock.h"

static void advance(struct devio_ring *r, struct dv_op *op)
{
	dv_stream_advance(r, dv_sock_of(op), op->write);
}

/* The operation, and with it its reference to the connection, may be gone before the last line. */
static void event(struct devio_ring *r, struct dv_part *p, int res)
{
	struct devio_sock *s = dv_sock_get(dv_sock_of(p->op));
	bool send = p->op->write;
	struct dv_part *copy = dv_transfer_event(r, p, res);

	dv_stream_advance(r, s, send);
	if (copy) {
		dv_transfer_copy(r, copy);
		dv_stream_advance(r, s, send);
	}
	dv_sock_put(s);
}

static void copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct devio_sock *s = dv_sock_get(dv_sock_of(p->op));
	bool send = p->op->write;

	dv_transfer_copied(r, p, err);
	dv_stream_advance(r, s, send);
	dv_sock_put(s);
}

static void retry(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = dv_sock_get(dv_sock_of(p->op));
	bool send = p->op->write;

	dv_transfer_retry(r, p);
	dv_stream_advance(r, s, send);
	dv_sock_put(s);
}

/* Only the step in flight needs another cancel request: the others notice when they would continue. */
static void cancel_again(struct devio_ring *r, struct dv_op *op)
{
	const struct dv_stream *st = dv_stream_of(op);
	const struct dv_part *io = st->io;

	if (io && io->op == op && (dv_op_dead(op) || (dv_sock_path(io)->ended && io->sock.zcrx.enough)))
		dv_transfer_cancel_io(r, st);
}

static void cancel(struct devio_ring *r, struct dv_op *op, bool again)
{
	if (again) {
		cancel_again(r, op);
		return;
	}
	if (dv_op_cancel_parts(r, op))
		r->owes_cancel = true;
	dv_stream_of(op)->sweep = true;
	advance(r, op);
}

/* All bytes arrived in ordinary memory: they were not steered to the bound queue. */
static void report_unsteered(struct devio_completion *c)
{
	c->best_unused = c->path;
	c->path = DEVIO_PATH_SOCK_BOUNCE;
	if (c->result >= 0)
		c->reason = DEVIO_REASON_NET_STEER;
}

static void finish(struct devio_ring *r, struct dv_op *op, struct devio_completion *c)
{
	c->path = op->path ? op->path->id : DEVIO_PATH_AUTO;
	c->frags = op->sock.nr_frags;
	if ((c->path == DEVIO_PATH_SOCK_DEVMEM || c->path == DEVIO_PATH_SOCK_ZCRX) && !op->write && c->good &&
	    !op->sock.delivered)
		report_unsteered(c);
	if (op->path && !op->tried && c->result > 0)
		dv_path_worked(r, op);
}

const struct dv_endpoint_ops dv_sock_endpoint_ops = {
	.name = "sock",
	.paths = dv_sock_paths,
	.advance = advance,
	.event = event,
	.copied = copied,
	.retry = retry,
	.cancel = cancel,
	.finish = finish,
	.forget = dv_stream_forget,
	.piece = dv_zcrx_piece,
	.pieces = dv_zcrx_pieces,
	.destroy = dv_sock_destroy,
};
