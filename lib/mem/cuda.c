/* SPDX-License-Identifier: MIT */
/*
 * cuda:N: memory of an NVIDIA GPU through the CUDA driver API. Uses the device's
 * primary context, which the CUDA runtime uses as well, and pushes and pops it around
 * every call so that the application's current context does not change.
 */
#include "config.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "mem/cuda_api.h"
#include "mem/share.h"
#include "mem/stream.h"
#include "mem/sys.h"

/* A device in use, in one context. */
struct cuda_dev {
	struct dv_shared s;
	int n;            /* as in cuda:N */
	int dev;          /* CUdevice */
	bool primary;     /* ctx is the retained primary context */
	bool dmabuf;      /* the driver can export its memory as a dma-buf */
	void *ctx;
	struct dv_streams streams;
	char bdf[16];
};

struct cuda_mem {
	struct cuda_dev *d;
	bool own; /* allocated by us, not imported */
};

/* Arguments for opening a device. */
struct cuda_want {
	const char *spec;
	int n;
	void *ctx; /* of an imported pointer, NULL: the primary context */
};

/*
 * Makes d's context current. While the application captures a stream into a graph,
 * calls such as an allocation or an event query would invalidate the capture, from
 * any thread: the relaxed capture mode exempts our calls, which do not belong to it.
 */
static int push(const struct cuda_dev *d, int *mode)
{
	int rc = dv_cu.CtxPush(d->ctx);

	*mode = CU_CAPTURE_RELAXED;
	if (!rc && dv_cu.ThreadExchangeStreamCaptureMode)
		(void)dv_cu.ThreadExchangeStreamCaptureMode(mode);
	return rc;
}

/* Restores the state before push(). */
static void leave(int mode)
{
	void *popped;

	if (dv_cu.ThreadExchangeStreamCaptureMode)
		(void)dv_cu.ThreadExchangeStreamCaptureMode(&mode);
	(void)dv_cu.CtxPop(&popped);
}

static int enter(const struct cuda_dev *d, const char *spec, int *mode)
{
	int rc = push(d, mode);

	return rc ? dv_cu_err(spec, rc, "cuCtxPushCurrent") : 0;
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
		return dv_err(-ENODEV, "mem %s: no such device: there are %d CUDA devices, numbered from 0", w->spec,
			      nr);
	rc = dv_cu.DeviceGet(&d->dev, w->n);
	return rc ? dv_cu_err(w->spec, rc, "cuDeviceGet") : 0;
}

