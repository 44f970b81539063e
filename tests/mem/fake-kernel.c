/* SPDX-License-Identifier: MIT */
/* The kernel's ioctls for device memory, on plain files. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <drm.h>
#include <drm_mode.h>
#include "kern/uapi/vfio.h"
#include "memtest.h"
#include "fake-kernel.h"

struct fake_kernel fk;

int __real_fstatfs(int fd, struct statfs *st);
int __wrap_fstatfs(int fd, struct statfs *st);
int __wrap_ioctl(int fd, unsigned long cmd, ...);
int ioctl(int fd, unsigned long cmd, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

/* Counts a call that may fail on demand; true: it does, with EMFILE, ENOMEM or EIO. */
static bool trips(int err)
{
	if (fk.trip <= 0 || --fk.trip)
		return false;
	fk.tripped = true;
	errno = err;
	return true;
}

int __wrap_open(const char *path, int flags, ...)
{
	return trips(EMFILE) ? -1 : __real_open(path, flags);
}

int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return trips(EMFILE) ? -1 : __real_fcntl(fd, cmd, arg);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return trips(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t len)
{
	return trips(ENOMEM) ? -1 : __real_ftruncate(fd, len);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	return trips(ENOMEM) ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, off);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return trips(ENOMEM) ? NULL : __real_calloc(n, size);
}

void fake_kernel_reset(void)
{
	fk = (struct fake_kernel){ .bar_size = 1 << 20, .bar_mmap = true, .last_bind = -2 };
}

static bool is_memfd(int fd)
{
	char path[64], to[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, to, sizeof(to) - 1);
	return n > 0 && !strncmp(to, "/memfd:", 7);
}

int __wrap_fstatfs(int fd, struct statfs *st)
{
	int rc = __real_fstatfs(fd, st);

	if (!rc && is_memfd(fd))
		st->f_type = 0x444d4142;
	return rc;
}

static int no(int err)
{
	errno = err;
	return -1;
}

static int sync_cpu(int fd, const struct dma_buf_sync *s)
{
	if (!is_memfd(fd) || s->flags & ~7ULL)
		return no(ENOTTY);
	fk.nr_syncs++;
	fk.syncs += s->flags & DMA_BUF_SYNC_END ? -1 : 1;
	return 0;
}

static int make_udmabuf(const struct udmabuf_create *c)
{
	if (c->size & 4095 || !(__real_fcntl((int)c->memfd, F_GET_SEALS) & F_SEAL_SHRINK))
		return no(EINVAL);
	return __real_fcntl((int)c->memfd, F_DUPFD_CLOEXEC, 0);
}

static int heap_alloc(struct dma_heap_allocation_data *d)
{
	int fd;

	if (d->len & 4095 || d->len > 1ULL << 40)
		return no(ENOMEM);
	fd = __real_memfd_create("heap", MFD_CLOEXEC);
	if (__real_ftruncate(fd, (off_t)d->len))
		return no(ENOMEM);
	d->fd = (uint32_t)fd;
	return 0;
}

/* One dumb buffer at a time is enough: the card's own file is its memory. */
static int make_dumb(int fd, struct drm_mode_create_dumb *d)
{
	d->pitch = d->width * d->bpp / 8;
	d->size = (uint64_t)d->pitch * d->height;
	d->handle = 7;
	if (d->height > 65535 || d->size > 1ULL << 40)
		return no(ENOMEM);
	fk.buffers++;
	return __real_ftruncate(fd, (off_t)d->size);
}

static int prime(int fd, struct drm_prime_handle *p)
{
	static char buf[1 << 20];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);
	int out = __real_memfd_create("prime", MFD_CLOEXEC);

	if (n < 0 || write(out, buf, (size_t)n) != n)
		return no(EIO);
	p->fd = out;
	return 0;
}

static int region(struct vfio_region_info *r)
{
	r->size = r->index == 1 || r->index > 4 ? 0 : fk.bar_size;
	r->offset = (uint64_t)r->index << 20;
	r->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		   (fk.bar_mmap ? VFIO_REGION_INFO_FLAG_MMAP : 0);
	return 0;
}

