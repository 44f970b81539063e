/* SPDX-License-Identifier: MIT */
/* udmabuf: a sealed memfd, exported as a dma-buf by the kernel. */
#include "config.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/udmabuf.h>
#include "core/err.h"
#include "kern/dmabuf.h"
#include "mem/bufmem.h"
#include "mem/sys.h"

/* A memfd with F_SEAL_SHRINK, as udmabuf requires. */
static int sealed_memfd(struct devio_mem *m, uint64_t len)
{
	int fd = memfd_create("devio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return dv_err(-errno, "mem udmabuf: memfd_create() failed");
	if (!ftruncate(fd, (off_t)len) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fd;
	rc = dv_err(-errno, "mem udmabuf: cannot create a memfd of %llu bytes", (unsigned long long)m->size);
	close(fd);
	return rc;
}

static int open_error(int err)
{
	if (err == -ENOENT || err == -ENXIO)
		return dv_err(-ENODEV, "mem udmabuf: /dev/udmabuf does not exist: modprobe udmabuf (CONFIG_UDMABUF)");
	if (err == -EACCES || err == -EPERM)
		return dv_err(-EACCES, "mem udmabuf: cannot open /dev/udmabuf: access requires root, the group kvm or "
			      "a udev rule");
	return dv_err(err, "mem udmabuf: cannot open /dev/udmabuf");
}

static int make_dmabuf(struct devio_mem *m, int memfd, uint64_t len)
{
	struct udmabuf_create req = { .memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = len };
	int dev = dv_sys_open("udmabuf"), fd;

	if (dev < 0)
		return open_error(dev);
	fd = ioctl(dev, UDMABUF_CREATE, &req);
	if (fd < 0)
		fd = dv_err(-errno, "mem udmabuf: UDMABUF_CREATE of %llu bytes failed: see size_limit_mb and "
			    "list_limit in /sys/module/udmabuf/parameters", (unsigned long long)m->size);
	close(dev);
	return fd;
}

/*
 * Maps the memfd, not the dma-buf: its pages can be pinned, so that O_DIRECT works on
 * them without dma-buf support. Takes ownership of fd, the dma-buf.
 */
static int map_memfd(struct devio_mem *m, int memfd, int fd, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	struct dv_bufmem *b;
	int rc;

	if (p == MAP_FAILED) {
		rc = dv_err(-errno, "mem udmabuf: mmap() of %llu bytes failed", (unsigned long long)m->size);
		close(fd);
		return rc;
	}
	rc = dv_bufmem_new(m, fd, 0);
	if (rc) {
		munmap(p, len);
		return rc;
	}
	b = m->priv;
	b->map = p;
	b->map_len = len;
	dv_mem_set_ptr(m, p);
	m->device_ptr = (uintptr_t)p;
	m->caps = DEVIO_MEM_HOST_PAGES | DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT;
	return 0;
}

static int udmabuf_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	uint64_t len = dv_sys_page_up(m->size);
	int memfd, fd, rc;

	(void)opts;
	if (*arg)
		return dv_err(-EINVAL, "mem %s: 'udmabuf' takes no argument", m->spec);
	if (!len)
		return dv_err(-ENOMEM, "mem udmabuf: size of %llu bytes is too large", (unsigned long long)m->size);
	memfd = sealed_memfd(m, len);
	if (memfd < 0)
		return memfd;
	fd = make_dmabuf(m, memfd, len);
	rc = fd < 0 ? fd : map_memfd(m, memfd, fd, len);
	close(memfd);
	return rc;
}

static int udmabuf_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	(void)ctx;
	return dv_sys_usable("udmabuf") ? fn(arg, "udmabuf") : 0;
}

const struct dv_mem_ops dv_mem_udmabuf = {
	.name = "udmabuf",
	.syntax = "udmabuf",
	.alloc = udmabuf_alloc,
	.free = dv_bufmem_free,
	.export = dv_bufmem_export,
	.copy = dv_bufmem_copy,
	.between = dv_bufmem_between,
	.list = udmabuf_list,
};
