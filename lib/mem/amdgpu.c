/* SPDX-License-Identifier: MIT */
/*
 * amdgpu:N: VRAM of AMD GPU number N through libdrm_amdgpu, without ROCm. The library
 * is loaded with the first allocation; its header is needed at build time.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "mem/dl.h"
#include "mem/share.h"
#include "mem/sys.h"

static const char *const drivers[] = { "amdgpu", NULL };

static int amdgpu_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
#ifdef HAVE_AMDGPU_H
	return dv_sys_list_render(ctx, drivers, "amdgpu", fn, arg);
#else
	(void)ctx;
	(void)fn;
	(void)arg;
	(void)drivers;
	return 0;
#endif
}

#ifdef HAVE_AMDGPU_H
#include <amdgpu.h>
#include <amdgpu_drm.h>

struct amdgpu_api {
	int (*initialize)(int fd, uint32_t *major, uint32_t *minor, amdgpu_device_handle *dev);
	int (*deinitialize)(amdgpu_device_handle dev);
	int (*bo_alloc)(amdgpu_device_handle dev, struct amdgpu_bo_alloc_request *req, amdgpu_bo_handle *bo);
	int (*bo_free)(amdgpu_bo_handle bo);
	int (*bo_export)(amdgpu_bo_handle bo, enum amdgpu_bo_handle_type type, uint32_t *handle);
	int (*bo_cpu_map)(amdgpu_bo_handle bo, void **cpu);
	int (*bo_cpu_unmap)(amdgpu_bo_handle bo);
};

static const struct dv_dl_sym amdgpu_syms[] = {
	DV_DL_SYM(amdgpu_api, initialize, "amdgpu_device_initialize"),
	DV_DL_SYM(amdgpu_api, deinitialize, "amdgpu_device_deinitialize"),
	DV_DL_SYM(amdgpu_api, bo_alloc, "amdgpu_bo_alloc"),
	DV_DL_SYM(amdgpu_api, bo_free, "amdgpu_bo_free"),
	DV_DL_SYM(amdgpu_api, bo_export, "amdgpu_bo_export"),
	DV_DL_SYM(amdgpu_api, bo_cpu_map, "amdgpu_bo_cpu_map"),
	DV_DL_SYM(amdgpu_api, bo_cpu_unmap, "amdgpu_bo_cpu_unmap"),
};

static const struct dv_dl_lib amdgpu_lib = {
	.what = "amdgpu",
	.env = "DEVIO_DRM_AMDGPU_LIBRARY",
	.names = (const char *const[]){ "libdrm_amdgpu.so.1", NULL },
	.hint = "install the package libdrm-amdgpu1",
	.syms = amdgpu_syms,
	.nr = sizeof(amdgpu_syms) / sizeof(amdgpu_syms[0]),
};

static struct amdgpu_api api;
static bool loaded; /* protected by dv_share_lock() */

struct amdgpu_mem {
	amdgpu_device_handle dev;
	amdgpu_bo_handle bo;
	bool mapped;
};

static int load(void)
{
	int rc = 0;

	dv_share_lock();
	if (!loaded)
		rc = dv_dl_load(&amdgpu_lib, &api);
	loaded = !rc;
	dv_share_unlock();
	return rc;
}

static int open_node(struct devio_mem *m, int n)
{
	char node[32];
	int nr, fd;

	if (dv_sys_render(m->ctx, drivers, n, node, m->bdf, &nr))
		return dv_err(-ENODEV, "mem %s: no such GPU: %d GPUs use the amdgpu driver, numbered from 0", m->spec,
			      nr);
	fd = dv_sys_open(node);
	if (fd == -EACCES || fd == -EPERM)
		return dv_err(-EACCES, "mem %s: cannot open /dev/%s: join the group render for access", m->spec, node);
	if (fd < 0)
		return dv_err(fd == -ENOENT ? -ENODEV : fd, "mem %s: cannot open /dev/%s", m->spec, node);
	return fd;
}

static int open_device(struct devio_mem *m, int n, struct amdgpu_mem *a)
{
	uint32_t major, minor;
	int fd = open_node(m, n), rc;

	if (fd < 0)
		return fd;
	/* The library duplicates the descriptor. */
	rc = api.initialize(fd, &major, &minor, &a->dev);
	close(fd);
	return rc ? dv_err(rc, "mem %s: amdgpu_device_initialize() failed", m->spec) : 0;
}

