/* SPDX-License-Identifier: MIT */
/*
 * cuda:N: memory of an NVIDIA GPU through the driver's library. Our context is
 * the device's primary one, which an application that uses the CUDA runtime
 * has too; around every call it is pushed and popped, so that the
 * application's current context is what it was.
 */
#include "config.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "err.h"
#include "mem/cuda_api.h"
#include "mem/share.h"
#include "mem/stream.h"
#include "mem/sys.h"

/* A device in use, in one context. */
struct cuda_dev {
	struct dv_shared s;
	int dev;
	bool primary;     /* ctx is the retained primary one */
	bool dmabuf;      /* the driver exports its memory */
	void *ctx;
	struct dv_streams streams;
	char bdf[16];
};

struct cuda_mem {
	struct cuda_dev *d;
	bool own; /* allocated here, not the application's */
};

/* What opening a device needs to know. */
struct cuda_want {
	const char *spec;
	int n;
	void *ctx; /* of an imported pointer, NULL: the primary one */
};

static int enter(const struct cuda_dev *d, const char *spec)
{
	int rc = dv_cu.CtxPush(d->ctx);

	return rc ? dv_cu_err(spec, rc, "cuCtxPushCurrent") : 0;
}

static void leave(void)
{
	void *ours;

	(void)dv_cu.CtxPop(&ours);
}

static void read_attributes(struct cuda_dev *d)
{
	char id[32] = "";
	const char *end;
	int yes = 0;

	if (!dv_cu.DeviceGetPCIBusId(id, sizeof(id), d->dev)) {
		end = dv_sys_bdf(id, d->bdf);
		if (!end || *end)
			d->bdf[0] = 0;
	}
	d->dmabuf = dv_cu.MemGetHandleForAddressRange &&
		    !dv_cu.DeviceGetAttribute(&yes, CU_ATTR_DMA_BUF_SUPPORTED, d->dev) && yes;
}

static int find_device(struct cuda_dev *d, const struct cuda_want *w)
{
	int nr, rc = dv_cu_load(w->spec, &nr);

	if (rc)
		return rc;
	if (w->n >= nr)
		return dv_err(-ENODEV, "mem %s: there are %d CUDA devices, counted from 0", w->spec, nr);
	rc = dv_cu.DeviceGet(&d->dev, w->n);
	return rc ? dv_cu_err(w->spec, rc, "cuDeviceGet") : 0;
}

static int cuda_open(struct dv_shared *s, const void *arg)
{
	struct cuda_dev *d = (struct cuda_dev *)s;
	const struct cuda_want *w = arg;
	int rc = find_device(d, w);

	if (rc)
		return rc;
	read_attributes(d);
	d->primary = !w->ctx;
	d->ctx = w->ctx;
	rc = d->primary ? dv_cu.PrimaryCtxRetain(&d->ctx, d->dev) : 0;
	if (rc)
		return dv_cu_err(w->spec, rc, "cuDevicePrimaryCtxRetain");
	rc = enter(d, w->spec);
	if (!rc) {
		rc = dv_streams_make(&d->streams, &dv_cu.st);
		leave();
		if (rc)
			rc = dv_cu_err(w->spec, rc, "cuStreamCreate");
	}
	if (rc && d->primary)
		(void)dv_cu.PrimaryCtxRelease(d->dev);
	return rc;
}

static void cuda_close(struct dv_shared *s)
{
	struct cuda_dev *d = (struct cuda_dev *)s;

	if (!dv_cu.CtxPush(d->ctx)) {
		dv_streams_drop(&d->streams);
		leave();
	}
	if (d->primary)
		(void)dv_cu.PrimaryCtxRelease(d->dev);
}

static const struct dv_share_ops cuda_share = {
	.size = sizeof(struct cuda_dev),
	.open = cuda_open,
	.close = cuda_close,
};

/* Makes m->priv with its device; ctx as in struct cuda_want. */
static int attach(struct devio_mem *m, int n, void *ctx)
{
	struct cuda_want want = { .spec = m->spec, .n = n, .ctx = ctx };
	struct cuda_mem *c = calloc(1, sizeof(*c));
	struct dv_shared *s;
	char key[64];
	int rc;

	if (!c)
		return dv_err(-ENOMEM, "mem %s: no memory for the handle", m->spec);
	snprintf(key, sizeof(key), "cuda:%d/%p", n, ctx);
	rc = dv_share_get(&cuda_share, key, &want, &s);
	if (rc) {
		free(c);
		return rc;
	}
	c->d = (struct cuda_dev *)s;
	memcpy(m->bdf, c->d->bdf, sizeof(m->bdf));
	m->caps = DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY | (c->d->dmabuf ? DEVIO_MEM_EXPORT : 0);
	m->priv = c;
	return 0;
}

static void detach(struct devio_mem *m)
{
	struct cuda_mem *c = m->priv;

	dv_share_put(&c->d->s);
	free(c);
}

