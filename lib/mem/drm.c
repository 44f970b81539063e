/* SPDX-License-Identifier: MIT */
/*
 * drm:NODE: a dumb buffer of a DRM card, exported through PRIME. The driver decides
 * whether it is in VRAM or host memory, so DEVIO_MEM_DEVICE is not set.
 */
#include "config.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>
#include "core/err.h"
#include "mem/sys.h"

struct drm_mem {
	int card;
	uint32_t handle;
	uint64_t map_len;
};

static int card_open(struct devio_mem *m, const char *arg)
{
	const char *name = strncmp(arg, "/dev/", 5) ? NULL : arg + 5;
	int fd;

	if (!name || strncmp(name, "dri/", 4) || !name[4] || strstr(name, ".."))
		return dv_err(-EINVAL, "mem %s: invalid DRM node '%s': use drm:/dev/dri/card0", m->spec, arg);
	fd = dv_sys_open(name);
	if (fd == -ENOENT || fd == -ENXIO)
		return dv_err(-ENODEV, "mem %s: %s does not exist: load a DRM driver", m->spec, arg);
	if (fd == -EACCES || fd == -EPERM)
		return dv_err(-EACCES, "mem %s: cannot open %s: join the groups video and render for access", m->spec,
			      arg);
	if (fd < 0)
		return dv_err(fd, "mem %s: cannot open %s", m->spec, arg);
	/* The first opener becomes DRM master: leave that to a display server. */
	(void)drmDropMaster(fd);
	return fd;
}

/* Page-sized rows, for which every driver uses the requested pitch. */
static int create(struct devio_mem *m, struct drm_mem *d)
{
	uint64_t page = dv_sys_page(), rows = dv_sys_page_up(m->size) / page;
	uint32_t width = (uint32_t)(page / 4), pitch;
	int rc;

	/* Most drivers reject more than 65535 rows: use longer rows instead. */
	while (rows > 32768) {
		rows = (rows + 1) / 2;
		if (width > UINT32_MAX / 16)
			return dv_err(-ENOMEM, "mem %s: size of %llu bytes is too large for a dumb buffer", m->spec,
				      (unsigned long long)m->size);
		width *= 2;
	}
	rc = drmModeCreateDumbBuffer(d->card, width, (uint32_t)rows, 32, 0, &d->handle, &pitch, &d->map_len);
	if (rc)
		return dv_err(rc == -ENOSYS ? -EOPNOTSUPP : rc, "mem %s: cannot create a dumb buffer of %llu bytes",
			      m->spec, (unsigned long long)m->size);
	if (d->map_len >= m->size)
		return 0;
	(void)drmModeDestroyDumbBuffer(d->card, d->handle);
	return dv_err(-EIO, "mem %s: the driver created a dumb buffer of %llu bytes instead of %llu", m->spec,
		      (unsigned long long)d->map_len, (unsigned long long)m->size);
}

/* Finds the PCI address in sysfs; "" for platform devices. */
static void find_bdf(struct devio_mem *m, const char *node)
{
	char path[PATH_MAX], dev[64];
	const char *base = strrchr(node, '/') + 1, *end;

	if (dv_sys_path(path, sizeof(path), dv_mem_sysfs(m->ctx), "class/drm/%s/device", base) ||
	    dv_sys_link_name(path, dev, sizeof(dev)))
		return;
	end = dv_sys_bdf(dev, m->bdf);
	if (!end || *end)
		m->bdf[0] = 0;
}

static int drm_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct drm_mem *d;
	int rc;

	(void)opts;
	if (!dv_sys_page_up(m->size))
		return dv_err(-ENOMEM, "mem %s: size of %llu bytes is too large", m->spec,
			      (unsigned long long)m->size);
	d = calloc(1, sizeof(*d));
	if (!d)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	rc = d->card = card_open(m, arg);
	if (rc < 0)
		goto no_card;
	rc = create(m, d);
	if (rc)
		goto no_buffer;
	find_bdf(m, arg);
	m->priv = d;
	m->caps = DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT;
	return 0;

no_buffer:
	close(d->card);
no_card:
	free(d);
	return rc;
}

static int drm_map(struct devio_mem *m)
{
	struct drm_mem *d = m->priv;
	uint64_t at;
	int rc = drmModeMapDumbBuffer(d->card, d->handle, &at);
	void *p;

	if (rc)
		return dv_err(rc, "mem %s: cannot map the dumb buffer", m->spec);
	p = mmap(NULL, d->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, d->card, (off_t)at);
	if (p == MAP_FAILED)
		return dv_err(-errno, "mem %s: mmap() of %llu bytes failed", m->spec, (unsigned long long)m->size);
	dv_mem_set_ptr(m, p);
	return 0;
}

static int drm_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct drm_mem *d = m->priv;
	int rc = drmPrimeHandleToFD(d->card, d->handle, DRM_CLOEXEC | DRM_RDWR, fd) ? -errno : 0;

	if (rc)
		return dv_err(rc == -EINVAL || rc == -ENOSYS ? -EOPNOTSUPP : rc,
			      "mem %s: the driver cannot export it through PRIME (%s)", m->spec, dv_errno_name(rc));
	*off = 0;
	return 0;
}

static void drm_free(struct devio_mem *m)
{
	struct drm_mem *d = m->priv;

	if (m->ptr)
		munmap(m->ptr, d->map_len);
	/* After fork() the open card is shared with the parent, to which the handle belongs. */
	if (!dv_mem_forked(m))
		(void)drmModeDestroyDumbBuffer(d->card, d->handle);
	close(d->card);
	free(d);
}

static int drm_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char path[PATH_MAX], node[300], spec[320], **names;
	int n, rc = 0;

	(void)ctx;
	if (dv_sys_path(path, sizeof(path), dv_sys_dev, "dri"))
		return 0;
	n = dv_sys_dir(path, &names);
	for (int i = 0; !rc && i < n; i++) {
		snprintf(node, sizeof(node), "dri/%s", names[i]);
		snprintf(spec, sizeof(spec), "drm:/dev/%s", node);
		if (!strncmp(names[i], "card", 4) && strlen(spec) < sizeof(((struct devio_mem *)0)->spec) &&
		    dv_sys_usable(node))
			rc = fn(arg, spec);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	return rc;
}

const struct dv_mem_ops dv_mem_drm = {
	.name = "drm",
	.syntax = "drm:NODE",
	.alloc = drm_alloc,
	.free = drm_free,
	.export = drm_export,
	.map = drm_map,
	.list = drm_list,
};
