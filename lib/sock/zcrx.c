/* SPDX-License-Identifier: MIT */
/*
 * sock-zcrx: the NIC writes payload into pieces of its memory, of which
 * io_uring tells one by one; gathered from there as by sock-devmem. Pieces go
 * back to the NIC by a ring that the kernel reads. What a request does is in
 * lib/flowzc.c.
 */
#include "config.h"
#include <errno.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "path/choose.h"

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
	int rc = op->write ? -EOPNOTSUPP : dv_rx_open(op->sock);

	(void)pair;
	if (!rc && atomic_load_explicit(&op->sock->rx->nic->ring, memory_order_relaxed) == r)
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
		*why = r->q.uring ? nic_why(r, op->sock) : DEVIO_REASON_NO_URING;
	return -EOPNOTSUPP;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t left = op->len - op->issued;
	struct dv_part *p = dv_part_get(r, op, op->issued, left < DV_DIRECT_MAX ? left : DV_DIRECT_MAX);

	if (!p)
		return -EAGAIN;
	p->way = DV_WAY_DIRECT;
	p->step = DV_STEP_MOVE;
	p->len = p->take;
	op->issued += p->len;
	dv_flow_part(r, p);
	return 0;
}

static void frame(struct dv_part *p, struct dv_net *n)
{
	n->what = DV_NET_RECV_ZC;
	n->addr = p->op->sock->rx->nic->zc.id;
}

static void give_back(struct devio_ring *r, struct dv_rx *rx)
{
	struct dv_zcrx *zc = &rx->nic->zc;
	uint64_t frags = 0;
	int rc = 0;

	for (unsigned int i = 0; i < rx->nr_piece; i++) {
		if (rx->piece[i].linear)
			continue;
		if (dv_zcrx_back(zc, rx->piece[i].off, rx->piece[i].len))
			rc = -ENOMEM;
		frags++;
	}
	if (!dv_zcrx_publish(zc))
		r->owes_refill = true;
	if (rc)
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-zcrx: no memory to keep buffers that go back to nic %s: it has fewer until "
		       "the ring is closed", rx->nic->ifname);
	dv_stat_add(&r->stat.frags, frags);
	dv_stat_add(&r->stat.returned, frags);
}

/* Is the kernel's account such that nothing is written where it does not belong? */
static int check(const struct dv_rx *rx, uint32_t n, uint32_t room)
{
	bool good = n <= room;

	for (unsigned int i = 0; good && i < rx->nr_piece; i++)
		good = rx->piece[i].linear || dv_zcrx_inside(rx->piece[i].off, rx->piece[i].len, rx->nic->mem->size);
	return good ? 0 : dv_err(-EPROTO, "sock-zcrx: the kernel's account of %u bytes cannot be used", n);
}

/* An operation that has failed gets nothing more, but the NIC gets its buffers. */
static int landed(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_rx *rx = p->op->sock->rx;
	int rc = check(rx, n, p->len - p->done);

	if (!rc && !p->op->err)
		rc = dv_rx_place(r, p->op, p->x + p->done, (int)rx->nr_piece);
	give_back(r, rx);
	rx->nr_piece = rx->piece_bytes = 0;
	return rc;
}

const struct dv_path dv_path_sock_zcrx = {
	.name = "sock-zcrx",
	.id = DEVIO_PATH_SOCK_ZCRX,
	.direct = true,
	.piecewise = true,
	.can = can,
	.issue = issue,
	.frame = frame,
	.landed = landed,
};
