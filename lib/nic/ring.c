/* SPDX-License-Identifier: MIT */
/*
 * A NIC set up for one ring. The kernel gives a queue back when the ring's
 * io_uring is closed, and has no other way: so devio_nic_close() with a ring
 * that lives only leads the traffic away, and the ring's close does the rest.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/ctx.h"
#include "core/err.h"
#include "nic/nic.h"
#include "kern/netdev.h"
#include "ring/engine.h"

#define TRIES 60
#define PAUSE_US 50000

int dv_nic_ring_check(const struct devio_ctx *ctx, const struct devio_nic_opts *o)
{
	int rc = o->ring ? dv_ring_check(o->ring) : 0;

	if (!o->ring || rc)
		return rc;
	if (o->ring->ctx != ctx)
		return dv_err(-EINVAL, "nic: the ring belongs to another context");
	if (!o->ring->q.big)
		return dv_err(-EINVAL, "nic: the ring cannot receive by sock-zcrx: open it with DEVIO_RING_ZCRX (it cannot be an "
			      "application's io_uring)");
	if (o->queues > 1)
		return dv_err(-EINVAL, "nic: a ring receives from one queue of a NIC, and %u are asked for: take sock-devmem (no "
			      "ring), whose queues may be many", o->queues);
	return 0;
}

static int can(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon)
{
	struct devio_ring *r = nic->ring;

	(void)daemon; /* a ring's queue is its own process's to register */
	if (!dv_zcrx_known(&r->q))
		return dv_err(-EOPNOTSUPP, "nic %s: the kernel has no zero-copy receive: boot Linux 6.16 or newer with "
			      "CONFIG_IO_URING_ZCRX, or take sock-devmem (no ring)", nic->ifname);
	if (!d->right || !d->first_user_ns)
		return dv_err(-EPERM, "nic %s: a queue for a ring takes CAP_NET_ADMIN in the initial user namespace, which a "
			      "container may not have: take sock-devmem (no ring) there", nic->ifname);
	return 0;
}

static const char *hint(int rc)
{
	switch (rc) {
	case -EEXIST:
		return ": it has an XDP program (ip link set dev IF xdp off), or a ring that is not closed yet, or this is not the "
		       "ring's thread";
	case -EOPNOTSUPP:
		return ": the driver restarts no single queues, or the memory is not to be reached by the NIC (a device's own memory "
		       "needs the series in kernel/)";
	case -EINVAL:
		return ": headers are not split, the NIC has no way to the memory (devio-probe tells), or the kernel is older than 6.16 and "
		       "takes no dma-buf";
	case -ENOMEM:
		return ": RLIMIT_MEMLOCK (ulimit -l) may be too low";
	default:
		return "";
	}
}

static int try_queue(struct devio_nic *nic, int fd, uint32_t buffer)
{
	return dv_zcrx_open(&nic->zc, &nic->ring->q, nic->ifindex, nic->first, fd, nic->mem->size, buffer);
}

static const struct dv_ring_client_ops client_ops;

void dv_nic_ring_join(struct devio_nic *nic, struct devio_ring *r)
{
	nic->client.ops = &client_ops;
	dv_ring_add_client(r, &nic->client);
}

static int bind_ring(struct devio_nic *nic, int fd)
{
	struct devio_ring *r = nic->ring;
	int rc = dv_nic_bind_buffers(nic, fd, try_queue);

	if (rc)
		return dv_err(rc, "nic %s: the ring does not get queue %u with mem %s%s", nic->ifname, nic->first, nic->mem->spec,
			      hint(rc));
	nic->id = nic->zc.id;
	atomic_fetch_add_explicit(&nic->refs, 1, memory_order_relaxed);
	dv_nic_ring_join(nic, r);
	return 0;
}

/* As it was before, others' traffic might come to the queue: RSS keeps away from it. */
static int keep_away(const struct devio_nic *nic)
{
	size_t size = nic->was.rss_size * sizeof(nic->was.rss[0]);
	uint32_t *table = size ? malloc(size) : NULL;
	int rc = size ? -ENOMEM : 0;

	if (table) {
		memcpy(table, nic->was.rss, size);
		(void)dv_ethtool_rss_make(table, nic->was.rss_size, nic->first, nic->queues, false);
		rc = dv_ethtool_rss_set(nic->ifname, table, nic->was.rss_size);
	}
	free(table);
	return rc;
}

static void lead_away(struct devio_nic *nic)
{
	struct dv_nicstate *rules = calloc(1, sizeof(*rules));
	int rc = keep_away(nic);

	if (rules) {
		rules->ifindex = nic->ifindex;
		memcpy(rules->ifname, nic->ifname, sizeof(rules->ifname));
		memcpy(rules->rules, nic->was.rules, sizeof(rules->rules));
		rules->nr_rules = nic->was.nr_rules;
		if (!dv_nic_undo(rules))
			nic->was.nr_rules = 0;
	}
	if (rc || nic->was.nr_rules)
		dv_log(nic->ctx, DEVIO_LOG_ERROR, "nic %s: traffic cannot be led away from queue %u before the ring is closed",
		       nic->ifname, nic->first);
	free(rules);
}

/* The kernel gives the queue back some time after the ring's descriptor is closed. */
static void put_back(struct devio_nic *nic)
{
	struct dv_netqueue q;

	for (int i = 0; i < TRIES && !dv_netqueue_get(nic->ifindex, nic->first, &q) && q.other; i++)
		usleep(PAUSE_US);
	dv_nic_put_back(nic);
}

static void leave(struct devio_nic *nic)
{
	pthread_mutex_lock(&nic->undo);
	nic->closed = true;
	if (atomic_load_explicit(&nic->ring, memory_order_relaxed))
		lead_away(nic);
	else
		put_back(nic);
	pthread_mutex_unlock(&nic->undo);
}

/* In a forked child the memory of the NIC is unmapped, and no more. */
static void closed(struct devio_ring *r, struct dv_ring_client *c, bool forked)
{
	struct devio_nic *nic = dv_client_of(c, struct devio_nic, client);

	(void)r;
	dv_zcrx_close(&nic->zc, forked);
	if (!forked)
		pthread_mutex_lock(&nic->undo);
	atomic_store_explicit(&nic->ring, NULL, memory_order_relaxed);
	if (!forked && nic->closed)
		put_back(nic);
	if (!forked)
		pthread_mutex_unlock(&nic->undo);
	dv_nic_put(nic);
}

/* Buffers for which there was no room on their way to the NIC. */
static void refill(struct devio_ring *r, struct dv_ring_client *c)
{
	if (!dv_zcrx_publish(&dv_client_of(c, struct devio_nic, client)->zc))
		r->client_due = true;
}

static const struct dv_ring_client_ops client_ops = { .progress = refill, .closed = closed };

const struct dv_nic_binding dv_nic_ring_binding = {
	.per_ring = true,
	.can = can,
	.bind = bind_ring,
	.leave = leave,
};