static int cuda_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct cuda_mem *c;
	dv_cu_ptr ptr;
	int n, rc = dv_sys_ordinal(m, arg, &n);

	(void)opts;
	if (!rc)
		rc = attach(m, n, NULL);
	if (rc)
		return rc;
	c = m->priv;
	rc = enter(c->d, m->spec);
	if (!rc) {
		rc = dv_cu.MemAlloc(&ptr, m->size);
		leave();
		if (rc)
			rc = dv_cu_err(m->spec, rc, "cuMemAlloc");
	}
	if (rc) {
		detach(m);
		return rc;
	}
	c->own = true;
	m->device_ptr = ptr;
	return 0;
}

static void cuda_free(struct devio_mem *m)
{
	struct cuda_mem *c = m->priv;

	/* The driver is dead in a forked child: the parent's memory is left alone. */
	if (dv_mem_forked(m)) {
		free(c);
		return;
	}
	if (c->own && !dv_cu.CtxPush(c->d->ctx)) {
		(void)dv_cu.MemFree(m->device_ptr);
		leave();
	}
	detach(m);
}

/* What the driver knows about a pointer; all zero if it knows nothing. */
struct cuda_ptr {
	void *ctx;
	unsigned int type;
	unsigned int managed;
	int ordinal;
};

static int ask_pointer(struct devio_mem *m, dv_cu_ptr ptr, struct cuda_ptr *p)
{
	int attrs[] = { CU_PTR_CONTEXT, CU_PTR_MEMORY_TYPE, CU_PTR_IS_MANAGED, CU_PTR_DEVICE_ORDINAL };
	void *data[] = { &p->ctx, &p->type, &p->managed, &p->ordinal };
	int nr, rc;

	memset(p, 0, sizeof(*p));
	dv_share_lock();
	rc = dv_cu_load(m->spec, &nr);
	dv_share_unlock();
	if (rc)
		return rc;
	rc = dv_cu.PointerGetAttributes(4, attrs, data, ptr);
	if (rc && rc != CU_INVALID_VALUE)
		return dv_cu_err(m->spec, rc, "cuPointerGetAttributes");
	/* A driver may write only a byte of the boolean. */
	p->managed &= 0xff;
	if (rc)
		p->type = 0;
	return 0;
}

static int judge_pointer(struct devio_mem *m, const struct cuda_ptr *p, int n, dv_cu_ptr ptr)
{
	if (p->managed)
		return dv_err(-EOPNOTSUPP, "mem %s: 0x%llx is managed memory, which moves between host and device: import "
			      "it as 'host', or use cuMemAlloc", m->spec, ptr);
	if (p->type == CU_TYPE_HOST)
		return dv_err(-EFAULT, "mem %s: 0x%llx is host memory: import it as 'host'", m->spec, ptr);
	if (p->type != CU_TYPE_DEVICE)
		return dv_err(-EFAULT, "mem %s: CUDA does not know the pointer 0x%llx", m->spec, ptr);
	if (p->ordinal != n)
		return dv_err(-EFAULT, "mem %s: the pointer 0x%llx lies on cuda:%d", m->spec, ptr, p->ordinal);
	return 0;
}

/*
 * [ptr, ptr + size) must lie in one allocation. Only of memory that was mapped
 * with cuMemMap (which has no context) neighbouring pieces count as one: that
 * is how frameworks grow an allocation.
 */
static int check_range(struct devio_mem *m, dv_cu_ptr ptr, bool pieces)
{
	dv_cu_ptr end = ptr + m->size, base, at = ptr;
	size_t size;
	int rc;

	do {
		rc = dv_cu.MemGetAddressRange(&base, &size, at);
		if (rc && rc != CU_INVALID_VALUE && rc != CU_INVALID_HANDLE)
			return dv_cu_err(m->spec, rc, "cuMemGetAddressRange");
		if (rc || base > at || base + size <= at)
			break;
		at = base + size;
	} while (pieces && at < end);
	if (at < end)
		return dv_err(-EFAULT, "mem %s: %llu bytes at 0x%llx leave the allocation, which ends after %llu", m->spec,
			      (unsigned long long)m->size, ptr, at - ptr);
	return 0;
}

/*
 * Whether ctx is the device's primary context. One that is not active is not
 * asked for: that would create it, at the price of hundreds of megabytes.
 */
static int is_primary(struct devio_mem *m, int n, void *ctx, bool *yes)
{
	unsigned int flags;
	int dev, active = 0, rc = dv_cu.DeviceGet(&dev, n);
	void *primary;

	*yes = false;
	if (!rc)
		rc = dv_cu.PrimaryCtxGetState(dev, &flags, &active);
	if (rc || !active)
		return rc ? dv_cu_err(m->spec, rc, "cuDevicePrimaryCtxGetState") : 0;
	rc = dv_cu.PrimaryCtxRetain(&primary, dev);
	if (rc)
		return dv_cu_err(m->spec, rc, "cuDevicePrimaryCtxRetain");
	*yes = primary == ctx;
	(void)dv_cu.PrimaryCtxRelease(dev);
	return 0;
}