static int alloc_bo(struct devio_mem *m, struct amdgpu_mem *a)
{
	struct amdgpu_bo_alloc_request req = {
		.alloc_size = dv_sys_page_up(m->size),
		.preferred_heap = AMDGPU_GEM_DOMAIN_VRAM,
		.flags = AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED,
	};
	int rc;

	if (!req.alloc_size)
		return dv_err(-ENOMEM, "mem %s: size of %llu bytes is too large", m->spec,
			      (unsigned long long)m->size);
	m->caps = DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT | DEVIO_MEM_CPU_MAP;
	rc = api.bo_alloc(a->dev, &req, &a->bo);
	if (!rc)
		return 0;
	/* With a small BAR only part of the VRAM is CPU visible; use the rest. */
	req.flags = AMDGPU_GEM_CREATE_NO_CPU_ACCESS;
	m->caps &= ~DEVIO_MEM_CPU_MAP;
	rc = api.bo_alloc(a->dev, &req, &a->bo);
	return rc ? dv_err(rc, "mem %s: cannot allocate %llu bytes of VRAM", m->spec, (unsigned long long)m->size) : 0;
}

static int amdgpu_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct amdgpu_mem *a;
	int n, rc = dv_sys_ordinal(m, arg, &n);

	(void)opts;
	if (!rc)
		rc = load();
	if (rc)
		return rc;
	a = calloc(1, sizeof(*a));
	if (!a)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	rc = open_device(m, n, a);
	if (rc)
		goto no_device;
	rc = alloc_bo(m, a);
	if (rc)
		goto no_bo;
	m->priv = a;
	return 0;

no_bo:
	api.deinitialize(a->dev);
no_device:
	free(a);
	return rc;
}

static int amdgpu_map(struct devio_mem *m)
{
	struct amdgpu_mem *a = m->priv;
	void *p;
	int rc;

	if (!(m->caps & DEVIO_MEM_CPU_MAP))
		return dv_err(-EOPNOTSUPP, "mem %s: the VRAM is not CPU visible: enable Resizable BAR in the firmware, "
			      "or use hip:N", m->spec);
	rc = api.bo_cpu_map(a->bo, &p);
	if (rc)
		return dv_err(rc, "mem %s: amdgpu_bo_cpu_map() failed", m->spec);
	a->mapped = true;
	dv_mem_set_ptr(m, p);
	return 0;
}

static int amdgpu_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct amdgpu_mem *a = m->priv;
	uint32_t handle;
	int rc = api.bo_export(a->bo, amdgpu_bo_handle_type_dma_buf_fd, &handle);

	if (rc)
		return dv_err(rc, "mem %s: cannot export the VRAM as a dma-buf: amdgpu_bo_export() failed", m->spec);
	*fd = (int)handle;
	*off = 0;
	return 0;
}

static void amdgpu_free(struct devio_mem *m)
{
	struct amdgpu_mem *a = m->priv;

	/* After fork() the open device is shared with the parent, to which the handles belong. */
	if (!dv_mem_forked(m)) {
		if (a->mapped)
			api.bo_cpu_unmap(a->bo);
		api.bo_free(a->bo);
		api.deinitialize(a->dev);
	}
	free(a);
}

#else /* without the header: the spec is known but not supported */

static int amdgpu_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	(void)arg;
	(void)opts;
	return dv_err(-EOPNOTSUPP, "mem %s: libdevio was built without amdgpu.h: install libdrm-dev and "
		      "rebuild it", m->spec);
}

static void amdgpu_free(struct devio_mem *m)
{
	(void)m;
}

#define amdgpu_export NULL
#define amdgpu_map NULL
#endif

const struct dv_mem_ops dv_mem_amdgpu = {
	.name = "amdgpu",
	.syntax = "amdgpu:N",
	.alloc = amdgpu_alloc,
	.free = amdgpu_free,
	.export = amdgpu_export,
	.map = amdgpu_map,
	.list = amdgpu_list,
};
