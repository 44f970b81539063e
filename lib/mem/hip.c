/* SPDX-License-Identifier: MIT */
/*
 * hip:N: memory of an AMD GPU through ROCm's HIP runtime. HIP keeps a current device
 * and a last error per thread: every call here preserves the application's.
 */
#include "config.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "mem/hip_api.h"
#include "mem/share.h"
#include "mem/stream.h"
#include "mem/sys.h"

struct hip_dev {
	struct dv_shared s;
	int n;
	struct dv_streams streams;
	char bdf[16];
};

struct hip_mem {
	struct hip_dev *d;
	bool own; /* allocated by us, not imported */
};

struct hip_want {
	const char *spec;
	int n;
};

/* The application's per-thread state. */
struct hip_app {
	int device;
	int error;
};

/* Returns a hipError_t. After 0 device n is current, and the caller must call leave(). */
static int enter(int n, struct hip_app *app)
{
	int rc;

	app->error = dv_hip.PeekAtLastError();
	rc = dv_hip.GetDevice(&app->device);
	if (!rc && app->device != n)
		rc = dv_hip.SetDevice(n);
	/* Clear our own error, but keep an earlier one of the application. */
	if (rc && !app->error)
		(void)dv_hip.GetLastError();
	return rc;
}

static void leave(int n, const struct hip_app *app)
{
	if (app->device != n)
		(void)dv_hip.SetDevice(app->device);
	if (!app->error)
		(void)dv_hip.GetLastError();
}

static int no_device(const char *spec, int rc)
{
	return dv_hip_err(spec, rc, "hipGetDevice or hipSetDevice");
}

static int hip_open(struct dv_shared *s, const void *arg)
{
	struct hip_dev *d = (struct hip_dev *)s;
	const struct hip_want *w = arg;
	struct hip_app app;
	char id[32] = "";
	const char *end;
	int nr, version, rc = dv_hip_load(w->spec, &nr, &version);

	if (rc)
		return rc;
	if (w->n >= nr)
		return dv_err(-ENODEV, "mem %s: no such device: there are %d HIP devices, numbered from 0", w->spec,
			      nr);
	d->n = w->n;
	rc = enter(d->n, &app);
	if (rc)
		return no_device(w->spec, rc);
	if (!dv_hip.DeviceGetPCIBusId(id, sizeof(id), d->n)) {
		end = dv_sys_bdf(id, d->bdf);
		if (!end || *end)
			d->bdf[0] = 0;
	}
	rc = dv_streams_make(&d->streams, &dv_hip.st);
	leave(d->n, &app);
	return rc ? dv_hip_err(w->spec, rc, "hipStreamCreateWithFlags") : 0;
}

static void hip_close(struct dv_shared *s)
{
	struct hip_dev *d = (struct hip_dev *)s;
	struct hip_app app;

	/* Destroying does not require a current device: go on if enter() fails. */
	bool in = !enter(d->n, &app);

	dv_streams_drop(&d->streams);
	if (in)
		leave(d->n, &app);
}

static const struct dv_share_ops hip_share = {
	.size = sizeof(struct hip_dev),
	.open = hip_open,
	.close = hip_close,
};

static int attach(struct devio_mem *m, int n)
{
	struct hip_want want = { .spec = m->spec, .n = n };
	struct hip_mem *h = calloc(1, sizeof(*h));
	struct dv_shared *s;
	char key[32];
	int rc;

	if (!h)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	snprintf(key, sizeof(key), "hip:%d", n);
	rc = dv_share_get(&hip_share, key, &want, &s);
	if (rc) {
		free(h);
		return rc;
	}
	h->d = (struct hip_dev *)s;
	memcpy(m->bdf, h->d->bdf, sizeof(m->bdf));
	m->caps = DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY;
	if (dv_hip.MemGetHandleForAddressRange || dv_hsa.export_dmabuf)
		m->caps |= DEVIO_MEM_EXPORT;
	m->priv = h;
	return 0;
}

static void detach(struct devio_mem *m)
{
	struct hip_mem *h = m->priv;

	dv_share_put(&h->d->s);
	free(h);
}

static int hip_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct hip_app app;
	void *ptr = NULL;
	int n, rc = dv_sys_ordinal(m, arg, &n);

	(void)opts;
	if (!rc)
		rc = attach(m, n);
	if (rc)
		return rc;
	rc = enter(n, &app);
	if (rc) {
		rc = no_device(m->spec, rc);
	} else {
		rc = dv_hip.Malloc(&ptr, m->size);
		leave(n, &app);
		if (rc)
			rc = dv_hip_err(m->spec, rc, "hipMalloc");
	}
	if (rc) {
		detach(m);
		return rc;
	}
	((struct hip_mem *)m->priv)->own = true;
	m->device_ptr = (uintptr_t)ptr;
	return 0;
}

