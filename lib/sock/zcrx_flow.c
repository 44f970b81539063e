/* SPDX-License-Identifier: MIT */
/*
 * Flows: receives by sock-zcrx. The kernel answers a request piece by piece,
 * each where the NIC wrote it, and ends it with the last byte that was wanted,
 * at the end of the stream, or before bytes that it cannot give out like this.
 * Those are taken by hand, and the request is made again for the rest.
 */
#include "config.h"
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "core/clock.h"
#include "path/choose.h"

#define MAX_TRIES 1000 /* of a request that ends without a byte; far beyond any honest need */

int64_t dv_flow_zc_patience(struct dv_part *p)
{
	int64_t now = dv_now_ns(), left;

	if (!p->since)
		p->since = now;
	left = p->op->sock->opts.idle_ns - (now - p->since);
	return left > 0 ? left : 1;
}

/* The receive ends as soon as it has a byte, and has one. */
static bool has_enough(const struct dv_part *p)
{
	return p->done && p->op->want & DEVIO_SOCK_PARTIAL;
}

static void lose(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_flow *fl = dv_flow_of(p->op);

	dv_op_fail(p->op, p->x + p->done, err, DEVIO_REASON_COPY);
	if (!fl->err) {
		fl->err = -EIO;
		fl->why = DEVIO_REASON_BROKEN;
	}
	dv_flow_cancel_io(r, fl);
}

/* The n bytes of rx->piece to their place, and the buffers to the NIC. */
static void land(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	int copied = p->path->landed(r, p, n);

	p->tries = 0;
	if (op->sock->opts.idle_ns)
		p->since = dv_now_ns();
	if (copied < 0)
		lose(r, p, copied);
	if (op->err)
		return;
	op->by_way[DV_WAY_DIRECT] += n - (uint32_t)copied;
	op->by_way[DV_WAY_STAGED_CACHE] += (uint32_t)copied;
	p->done += n;
}

void dv_flow_pieces(struct devio_ring *r)
{
	struct dv_part *p = r->zc_part;

	if (!p)
		return;
	r->zc_part = NULL;
	land(r, p, p->op->sock->rx->piece_bytes);
	if (!has_enough(p) || p->enough || p->done == p->len)
		return;
	p->enough = true;
	dv_flow_cancel_io(r, dv_flow_of(p->op));
}

void dv_flow_piece(struct devio_ring *r, struct dv_part *p, int res, uint64_t off)
{
	struct dv_rx *rx = p->op->sock->rx;

	if (r->zc_part && (r->zc_part != p || rx->nr_piece == DV_RX_PIECES))
		dv_flow_pieces(r);
	r->zc_part = p;
	rx->piece[rx->nr_piece++] = (struct dv_piece){ .off = off, .len = (uint32_t)res };
	rx->piece_bytes += (uint32_t)res;
}

static void finish(struct devio_ring *r, struct dv_part *p, bool over)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = dv_flow_of(op);

	fl->io = NULL;
	fl->ended |= over;
	op->issued = p->x + p->done;
	if (over || op->want & DEVIO_SOCK_PARTIAL)
		op->eof_x = op->issued;
	dv_part_finish(r, p, 0);
}

/* Ends the part, or asks for what it lacks; err is why the request ended. */
static void go_on(struct devio_ring *r, struct dv_part *p, int err)
{
	if (p->op->err || dv_flow_of(p->op)->err)
		dv_flow_give_up_dead(r, p);
	else if (p->done == p->len || has_enough(p))
		finish(r, p, false);
	else if (p->op->canceled)
		dv_flow_give_up_dead(r, p);
	else if (p->tries++ == MAX_TRIES)
		dv_flow_give_up(r, p, err, DEVIO_REASON_NET);
	else
		dv_flow_submit(r, p);
}

/* What is told once, and would be the end of the stream the next time. */
static void broke(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_flow *fl = dv_flow_of(p->op);

	if (!fl->err) {
		fl->err = err;
		fl->why = dv_flow_reason(err);
	}
	if (has_enough(p) && !dv_op_dead(p->op))
		finish(r, p, false);
	else
		dv_flow_give_up_dead(r, p);
}

/* The request ended before bytes in ordinary memory and took none of them; MSG_SOCK_DEVMEM takes them from any packet. */
static void take_linear(struct devio_ring *r, struct dv_part *p, int err)
{
	struct devio_sock *s = p->op->sock;
	struct dv_rx *rx = s->rx;
	ssize_t n;
	int nr = 0;

	dv_rx_prepare(rx, NULL, p->len - p->done, DV_RX_PIECES);
	do {
		n = recvmsg(s->fd, &rx->msg, MSG_SOCK_DEVMEM | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		nr = dv_rx_parse(&rx->msg, (uint32_t)n, 0, 0, rx->piece);
	if (nr > 0) {
		rx->nr_piece = (unsigned int)nr;
		land(r, p, (uint32_t)n);
	} else if (nr) {
		lose(r, p, nr);
	}
	if (!n)
		finish(r, p, true);
	else if (n < 0 && errno != EAGAIN && errno != EFAULT && errno != ENODEV)
		broke(r, p, -errno);
	else
		go_on(r, p, err);
}

/* By us, for whatever reason, or by the time-out that was for the silence before the last bytes. */
static void canceled(struct devio_ring *r, struct dv_part *p)
{
	int64_t idle = p->op->sock->opts.idle_ns;

	if (p->done == p->len || p->enough || dv_op_dead(p->op) || dv_flow_of(p->op)->err)
		go_on(r, p, -ECANCELED);
	else if (!idle)
		dv_flow_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
	else if (dv_now_ns() - p->since >= idle)
		dv_flow_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_flow_submit(r, p);
}

void dv_flow_zc_ended(struct devio_ring *r, struct dv_part *p, int res)
{
	if (r->zc_part == p)
		dv_flow_pieces(r);
	if (res == -ECANCELED)
		canceled(r, p);
	else if (!res && p->done < p->len && !p->op->err)
		finish(r, p, true);
	else if (res == -ENOMEM && !dv_op_dead(p->op) && !has_enough(p))
		take_linear(r, p, res);
	/* No room in the completion queue: there is some by now. */
	else if (!res || res == -ENOMEM || res == -ENOSPC || res == -EAGAIN || res == -EINTR)
		go_on(r, p, res);
	else
		broke(r, p, res);
}
