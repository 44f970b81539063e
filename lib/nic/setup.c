/* SPDX-License-Identifier: MIT */
/* Setting up a NIC to receive into device memory: checks first, then each change recorded before it is made. */
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

/* ---------------------------------------------------------------- checks */

static int check_device(const struct devio_nic *nic, const struct dv_netdev *d, bool alone)
{
	if (!d->on_bus)
		return dv_err(-EOPNOTSUPP, "nic %s: it is a virtual interface: use the NIC itself", nic->ifname);
	return nic->binding->can(nic, d, alone ? NULL : dv_nicclient_socket());
}

/* The kernel releases the queue of a closed ring after a short delay. */
static int wait_queues(struct devio_nic *nic)
{
	int rc = dv_nic_find_queues(nic);

	for (int i = 0; i < QUEUE_TRIES && rc == -EBUSY; i++) {
		usleep(QUEUE_PAUSE_US);
		rc = dv_nic_find_queues(nic);
	}
	return rc;
}

/* --------------------------------------------------------------- changes */

/* Turns header split on; old is the setting to restore. */
static int set_split(struct devio_nic *nic, const struct dv_split *old)
{
	struct dv_split want = { .split = DV_SPLIT_ON, .thresh = old->thresh > 0 ? 0 : -1 };
	char line[64], why[160];
	int rc;

	dv_nicstate_line_split(old, line, sizeof(line));
	rc = dv_nic_record(nic, line);
	if (rc)
		return rc;
	nic->saved.has_split = true;
	nic->saved.split = *old;
	rc = dv_ethtool_split_set(nic->ifindex, &want, why, sizeof(why));
	if (!rc)
		return 0;
	if (!*why)
		snprintf(why, sizeof(why), "the kernel gives no reason");
	if (rc == -EOPNOTSUPP)
		return dv_err(rc, "nic %s: its driver does not support header split: %s: bnxt_en, mlx5_core, gve and "
			      "fbnic do, and igb with the patches in kernel/", nic->ifname, why);
	return dv_err(rc, "nic %s: cannot turn header split on: %s (mlx5 needs ethtool -K %s rx-gro-hw on first; XDP "
		      "programs must be detached)", nic->ifname, why, nic->ifname);
}

static int enable_split(struct devio_nic *nic)
{
	struct dv_split now;
	int rc = dv_ethtool_split_get(nic->ifindex, &now);

	if (rc)
		return dv_err(rc, "nic %s: cannot read the header split setting", nic->ifname);
	return now.split == DV_SPLIT_ON && now.thresh <= 0 ? 0 : set_split(nic, &now);
}

/*
 * A driver may report header split as on where that is only its default. The
 * kernel refuses the memory until it is set explicitly (net/core/netdev_rx_queue.c).
 */
static int bind_memory(struct devio_nic *nic)
{
	int fd, rc = dv_nic_dmabuf(nic, &fd);

	if (!rc)
		rc = nic->binding->bind(nic, fd);
	if (rc != -EINVAL || nic->saved.has_split)
		return rc;
	rc = set_split(nic, &(struct dv_split){ .split = DV_SPLIT_DEFAULT, .thresh = -1 });
	return rc ? rc : nic->binding->bind(nic, fd);
}

/* Records the RSS table and saves it for the restore. Returns its size, or -errno with an error message. */
static int save_rss(struct devio_nic *nic, uint32_t *table)
{
	size_t room = DV_RSS_MAX * 6 + 32;
	char *line = malloc(room);
	int n = line ? dv_ethtool_rss_get(nic->ifname, table) : -ENOMEM;
	int rc = n < 0 ? dv_err(n, "nic %s: cannot read the RSS table", nic->ifname) : 0;

	if (!rc && dv_nicstate_line_rss(table, (unsigned int)n, line, room) >= (int)room)
		rc = dv_err(-E2BIG, "nic %s: the RSS table has more than %u entries", nic->ifname, DV_RSS_MAX);
	if (!rc)
		rc = dv_nic_record(nic, line);
	free(line);
	if (rc)
		return rc;
	memcpy(nic->saved.rss, table, (size_t)n * sizeof(*table));
	nic->saved.rss_size = (unsigned int)n;
	return n;
}

