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
#include "sock/sock.h"

#define QUEUE_TRIES 40
#define QUEUE_PAUSE_US 50000

/* ------------------------------------------------------------- preflight */

static int check_device(const struct devio_nic *nic, const struct dv_netdev *d, bool alone)
{
	if (!d->on_bus)
		return dv_err(-EOPNOTSUPP, "nic %s: it is a virtual interface: name the NIC itself", nic->ifname);
	if (nic->by_ring)
		return dv_nic_ring_can(nic, d->right && d->first_user_ns);
	if (!d->bind_rx)
		return dv_err(-EOPNOTSUPP, "nic %s: the kernel cannot bind a dma-buf to a queue: boot Linux 6.12 or newer "
			      "with CONFIG_NET_DEVMEM", nic->ifname);
	if (!d->right)
		return dv_err(-EPERM, "nic %s: setting it up takes CAP_NET_ADMIN (sudo, or setcap cap_net_admin+ep on the "
			      "program) or a devio-nicd, which does it for others%s%s", nic->ifname,
			      alone ? "" : "; none listens at ", alone ? "" : dv_nicclient_socket());
	return 0;
}

/* The highest queues that are free, in a row; never queue 0. */
static int find_queues(struct devio_nic *nic)
{
	int n = dv_ethtool_queues(nic->ifname);
	unsigned int free_ones = 0;

	if (n < 0)
		return dv_err(n, "nic %s: its queues cannot be counted", nic->ifname);
	for (int i = n - 1; i > 0; i--) {
		struct dv_netqueue q;

		if (dv_netqueue_get(nic->ifindex, (unsigned int)i, &q) || q.dmabuf || q.other)
			free_ones = 0;
		else if (++free_ones == nic->queues) {
			nic->first = (unsigned int)i;
			return 0;
		}
	}
	if ((unsigned int)n <= nic->queues)
		return dv_err(-EOPNOTSUPP, "nic %s: it has %d receive queues, and %u besides queue 0 are needed: "
			      "ethtool -L %s combined %u", nic->ifname, n, nic->queues, nic->ifname, nic->queues + 1);
	return dv_err(-EBUSY, "nic %s: no %u queues in a row are free: another program has bound them (ynl netdev, or "
		      "ethtool -L for more)", nic->ifname, nic->queues);
}

