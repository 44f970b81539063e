/* SPDX-License-Identifier: MIT */
/*
 * ze:N: memory of an Intel GPU through Level Zero. There is no current device to
 * preserve. Memory belongs to a context; pointers of the application are looked up in
 * our own, which works because a driver knows all its allocations.
 */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "mem/evpool.h"
#include "mem/share.h"
#include "mem/sys.h"
#include "mem/ze_api.h"

static const char *const drivers[] = { "xe", "i915", NULL };

struct ze_dev {
	struct dv_shared s;
	struct dv_ze_gpu gpu;
	void *ctx;
	void *list[2];           /* to the device, from it */
	pthread_mutex_t lock[2]; /* command lists are not thread safe */
	void *pool;
	struct dv_evpool events;
	pthread_mutex_t spare_lock;
	void *spare;             /* an extra event, used if all others are in flight */
	char bdf[16];
};

struct ze_mem {
	struct ze_dev *d;
	bool own; /* allocated by us, not imported */
};

struct ze_want {
	const char *spec;
	int n;
};

static void destroy_all(struct ze_dev *d)
{
	for (int i = 0; i < DV_EV_NR; i++)
		if (d->events.ev[i])
			(void)dv_ze.EventDestroy(d->events.ev[i]);
	if (d->spare)
		(void)dv_ze.EventDestroy(d->spare);
	pthread_mutex_destroy(&d->spare_lock);
	for (int i = 0; i < 2; i++) {
		if (d->list[i])
			(void)dv_ze.ListDestroy(d->list[i]);
		pthread_mutex_destroy(&d->lock[i]);
	}
	if (d->pool)
		(void)dv_ze.EventPoolDestroy(d->pool);
	if (d->ctx)
		(void)dv_ze.ContextDestroy(d->ctx);
}

static int make_lists(struct ze_dev *d, const char *spec)
{
	struct dv_ze_queue_desc queue = { .h.stype = ZE_T_QUEUE_DESC, .mode = ZE_QUEUE_ASYNC };
	struct dv_ze_pool_desc pool = {
		.h.stype = ZE_T_EVENT_POOL_DESC, .flags = ZE_POOL_HOST_VISIBLE, .count = DV_EV_NR + 1,
	};
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++)
		rc = dv_ze.ListCreateImmediate(d->ctx, d->gpu.device, &queue, &d->list[i]);
	if (rc)
		return dv_ze_err(spec, rc, "zeCommandListCreateImmediate");
	rc = dv_ze.EventPoolCreate(d->ctx, &pool, 1, &d->gpu.device, &d->pool);
	return rc ? dv_ze_err(spec, rc, "zeEventPoolCreate") : 0;
}

static void read_bdf(struct ze_dev *d)
{
	struct dv_ze_pci_properties p = { .h.stype = ZE_T_PCI_PROPERTIES };

	if (dv_ze.DevicePciGetProperties && !dv_ze.DevicePciGetProperties(d->gpu.device, &p))
		snprintf(d->bdf, sizeof(d->bdf), "%04x:%02x:%02x.%x", p.domain & 0xffff, p.bus & 0xff, p.device & 0x1f,
			 p.function & 7);
}

static int ze_open(struct dv_shared *s, const void *arg)
{
	struct dv_ze_context_desc desc = { .h.stype = ZE_T_CONTEXT_DESC };
	struct ze_dev *d = (struct ze_dev *)s;
	const struct ze_want *w = arg;
	int rc = dv_ze_find(w->spec, w->n, &d->gpu);

	if (rc)
		return rc;
	read_bdf(d);
	for (int i = 0; i < 2; i++)
		pthread_mutex_init(&d->lock[i], NULL);
	pthread_mutex_init(&d->spare_lock, NULL);
	rc = dv_ze.ContextCreate(d->gpu.driver, &desc, &d->ctx);
	if (rc)
		rc = dv_ze_err(w->spec, rc, "zeContextCreate");
	else
		rc = make_lists(d, w->spec);
	if (rc)
		destroy_all(d);
	return rc;
}

static void ze_close(struct dv_shared *s)
{
	destroy_all((struct ze_dev *)s);
}

static const struct dv_share_ops ze_share = {
	.size = sizeof(struct ze_dev),
	.open = ze_open,
	.close = ze_close,
};

static int attach(struct devio_mem *m, const char *arg)
{
	struct ze_want want = { .spec = m->spec };
	struct dv_shared *s;
	struct ze_mem *z;
	char key[32];
	int rc = dv_sys_ordinal(m, arg, &want.n);

	if (rc)
		return rc;
	z = calloc(1, sizeof(*z));
	if (!z)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	snprintf(key, sizeof(key), "ze:%d", want.n);
	rc = dv_share_get(&ze_share, key, &want, &s);
	if (rc) {
		free(z);
		return rc;
	}
	z->d = (struct ze_dev *)s;
	memcpy(m->bdf, z->d->bdf, sizeof(m->bdf));
	m->caps = DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY | DEVIO_MEM_EXPORT;
	m->priv = z;
	return 0;
}