static int cuda_open(struct dv_shared *s, const void *arg)
{
	struct cuda_dev *d = (struct cuda_dev *)s;
	const struct cuda_want *w = arg;
	int mode, rc = find_device(d, w);

	if (rc)
		return rc;
	read_attributes(d);
	d->n = w->n;
	d->primary = !w->ctx;
	d->ctx = w->ctx;
	rc = d->primary ? dv_cu.PrimaryCtxRetain(&d->ctx, d->dev) : 0;
	if (rc)
		return dv_cu_err(w->spec, rc, "cuDevicePrimaryCtxRetain");
	rc = enter(d, w->spec, &mode);
	if (!rc) {
		rc = dv_streams_make(&d->streams, &dv_cu.st);
		leave(mode);
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
	int mode;

	if (!push(d, &mode)) {
		dv_streams_drop(&d->streams);
		leave(mode);
	}
	if (d->primary)
		(void)dv_cu.PrimaryCtxRelease(d->dev);
}

static const struct dv_share_ops cuda_share = {
	.size = sizeof(struct cuda_dev),
	.open = cuda_open,
	.close = cuda_close,
};

/* ctx as in struct cuda_want. */
static int get_device(const char *spec, int n, void *ctx, struct cuda_dev **d)
{
	struct cuda_want want = { .spec = spec, .n = n, .ctx = ctx };
	struct dv_shared *s;
	char key[64];
	int rc;

	snprintf(key, sizeof(key), "cuda:%d/%p", n, ctx);
	rc = dv_share_get(&cuda_share, key, &want, &s);
	if (!rc)
		*d = (struct cuda_dev *)s;
	return rc;
}

/* Creates m->priv and opens its device. */
static int attach(struct devio_mem *m, int n, void *ctx)
{
	struct cuda_mem *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	rc = get_device(m->spec, n, ctx, &c->d);
	if (rc) {
		free(c);
		return rc;
	}
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
	const uint64_t page = dv_sys_page();
	struct cuda_mem *c;
	dv_cu_ptr ptr;
	int n, mode, rc = dv_sys_ordinal(m, arg, &n);

	(void)opts;
	if (!rc)
		rc = attach(m, n, NULL);
	if (rc)
		return rc;
	c = m->priv;
	rc = enter(c->d, m->spec, &mode);
	if (!rc) {
		/* Whole pages: exports are rounded to page boundaries. */
		rc = dv_cu.MemAlloc(&ptr, (m->size + page - 1) & ~(page - 1));
		leave(mode);
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
	int mode;

	/* The driver does not work in a forked child, and the memory belongs to the parent. */
	if (dv_mem_forked(m)) {
		free(c);
		return;
	}
	if (c->own && !push(c->d, &mode)) {
		(void)dv_cu.MemFree(m->device_ptr);
		leave(mode);
	}
	detach(m);
}

static int cuda_import(struct devio_mem *m, const char *arg, void *host)
{
	dv_cu_ptr ptr = (uintptr_t)host;
	struct dv_cu_found f;
	struct cuda_mem *c;
	int n, mode, rc = dv_sys_ordinal(m, arg, &n);

	if (!rc)
		rc = dv_cu_find(m, n, ptr, &f);
	if (!rc)
		rc = attach(m, n, f.ctx);
	if (rc)
		return rc;
	c = m->priv;
	rc = enter(c->d, m->spec, &mode);
	if (!rc) {
		rc = dv_cu_check_range(m, ptr, f.pieces);
		leave(mode);
	}
	if (rc)
		detach(m);
	/* Managed memory migrates: the driver copies it, nobody else may have its address. */
	if (f.managed)
		m->caps &= ~DEVIO_MEM_EXPORT;
	m->device_ptr = ptr;
	return rc;
}

static int get_handle(const struct devio_mem *m, int *fd, uint64_t *off)
{
	dv_cu_ptr mask = dv_sys_page() - 1, base = m->device_ptr & ~mask;
	size_t size = (size_t)((m->device_ptr + m->size + mask) & ~mask) - (size_t)base;
	int rc;

	*off = m->device_ptr - base;
	/* Drives need the PCIe (BAR) mapping; older drivers do not support the flag. */
	rc = dv_cu.MemGetHandleForAddressRange(fd, base, size, CU_RANGE_DMA_BUF_FD, CU_RANGE_MAPPING_PCIE);
	return rc ? dv_cu.MemGetHandleForAddressRange(fd, base, size, CU_RANGE_DMA_BUF_FD, 0) : 0;
}

static int cuda_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct cuda_mem *c = m->priv;
	int own = -1, mode, rc;
	uint64_t at;

	if (!c->d->dmabuf)
		return dv_err(-EOPNOTSUPP, "mem %s: this driver cannot export dma-bufs: needs CUDA 11.7 and the open "
			      "kernel modules (nvidia-open)", m->spec);
	rc = enter(c->d, m->spec, &mode);
	if (rc)
		return rc;
	rc = get_handle(m, &own, &at);
	leave(mode);
	if (rc)
		return dv_cu_err(m->spec, rc, "cuMemGetHandleForAddressRange (dma-buf)");
	*fd = own;
	*off = at;
	return 0;
}

/* Records an event for a copy submitted with result rc, then leaves the context. As ops->copy. */
static int started(struct devio_mem *m, int rc, bool out, int mode, struct dv_copy *c, const char *call)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	int done = rc ? 0 : dv_streams_mark(&d->streams, out, c);

	leave(mode);
	if (rc)
		return dv_cu_err(m->spec, rc, call);
	return done < 0 ? dv_cu_err(m->spec, -done, "cuStreamSynchronize") : done;
}