/* The queue of a ring that was closed comes free a little later. */
static int await_queues(struct devio_nic *nic)
{
	int rc = find_queues(nic);

	for (int i = 0; i < QUEUE_TRIES && rc == -EBUSY; i++) {
		usleep(QUEUE_PAUSE_US);
		rc = find_queues(nic);
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

int dv_nic_dmabuf(struct devio_nic *nic, int *fd)
{
	int rc = dv_mem_dmabuf(nic->mem, fd, &nic->mem_off);
	int64_t size = rc ? rc : dv_dmabuf_size(*fd);

	if (rc)
		return rc;
	/* The NIC writes anywhere in it. */
	if (nic->mem_off || (size >= 0 && (uint64_t)size != nic->mem->size))
		return dv_err(-EINVAL, "nic %s: mem %s is %llu bytes of a dma-buf of %lld, and the NIC gets all of it: take a "
			      "memory that is as large", nic->ifname, nic->mem->spec, (unsigned long long)nic->mem->size,
			      (long long)size);
	return 0;
}

static int try_queues(struct devio_nic *nic, int fd, uint32_t buffer)
{
	return dv_netbind_rx(&nic->bind, nic->ifindex, fd, nic->first, nic->queues, buffer);
}

static const char *cure(int rc, const char *why)
{
	if (strstr(why, "map dmabuf"))
		return ": it has no way to that memory: peer to peer they must be below one PCIe switch, or the host bridge on the "
		       "kernel's list (devio-probe tells)";
	return rc == -EEXIST ? ": detach the XDP program (ip link set dev IF xdp off)" :
	       rc == -EOPNOTSUPP ? ": the driver restarts no single queues, or the memory is not to be reached by the NIC (a device's "
	       "own memory needs the series in kernel/)" : "";
}

static int bind_queues(struct devio_nic *nic, int fd)
{
	int rc = dv_nic_bind_buffers(nic, fd, try_queues);
	const char *why = nic->bind.nl.why;

	if (!rc) {
		nic->id = nic->bind.id;
		return 0;
	}
	return dv_err(rc, "nic %s: queue %u does not take mem %s: %s%s", nic->ifname, nic->first, nic->mem->spec,
		      *why ? why : "the kernel gives no words", cure(rc, why));
}

static int bind_once(struct devio_nic *nic, int fd)
{
	return nic->by_ring ? dv_nic_ring_bind(nic, fd) : bind_queues(nic, fd);
}

/*
 * A driver tells that it splits headers where that is only its default. For the
 * kernel, which refuses the memory then, it has to be said (net/core/netdev_rx_queue.c).
 */
static int bind_memory(struct devio_nic *nic)
{
	int fd, rc = dv_nic_dmabuf(nic, &fd);

	if (!rc)
		rc = bind_once(nic, fd);
	if (rc != -EINVAL || nic->was.has_split)
		return rc;
	rc = split_set(nic, &(struct dv_split){ .split = DV_SPLIT_DEFAULT, .thresh = -1 });
	return rc ? rc : bind_once(nic, fd);
}

/* RSS to the queues, or away from them: bound queues must not get what others receive. */
static int set_rss(struct devio_nic *nic)
{
	uint32_t *table = calloc(DV_RSS_MAX, sizeof(*table));
	size_t room = DV_RSS_MAX * 6 + 32;
	char *line = malloc(room);
	int n = table && line ? dv_ethtool_rss_get(nic->ifname, table) : -ENOMEM;
	int rc = n < 0 ? dv_err(n, "nic %s: its RSS table cannot be read", nic->ifname) : 0;

	if (!rc && dv_nicstate_line_rss(table, (unsigned int)n, line, room) >= (int)room)
		rc = dv_err(-E2BIG, "nic %s: its RSS table is too large", nic->ifname);
	if (!rc)
		rc = dv_nic_write_down(nic, line);
	if (!rc) {
		memcpy(nic->was.rss, table, (size_t)n * sizeof(*table));
		nic->was.rss_size = (unsigned int)n;
		(void)dv_ethtool_rss_make(table, (unsigned int)n, nic->first, nic->queues, nic->steer == DEVIO_STEER_RSS);
		rc = dv_ethtool_rss_set(nic->ifname, table, (unsigned int)n);
		if (rc)
			rc = dv_err(rc, "nic %s: its RSS table cannot be set", nic->ifname);
	}
	free(table);
	free(line);
	return rc;
}

/*
 * RSS leaves the queues before they are bound, and comes to them when they are. A ring's queue cannot be given back
 * before the ring: getting it is the last step that may fail.
 */
static int change(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);
	int rc = split_headers(nic);

	if (!rc && (nic->steer == DEVIO_STEER_RULES || (nic->by_ring && nic->steer == DEVIO_STEER_RSS)))
		rc = set_rss(nic);
	if (!rc)
		rc = bind_memory(nic);
	if (!rc && !nic->by_ring && nic->steer == DEVIO_STEER_RSS)
		rc = set_rss(nic);
	if (!rc)
		dv_nic_settle(nic->ifname, up);
	return rc;
}

void dv_nic_put_back(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);

	if (nic->daemon >= 0) {
		if (dv_nicclient_close(nic))
			dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s", devio_errmsg());
		return;
	}
	/* Traffic first, then the binding, then what the binding needs. */
	if (nic->was.rss_size)
		(void)dv_ethtool_rss_set(nic->ifname, nic->was.rss, nic->was.rss_size);
	dv_netbind_close(&nic->bind);
	if (dv_nic_undo(&nic->was)) {
		dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s; or later: devio-nc --restore", devio_errmsg());
		dv_journal_leave(nic->journal);
	} else {
		dv_journal_end(nic->journal, nic->ifname, nic->ifindex);
	}
	nic->journal = -1;
	dv_nic_settle(nic->ifname, up);
}

