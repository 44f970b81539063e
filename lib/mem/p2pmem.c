/* SPDX-License-Identifier: MIT */
/* p2pmem:BDF: P2PDMA pages of a PCI device, mapped through sysfs. */
#include "config.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/err.h"
#include "mem/sys.h"

static int sysfs_path(struct devio_mem *m, const char *name, char *path, size_t size)
{
	return dv_sys_path(path, size, dv_mem_sysfs(m->ctx), "bus/pci/devices/%s/p2pmem/%s", m->bdf, name);
}

/* Free bytes of the device, for the error message; -1 if unknown. */
static long long available(struct devio_mem *m)
{
	char path[PATH_MAX], text[32] = "";
	int fd = sysfs_path(m, "available", path, sizeof(path)) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtoll(text, NULL, 0) : -1;
}

static int open_pool(struct devio_mem *m)
{
	char path[PATH_MAX];
	int fd = sysfs_path(m, "allocate", path, sizeof(path)) ? -1 : open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return dv_err(-ENODEV, "mem %s: %s does not exist: the device provides no P2P memory (an NVMe drive "
			      "needs a controller memory buffer), or the kernel lacks CONFIG_PCI_P2PDMA (Linux 6.2)",
			      m->spec, path);
	if (errno == EACCES || errno == EPERM)
		return dv_err(-EACCES, "mem %s: cannot open %s: root only, unless its mode is changed", m->spec, path);
	return dv_err(-errno, "mem %s: cannot open %s", m->spec, path);
}

static int p2pmem_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	uint64_t len = dv_sys_page_up(m->size);
	const char *end = dv_sys_bdf(arg, m->bdf);
	void *p;
	int fd;

	(void)opts;
	if (!end || *end)
		return dv_err(-EINVAL, "mem %s: invalid PCI address '%s': use p2pmem:0000:04:00.0", m->spec, arg);
	if (!len)
		return dv_err(-ENOMEM, "mem %s: size of %llu bytes is too large", m->spec,
			      (unsigned long long)m->size);
	fd = open_pool(m);
	if (fd < 0)
		return fd;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* The mapping is the allocation: the file is no longer needed. */
	if (p == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return dv_err(err, "mem %s: cannot allocate %llu bytes: %lld bytes of P2P memory are available",
			      m->spec, (unsigned long long)m->size, available(m));
	}
	close(fd);
	m->priv = p;
	m->device_ptr = (uintptr_t)p;
	m->caps = DEVIO_MEM_P2P_PAGES | DEVIO_MEM_CPU_MAP | DEVIO_MEM_DEVICE;
	dv_mem_set_ptr(m, p);
	return 0;
}

static void p2pmem_free(struct devio_mem *m)
{
	munmap(m->priv, dv_sys_page_up(m->size));
}

static int p2pmem_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char path[PATH_MAX], spec[64], bdf[16], **names;
	const char *root = dv_mem_sysfs(ctx), *end;
	int n, rc = 0;

	if (dv_sys_path(path, sizeof(path), root, "bus/pci/devices"))
		return 0;
	n = dv_sys_dir(path, &names);
	for (int i = 0; !rc && i < n; i++) {
		end = dv_sys_bdf(names[i], bdf);
		if (!end || *end ||
		    dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s/p2pmem/allocate", names[i]) ||
		    !dv_sys_may(path))
			continue;
		snprintf(spec, sizeof(spec), "p2pmem:%s", bdf);
		rc = fn(arg, spec);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	return rc;
}

const struct dv_mem_ops dv_mem_p2pmem = {
	.name = "p2pmem",
	.syntax = "p2pmem:BDF",
	.alloc = p2pmem_alloc,
	.free = p2pmem_free,
	.copy = dv_mem_copy_cpu,
	.list = p2pmem_list,
};
