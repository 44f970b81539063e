/* SPDX-License-Identifier: MIT */
/* sock-devmem: the NIC itself reads and writes device memory. Its preflight, and its two sides in one. */
#include "config.h"
#include <errno.h>
#include "sock/rx.h"
#include "kern/netdev.h"

/* The first answer stays: a connection is tied to its interface as long as it lives, as a rule. */
static enum devio_reason nic_why(struct devio_sock *s, bool send)
{
	uint8_t why = atomic_load_explicit(&s->nic_why[send], memory_order_relaxed);
	struct dv_netdev d;

	if (why)
		return why;
	if (!dv_netdev_find(s->fd, &d))
		dv_netdev_ask(&d);
	why = dv_netdev_why(&d, send);
	atomic_store_explicit(&s->nic_why[send], why, memory_order_relaxed);
	return why;
}

static int blocked(const struct dv_op *op, uint8_t *why)
{
	*why = op->mem->caps & DEVIO_MEM_EXPORT ? nic_why(dv_sock_of(op), op->write) : DEVIO_REASON_NO_EXPORT;
	return -EOPNOTSUPP;
}

/* To receive, the NIC must have been set up, and then any memory can be gathered into. */
static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	int rc;

	(void)r;
	(void)pair;
	if (!op->write) {
		rc = dv_devmem_rx_can(op, why);
		return rc == -EOPNOTSUPP ? blocked(op, why) : rc;
	}
	(void)blocked(op, why);
	return *why == DEVIO_REASON_NET_SETUP ? dv_tx_open(dv_sock_of(op), op->mem, why) : -EOPNOTSUPP;
}

static uint8_t suits(const struct dv_op *op)
{
	for (uint32_t i = 1; op->write && i < op->nr_ranges; i++)
		if (op->ranges[i].mem != op->mem)
			return DEVIO_REASON_RANGES;
	return 0;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	return op->write ? dv_devmem_tx_issue(r, op) : dv_devmem_rx_issue(r, op);
}

static void frame(struct dv_part *p, struct dv_net *n)
{
	if (p->op->write) {
		dv_devmem_tx_frame(p, n);
		return;
	}
	dv_devmem_rx_frame(p);
	n->what = DV_NET_RECVMSG;
	n->addr = (uintptr_t)&dv_sock_of(p->op)->rx->msg;
	n->flags |= MSG_SOCK_DEVMEM;
}

const struct dv_sock_path dv_path_sock_devmem = {
	.path = {
		.name = "sock-devmem",
		.id = DEVIO_PATH_SOCK_DEVMEM,
		.direct = true,
		.can = can,
		.suits = suits,
		.issue = issue,
	},
	.frame = frame,
	.deliver = dv_devmem_rx_deliver,
};
