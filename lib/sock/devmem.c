/* SPDX-License-Identifier: MIT */
/* sock-devmem: the NIC itself reads and writes device memory. Whether it can, and the table of both directions. */
#include "config.h"
#include <errno.h>
#include "sock/rx.h"

static int unavailable(const struct dv_op *op, uint8_t *why)
{
	if (op->mem->caps & DEVIO_MEM_EXPORT)
		*why = dv_sock_nic_reason(dv_sock_of(op), op->write ? DV_NIC_SEND : DV_NIC_RECV, NULL);
	else
		*why = DEVIO_REASON_NO_EXPORT;
	return -EOPNOTSUPP;
}

/* Receiving takes a NIC that is set up; the payload is then gathered into any memory. */
static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	int rc;

	(void)r;
	(void)pair;
	if (!op->write) {
		rc = dv_devmem_rx_can(op, why);
		return rc == -EOPNOTSUPP ? unavailable(op, why) : rc;
	}
	(void)unavailable(op, why);
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

static void prep(struct dv_part *p, struct dv_net *n)
{
	if (p->op->write) {
		dv_devmem_tx_prep(p, n);
		return;
	}
	dv_devmem_rx_prep(p);
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
	.prep = prep,
	.deliver = dv_devmem_rx_deliver,
};
