/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem, receiving: the NIC writes payload into its memory, from which it
 * is gathered, or where the caller borrows it. Fragments are returned to the NIC
 * by one call per receive.
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
	if (op->sock.frags && !dv_frag_table_room(&dv_sock_of(op)->rx->borrowed))
		return -ENOBUFS;
	return dv_transfer_receive(r, op, DV_RX_BYTES);
}

void dv_devmem_rx_prep(struct dv_part *p)
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

static void return_frags(struct devio_ring *r, struct dv_rx *rx, int fd, int nr)
{
	uint64_t frags = 0;
	int failed = 0;

	for (int i = 0; i < nr; i++) {
		int rc = rx->frag[i].linear ? 0 : dv_token_batch_add(&rx->returned, fd, rx->frag[i].token);

		frags += !rx->frag[i].linear;
		failed = rc ? rc : failed;
	}
	if (dv_token_batch_flush(&rx->returned, fd))
		failed = 1;
	if (failed)
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-devmem: SO_DEVMEM_DONTNEED: the kernel does not know tokens that "
		       "it issued");
	dv_stat_add(&r->stat.sum.frags, frags);
	dv_stat_add(&r->stat.sum.returned, frags);
}

static int cmsg_error(int err, uint32_t n)
{
	return dv_err(err, "sock-devmem: invalid control messages with a receive of %u bytes%s", n,
		      err == -ENOMSG ? ": another memory is bound to the queue" : "");
}

/* Leaves the fragments in place, for the application. */
static int borrow(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_frag_sum sum;
	int nr = dv_borrow_fill(dv_sock_of(op)->rx, op->sock.frags, op->sock.frag_host, n, &sum);

	if (nr < 0)
		return cmsg_error(nr, n);
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
		return cmsg_error(nr, n);
	rc = dv_rx_place(r, p->op, p->x, nr);
	return_frags(r, rx, s->fd, nr);
	return rc;
}