static void hip_free(struct devio_mem *m)
{
	struct hip_mem *h = m->priv;
	struct hip_app app;
	bool in;

	/* The runtime does not work in a forked child, and the memory belongs to the parent. */
	if (dv_mem_forked(m)) {
		free(h);
		return;
	}
	if (h->own) {
		in = !enter(h->d->n, &app);
		(void)dv_hip.Free((void *)(uintptr_t)m->device_ptr);
		if (in)
			leave(h->d->n, &app);
	}
	detach(m);
}

static int check_type(struct devio_mem *m, const struct dv_hip_pointer *p, int version, int n, void *ptr)
{
	/* ROCm 5 numbers the memory types from 0, later versions from 1. */
	int type = version >= HIP_VERSION_6 ? p->type : p->type + 1;

	if (p->managed)
		return dv_err(-EOPNOTSUPP, "mem %s: %p is managed memory, which migrates between host and device: "
			      "import it as 'host', or use hipMalloc", m->spec, ptr);
	if (type == HIP_TYPE_HOST)
		return dv_err(-EFAULT, "mem %s: %p is host memory: import it as 'host'", m->spec, ptr);
	if (type != HIP_TYPE_DEVICE)
		return dv_err(-EFAULT, "mem %s: pointer %p is unknown to HIP", m->spec, ptr);
	if (p->device != n)
		return dv_err(-EFAULT, "mem %s: pointer %p belongs to hip:%d", m->spec, ptr, p->device);
	return 0;
}

/* Queries attributes and address range of a pointer. *size is 0 if there is no range. */
static int query_pointer(struct devio_mem *m, int n, void *ptr, struct dv_hip_pointer *p, void **base, size_t *size)
{
	struct hip_app app;
	int rc = enter(n, &app), range;

	if (rc)
		return no_device(m->spec, rc);
	rc = dv_hip.PointerGetAttributes(p, ptr);
	range = rc ? 0 : dv_hip.MemGetAddressRange(base, size, ptr);
	leave(n, &app);
	if (rc == HIP_INVALID_VALUE || rc == HIP_INVALID_DEVICE_POINTER)
		return dv_err(-EFAULT, "mem %s: pointer %p is unknown to HIP", m->spec, ptr);
	if (rc)
		return dv_hip_err(m->spec, rc, "hipPointerGetAttributes");
	/* Unregistered memory has no range: check_type() has the better error message. */
	if (range == HIP_INVALID_VALUE || range == HIP_NOT_FOUND || range == HIP_INVALID_DEVICE_POINTER)
		*size = 0;
	else if (range)
		return dv_hip_err(m->spec, range, "hipMemGetAddressRange");
	return 0;
}

static int check_pointer(struct devio_mem *m, int n, void *ptr)
{
	struct dv_hip_pointer p = { 0 };
	void *base = NULL;
	size_t size = 0, skip;
	int nr, version, rc;

	dv_share_lock();
	rc = dv_hip_load(m->spec, &nr, &version);
	dv_share_unlock();
	if (!rc)
		rc = query_pointer(m, n, ptr, &p, &base, &size);
	if (!rc)
		rc = check_type(m, &p, version, n, ptr);
	if (rc)
		return rc;
	skip = (size_t)((char *)ptr - (char *)base);
	if (skip > size || m->size > size - skip)
		return dv_err(-EFAULT, "mem %s: %llu bytes at %p exceed the allocation, which ends after %zu bytes",
			      m->spec, (unsigned long long)m->size, ptr, size > skip ? size - skip : 0);
	return 0;
}

static int hip_import(struct devio_mem *m, const char *arg, void *ptr)
{
	int n, rc = dv_sys_ordinal(m, arg, &n);

	/* Open the device first: it has the better error message for an invalid ordinal. */
	if (!rc)
		rc = attach(m, n);
	if (rc)
		return rc;
	rc = check_pointer(m, n, ptr);
	if (rc)
		detach(m);
	m->device_ptr = (uintptr_t)ptr;
	return rc;
}

static int get_handle(const struct devio_mem *m, int *fd, uint64_t *off)
{
	uint64_t mask = dv_sys_page() - 1, base = m->device_ptr & ~mask;
	size_t size = (size_t)(((m->device_ptr + m->size + mask) & ~mask) - base);

	if (!dv_hip.MemGetHandleForAddressRange)
		return dv_hsa.export_dmabuf((void *)(uintptr_t)m->device_ptr, m->size, fd, off);
	*off = m->device_ptr - base;
	return dv_hip.MemGetHandleForAddressRange(fd, (void *)(uintptr_t)base, size, HIP_RANGE_DMA_BUF_FD, 0);
}

static int hip_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct hip_mem *h = m->priv;
	struct hip_app app;
	int own = -1, rc;
	uint64_t at = 0;

	if (!(m->caps & DEVIO_MEM_EXPORT))
		return dv_err(-EOPNOTSUPP, "mem %s: this ROCm version cannot export dma-bufs: needs ROCm 7, or "
			      "libhsa-runtime64 with hsa_amd_portable_export_dmabuf", m->spec);
	rc = enter(h->d->n, &app);
	if (rc)
		return no_device(m->spec, rc);
	rc = get_handle(m, &own, &at);
	leave(h->d->n, &app);
	if (rc && !dv_hip.MemGetHandleForAddressRange)
		return dv_err(-EIO, "mem %s: hsa_amd_portable_export_dmabuf: HSA status 0x%x", m->spec,
			      (unsigned int)rc);
	if (rc)
		return dv_hip_err(m->spec, rc, "hipMemGetHandleForAddressRange (dma-buf)");
	*fd = own;
	*off = at;
	return 0;
}