/* RSS to the bound queues alone, or away from them: they must not get the traffic of other programs. */
static int set_rss(struct devio_nic *nic)
{
	uint32_t *table = calloc(DV_RSS_MAX, sizeof(*table));
	bool only = nic->steer == DEVIO_STEER_RSS;
	int rc = 0, n;

	n = table ? save_rss(nic, table) : dv_err(-ENOMEM, "nic %s: cannot allocate the RSS table", nic->ifname);
	if (n >= 0) {
		(void)dv_ethtool_rss_make(table, (unsigned int)n, nic->first, nic->queues, only);
		rc = dv_ethtool_rss_set(nic->ifname, table, (unsigned int)n);
	}
	free(table);
	return n < 0 ? n : rc ? dv_err(rc, "nic %s: cannot set the RSS table", nic->ifname) : 0;
}

/*
 * RSS is directed away from the queues before they are bound, and to them afterwards. The queue of a ring cannot be
 * released before the ring is closed: binding it must be the last step that can fail.
 */
static int apply(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);
	int rc = enable_split(nic);

	if (!rc && (nic->steer == DEVIO_STEER_RULES || (nic->binding->per_ring && nic->steer == DEVIO_STEER_RSS)))
		rc = set_rss(nic);
	if (!rc)
		rc = bind_memory(nic);
	if (!rc && !nic->binding->per_ring && nic->steer == DEVIO_STEER_RSS)
		rc = set_rss(nic);
	if (!rc)
		dv_nic_wait_link(nic->ifname, up);
	return rc;
}

static int check_args(struct devio_ctx *ctx, const struct devio_mem *mem, const struct devio_nic_opts *o,
		      const void *out)
{
	int rc;

	if (!ctx || !mem || !out)
		return dv_err(-EINVAL, "nic: the context, the memory or the pointer for the new handle is NULL");
	if (mem->ctx != ctx)
		return dv_err(-EINVAL, "nic: mem %s belongs to another context", mem->spec);
	if (o->flags & ~DEVIO_NIC_NO_DAEMON || o->steer < 0 || o->steer > DEVIO_STEER_USER || o->queues > 1024)
		return dv_err(-EINVAL, "nic: invalid options: flags 0x%x, steer %d or queues %u (at most 1024)",
			      o->flags, o->steer, o->queues);
	if (!(mem->caps & DEVIO_MEM_EXPORT))
		return dv_err(-EOPNOTSUPP, "nic: mem %s cannot be exported as a dma-buf: use one that can", mem->spec);
	rc = dv_nic_buffer_check(o->buffer);
	if (!rc)
		rc = dv_ctx_forked(ctx);
	return rc ? rc : dv_nic_ring_check(ctx, o);
}

static int set_up(struct devio_nic *nic)
{
	int rc, fd = dv_nic_open_journal(nic->ifname, nic->ifindex);

	if (fd < 0)
		return fd;
	nic->journal = fd;
	rc = wait_queues(nic);
	if (!rc)
		rc = dv_nic_choose_steering(nic);
	if (!rc)
		rc = apply(nic);
	if (rc) {
		char text[400];

		snprintf(text, sizeof(text), "%.399s", devio_errmsg());
		dv_nic_restore(nic);
		dv_err_plain(rc, text);
	}
	return rc;
}

/* With this process's own capability, or through devio-nicd. */
static int do_open(struct devio_nic *nic, bool alone)
{
	struct dv_netdev d = { .ifindex = nic->ifindex, .split = -1 };
	int rc = 1;

	memcpy(d.name, nic->ifname, sizeof(d.name));
	dv_netdev_ask(&d);
	/* Only the ring's own process can register a queue with it. */
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
	/* A forked child must not change the parent's NIC. */
	if (nic->ctx->fork_gen == dv_fork_gen)
		nic->binding->unbind(nic);
	dv_nic_put(nic);
}

