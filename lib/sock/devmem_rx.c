/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem, received: the NIC writes payload into its memory, from which it
 * is gathered, or where the caller borrows it. Fragments return to the NIC in
 * one call for each receive.
 */
#include "config.h"
#include "core/ctx.h"
#include "core/err.h"
#include "sock/rx.h"

int dv_devmem_rx_can(const struct dv_op *op, uint8_t *why)
{
	int rc = dv_rx_open(dv_sock_of(op));

	*why = DEVIO_REASON_NO_SLOT;
	if (!rc && dv_sock_of(op)->rx->nic->binding->per_ring) {
		*why = DEVIO_REASON_NET_RING;
		return -EBUSY;
	}
	return rc;
}

int dv_devmem_rx_issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t left = op->len - op->issued;
	struct dv_part *p;

	if (op->sock.frags && !dv_frag_table_room(&dv_sock_of(op)->rx->borrowed))
		return -ENOBUFS;
	p = dv_transfer_get(r, op, op->issued, left < DV_RX_BYTES ? left : DV_RX_BYTES);
	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_DIRECT;
	p->sock.step = DV_STEP_MOVE;
	p->len = p->take;
	op->issued += p->len;
	dv_transfer_part(r, p);
	return 0;
}

void dv_devmem_rx_frame(struct dv_part *p)
{
	const struct dv_op *op = p->op;
	struct dv_rx *rx = dv_sock_of(op)->rx;
	uint32_t room = DV_RX_FRAGS;

	if (op->sock.frags) {
		room = dv_frag_table_room(&rx->borrowed);
		room = op->sock.max_frags < room ? op->sock.max_frags : room;
	}
	dv_rx_prepare(rx, op->sock.frag_host, p->len, room < DV_RX_FRAGS ? room : DV_RX_FRAGS);
}

static void give_back(struct devio_ring *r, struct dv_rx *rx, int fd, int nr)
{
	uint64_t frags = 0;
	int lost = 0;

	for (int i = 0; i < nr; i++) {
		int rc = rx->frag[i].linear ? 0 : dv_token_batch_add(&rx->back, fd, rx->frag[i].token);

		frags += !rx->frag[i].linear;
		lost = rc ? rc : lost;
	}
	if (dv_token_batch_flush(&rx->back, fd))
		lost = 1;
	if (lost)
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-devmem: the kernel did not know tokens that it had issued");
	dv_stat_add(&r->stat.sum.frags, frags);
	dv_stat_add(&r->stat.sum.returned, frags);
}

static int account_fails(int err, uint32_t n)
{
	return dv_err(err, "sock-devmem: the kernel's account of %u bytes cannot be used%s", n,
		      err == -ENOMSG ? ": another memory is bound to the queue" : "");
}

/* Fragments that stay where they are. */
static int borrow(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_frag_sum sum;
	int nr = dv_borrow_fill(dv_sock_of(op)->rx, op->sock.frags, op->sock.frag_host, n, &sum);

	if (nr < 0)
		return account_fails(nr, n);
	op->sock.nr_frags = (uint32_t)nr;
	op->sock.delivered += sum.bytes;
	dv_stat_add(&r->stat.sum.linear, sum.linear);
	dv_stat_add(&r->stat.sum.frags, sum.frags);
	dv_stat_add(&r->stat.sum.frag_bytes, sum.bytes);
	return (int)sum.linear;
}

int dv_devmem_rx_deliver(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct devio_sock *s = dv_sock_of(p->op);
	struct dv_rx *rx = s->rx;
	int nr, rc;

	if (p->op->sock.frags)
		return borrow(r, p, n);
	nr = dv_rx_parse(&rx->msg, n, rx->nic->id, rx->nic->mem_off + rx->nic->mem->size, rx->frag);
	if (nr < 0)
		return account_fails(nr, n);
	rc = dv_rx_place(r, p->op, p->x, nr);
	give_back(r, rx, s->fd, nr);
	return rc;
}