static void detach(struct devio_mem *m)
{
	struct ze_mem *z = m->priv;

	dv_share_put(&z->d->s);
	free(z);
}

/* Exportable if the driver supports it, else plain memory, for which export reports the reason. */
static int ze_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct dv_ze_export_desc export = { .h.stype = ZE_T_EXPORT_DESC, .flags = ZE_EXPORT_DMA_BUF };
	struct dv_ze_mem_desc desc = { .h = { ZE_T_DEVICE_MEM_DESC, &export } };
	struct ze_dev *d;
	void *ptr = NULL;
	int rc = attach(m, arg);

	(void)opts;
	if (rc)
		return rc;
	d = ((struct ze_mem *)m->priv)->d;
	rc = dv_ze.MemAllocDevice(d->ctx, &desc, m->size, dv_sys_page(), d->gpu.device, &ptr);
	if (rc == ZE_UNSUPPORTED_FEATURE || rc == ZE_INVALID_ARGUMENT) {
		desc.h.next = NULL;
		m->caps &= ~DEVIO_MEM_EXPORT;
		rc = dv_ze.MemAllocDevice(d->ctx, &desc, m->size, dv_sys_page(), d->gpu.device, &ptr);
	}
	if (rc) {
		rc = dv_ze_err(m->spec, rc, "zeMemAllocDevice");
		detach(m);
		return rc;
	}
	((struct ze_mem *)m->priv)->own = true;
	m->device_ptr = (uintptr_t)ptr;
	return 0;
}

static void ze_free(struct devio_mem *m)
{
	struct ze_mem *z = m->priv;

	/* The driver does not work in a forked child, and the memory belongs to the parent. */
	if (dv_mem_forked(m)) {
		free(z);
		return;
	}
	if (z->own)
		(void)dv_ze.MemFree(z->d->ctx, (void *)(uintptr_t)m->device_ptr);
	detach(m);
}

static int check_type(struct devio_mem *m, unsigned int type, bool same_device, void *ptr)
{
	if (type == ZE_MEM_SHARED)
		return dv_err(-EOPNOTSUPP, "mem %s: %p is shared memory, which migrates between host and device: "
			      "import it as 'host', or use zeMemAllocDevice", m->spec, ptr);
	if (type == ZE_MEM_HOST)
		return dv_err(-EFAULT, "mem %s: %p is host memory: import it as 'host'", m->spec, ptr);
	if (type != ZE_MEM_DEVICE)
		return dv_err(-EFAULT, "mem %s: pointer %p is unknown to Level Zero", m->spec, ptr);
	if (!same_device)
		return dv_err(-EFAULT, "mem %s: pointer %p belongs to another device", m->spec, ptr);
	return 0;
}

static int check_pointer(struct devio_mem *m, const struct ze_dev *d, void *ptr)
{
	struct dv_ze_mem_properties p = { .h.stype = ZE_T_MEM_PROPERTIES };
	void *device = NULL, *base = NULL;
	size_t size = 0, skip;
	int rc = dv_ze.MemGetAllocProperties(d->ctx, ptr, &p, &device);

	if (rc)
		return dv_ze_err(m->spec, rc, "zeMemGetAllocProperties");
	rc = check_type(m, p.type, device == d->gpu.device, ptr);
	if (rc)
		return rc;
	rc = dv_ze.MemGetAddressRange(d->ctx, ptr, &base, &size);
	if (rc)
		return dv_ze_err(m->spec, rc, "zeMemGetAddressRange");
	skip = (size_t)((char *)ptr - (char *)base);
	if (skip > size || m->size > size - skip)
		return dv_err(-EFAULT, "mem %s: %llu bytes at %p exceed the allocation, which ends after %zu bytes",
			      m->spec, (unsigned long long)m->size, ptr, size > skip ? size - skip : 0);
	return 0;
}

static int ze_import(struct devio_mem *m, const char *arg, void *ptr)
{
	int rc = attach(m, arg);

	if (rc)
		return rc;
	rc = check_pointer(m, ((struct ze_mem *)m->priv)->d, ptr);
	if (rc)
		detach(m);
	m->device_ptr = (uintptr_t)ptr;
	return rc;
}

static int query_fd(const struct ze_dev *d, void *base, int *fd)
{
	struct dv_ze_export_fd out = { .h.stype = ZE_T_EXPORT_FD, .flags = ZE_EXPORT_DMA_BUF, .fd = -1 };
	struct dv_ze_mem_properties p = { .h = { ZE_T_MEM_PROPERTIES, &out } };
	void *device;
	int rc = dv_ze.MemGetAllocProperties(d->ctx, base, &p, &device);

	*fd = out.fd;
	return !rc && out.fd < 0 ? ZE_UNSUPPORTED_FEATURE : rc;
}

/*
 * Drivers differ in who owns the descriptor: some return the allocation's own each
 * time, others a new one. So query twice: an identical number is the driver's and is
 * duplicated, two different numbers are both ours.
 */
