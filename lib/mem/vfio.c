/* SPDX-License-Identifier: MIT */
/* vfio:BDF/BAR: part of a PCI BAR of a device bound to vfio-pci. */
#include "config.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/uapi/vfio.h"
#include "mem/sys.h"
#include "mem/vfiodev.h"

struct vfio_mem {
	struct dv_vfio *dev;
	struct dv_vfio_range range;
	uint64_t region_off; /* offset of the BAR in the device file */
	uint64_t map_len;
};

static int parse(struct devio_mem *m, const char *arg, unsigned int *bar)
{
	const char *end = dv_sys_bdf(arg, m->bdf);

	if (!end || end[0] != '/' || end[1] < '0' || end[1] > '5' || end[2]) {
		m->bdf[0] = 0;
		return dv_err(-EINVAL, "mem %s: invalid BAR '%s': use vfio:BDF/BAR, as in vfio:0000:05:00.0/2, with a "
			      "BAR from 0 to 5", m->spec, arg);
	}
	*bar = (unsigned int)(end[1] - '0');
	return 0;
}

static int get_bar_info(struct devio_mem *m, struct vfio_mem *v, uint64_t *size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = v->range.bar };

	if (ioctl(v->dev->dev, VFIO_DEVICE_GET_REGION_INFO, &info))
		return dv_err(-errno, "mem %s: VFIO_DEVICE_GET_REGION_INFO failed", m->spec);
	if (!info.size)
		return dv_err(-ENODEV, "mem %s: the device has no BAR %u (the upper half of a 64-bit BAR does not "
			      "count)", m->spec, v->range.bar);
	*size = info.size;
	v->region_off = info.offset;
	m->caps = DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT;
	if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
		m->caps |= DEVIO_MEM_CPU_MAP;
	return 0;
}

static int reserve(struct devio_mem *m, struct vfio_mem *v, uint64_t off)
{
	uint64_t size = 0;
	int rc = get_bar_info(m, v, &size);

	if (rc)
		return rc;
	v->range.off = off;
	v->range.len = dv_sys_page_up(m->size);
	rc = v->range.len ? dv_vfio_reserve(v->dev, &v->range, size) : -ENOSPC;
	if (rc == -EBUSY)
		return dv_err(rc, "mem %s: the range at offset %llu of the BAR overlaps another memory of this process",
			      m->spec, (unsigned long long)off);
	if (rc)
		return dv_err(rc, "mem %s: the BAR has %llu bytes: no room for %llu bytes at offset %llu", m->spec,
			      (unsigned long long)size, (unsigned long long)m->size, (unsigned long long)off);
	return 0;
}

static int vfio_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct vfio_mem *v;
	unsigned int bar = 0;
	int rc = parse(m, arg, &bar);

	if (!rc && opts->offset & (dv_sys_page() - 1))
		rc = dv_err(-EINVAL, "mem %s: offset %llu is not a multiple of the page size", m->spec,
			    (unsigned long long)opts->offset);
	if (rc)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	v->range.bar = bar;
	rc = dv_vfio_get(m, &v->dev);
	if (rc)
		goto no_dev;
	rc = reserve(m, v, opts->offset);
	if (rc)
		goto no_range;
	m->priv = v;
	return 0;

no_range:
	dv_vfio_put(v->dev);
no_dev:
	free(v);
	return rc;
}

static int vfio_map(struct devio_mem *m)
{
	struct vfio_mem *v = m->priv;
	void *p;

	if (!(m->caps & DEVIO_MEM_CPU_MAP))
		return dv_err(-EOPNOTSUPP, "mem %s: vfio cannot map this BAR (it is smaller than a page, or an I/O "
			      "BAR)", m->spec);
	p = mmap(NULL, v->range.len, PROT_READ | PROT_WRITE, MAP_SHARED, v->dev->dev,
		 (off_t)(v->region_off + v->range.off));
	if (p == MAP_FAILED)
		return dv_err(-errno, "mem %s: mmap() of %llu bytes of the BAR failed", m->spec,
			      (unsigned long long)m->size);
	v->map_len = v->range.len;
	dv_mem_set_ptr(m, p);
	return 0;
}

/*
 * A BAR is not ordinary memory: not every machine allows unaligned or wide accesses to
 * it. The middle is copied in aligned 64-bit words, four at a time, head and tail in
 * bytes.
 */
static void copy_to_bar(volatile void *bar, const unsigned char *host, size_t len)
{
	volatile unsigned char *b = bar;
	uint64_t words[4];

	for (; len && ((uintptr_t)b & 7); len--)
		*b++ = *host++;
	for (; len >= 32; len -= 32, b += 32, host += 32) {
		volatile uint64_t *to = (volatile uint64_t *)b;

		memcpy(words, host, 32);
		to[0] = words[0];
		to[1] = words[1];
		to[2] = words[2];
		to[3] = words[3];
	}
	for (; len >= 8; len -= 8, b += 8, host += 8) {
		memcpy(words, host, 8);
		*(volatile uint64_t *)b = words[0];
	}
	while (len--)
		*b++ = *host++;
	/* Writes are posted: a subsequent read returns only after they have arrived. */
	(void)*--b;
}

static void copy_from_bar(unsigned char *host, const volatile void *bar, size_t len)
{
	const volatile unsigned char *b = bar;
	uint64_t words[4];

	for (; len && ((uintptr_t)b & 7); len--)
		*host++ = *b++;
	for (; len >= 32; len -= 32, b += 32, host += 32) {
		const volatile uint64_t *from = (const volatile uint64_t *)b;

		words[0] = from[0];
		words[1] = from[1];
		words[2] = from[2];
		words[3] = from[3];
		memcpy(host, words, 32);
	}
	for (; len >= 8; len -= 8, b += 8, host += 8) {
		words[0] = *(const volatile uint64_t *)b;
		memcpy(host, words, 8);
	}
	while (len--)
		*host++ = *b++;
}