static int cuda_import(struct devio_mem *m, const char *arg, void *host)
{
	dv_cu_ptr ptr = (uintptr_t)host;
	struct cuda_mem *c;
	struct cuda_ptr p;
	bool primary = true;
	int n, rc = dv_sys_ordinal(m, arg, &n);

	if (!rc)
		rc = ask_pointer(m, ptr, &p);
	if (!rc)
		rc = judge_pointer(m, &p, n, ptr);
	if (!rc && p.ctx)
		rc = is_primary(m, n, p.ctx, &primary);
	if (!rc)
		rc = attach(m, n, primary ? NULL : p.ctx);
	if (rc)
		return rc;
	c = m->priv;
	rc = enter(c->d, m->spec);
	if (!rc) {
		rc = check_range(m, ptr, !p.ctx);
		leave();
	}
	if (rc)
		detach(m);
	m->device_ptr = ptr;
	return rc;
}

static int get_handle(const struct devio_mem *m, int *fd, uint64_t *off)
{
	dv_cu_ptr mask = dv_sys_page() - 1, base = m->device_ptr & ~mask;
	size_t size = (size_t)((m->device_ptr + m->size + mask) & ~mask) - (size_t)base;
	int rc;

	*off = m->device_ptr - base;
	/* The mapping over PCIe is what a drive can reach; older drivers have no choice to offer. */
	rc = dv_cu.MemGetHandleForAddressRange(fd, base, size, CU_RANGE_DMA_BUF_FD, CU_RANGE_MAPPING_PCIE);
	return rc ? dv_cu.MemGetHandleForAddressRange(fd, base, size, CU_RANGE_DMA_BUF_FD, 0) : 0;
}

static int cuda_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct cuda_mem *c = m->priv;
	int own = -1, rc;
	uint64_t at;

	if (!c->d->dmabuf)
		return dv_err(-EOPNOTSUPP, "mem %s: this driver exports no dma-buf: it takes CUDA 11.7 and the open kernel "
			      "modules (nvidia-open)", m->spec);
	rc = enter(c->d, m->spec);
	if (rc)
		return rc;
	rc = get_handle(m, &own, &at);
	leave();
	if (rc)
		return dv_cu_err(m->spec, rc, "cuMemGetHandleForAddressRange (dma-buf)");
	*fd = own;
	*off = at;
	return 0;
}

static int cuda_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	void *stream = d->streams.stream[out];
	int rc = enter(d, m->spec), done = 0;

	if (rc)
		return rc;
	rc = out ? dv_cu.MemcpyDtoHAsync(host, m->device_ptr + off, len, stream) :
		   dv_cu.MemcpyHtoDAsync(m->device_ptr + off, host, len, stream);
	if (!rc)
		done = dv_streams_mark(&d->streams, out, c);
	leave();
	if (rc)
		return dv_cu_err(m->spec, rc, out ? "cuMemcpyDtoHAsync" : "cuMemcpyHtoDAsync");
	return done < 0 ? dv_cu_err(m->spec, -done, "cuStreamSynchronize") : done;
}

static int cuda_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	/* An event knows its context; without ours it is asked all the same, the copy being under way. */
	bool in = !dv_cu.CtxPush(d->ctx);
	int done = dv_streams_poll(&d->streams, c, wait);

	if (in)
		leave();
	return done < 0 ? dv_cu_err(m->spec, -done, "cuEventSynchronize or cuEventQuery") : done;
}

static int cuda_pin(struct devio_mem *m, void *host, size_t len, void **handle)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	int rc = enter(d, m->spec);

	if (rc)
		return rc;
	rc = dv_cu.MemHostRegister(host, len, CU_HOST_PORTABLE);
	leave();
	if (rc)
		return dv_cu_err(m->spec, rc, "cuMemHostRegister");
	dv_share_hold(&d->s);
	*handle = d;
	return 0;
}

static void cuda_unpin(void *handle, void *host, size_t len)
{
	struct cuda_dev *d = handle;

	(void)len;
	if (d->s.gen != dv_mem_fork_gen())
		return;
	if (!dv_cu.CtxPush(d->ctx)) {
		(void)dv_cu.MemHostUnregister(host);
		leave();
	}
	dv_share_put(&d->s);
}

/* A node per device, when the kernel module is there: the library stays unloaded. */
static int cuda_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char node[32], spec[32];
	int rc = 0, nr = 0;

	(void)ctx;
	if (!dv_sys_usable("nvidiactl"))
		return 0;
	for (int i = 0; !rc && i < 64; i++) {
		snprintf(node, sizeof(node), "nvidia%d", i);
		if (!dv_sys_usable(node))
			continue;
		snprintf(spec, sizeof(spec), "cuda:%d", nr++);
		rc = fn(arg, spec);
	}
	return rc;
}

const struct dv_mem_ops dv_mem_cuda = {
	.name = "cuda",
	.syntax = "cuda:N",
	.alloc = cuda_alloc,
	.import_ptr = cuda_import,
	.free = cuda_free,
	.export = cuda_export,
	.copy = cuda_copy,
	.copy_poll = cuda_copy_poll,
	.pin = cuda_pin,
	.unpin = cuda_unpin,
	.list = cuda_list,
};
