/* SPDX-License-Identifier: MIT */
/* The netdev netlink family: binding dma-bufs to queues, and the state of the queues. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "kern/netbind.h"
#include "kern/devmem.h"

static void on_bound(void *arg, const void *attrs, int len)
{
	struct dv_netbind *b = arg;

	b->id = (uint32_t)dv_genl_num(attrs, len, DV_DMABUF_ID, 0);
}

static int put_queues(struct nl_msg *msg, unsigned int first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct nlattr *nest = nla_nest_start(msg, DV_DMABUF_QUEUES | NLA_F_NESTED);

		if (!nest || nla_put_u32(msg, DV_QUEUE_ID, first + i) < 0 || nla_put_u32(msg, DV_QUEUE_TYPE, 0) < 0)
			return -EMSGSIZE;
		nla_nest_end(msg, nest);
	}
	return 0;
}

static int do_bind(struct dv_netbind *b, uint8_t cmd, unsigned int ifindex, int fd, unsigned int first, unsigned int n,
		   uint32_t buffer)
{
	struct nl_msg *msg;
	int rc;

	memset(b, 0, sizeof(*b));
	rc = dv_genl_open(&b->nl);
	if (rc)
		return rc;
	msg = dv_genl_msg(&b->nl, "netdev", cmd, 0);
	if (msg && (nla_put_u32(msg, DV_DMABUF_IFINDEX, ifindex) < 0 ||
		    nla_put_u32(msg, DV_DMABUF_FD, (uint32_t)fd) < 0 ||
		    (buffer && nla_put_u32(msg, DV_DMABUF_RX_PAGE_SIZE, buffer) < 0) || put_queues(msg, first, n))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	rc = dv_genl_talk(&b->nl, msg, on_bound, b);
	if (!rc && !b->id)
		rc = -EPROTO;
	if (rc)
		dv_netbind_close(b);
	return rc;
}

int dv_netbind_rx(struct dv_netbind *b, unsigned int ifindex, int fd, unsigned int first, unsigned int n,
		  uint32_t buffer)
{
	return do_bind(b, DV_NETDEV_BIND_RX, ifindex, fd, first, n, buffer);
}

int dv_netbind_tx(struct dv_netbind *b, unsigned int ifindex, int fd)
{
	return do_bind(b, DV_NETDEV_BIND_TX, ifindex, fd, 0, 0, 0);
}

void dv_netbind_close(struct dv_netbind *b)
{
	dv_genl_close(&b->nl);
	b->id = 0;
}

void dv_netqueue_parse(const void *attrs, int len, struct dv_netqueue *q)
{
	q->known = dv_genl_find(attrs, len, DV_QUEUE_ID, 4);
	q->dmabuf = (uint32_t)dv_genl_num(attrs, len, DV_QUEUE_DMABUF, 0);
	q->other = nla_find(attrs, len, DV_QUEUE_IO_URING) || nla_find(attrs, len, DV_QUEUE_XSK) ||
		   nla_find(attrs, len, DV_QUEUE_LEASE);
}

static void on_queue(void *arg, const void *attrs, int len)
{
	dv_netqueue_parse(attrs, len, arg);
}

int dv_netqueue_get(unsigned int ifindex, unsigned int queue, struct dv_netqueue *q)
{
	struct nl_msg *msg;
	struct dv_genl g;
	int rc = dv_genl_open(&g);

	memset(q, 0, sizeof(*q));
	if (rc)
		return rc;
	msg = dv_genl_msg(&g, "netdev", DV_NETDEV_QUEUE_GET, 0);
	if (msg && (nla_put_u32(msg, DV_QUEUE_ID, queue) < 0 || nla_put_u32(msg, DV_QUEUE_IFINDEX, ifindex) < 0 ||
		    nla_put_u32(msg, DV_QUEUE_TYPE, 0) < 0)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	rc = dv_genl_talk(&g, msg, on_queue, q);
	dv_genl_close(&g);
	return rc;
}

struct wanted {
	struct dv_netcount *c;
	unsigned int ifindex, queue;
	uint32_t binding;
};

static void on_stats(void *arg, const void *attrs, int len)
{
	const struct wanted *w = arg;

	if (dv_genl_num(attrs, len, DV_QSTATS_QUEUE_TYPE, 9) ||
	    dv_genl_num(attrs, len, DV_QSTATS_QUEUE_ID, UINT64_MAX) != w->queue)
		return;
	w->c->packets = dv_genl_num(attrs, len, DV_QSTATS_RX_PACKETS, UINT64_MAX);
	w->c->bytes = dv_genl_num(attrs, len, DV_QSTATS_RX_BYTES, UINT64_MAX);
	w->c->alloc_fail = dv_genl_num(attrs, len, DV_QSTATS_RX_ALLOC_FAIL, UINT64_MAX);
	w->c->hw_drops = dv_genl_num(attrs, len, DV_QSTATS_RX_HW_DROPS, UINT64_MAX);
}

static void on_pool(void *arg, const void *attrs, int len)
{
	const struct wanted *w = arg;

	if (w->binding ? dv_genl_num(attrs, len, DV_POOL_DMABUF, UINT64_MAX) != w->binding :
	    dv_genl_num(attrs, len, DV_POOL_IFINDEX, 0) != w->ifindex || !nla_find(attrs, len, DV_POOL_IO_URING))
		return;
	if (w->c->inflight == UINT64_MAX)
		w->c->inflight = w->c->inflight_mem = 0;
	w->c->inflight += dv_genl_num(attrs, len, DV_POOL_INFLIGHT, 0);
	w->c->inflight_mem += dv_genl_num(attrs, len, DV_POOL_INFLIGHT_MEM, 0);
}

int dv_netcount_get(unsigned int ifindex, unsigned int queue, uint32_t binding, struct dv_netcount *c)
{
	struct wanted w = { .c = c, .ifindex = ifindex, .queue = queue, .binding = binding };
	struct nl_msg *msg;
	struct dv_genl g;
	int rc = dv_genl_open(&g);

	memset(c, 0xff, sizeof(*c));
	if (rc)
		return rc;
	/* Scope 1: per queue. */
	msg = dv_genl_msg(&g, "netdev", DV_NETDEV_QSTATS_GET, NLM_F_DUMP);
	if (msg && (nla_put_u32(msg, DV_QSTATS_IFINDEX, ifindex) < 0 || nla_put_u32(msg, DV_QSTATS_SCOPE, 1) < 0)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	rc = dv_genl_talk(&g, msg, on_stats, &w);
	if (!rc || rc == -EOPNOTSUPP)
		rc = dv_genl_talk(&g, dv_genl_msg(&g, "netdev", DV_NETDEV_PAGE_POOL_GET, NLM_F_DUMP), on_pool, &w);
	dv_genl_close(&g);
	return rc;
}
