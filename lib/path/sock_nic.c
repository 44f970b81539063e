/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem and sock-zcrx: the NIC itself reads and writes device memory.
 * What is here is their preflight, which tells what stands in the way; it
 * never says that they can.
 */
#include "config.h"
#include <errno.h>
#include "kern/netdev.h"
#include "path.h"

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

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)pair;
	*why = op->mem->caps & DEVIO_MEM_EXPORT ? nic_why(op->sock, op->write) : DEVIO_WHY_NO_EXPORT;
	return -EOPNOTSUPP;
}

static int can_zcrx(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)can(r, op, pair, why);
	if (*why == DEVIO_WHY_NO_EXPORT)
		return -EOPNOTSUPP;
	if (op->write)
		*why = DEVIO_WHY_NET_RECV;
	else if (!r->q.uring)
		*why = DEVIO_WHY_NO_URING;
	return -EOPNOTSUPP;
}

const struct dv_path dv_path_sock_devmem = {
	.name = "sock-devmem",
	.id = DEVIO_PATH_SOCK_DEVMEM,
	.direct = true,
	.can = can,
};

const struct dv_path dv_path_sock_zcrx = {
	.name = "sock-zcrx",
	.id = DEVIO_PATH_SOCK_ZCRX,
	.direct = true,
	.can = can_zcrx,
};
