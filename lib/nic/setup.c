/* SPDX-License-Identifier: MIT */
/* Setting a NIC up to receive into device memory: preflight, then each change written down before it is made. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/dmabuf.h"
#include "kern/netdev.h"
#include "kern/netif.h"
#include "mem/mem.h"
#include "nic/nic.h"

#define QUEUE_TRIES 40
#define QUEUE_PAUSE_US 50000

/* ------------------------------------------------------------- preflight */

static int check_device(const struct devio_nic *nic, const struct dv_netdev *d, bool alone)
{
	if (!d->on_bus)
		return dv_err(-EOPNOTSUPP, "nic %s: it is a virtual interface: name the NIC itself", nic->ifname);
	return nic->binding->can(nic, d, alone ? NULL : dv_nicclient_socket());
}

/* The queue of a ring that was closed comes free a little later. */
static int await_queues(struct devio_nic *nic)
{
	int rc = dv_nic_find_queues(nic);

	for (int i = 0; i < QUEUE_TRIES && rc == -EBUSY; i++) {
		usleep(QUEUE_PAUSE_US);
		rc = dv_nic_find_queues(nic);
	}
	return rc;
}

/* --------------------------------------------------------------- changes */

/* Header split on; was: what it was, as the undo has it. */
static int split_set(struct devio_nic *nic, const struct dv_split *was)
{
	struct dv_split want = { .split = DV_SPLIT_ON, .thresh = was->thresh > 0 ? 0 : -1 };
	char line[64], why[160];
	int rc;

	dv_nicstate_line_split(was, line, sizeof(line));
	rc = dv_nic_write_down(nic, line);
	if (rc)
		return rc;
	nic->was.has_split = true;
	nic->was.split = *was;
	rc = dv_ethtool_split_set(nic->ifindex, &want, why, sizeof(why));
	if (rc == -EOPNOTSUPP)
		return dv_err(rc, "nic %s: its driver does not separate headers from payload: %s: bnxt_en, mlx5_core, gve and "
			      "fbnic do, and igb with the series in kernel/", nic->ifname, *why ? why : "no words");
	return rc ? dv_err(rc, "nic %s: header split cannot be turned on: %s (mlx5 wants ethtool -K %s rx-gro-hw on before; "
			   "an XDP program must go)", nic->ifname, *why ? why : "the kernel gives no words", nic->ifname) : 0;
}

static int split_headers(struct devio_nic *nic)
{
	struct dv_split now;
	int rc = dv_ethtool_split_get(nic->ifindex, &now);

	if (rc)
		return dv_err(rc, "nic %s: header split cannot be asked for", nic->ifname);
	return now.split == DV_SPLIT_ON && now.thresh <= 0 ? 0 : split_set(nic, &now);
}

/*
 * A driver reports that it splits headers where that is only its default. The
 * kernel refuses the memory until it is set (net/core/netdev_rx_queue.c).
 */
static int bind_memory(struct devio_nic *nic)
{
	int fd, rc = dv_nic_dmabuf(nic, &fd);

	if (!rc)
		rc = nic->binding->bind(nic, fd);
	if (rc != -EINVAL || nic->was.has_split)
		return rc;
	rc = split_set(nic, &(struct dv_split){ .split = DV_SPLIT_DEFAULT, .thresh = -1 });
	return rc ? rc : nic->binding->bind(nic, fd);
}

/* The table as it is goes to the journal, and to the undo. Its size or -errno with its sentence. */
static int keep_rss(struct devio_nic *nic, uint32_t *table)
{
	size_t room = DV_RSS_MAX * 6 + 32;
	char *line = malloc(room);
	int n = line ? dv_ethtool_rss_get(nic->ifname, table) : -ENOMEM;
	int rc = n < 0 ? dv_err(n, "nic %s: its RSS table cannot be read", nic->ifname) : 0;

	if (!rc && dv_nicstate_line_rss(table, (unsigned int)n, line, room) >= (int)room)
		rc = dv_err(-E2BIG, "nic %s: its RSS table is too large", nic->ifname);
	if (!rc)
		rc = dv_nic_write_down(nic, line);
	free(line);
	if (rc)
		return rc;
	memcpy(nic->was.rss, table, (size_t)n * sizeof(*table));
	nic->was.rss_size = (unsigned int)n;
	return n;
}

/* RSS to the queues, or away from them: bound queues must not get what others receive. */
static int set_rss(struct devio_nic *nic)
{
	uint32_t *table = calloc(DV_RSS_MAX, sizeof(*table));
	int rc = 0, n = table ? keep_rss(nic, table) : dv_err(-ENOMEM, "nic %s: no memory", nic->ifname);

	if (n >= 0) {
		(void)dv_ethtool_rss_make(table, (unsigned int)n, nic->first, nic->queues, nic->steer == DEVIO_STEER_RSS);
		rc = dv_ethtool_rss_set(nic->ifname, table, (unsigned int)n);
	}
	free(table);
	return n < 0 ? n : rc ? dv_err(rc, "nic %s: its RSS table cannot be set", nic->ifname) : 0;
}