static int vfio_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	void *ptr;
	int rc = len ? dv_mem_ptr(m, &ptr) : 1;

	(void)c;
	if (rc)
		return rc;
	if (out)
		copy_from_bar(host, (char *)ptr + off, len);
	else
		copy_to_bar((char *)ptr + off, host, len);
	return 1;
}

/* Copies word by word; with different alignments the caller copies through host memory. */
static int vfio_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
			struct dv_copy *c)
{
	unsigned char buf[512];
	void *to, *from;

	(void)c;
	if ((off ^ src_off) & 7 || dv_mem_ptr(dst, &to) || dv_mem_ptr(src, &from))
		return -EOPNOTSUPP;
	while (len) {
		/* The first chunk ends at a word boundary, so that the others are aligned. */
		size_t n = sizeof(buf) - (src_off & 7);

		n = n < len ? n : len;
		copy_from_bar(buf, (char *)from + src_off, n);
		copy_to_bar((char *)to + off, buf, n);
		off += n;
		src_off += n;
		len -= n;
	}
	return 1;
}

static int vfio_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct vfio_mem *v = m->priv;
	struct dv_vfio_feature_dma_buf req = {
		.argsz = sizeof(req),
		.feature_flags = VFIO_DEVICE_FEATURE_GET | DV_VFIO_FEATURE_DMA_BUF,
		.region_index = v->range.bar,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
		.range = { .offset = v->range.off, .length = v->range.len },
	};
	int rc = ioctl(v->dev->dev, VFIO_DEVICE_FEATURE, &req);

	if (rc < 0 && (errno == ENOTTY || errno == EOPNOTSUPP || errno == ENODEV))
		return dv_err(-EOPNOTSUPP, "mem %s: this kernel cannot export BARs as dma-bufs (%s): needs Linux 6.19 "
			      "with CONFIG_VFIO_PCI_DMABUF and CONFIG_PCI_P2PDMA", m->spec, dv_errno_name(errno));
	if (rc < 0)
		return dv_err(-errno, "mem %s: exporting the BAR as a dma-buf failed", m->spec);
	*fd = rc;
	*off = 0;
	return 0;
}

static void vfio_free(struct devio_mem *m)
{
	struct vfio_mem *v = m->priv;

	if (v->map_len)
		munmap(m->ptr, v->map_len);
	dv_vfio_release(v->dev, &v->range);
	dv_vfio_put(v->dev);
	free(v);
}

/*
 * Lists prefetchable memory BARs: accesses have no side effects. The others contain
 * registers and must not be offered as memory.
 */
static int list_bars(struct devio_ctx *ctx, const char *bdf, int (*fn)(void *arg, const char *spec), void *arg)
{
	unsigned long long start, end, flags;
	char path[PATH_MAX], spec[64];
	int rc = dv_sys_path(path, sizeof(path), dv_mem_sysfs(ctx), "bus/pci/devices/%s/resource", bdf);
	FILE *f = rc ? NULL : fopen(path, "re");

	for (int bar = 0; f && !rc && bar < 6; bar++) {
		if (fscanf(f, "%llx %llx %llx", &start, &end, &flags) != 3)
			break;
		/* IORESOURCE_MEM and IORESOURCE_PREFETCH */
		if (!(flags & 0x200) || !(flags & 0x2000) || end < start || end - start + 1 < dv_sys_page())
			continue;
		snprintf(spec, sizeof(spec), "vfio:%s/%d", bdf, bar);
		rc = fn(arg, spec);
	}
	if (f)
		fclose(f);
	return rc;
}

/* Whether this process may open the device's character device or its group. */
static bool may_open(struct devio_ctx *ctx, const char *bdf)
{
	char path[PATH_MAX], node[96], group[32], **names;
	const char *root = dv_mem_sysfs(ctx);
	bool ok = false;
	int n = -1;

	if (!dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s/vfio-dev", bdf))
		n = dv_sys_dir(path, &names);
	for (int i = 0; i < n; i++) {
		snprintf(node, sizeof(node), "vfio/devices/%.60s", names[i]);
		ok |= dv_sys_usable(node);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	if (ok || dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s/iommu_group", bdf) ||
	    dv_sys_link_name(path, group, sizeof(group)))
		return ok;
	snprintf(node, sizeof(node), "vfio/%s", group);
	if (dv_sys_usable(node))
		return true;
	snprintf(node, sizeof(node), "vfio/noiommu-%s", group);
	return dv_sys_usable(node);
}

static int vfio_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char path[PATH_MAX], bdf[16], **names;
	const char *end;
	int n, rc = 0;

	if (dv_sys_path(path, sizeof(path), dv_mem_sysfs(ctx), "bus/pci/drivers/vfio-pci"))
		return 0;
	n = dv_sys_dir(path, &names);
	for (int i = 0; !rc && i < n; i++) {
		end = dv_sys_bdf(names[i], bdf);
		if (end && !*end && may_open(ctx, bdf))
			rc = list_bars(ctx, bdf, fn, arg);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	return rc;
}

const struct dv_mem_ops dv_mem_vfio = {
	.name = "vfio",
	.syntax = "vfio:BDF/BAR",
	.takes_offset = true,
	.alloc = vfio_alloc,
	.free = vfio_free,
	.export = vfio_export,
	.map = vfio_map,
	.copy = vfio_copy,
	.between = vfio_between,
	.list = vfio_list,
};
