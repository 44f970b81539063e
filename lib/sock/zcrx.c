/* SPDX-License-Identifier: MIT */
/*
 * sock-zcrx: the NIC writes payload into its memory, and io_uring reports it
 * fragment by fragment; gathered from there as by sock-devmem. Buffers return
 * to the NIC by a ring that the kernel reads.
 *
 * A request ends with the last byte that was wanted, at the end of the stream,
 * or before bytes that the kernel cannot deliver like this. Those are received
 * by recvmsg(2), and the request is made again for the rest.
 */
#include "config.h"
#include "core/ctx.h"
#include "core/clock.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "sock/rx.h"

#define MAX_PART (64u << 20)
#define MAX_TRIES 1000 /* of a request that ends without a byte; far beyond any honest need */

/* The first answer stays, as for sock-devmem. */
static enum devio_reason nic_why(struct devio_ring *r, struct devio_sock *s)
{
	uint8_t why = atomic_load_explicit(&s->zcrx_why, memory_order_relaxed);
	struct dv_netdev d;

	if (why)
		return why;
	if (!dv_netdev_find(s->fd, &d))
		dv_netdev_ask(&d);
	d.bind_rx = dv_zcrx_known(&r->q);
	d.right = d.right && d.first_user_ns;
	why = dv_netdev_why(&d, false);
	atomic_store_explicit(&s->zcrx_why, why, memory_order_relaxed);
	return why;
}

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	int rc = op->write ? -EOPNOTSUPP : dv_rx_open(dv_sock_of(op));

	(void)pair;
	if (!rc && atomic_load_explicit(&dv_sock_of(op)->rx->nic->ring, memory_order_relaxed) == r)
		return 0;
	if (!rc)
		*why = DEVIO_REASON_NET_RING;
	else if (rc != -EOPNOTSUPP)
		*why = DEVIO_REASON_NO_SLOT;
	else if (!(op->mem->caps & DEVIO_MEM_EXPORT))
		*why = DEVIO_REASON_NO_EXPORT;
	else if (op->write)
		*why = DEVIO_REASON_NET_RECV;
	else
		*why = r->q.uring ? nic_why(r, dv_sock_of(op)) : DEVIO_REASON_NO_URING;
	return -EOPNOTSUPP;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t left = op->len - op->issued;
	struct dv_part *p = dv_transfer_get(r, op, op->issued, left < MAX_PART ? left : MAX_PART);

	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_DIRECT;
	p->sock.step = DV_STEP_MOVE;
	p->len = p->take;
	op->issued += p->len;
	dv_transfer_part(r, p);
	return 0;
}

static void frame(struct dv_part *p, struct dv_net *n)
{
	n->what = DV_NET_RECV_ZC;
	n->addr = dv_sock_of(p->op)->rx->nic->zc.id;
}

static void give_back(struct devio_ring *r, struct dv_rx *rx)
{
	struct dv_zcrx *zc = &rx->nic->zc;
	uint64_t frags = 0;
	int rc = 0;

	for (unsigned int i = 0; i < rx->nr_frags; i++) {
		if (rx->frag[i].linear)
			continue;
		if (dv_zcrx_back(zc, rx->frag[i].off, rx->frag[i].len))
			rc = -ENOMEM;
		frags++;
	}
	if (!dv_zcrx_publish(zc))
		r->client_due = true;
	if (rc)
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-zcrx: no memory to keep buffers that go back to nic %s: it has fewer until "
		       "the ring is closed", rx->nic->ifname);
	dv_stat_add(&r->stat.sum.frags, frags);
	dv_stat_add(&r->stat.sum.returned, frags);
}

/* Is the kernel's account such that nothing is written where it does not belong? */
static int check(const struct dv_rx *rx, uint32_t n, uint32_t room)
{
	bool good = n <= room;

	for (unsigned int i = 0; good && i < rx->nr_frags; i++)
		good = rx->frag[i].linear || dv_zcrx_inside(rx->frag[i].off, rx->frag[i].len, rx->nic->mem->size);
	return good ? 0 : dv_err(-EPROTO, "sock-zcrx: the kernel's account of %u bytes cannot be used", n);
}

/* An operation that has failed gets nothing more, but the NIC gets its buffers. */
static int deliver(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_rx *rx = dv_sock_of(p->op)->rx;
	int rc = check(rx, n, p->len - p->done);

	if (!rc && !p->op->err)
		rc = dv_rx_place(r, p->op, p->x + p->done, (int)rx->nr_frags);
	give_back(r, rx);
	rx->nr_frags = rx->frag_bytes = 0;
	return rc;
}

static int64_t idle_left(struct dv_part *p)
{
	int64_t now = dv_now_ns(), left;

	if (!p->sock.zcrx.since)
		p->sock.zcrx.since = now;
	left = dv_sock_of(p->op)->opts.idle_ns - (now - p->sock.zcrx.since);
	return left > 0 ? left : 1;
}

/* The receive ends as soon as it has a byte, and has one. */
static bool has_enough(const struct dv_part *p)
{
	return p->done && p->op->want & DEVIO_SOCK_PARTIAL;
}