/* ------------------------------------------------------------- the handle */

struct devio_nic *dv_nic_find(struct devio_ctx *ctx, unsigned int ifindex)
{
	struct devio_nic *nic;

	pthread_mutex_lock(&ctx->lock);
	for (nic = ctx->nics; nic && nic->ifindex != ifindex; nic = nic->next)
		;
	if (nic)
		atomic_fetch_add_explicit(&nic->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&ctx->lock);
	return nic;
}

/* Fragments of a binding that is gone may still be in sockets: the memory stays until the last of those has gone. */
void dv_nic_put(struct devio_nic *nic)
{
	if (atomic_fetch_sub_explicit(&nic->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (nic->daemon >= 0)
		close(nic->daemon);
	pthread_mutex_destroy(&nic->talk);
	dv_mem_put(nic->mem);
	dv_ctx_put(nic->ctx);
	pthread_mutex_destroy(&nic->undo);
	free(nic);
}

static int nic_new(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem, const struct devio_nic_opts *o,
		   struct devio_nic **out)
{
	unsigned int ifindex = ifname && strlen(ifname) < IF_NAMESIZE ? if_nametoindex(ifname) : 0;
	struct devio_nic *nic;

	if (!ifindex)
		return dv_err(-ENODEV, "nic %s: there is no such interface in this network namespace: see ip link",
			      ifname ? ifname : "(NULL)");
	nic = calloc(1, sizeof(*nic));
	if (!nic)
		return dv_err(-ENOMEM, "nic %s: no memory for the handle", ifname);
	nic->ctx = dv_ctx_get(ctx);
	nic->refs = 1;
	nic->mem = dv_mem_get(mem);
	nic->ifindex = nic->was.ifindex = ifindex;
	snprintf(nic->ifname, sizeof(nic->ifname), "%s", ifname);
	memcpy(nic->was.ifname, nic->ifname, sizeof(nic->ifname));
	nic->queues = o->queues ? o->queues : 1;
	nic->buffer = o->buffer;
	nic->steer = o->steer;
	nic->by_ring = o->ring;
	nic->ring = o->ring;
	nic->journal = nic->daemon = -1;
	pthread_mutex_init(&nic->talk, NULL);
	pthread_mutex_init(&nic->undo, NULL);
	*out = nic;
	return 0;
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
	if (!d.right && !alone && !nic->by_ring)
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
		rc = nic_new(ctx, ifname, mem, &o, &nic);
	if (rc)
		return rc;
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
		(nic->by_ring ? dv_nic_ring_leave : dv_nic_put_back)(nic);
	dv_nic_put(nic);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX || b == UINT64_MAX ? UINT64_MAX : a + b;
}

DEVIO_API int devio_nic_get_info(struct devio_nic *nic, struct devio_nic_info *info)
{
	struct devio_nic_info i = { 0 };
	int rc = nic ? dv_ctx_forked(nic->ctx) : dv_err(-EINVAL, "nic: the handle is NULL");

	if (rc)
		return rc;
	memcpy(i.ifname, nic->ifname, sizeof(i.ifname));
	i.ifindex = nic->ifindex;
	i.steer = nic->steer;
	i.queue = nic->first;
	i.queues = nic->queues;
	i.binding = nic->id;
	i.buffer = nic->buffer;
	i.rules = nic->was.nr_rules;
	for (unsigned int q = 0; q < nic->queues; q++) {
		struct dv_netcount c;

		(void)dv_netcount_get(nic->ifindex, nic->first + q, nic->by_ring ? 0 : nic->id, &c);
		i.packets = plus(i.packets, c.packets);
		i.bytes = plus(i.bytes, c.bytes);
		i.alloc_fail = plus(i.alloc_fail, c.alloc_fail);
		i.hw_drops = plus(i.hw_drops, c.hw_drops);
		i.inflight = c.inflight; /* of the binding, not of the queue */
		i.inflight_bytes = c.inflight_mem;
	}
	return dv_info_copy(info, &i, sizeof(i), "devio_nic_info");
}