static int own_fd(const struct ze_dev *d, void *base, int *fd)
{
	int first, again = -1, rc = query_fd(d, base, &first);

	if (rc)
		return rc;
	rc = query_fd(d, base, &again);
	*fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
	if (!rc && again != first) {
		close(first);
		close(again);
	}
	/* If the second query failed, the owner is unknown: rather leak one than close the driver's. */
	return *fd < 0 ? ZE_OUT_OF_HOST_MEMORY : 0;
}

static int ze_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct ze_dev *d = ((struct ze_mem *)m->priv)->d;
	void *base = NULL;
	size_t size;
	int own, rc;

	if (!(m->caps & DEVIO_MEM_EXPORT))
		return dv_err(-EOPNOTSUPP, "mem %s: this driver cannot export dma-bufs", m->spec);
	rc = dv_ze.MemGetAddressRange(d->ctx, (void *)(uintptr_t)m->device_ptr, &base, &size);
	if (rc)
		return dv_ze_err(m->spec, rc, "zeMemGetAddressRange");
	rc = own_fd(d, base, &own);
	if (rc && !((struct ze_mem *)m->priv)->own)
		return dv_err(-EOPNOTSUPP, "mem %s: the memory is not exportable (Level Zero result 0x%x): allocate it "
			      "with ze_external_memory_export_desc_t", m->spec, (unsigned int)rc);
	if (rc)
		return dv_ze_err(m->spec, rc, "zeMemGetAllocProperties (dma-buf)");
	*fd = own;
	*off = m->device_ptr - (uintptr_t)base;
	return 0;
}

/* Resets the event of slot i, or creates it. */
static int prepare_event(struct ze_dev *d, void **event, int i)
{
	struct dv_ze_event_desc desc = {
		.h.stype = ZE_T_EVENT_DESC, .index = (uint32_t)i, .signal = ZE_SCOPE_HOST, .wait = ZE_SCOPE_HOST,
	};

	return *event ? dv_ze.EventHostReset(*event) : dv_ze.EventCreate(d->pool, &desc, event);
}

/* Starts the copy; *event is signaled when it completes. */
static int start(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, void **event, int i)
{
	struct ze_dev *d = ((struct ze_mem *)m->priv)->d;
	void *dev = (void *)(uintptr_t)(m->device_ptr + off);
	int rc = prepare_event(d, event, i);

	if (rc)
		return dv_ze_err(m->spec, rc, "zeEventCreate or zeEventHostReset");
	pthread_mutex_lock(&d->lock[out]);
	rc = dv_ze.ListAppendMemoryCopy(d->list[out], out ? host : dev, out ? dev : host, len, *event, 0, NULL);
	pthread_mutex_unlock(&d->lock[out]);
	return rc ? dv_ze_err(m->spec, rc, "zeCommandListAppendMemoryCopy") : 0;
}

/* All events are in flight, perhaps this thread's own: copy synchronously. */
static int copy_now(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out)
{
	struct ze_dev *d = ((struct ze_mem *)m->priv)->d;
	int rc;

	pthread_mutex_lock(&d->spare_lock);
	rc = start(m, off, host, len, out, &d->spare, DV_EV_NR);
	if (!rc) {
		rc = dv_ze.EventHostSynchronize(d->spare, UINT64_MAX);
		rc = rc ? dv_ze_err(m->spec, rc, "zeEventHostSynchronize") : 1;
	}
	pthread_mutex_unlock(&d->spare_lock);
	return rc;
}

static int ze_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	struct ze_dev *d = ((struct ze_mem *)m->priv)->d;
	int i = dv_evpool_take(&d->events), rc;

	if (i < 0)
		return copy_now(m, off, host, len, out);
	rc = start(m, off, host, len, out, &d->events.ev[i], i);
	if (rc) {
		dv_evpool_put(&d->events, i);
		return rc;
	}
	c->tok = d->events.ev[i];
	c->aux = (uint64_t)i;
	return 0;
}

/* Level Zero does not distinguish host and device pointers. */
static int ze_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		      struct dv_copy *c)
{
	if (((struct ze_mem *)src->priv)->d != ((struct ze_mem *)dst->priv)->d)
		return -EOPNOTSUPP;
	return ze_copy(dst, off, (void *)(uintptr_t)(src->device_ptr + src_off), len, false, c);
}

static int ze_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct ze_dev *d = ((struct ze_mem *)m->priv)->d;
	int rc = wait ? dv_ze.EventHostSynchronize(c->tok, UINT64_MAX) : dv_ze.EventQueryStatus(c->tok);

	if (rc == ZE_NOT_READY)
		return 0;
	dv_evpool_put(&d->events, (int)c->aux);
	return rc ? dv_ze_err(m->spec, rc, wait ? "zeEventHostSynchronize" : "zeEventQueryStatus") : 1;
}

static int ze_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	return dv_sys_list_render(ctx, drivers, "ze", fn, arg);
}

const struct dv_mem_ops dv_mem_ze = {
	.name = "ze",
	.syntax = "ze:N",
	.alloc = ze_alloc,
	.import_ptr = ze_import,
	.free = ze_free,
	.export = ze_export,
	.copy = ze_copy,
	.between = ze_between,
	.copy_poll = ze_copy_poll,
	.list = ze_list,
};