static void lose(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_stream *st = dv_stream_of(p->op);

	dv_op_fail(p->op, p->x + p->done, err, DEVIO_REASON_COPY);
	if (!st->err) {
		st->err = -EIO;
		st->why = DEVIO_REASON_BROKEN;
	}
	dv_transfer_cancel_io(r, st);
}

/* The n bytes of rx->frag to their place, and the buffers to the NIC. */
static void place(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	int copied = deliver(r, p, n);

	p->tries = 0;
	if (dv_sock_of(op)->opts.idle_ns)
		p->sock.zcrx.since = dv_now_ns();
	if (copied < 0)
		lose(r, p, copied);
	if (op->err)
		return;
	op->by_mode[DV_MODE_DIRECT] += n - (uint32_t)copied;
	op->by_mode[DV_MODE_STAGED_CACHE] += (uint32_t)copied;
	p->done += n;
}

void dv_zcrx_pieces(struct devio_ring *r)
{
	struct dv_part *p = r->collecting;

	if (!p)
		return;
	r->collecting = NULL;
	place(r, p, dv_sock_of(p->op)->rx->frag_bytes);
	if (!has_enough(p) || p->sock.zcrx.enough || p->done == p->len)
		return;
	p->sock.zcrx.enough = true;
	dv_transfer_cancel_io(r, dv_stream_of(p->op));
}

void dv_zcrx_piece(struct devio_ring *r, struct dv_part *p, int res, uint64_t off)
{
	struct dv_rx *rx = dv_sock_of(p->op)->rx;

	if (r->collecting && (r->collecting != p || rx->nr_frags == DV_RX_FRAGS))
		dv_zcrx_pieces(r);
	r->collecting = p;
	rx->frag[rx->nr_frags++] = (struct dv_rx_frag){ .off = off, .len = (uint32_t)res };
	rx->frag_bytes += (uint32_t)res;
}

static void finish(struct devio_ring *r, struct dv_part *p, bool over)
{
	struct dv_op *op = p->op;
	struct dv_stream *st = dv_stream_of(op);

	st->io = NULL;
	st->ended |= over;
	op->issued = p->x + p->done;
	if (over || op->want & DEVIO_SOCK_PARTIAL)
		op->eof_x = op->issued;
	dv_part_finish(r, p, 0);
}

/* Ends the part, or asks for what it lacks; err is why the request ended. */
static void go_on(struct devio_ring *r, struct dv_part *p, int err)
{
	if (p->op->err || dv_stream_of(p->op)->err)
		dv_transfer_give_up_dead(r, p);
	else if (p->done == p->len || has_enough(p))
		finish(r, p, false);
	else if (p->op->canceled)
		dv_transfer_give_up_dead(r, p);
	else if (p->tries++ == MAX_TRIES)
		dv_transfer_give_up(r, p, err, DEVIO_REASON_NET);
	else
		dv_transfer_submit(r, p);
}

/* The kernel reports it once; it would be the end of the stream the next time. */
static void broke(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_stream *st = dv_stream_of(p->op);

	if (!st->err) {
		st->err = err;
		st->why = dv_transfer_reason(err);
	}
	if (has_enough(p) && !dv_op_dead(p->op))
		finish(r, p, false);
	else
		dv_transfer_give_up_dead(r, p);
}

/* The request ended before bytes in ordinary memory and took none of them; MSG_SOCK_DEVMEM takes them from any packet. */
static void take_linear(struct devio_ring *r, struct dv_part *p, int err)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_rx *rx = s->rx;
	ssize_t n;
	int nr = 0;

	dv_rx_prepare(rx, NULL, p->len - p->done, DV_RX_FRAGS);
	do {
		n = recvmsg(s->fd, &rx->msg, MSG_SOCK_DEVMEM | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		nr = dv_rx_parse(&rx->msg, (uint32_t)n, 0, 0, rx->frag);
	if (nr > 0) {
		rx->nr_frags = (unsigned int)nr;
		place(r, p, (uint32_t)n);
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
	int64_t idle = dv_sock_of(p->op)->opts.idle_ns;

	if (p->done == p->len || p->sock.zcrx.enough || dv_op_dead(p->op) || dv_stream_of(p->op)->err)
		go_on(r, p, -ECANCELED);
	else if (!idle)
		dv_transfer_give_up(r, p, -ECANCELED, DEVIO_REASON_CANCELED);
	else if (dv_now_ns() - p->sock.zcrx.since >= idle)
		dv_transfer_give_up(r, p, -ETIMEDOUT, DEVIO_REASON_TIMEOUT);
	else
		dv_transfer_submit(r, p);
}

static void ended(struct devio_ring *r, struct dv_part *p, int res)
{
	if (r->collecting == p)
		dv_zcrx_pieces(r);
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

const struct dv_sock_path dv_path_sock_zcrx = {
	.path = {
		.name = "sock-zcrx",
		.id = DEVIO_PATH_SOCK_ZCRX,
		.direct = true,
		.can = can,
		.issue = issue,
	},
	.frame = frame,
	.deliver = deliver,
	.ended = ended,
	.timeout = idle_left,
};