static int export_bar(int fd, const struct dv_vfio_feature_dma_buf *f)
{
	static char buf[1 << 20];
	int out;

	if (f->argsz != sizeof(*f) || f->feature_flags != (VFIO_DEVICE_FEATURE_GET | DV_VFIO_FEATURE_DMA_BUF) ||
	    f->nr_ranges != 1 || (f->range.offset | f->range.length) & 4095)
		return no(EINVAL);
	if (pread(fd, buf, f->range.length, (off_t)(((uint64_t)f->region_index << 20) + f->range.offset)) < 0)
		return -1;
	out = __real_memfd_create("bar", MFD_CLOEXEC);
	return write(out, buf, f->range.length) < 0 ? -1 : out;
}

static int vfio(int fd, unsigned long cmd, void *arg)
{
	struct vfio_group_status *st = arg;

	switch (cmd) {
	case DV_VFIO_DEVICE_BIND_IOMMUFD:
		fk.last_bind = ((struct dv_vfio_bind_iommufd *)arg)->iommufd;
		return 0;
	case VFIO_GROUP_GET_STATUS:
		st->flags = fk.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_SET_IOMMU:
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return __real_fcntl(fd, F_DUPFD_CLOEXEC, 0);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region(arg);
	case VFIO_DEVICE_FEATURE:
		return export_bar(fd, arg);
	default:
		return no(ENOTTY);
	}
}

static int drm(int fd, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case DRM_IOCTL_DROP_MASTER:
		return no(EINVAL);
	case DRM_IOCTL_MODE_CREATE_DUMB:
		return make_dumb(fd, arg);
	case DRM_IOCTL_MODE_MAP_DUMB:
		((struct drm_mode_map_dumb *)arg)->offset = 0;
		return 0;
	case DRM_IOCTL_MODE_DESTROY_DUMB:
		fk.buffers--;
		return 0;
	case DRM_IOCTL_PRIME_HANDLE_TO_FD:
		return prime(fd, arg);
	default:
		return vfio(fd, cmd, arg);
	}
}

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fk.fail_cmd == cmd)
		return no(fk.fail_err);
	/* A failure to destroy could not be reported to a caller. */
	if (cmd != DRM_IOCTL_MODE_DESTROY_DUMB && trips(EIO))
		return -1;
	switch (cmd) {
	case DMA_BUF_IOCTL_SYNC:
		return sync_cpu(fd, arg);
	case UDMABUF_CREATE:
		return make_udmabuf(arg);
	case DMA_HEAP_IOCTL_ALLOC:
		return heap_alloc(arg);
	default:
		return drm(fd, cmd, arg);
	}
}

/* libdrm's, which no --wrap reaches: the program's own comes before the C library's. */
int ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return __wrap_ioctl(fd, cmd, arg);
}

void fk_vfio_tree(const char *sys, const char *dev, bool cdev, bool noiommu)
{
	mt_file(sys, "bus/pci/devices/" FK_BDF "/resource",
		"0x0 0x0 0x0\n0x0 0x0 0x0\n0xe0000000 0xe00fffff 0x14220c\n0x0 0x0 0x0\n0xf0000000 0xf0000fff "
		"0x40200\n");
	mt_link(sys, "bus/pci/devices/" FK_BDF "/driver", "../../bus/pci/drivers/vfio-pci");
	mt_link(sys, "bus/pci/devices/" FK_BDF "/iommu_group", "../../kernel/iommu_groups/12");
	mt_file(sys, "bus/pci/drivers/vfio-pci/" FK_BDF "/x", "");
	if (cdev) {
		mt_file(sys, "bus/pci/devices/" FK_BDF "/vfio-dev/vfio3/x", "");
		mt_file(dev, noiommu ? "vfio/devices/noiommu-vfio3" : "vfio/devices/vfio3", "");
		mt_file(dev, "iommu", "");
	} else {
		mt_file(dev, noiommu ? "vfio/noiommu-12" : "vfio/12", "");
		mt_file(dev, "vfio/vfio", "");
	}
}

void fk_size_node(const char *dev, const char *node)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dev, node);
	assert_int_equal(truncate(path, 6 << 20), 0);
}
