/* SPDX-License-Identifier: MIT */
/* The handle of a NIC: create, find, reference, info. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/dmabuf.h"
#include "kern/netdev.h"
#include "mem/mem.h"
#include "nic/nic.h"

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

/* Sockets may still hold fragments of a closed binding: the memory is kept until the last of them is closed. */
void dv_nic_put(struct devio_nic *nic)
{
	if (atomic_fetch_sub_explicit(&nic->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (nic->daemon >= 0)
		close(nic->daemon);
	pthread_mutex_destroy(&nic->request_lock);
	dv_mem_put(nic->mem);
	dv_ctx_put(nic->ctx);
	pthread_mutex_destroy(&nic->undo);
	free(nic);
}

int dv_nic_new(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem, const struct devio_nic_opts *o,
	       struct devio_nic **out)
{
	unsigned int ifindex = ifname && strlen(ifname) < IF_NAMESIZE ? if_nametoindex(ifname) : 0;
	struct devio_nic *nic;

	if (!ifindex)
		return dv_err(-ENODEV, "nic %s: no such interface in this network namespace: see ip link",
			      ifname ? ifname : "(NULL)");
	nic = calloc(1, sizeof(*nic));
	if (!nic)
		return dv_err(-ENOMEM, "nic %s: cannot allocate the handle", ifname);
	nic->ctx = dv_ctx_get(ctx);
	nic->refs = 1;
	nic->mem = dv_mem_get(mem);
	nic->ifindex = nic->saved.ifindex = ifindex;
	snprintf(nic->ifname, sizeof(nic->ifname), "%s", ifname);
	memcpy(nic->saved.ifname, nic->ifname, sizeof(nic->ifname));
	nic->queues = o->queues ? o->queues : 1;
	nic->buffer = o->buffer;
	nic->steer = o->steer;
	nic->ring = o->ring;
	nic->journal = nic->daemon = -1;
	pthread_mutex_init(&nic->request_lock, NULL);
	pthread_mutex_init(&nic->undo, NULL);
	*out = nic;
	return 0;
}

int dv_nic_dmabuf(struct devio_nic *nic, int *fd)
{
	int rc = dv_mem_dmabuf(nic->mem, fd, &nic->mem_off);
	int64_t size = rc ? rc : dv_dmabuf_size(*fd);

	if (rc)
		return rc;
	/* The NIC may write anywhere in the dma-buf. */
	if (nic->mem_off || (size >= 0 && (uint64_t)size != nic->mem->size))
		return dv_err(-EINVAL, "nic %s: mem %s is %llu bytes of a dma-buf of %lld, all of which the NIC would "
			      "use: use a memory that spans its dma-buf", nic->ifname, nic->mem->spec,
			      (unsigned long long)nic->mem->size, (long long)size);
	return 0;
}

/* UINT64_MAX stands for "not reported". */
static uint64_t add_counter(uint64_t a, uint64_t b)
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
	i.rules = nic->saved.nr_rules;
	for (unsigned int q = 0; q < nic->queues; q++) {
		struct dv_netcount c;

		(void)dv_netcount_get(nic->ifindex, nic->first + q, nic->binding->per_ring ? 0 : nic->id, &c);
		i.packets = add_counter(i.packets, c.packets);
		i.bytes = add_counter(i.bytes, c.bytes);
		i.alloc_fail = add_counter(i.alloc_fail, c.alloc_fail);
		i.hw_drops = add_counter(i.hw_drops, c.hw_drops);
		i.inflight = c.inflight; /* per binding, not per queue */
		i.inflight_bytes = c.inflight_mem;
	}
	return dv_info_copy(info, &i, sizeof(i), "devio_nic_info");
}
