/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem, sending: the NIC reads the payload from the memory itself. The
 * operation completes when the kernel reports, by the socket's error queue, that
 * it no longer reads from there.
 */
#include "config.h"
#include <string.h>
#include "sock/rx.h"

#define MAX_PART (1u << 20)

int dv_devmem_tx_issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t off, left;
	const struct devio_mem *m = dv_op_at(op, op->issued, &off, &left);
	const struct dv_txbind *b = dv_tx_bind_of(dv_sock_of(op)->tx, m);
	struct dv_part *p;

	if (!b)
		return -EOPNOTSUPP; /* cannot happen: can() bound the only memory that suits() admits */
	p = dv_transfer_get(r, op, op->issued, left < MAX_PART ? (uint32_t)left : MAX_PART);
	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_DIRECT;
	p->sock.step = DV_STEP_READY;
	p->addr = b->off + off;
	p->sock.tx.binding = b->bind.id;
	p->len = p->take;
	op->issued += p->len;
	dv_transfer_part(r, p);
	return 0;
}

/* Not MSG_WAITALL: io_uring would send the rest without the control message that names the memory. */
void dv_devmem_tx_prep(struct dv_part *p, struct dv_net *n)
{
	struct dv_tx *tx = dv_sock_of(p->op)->tx;
	uint32_t id = p->sock.tx.binding;

	tx->iov = (struct iovec){ .iov_base = (void *)(uintptr_t)(p->addr + p->done), .iov_len = p->len - p->done };
	tx->msg = (struct msghdr){ .msg_iov = &tx->iov, .msg_iovlen = 1, .msg_control = tx->control.buf,
				   .msg_controllen = sizeof(tx->control.buf) };
	tx->control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = DV_SCM_DEVMEM_TX,
					      .cmsg_len = CMSG_LEN(sizeof(id)) };
	memcpy(CMSG_DATA(&tx->control.align), &id, sizeof(id));
	n->what = DV_NET_SENDMSG;
	n->addr = (uintptr_t)&tx->msg;
	n->flags |= MSG_ZEROCOPY;
}