static int cuda_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	void *stream = d->streams.stream[out];
	int mode, rc = enter(d, m->spec, &mode);

	if (rc)
		return rc;
	rc = out ? dv_cu.MemcpyDtoHAsync(host, m->device_ptr + off, len, stream) :
		   dv_cu.MemcpyHtoDAsync(m->device_ptr + off, host, len, stream);
	return started(m, rc, out, mode, c, out ? "cuMemcpyDtoHAsync" : "cuMemcpyHtoDAsync");
}

static int cuda_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
			struct dv_copy *c)
{
	struct cuda_dev *d = ((struct cuda_mem *)dst->priv)->d;
	int mode, rc;

	/* Another GPU or another context: the caller copies through host memory. */
	if (((struct cuda_mem *)src->priv)->d != d)
		return -EOPNOTSUPP;
	rc = enter(d, dst->spec, &mode);
	if (rc)
		return rc;
	rc = dv_cu.MemcpyDtoDAsync(dst->device_ptr + off, src->device_ptr + src_off, len, d->streams.stream[0]);
	return started(dst, rc, false, mode, c, "cuMemcpyDtoDAsync");
}

static int cuda_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct cuda_dev *d = ((struct cuda_mem *)m->priv)->d;
	int mode;
	/* An event knows its context, so it can be queried even if push() fails while the copy is in flight. */
	bool pushed = !push(d, &mode);
	int done = dv_streams_poll(&d->streams, c, wait);

	if (pushed)
		leave(mode);
	return done < 0 ? dv_cu_err(m->spec, -done, "cuEventSynchronize or cuEventQuery") : done;
}

/*
 * The device to register staging memory with. The registration lives as long as the
 * ring, which may outlive a context of the application, so it is made in the primary
 * context, on which we can hold a reference. An inactive primary context is not
 * created for this, because it costs hundreds of megabytes; copies are slower then.
 */
static int pin_device(struct devio_mem *m, struct cuda_dev *d, struct cuda_dev **to)
{
	bool active;
	int dev, rc;

	if (d->primary) {
		dv_share_ref(&d->s);
		*to = d;
		return 0;
	}
	rc = dv_cu_primary_state(m->spec, d->n, &dev, &active);
	if (!rc && !active)
		rc = dv_err(-EOPNOTSUPP, "mem %s: the memory belongs to another context and the device's primary "
			    "context is not active: staging memory is not page-locked", m->spec);
	return rc ? rc : get_device(m->spec, d->n, NULL, to);
}

static int cuda_pin(struct devio_mem *m, void *host, size_t len, void **handle)
{
	struct cuda_dev *d;
	int mode, rc = pin_device(m, ((struct cuda_mem *)m->priv)->d, &d);

	if (rc)
		return rc;
	rc = enter(d, m->spec, &mode);
	if (!rc) {
		rc = dv_cu.MemHostRegister(host, len, CU_HOST_PORTABLE);
		leave(mode);
		if (rc)
			rc = dv_cu_err(m->spec, rc, "cuMemHostRegister");
	}
	if (rc) {
		dv_share_put(&d->s);
		return rc;
	}
	*handle = d;
	return 0;
}

static void cuda_unpin(void *handle, void *host, size_t len)
{
	struct cuda_dev *d = handle;
	int mode;

	(void)len;
	if (d->s.gen != dv_mem_fork_gen())
		return;
	if (!push(d, &mode)) {
		(void)dv_cu.MemHostUnregister(host);
		leave(mode);
	}
	dv_share_put(&d->s);
}

/* Counts device nodes, without loading the library. */
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
	.between = cuda_between,
	.copy_poll = cuda_copy_poll,
	.pin = cuda_pin,
	.unpin = cuda_unpin,
	.list = cuda_list,
};