/* Uses the stream for copies out of the device (out true) or into it. */
static int copy_async(struct devio_mem *m, void *to, const void *from, size_t len, int kind, bool out,
		      struct dv_copy *c)
{
	struct hip_dev *d = ((struct hip_mem *)m->priv)->d;
	struct hip_app app;
	int rc = enter(d->n, &app), done = 0;

	if (rc)
		return no_device(m->spec, rc);
	rc = dv_hip.MemcpyAsync(to, from, len, kind, d->streams.stream[out]);
	if (!rc)
		done = dv_streams_mark(&d->streams, out, c);
	leave(d->n, &app);
	if (rc)
		return dv_hip_err(m->spec, rc, "hipMemcpyAsync");
	return done < 0 ? dv_hip_err(m->spec, -done, "hipStreamSynchronize") : done;
}

static void *dev_ptr(const struct devio_mem *m, uint64_t off)
{
	return (void *)(uintptr_t)(m->device_ptr + off);
}

static int hip_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	return out ? copy_async(m, host, dev_ptr(m, off), len, HIP_DEVICE_TO_HOST, true, c) :
		     copy_async(m, dev_ptr(m, off), host, len, HIP_HOST_TO_DEVICE, false, c);
}

static int hip_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		       struct dv_copy *c)
{
	if (((struct hip_mem *)src->priv)->d != ((struct hip_mem *)dst->priv)->d)
		return -EOPNOTSUPP;
	return copy_async(dst, dev_ptr(dst, off), dev_ptr(src, src_off), len, HIP_DEVICE_TO_DEVICE, false, c);
}

static int hip_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct hip_dev *d = ((struct hip_mem *)m->priv)->d;
	struct hip_app app;
	/* An event knows its device, so it can be queried even if enter() fails while the copy is in flight. */
	bool in = !enter(d->n, &app);
	int done = dv_streams_poll(&d->streams, c, wait);

	if (in)
		leave(d->n, &app);
	return done < 0 ? dv_hip_err(m->spec, -done, "hipEventSynchronize or hipEventQuery") : done;
}

static int hip_pin(struct devio_mem *m, void *host, size_t len, void **handle)
{
	struct hip_dev *d = ((struct hip_mem *)m->priv)->d;
	struct hip_app app;
	int rc = enter(d->n, &app);

	if (rc)
		return no_device(m->spec, rc);
	rc = dv_hip.HostRegister(host, len, HIP_HOST_PORTABLE);
	leave(d->n, &app);
	if (rc)
		return dv_hip_err(m->spec, rc, "hipHostRegister");
	dv_share_ref(&d->s);
	*handle = d;
	return 0;
}

static void hip_unpin(void *handle, void *host, size_t len)
{
	struct hip_dev *d = handle;
	struct hip_app app;
	bool in;

	(void)len;
	if (d->s.gen != dv_mem_fork_gen())
		return;
	in = !enter(d->n, &app);
	(void)dv_hip.HostUnregister(host);
	if (in)
		leave(d->n, &app);
	dv_share_put(&d->s);
}

/* GPUs have a non-zero gpu_id in the kernel's compute topology, CPUs 0. */
static bool is_gpu(const char *dir, const char *node)
{
	char path[PATH_MAX], text[16] = "";
	FILE *f = dv_sys_path(path, sizeof(path), dir, "%s/gpu_id", node) ? NULL : fopen(path, "re");
	bool yes = f && fgets(text, sizeof(text), f) && atoll(text) > 0;

	if (f)
		fclose(f);
	return yes;
}

static int hip_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char dir[PATH_MAX], spec[32], **names;
	int n, nr = 0, rc = 0;

	if (!dv_sys_usable("kfd") ||
	    dv_sys_path(dir, sizeof(dir), dv_mem_sysfs(ctx), "class/kfd/kfd/topology/nodes"))
		return 0;
	n = dv_sys_dir(dir, &names);
	for (int i = 0; !rc && i < n; i++) {
		if (!is_gpu(dir, names[i]))
			continue;
		snprintf(spec, sizeof(spec), "hip:%d", nr++);
		rc = fn(arg, spec);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	return rc;
}

const struct dv_mem_ops dv_mem_hip = {
	.name = "hip",
	.syntax = "hip:N",
	.alloc = hip_alloc,
	.import_ptr = hip_import,
	.free = hip_free,
	.export = hip_export,
	.copy = hip_copy,
	.between = hip_between,
	.copy_poll = hip_copy_poll,
	.pin = hip_pin,
	.unpin = hip_unpin,
	.list = hip_list,
};
