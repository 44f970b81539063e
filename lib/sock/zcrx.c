/* SPDX-License-Identifier: MIT */
/*
 * sock-zcrx: the NIC writes payload into its memory, and io_uring reports one CQE
 * per fragment; gathered from there as in sock-devmem. Buffers are returned to the
 * NIC through a refill ring that the kernel reads.
 *
 * A multishot request ends with the last byte requested, at the end of the stream,
 * or before bytes that the kernel cannot deliver this way. Those are received by
 * recvmsg(2), and the request is submitted again for the rest.
 */
#include "config.h"
#include "core/ctx.h"
#include "core/clock.h"
#include "core/err.h"
#include "sock/rx.h"

#define MAX_PART (64u << 20)
#define MAX_TRIES 1000 /* requests in a row that end without a byte; far more than ever needed */

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
		*why = r->q.uring ? dv_sock_nic_reason(dv_sock_of(op), DV_NIC_ZCRX, r) : DEVIO_REASON_NO_URING;
	return -EOPNOTSUPP;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	return dv_transfer_receive(r, op, MAX_PART);
}

static void prep(struct dv_part *p, struct dv_net *n)
{
	n->what = DV_NET_RECV_ZC;
	n->addr = dv_sock_of(p->op)->rx->nic->zc.id;
}

static void return_buffers(struct devio_ring *r, struct dv_rx *rx)
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
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-zcrx: cannot allocate the list of buffers to return to nic %s: "
		       "it has fewer buffers until the ring is closed", rx->nic->ifname);
	dv_stat_add(&r->stat.sum.frags, frags);
	dv_stat_add(&r->stat.sum.returned, frags);
}

/* Checks that the reported fragments are inside the NIC's memory and fit the part. */
static int check_frags(const struct dv_rx *rx, uint32_t n, uint32_t room)
{
	bool good = n <= room;

	for (unsigned int i = 0; good && i < rx->nr_frags; i++)
		good = rx->frag[i].linear || dv_zcrx_inside(rx->frag[i].off, rx->frag[i].len, rx->nic->mem->size);
	return good ? 0 : dv_err(-EPROTO, "sock-zcrx: the kernel reported invalid fragments of %u bytes", n);
}

/* A failed operation gets no more bytes, but the buffers are returned to the NIC. */
static int deliver(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_rx *rx = dv_sock_of(p->op)->rx;
	int rc = check_frags(rx, n, p->len - p->done);

	if (!rc && !p->op->err)
		rc = dv_rx_place(r, p->op, p->x + p->done, (int)rx->nr_frags);
	return_buffers(r, rx);
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

/* A partial receive, which has bytes. */
static bool has_enough(const struct dv_part *p)
{
	return p->done && p->op->want & DEVIO_SOCK_PARTIAL;
}

/* Received bytes are lost, and with them the position in the stream. */
static void break_stream(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_stream *st = dv_stream_of(p->op);

	dv_op_fail(p->op, p->x + p->done, err, DEVIO_REASON_COPY);
	dv_stream_fail(st, -EIO, DEVIO_REASON_BROKEN);
	dv_transfer_cancel_io(r, st);
}

/* Delivers the n bytes of rx->frag[] and accounts for them. */
static void deliver_frags(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	int copied = deliver(r, p, n);

	p->tries = 0;
	if (dv_sock_of(op)->opts.idle_ns)
		p->sock.zcrx.since = dv_now_ns();
	if (copied < 0)
		break_stream(r, p, copied);
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
	deliver_frags(r, p, dv_sock_of(p->op)->rx->frag_bytes);
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

/* Finishes the part, or requests the rest; err is why the request ended. */
static void proceed(struct devio_ring *r, struct dv_part *p, int err)
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

/* The kernel reports an error once, and the end of the stream afterwards. */
static void failed(struct devio_ring *r, struct dv_part *p, int err)
{
	dv_stream_fail(dv_stream_of(p->op), err, dv_transfer_reason(err));
	if (has_enough(p) && !dv_op_dead(p->op))
		finish(r, p, false);
	else
		dv_transfer_give_up_dead(r, p);
}

/* The request ended before bytes in ordinary memory; recvmsg() with MSG_SOCK_DEVMEM receives them from any packet. */
static void recv_linear(struct devio_ring *r, struct dv_part *p, int err)
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
		deliver_frags(r, p, (uint32_t)n);
	} else if (nr) {
		break_stream(r, p, nr);
	}
	if (!n)
		finish(r, p, true);
	else if (n < 0 && errno != EAGAIN && errno != EFAULT && errno != ENODEV)
		failed(r, p, -errno);
	else
		proceed(r, p, err);
}

/* Canceled by us for any reason, or by the linked timeout, which may have been set before the last bytes arrived. */
static void canceled(struct devio_ring *r, struct dv_part *p)
{
	int64_t idle = dv_sock_of(p->op)->opts.idle_ns;

	if (p->done == p->len || p->sock.zcrx.enough || dv_op_dead(p->op) || dv_stream_of(p->op)->err)
		proceed(r, p, -ECANCELED);
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
		recv_linear(r, p, res);
	/* -ENOSPC: the completion queue was full; it has room by now. */
	else if (!res || res == -ENOMEM || res == -ENOSPC || res == -EAGAIN || res == -EINTR)
		proceed(r, p, res);
	else
		failed(r, p, res);
}

const struct dv_sock_path dv_path_sock_zcrx = {
	.path = {
		.name = "sock-zcrx",
		.id = DEVIO_PATH_SOCK_ZCRX,
		.direct = true,
		.can = can,
		.issue = issue,
	},
	.prep = prep,
	.deliver = deliver,
	.ended = ended,
	.timeout = idle_left,
};