/*
 * RSS leaves the queues before they are bound, and comes to them when they are. A ring's queue cannot be given back
 * before the ring: getting it is the last step that may fail.
 */
static int change(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);
	int rc = split_headers(nic);

	if (!rc && (nic->steer == DEVIO_STEER_RULES || (nic->binding->per_ring && nic->steer == DEVIO_STEER_RSS)))
		rc = set_rss(nic);
	if (!rc)
		rc = bind_memory(nic);
	if (!rc && !nic->binding->per_ring && nic->steer == DEVIO_STEER_RSS)
		rc = set_rss(nic);
	if (!rc)
		dv_nic_settle(nic->ifname, up);
	return rc;
}

static int check_args(struct devio_ctx *ctx, const struct devio_mem *mem, const struct devio_nic_opts *o, const void *out)
{
	int rc;

	if (!ctx || !mem || !out)
		return dv_err(-EINVAL, "nic: the context, the memory or the place for the handle is NULL");
	if (mem->ctx != ctx)
		return dv_err(-EINVAL, "nic: mem %s belongs to another context", mem->spec);
	if (o->flags & ~DEVIO_NIC_NO_DAEMON || o->steer < 0 || o->steer > DEVIO_STEER_USER || o->queues > 1024)
		return dv_err(-EINVAL, "nic: unknown flags 0x%x or steering %d, or %u queues", o->flags, o->steer, o->queues);
	if (!(mem->caps & DEVIO_MEM_EXPORT))
		return dv_err(-EOPNOTSUPP, "nic: mem %s cannot be exported as a dma-buf: take one that can", mem->spec);
	rc = dv_nic_buffer_check(o->buffer);
	if (!rc)
		rc = dv_ctx_forked(ctx);
	return rc ? rc : dv_nic_ring_check(ctx, o);
}

static int set_up(struct devio_nic *nic)
{
	int rc, fd = dv_nic_journal(nic->ifname, nic->ifindex);

	if (fd < 0)
		return fd;
	nic->journal = fd;
	rc = await_queues(nic);
	if (!rc)
		rc = dv_nic_choose_steering(nic);
	if (!rc)
		rc = change(nic);
	if (rc) {
		char text[400];

		snprintf(text, sizeof(text), "%.399s", devio_errmsg());
		dv_nic_put_back(nic);
		dv_err_plain(rc, text);
	}
	return rc;
}

/* By this process's own right, or by devio-nicd. */
static int do_open(struct devio_nic *nic, bool alone)
{
	struct dv_netdev d = { .ifindex = nic->ifindex, .split = -1 };
	int rc = 1;

	memcpy(d.name, nic->ifname, sizeof(d.name));
	dv_netdev_ask(&d);
	/* A ring's queue is its own process's to register. */
	if (!d.right && !alone && !nic->binding->per_ring)
		rc = dv_nicclient_open(nic);
	if (rc <= 0)
		return rc;
	rc = check_device(nic, &d, alone);
	return rc ? rc : set_up(nic);
}

DEVIO_API int devio_nic_open(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem,
			     const struct devio_nic_opts *opts, struct devio_nic **out)
{
	struct devio_nic_opts o;
	struct devio_nic *nic = NULL;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_nic_opts");

	if (!rc)
		rc = check_args(ctx, mem, &o, out);
	if (!rc)
		rc = dv_nic_new(ctx, ifname, mem, &o, &nic);
	if (rc)
		return rc;
	nic->binding = o.ring ? &dv_nic_ring_binding : &dv_nic_queues_binding;
	rc = do_open(nic, o.flags & DEVIO_NIC_NO_DAEMON);
	if (rc) {
		dv_nic_put(nic);
		return rc;
	}
	pthread_mutex_lock(&ctx->lock);
	nic->next = ctx->nics;
	ctx->nics = nic;
	pthread_mutex_unlock(&ctx->lock);
	dv_log(ctx, DEVIO_LOG_INFO, "nic %s: queues %u to %u receive into mem %s", nic->ifname, nic->first,
	       nic->first + nic->queues - 1, mem->spec);
	*out = nic;
	return 0;
}

DEVIO_API void devio_nic_close(struct devio_nic *nic)
{
	struct devio_nic **at;

	if (!nic)
		return;
	pthread_mutex_lock(&nic->ctx->lock);
	for (at = &nic->ctx->nics; *at && *at != nic; at = &(*at)->next)
		;
	if (*at)
		*at = nic->next;
	pthread_mutex_unlock(&nic->ctx->lock);
	/* In a forked child the parent's NIC is not ours to change. */
	if (nic->ctx->fork_gen == dv_fork_gen)
		nic->binding->leave(nic);
	dv_nic_put(nic);
}

