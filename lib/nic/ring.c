/* SPDX-License-Identifier: MIT */
/*
 * A NIC set up for one ring. The kernel releases the queue only when the ring's
 * io_uring is closed: devio_nic_close() with the ring still open diverts the
 * traffic, and closing the ring does the rest.
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
		return dv_err(-EINVAL, "nic: the ring cannot receive by sock-zcrx: open it with DEVIO_RING_ZCRX (an "
			      "attached io_uring is not supported)");
	if (o->queues > 1)
		return dv_err(-EINVAL, "nic: %u queues requested, but a ring receives from one queue of a NIC: use "
			      "sock-devmem (no ring) for more", o->queues);
	return 0;
}

static int can(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon)
{
	struct devio_ring *r = nic->ring;

	(void)daemon; /* only the ring's own process can register a queue with it */
	if (!dv_zcrx_known(&r->q))
		return dv_err(-EOPNOTSUPP, "nic %s: the kernel has no zero-copy receive: boot Linux 6.16 or newer with "
			      "CONFIG_IO_URING_ZCRX, or use sock-devmem (no ring)", nic->ifname);
	if (!d->right || !d->first_user_ns)
		return dv_err(-EPERM, "nic %s: binding a queue to a ring requires CAP_NET_ADMIN in the initial user "
			      "namespace, which a container may lack: use sock-devmem (no ring) there", nic->ifname);
	return 0;
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
		return dv_err(rc, "nic %s: cannot bind mem %s to queue %u for the ring%s", nic->ifname, nic->mem->spec,
			      nic->first, dv_nic_bind_hint(nic, rc));
	nic->id = nic->zc.id;
	atomic_fetch_add_explicit(&nic->refs, 1, memory_order_relaxed);
	dv_nic_ring_join(nic, r);
	return 0;
}

/* The saved RSS table without the queue: with it, other programs' traffic could reach the queue. */
static int exclude_from_rss(const struct devio_nic *nic)
{
	size_t size = nic->saved.rss_size * sizeof(nic->saved.rss[0]);
	uint32_t *table = size ? malloc(size) : NULL;
	int rc = size ? -ENOMEM : 0;

	if (table) {
		memcpy(table, nic->saved.rss, size);
		(void)dv_ethtool_rss_make(table, nic->saved.rss_size, nic->first, nic->queues, false);
		rc = dv_ethtool_rss_set(nic->ifname, table, nic->saved.rss_size);
	}
	free(table);
	return rc;
}

static void divert_traffic(struct devio_nic *nic)
{
	struct dv_nicstate *rules = calloc(1, sizeof(*rules));
	int rc = exclude_from_rss(nic);

	if (rules) {
		rules->ifindex = nic->ifindex;
		memcpy(rules->ifname, nic->ifname, sizeof(rules->ifname));
		memcpy(rules->rules, nic->saved.rules, sizeof(rules->rules));
		rules->nr_rules = nic->saved.nr_rules;
		if (!dv_nic_restore_state(rules))
			nic->saved.nr_rules = 0;
	}
	if (rc || nic->saved.nr_rules)
		dv_log(nic->ctx, DEVIO_LOG_ERROR, "nic %s: cannot divert traffic from queue %u until the ring is "
		       "closed", nic->ifname, nic->first);
	free(rules);
}

/* The kernel releases the queue some time after the ring's descriptor is closed. */
static void restore_after_ring(struct devio_nic *nic)
{
	struct dv_netqueue q;

	for (int i = 0; i < TRIES && !dv_netqueue_get(nic->ifindex, nic->first, &q) && q.other; i++)
		usleep(PAUSE_US);
	dv_nic_restore(nic);
}

static void unbind_ring(struct devio_nic *nic)
{
	pthread_mutex_lock(&nic->undo);
	nic->closed = true;
	if (atomic_load_explicit(&nic->ring, memory_order_relaxed))
		divert_traffic(nic);
	else
		restore_after_ring(nic);
	pthread_mutex_unlock(&nic->undo);
}

/* In a forked child only the refill ring's mapping is dropped. */
static void closed(struct devio_ring *r, struct dv_ring_client *c, bool forked)
{
	struct devio_nic *nic = dv_client_of(c, struct devio_nic, client);

	(void)r;
	dv_zcrx_close(&nic->zc, forked);
	if (!forked)
		pthread_mutex_lock(&nic->undo);
	atomic_store_explicit(&nic->ring, NULL, memory_order_relaxed);
	if (!forked && nic->closed)
		restore_after_ring(nic);
	if (!forked)
		pthread_mutex_unlock(&nic->undo);
	dv_nic_put(nic);
}

/* Returns the buffers for which the refill ring had no room. */
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
	.unbind = unbind_ring,
};
