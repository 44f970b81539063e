/* SPDX-License-Identifier: MIT */
/*
 * The memories that the kernel hands out, against plain files and ioctls
 * answered by the test: every call and every failure, on any machine. What the
 * real kernel does is test-kernel-mem's business.
 */
#include "config.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <drm.h>
#include "kern/uapi/vfio.h"
#include "memtest.h"
#include "fake-kernel.h"
#include "mem.h"
#include "mem/sys.h"

#define BDF "0000:05:00.0"
#define VFIO_CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT | DEVIO_MEM_CPU_MAP)

static struct devio_ctx *ctx;
static const char *dev, *sys;
static int fds;

static int setup(void **state)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);

	(void)state;
	fake_kernel_reset();
	dev = mt_dir();
	sys = mt_dir();
	dv_sys_dev = dev;
	o.sysfs_root = sys;
	fds = mt_open_fds();
	return devio_ctx_open(&o, &ctx);
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	return mt_open_fds() == fds && !fk.syncs && !fk.buffers ? 0 : -1;
}

/* A node that nobody but root may open. */
static void forbid(const char *node)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dev, node);
	chmod(path, 0);
}

static void test_udmabuf(void **state)
{
	struct devio_mem *m = (void *)1;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "udmabuf", 1, NULL, &m), -ENODEV, "modprobe udmabuf");
	mt_file(dev, "udmabuf", "");
	mt_fails(devio_mem_alloc(ctx, "udmabuf:1", 1, NULL, &m), -EINVAL, "takes nothing");
	mt_fails(devio_mem_alloc(ctx, "udmabuf", INT64_MAX, NULL, &m), -ENOMEM, "too many");
	mt_fails(devio_mem_alloc(ctx, "udmabuf", INT64_MAX - 8191, NULL, &m), -ENOMEM, "mem udmabuf");
	fk.fail_cmd = UDMABUF_CREATE;
	fk.fail_err = EINVAL;
	mt_fails(devio_mem_alloc(ctx, "udmabuf", 1, NULL, &m), -EINVAL, "size_limit_mb");
	fk.fail_cmd = 0;
	assert_ptr_equal(m, (void *)1);
	mt_ok(devio_mem_alloc(ctx, "udmabuf", 100001, NULL, &m));
	mt_info(m, "udmabuf", 100001, DEVIO_MEM_HOST_PAGES | DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT, "");
	mt_copies(m);
	assert_true(fk.nr_syncs > 50);
	mt_roundtrip(ctx, m, true);
	fk.fail_cmd = DMA_BUF_IOCTL_SYNC;
	fk.fail_err = EIO;
	mt_fails(devio_mem_copy_in(m, 0, "x", 1), -EIO, "DMA_BUF_IOCTL_SYNC");
	fk.fail_cmd = 0;
	devio_mem_free(m);
}

static void test_dmaheap(void **state)
{
	struct devio_mem *m;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "dmaheap", 1, NULL, &m), -ENODEV, "CONFIG_DMABUF_HEAPS");
	mt_file(dev, "dma_heap/system", "");
	mt_file(dev, "dma_heap/cma", "");
	mt_fails(devio_mem_alloc(ctx, "dmaheap:../udmabuf", 1, NULL, &m), -EINVAL, "a heap's name");
	mt_fails(devio_mem_alloc(ctx, "dmaheap:none", 1, NULL, &m), -ENODEV, "dma_heap/none");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", INT64_MAX, NULL, &m), -ENOMEM, "does not give");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", 1ULL << 50, NULL, &m), -ENOMEM, "does not give");
	mt_ok(devio_mem_alloc(ctx, "dmaheap", 54321, NULL, &m));
	mt_info(m, "dmaheap", 54321, DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT, "");
	mt_copies(m);
	mt_roundtrip(ctx, m, true);
	devio_mem_free(m);
	mt_ok(devio_mem_alloc(ctx, "dmaheap:cma", 4096, NULL, &m));
	devio_mem_free(m);
}

static int some_dmabuf(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void test_import(void **state)
{
	struct devio_mem *m = (void *)1;
	unsigned char b[3], *p;
	int fd = some_dmabuf(20000), file;
	void *ptr;

	(void)state;
	file = open("/dev/null", O_RDWR);
	mt_fails(devio_mem_import_dmabuf(ctx, -1, 0, 1, &m), -EBADF, "fd -1");
	mt_fails(devio_mem_import_dmabuf(ctx, file, 0, 1, &m), -EINVAL, "no dma-buf");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 0, 20001, &m), -ERANGE, "leave the dma-buf of 20000");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 20001, 1, &m), -ERANGE, "leave");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, UINT64_MAX, 2, &m), -ERANGE, "leave");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 0, 0, &m), -EINVAL, "0 bytes");
	close(file);
	assert_ptr_equal(m, (void *)1);
	/* An odd place in the middle: the mapping begins at a page, the memory does not. */
	mt_ok(devio_mem_import_dmabuf(ctx, fd, 5001, 9000, &m));
	mt_info(m, "dmabuf", 9000, DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT, "");
	mt_copies(m);
	mt_roundtrip(ctx, m, true);
	mt_ok(devio_mem_map(m, &ptr));
	p = ptr;
	p[0] = 77;
	assert_int_equal(pread(fd, b, 1, 5001), 1);
	assert_int_equal(b[0], 77);
	devio_mem_free(m);
	close(fd);
}

/* A dma-buf whose exporter refuses mmap: a memfd that may not be written, say. */
static void test_import_unmappable(void **state)
{
	int fd = some_dmabuf(8192), got;
	struct devio_mem *m;
	uint64_t off;
	void *p;
	char b;

	(void)state;
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* no sealing without the flag */
	close(fd);
	fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	mt_ok(devio_mem_import_dmabuf(ctx, fd, 0, 8192, &m));
	mt_info(m, "dmabuf", 8192, DEVIO_MEM_EXPORT, "");
	mt_fails(devio_mem_copy_out(m, 0, &b, 1), -EOPNOTSUPP, "refuses mmap with EPERM");
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "refuses mmap");
	mt_ok(devio_mem_export(m, &got, &off));
	close(got);
	devio_mem_free(m);
	close(fd);
}

static void test_p2pmem(void **state)
{
	char path[4096];
	struct devio_mem *m = (void *)1;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "p2pmem:", 1, NULL, &m), -EINVAL, "no PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem", 1, NULL, &m), -EINVAL, "no PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:0000:05:00.8", 1, NULL, &m), -EINVAL, "no PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF "x", 1, NULL, &m), -EINVAL, "no PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, 1, NULL, &m), -ENODEV, "controller memory buffer");
	assert_string_equal(mt_list(ctx), "host");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/allocate", "");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/available", "1048576\n");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, 1ULL << 60, NULL, &m), -ENOMEM, "has 1048576 left");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, INT64_MAX, NULL, &m), -ENOMEM, "too many");
	assert_ptr_equal(m, (void *)1);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/" BDF "/p2pmem/allocate", sys);
	assert_int_equal(truncate(path, 1 << 20), 0);
	mt_ok(devio_mem_alloc(ctx, "p2pmem:05:00.0", 70000, NULL, &m));
	mt_info(m, "p2pmem:05:00.0", 70000, DEVIO_MEM_P2P_PAGES | DEVIO_MEM_CPU_MAP | DEVIO_MEM_DEVICE, BDF);
	mt_copies(m);
	mt_fails(devio_mem_export(m, &(int){ 0 }, &(uint64_t){ 0 }), -EOPNOTSUPP, "cannot be exported");
	devio_mem_free(m);
	assert_string_equal(mt_list(ctx), "p2pmem:" BDF " host");
}

static void test_drm(void **state)
{
	static const char *const bad[] = { "drm", "drm:", "drm:card0", "drm:/dev/null", "drm:/dev/dri/",
					   "drm:/dev/dri/../null" };
	struct devio_mem *m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		mt_fails(devio_mem_alloc(ctx, bad[i], 1, NULL, &m), -EINVAL, "no DRM node");
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -ENODEV, "driver must be loaded");
	mt_file(dev, "dri/card0", "");
	mt_link(sys, "class/drm/card0/device", "../../../0000:00:02.0");
	mt_ok(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 100000, NULL, &m));
	mt_info(m, "drm:/dev/dri/card0", 100000, DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT, "0000:00:02.0");
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	devio_mem_free(m);
	/* More rows than a driver allows: longer rows. */
	mt_ok(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1ULL << 33, NULL, &m));
	devio_mem_free(m);
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1ULL << 61, NULL, &m), -ENOMEM, "dumb buffer");
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", INT64_MAX, NULL, &m), -ENOMEM, "too many");
	assert_string_equal(mt_list(ctx), "drm:/dev/dri/card0 host");
}

static void test_drm_failures(void **state)
{
	struct devio_mem *m;
	uint64_t off;
	void *p;
	int fd;

	(void)state;
	mt_file(dev, "dri/card0", "");
	fk.fail_cmd = DRM_IOCTL_MODE_CREATE_DUMB;
	fk.fail_err = ENOSYS;
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -ENOSYS, "no dumb buffer");
	fk.fail_cmd = DRM_IOCTL_MODE_MAP_DUMB;
	mt_ok(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -ENOSYS, "does not map");
	fk.fail_cmd = DRM_IOCTL_PRIME_HANDLE_TO_FD;
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "PRIME");
	fk.fail_cmd = 0;
	mt_ok(devio_mem_map(m, &p)); /* a failure is not kept */
	devio_mem_free(m);
}

static void vfio_tree(bool cdev, bool noiommu)
{
	mt_file(sys, "bus/pci/devices/" BDF "/resource",
		"0x0 0x0 0x0\n0x0 0x0 0x0\n0xe0000000 0xe00fffff 0x14220c\n0x0 0x0 0x0\n0xf0000000 0xf0000fff 0x40200\n");
	mt_link(sys, "bus/pci/devices/" BDF "/driver", "../../bus/pci/drivers/vfio-pci");
	mt_link(sys, "bus/pci/devices/" BDF "/iommu_group", "../../kernel/iommu_groups/12");
	mt_file(sys, "bus/pci/drivers/vfio-pci/" BDF "/x", "");
	if (cdev) {
		mt_file(sys, "bus/pci/devices/" BDF "/vfio-dev/vfio3/x", "");
		mt_file(dev, noiommu ? "vfio/devices/noiommu-vfio3" : "vfio/devices/vfio3", "");
		mt_file(dev, "iommu", "");
	} else {
		mt_file(dev, noiommu ? "vfio/noiommu-12" : "vfio/12", "");
		mt_file(dev, "vfio/vfio", "");
	}
}

static void size_node(const char *node)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dev, node);
	assert_int_equal(truncate(path, 6 << 20), 0);
}

static void one_bar(const char *node)
{
	struct devio_mem *m;

	size_node(node);
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 100003, NULL, &m));
	mt_info(m, "vfio:" BDF "/2", 100003, VFIO_CAPS, BDF);
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	devio_mem_free(m);
	assert_string_equal(mt_list(ctx), "vfio:" BDF "/2 host");
}

static void test_vfio_cdev(void **state)
{
	(void)state;
	vfio_tree(true, false);
	one_bar("vfio/devices/vfio3");
	assert_true(fk.last_bind >= 0);
}

static void test_vfio_cdev_noiommu(void **state)
{
	struct devio_mem *m;

	(void)state;
	vfio_tree(true, true);
	size_node("vfio/devices/noiommu-vfio3");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	devio_mem_free(m);
}

static void test_vfio_group(void **state)
{
	(void)state;
	vfio_tree(false, false);
	one_bar("vfio/12");
}

static void test_vfio_group_noiommu(void **state)
{
	(void)state;
	vfio_tree(false, true);
	one_bar("vfio/noiommu-12");
}

static void test_vfio_specs(void **state)
{
	static const char *const bad[] = { "vfio", "vfio:", "vfio:zz/9", "vfio:" BDF, "vfio:" BDF "/", "vfio:" BDF "/6",
					   "vfio:" BDF "/22", "vfio:" BDF "/x" };
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *m = (void *)1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		mt_fails(devio_mem_alloc(ctx, bad[i], 1, NULL, &m), -EINVAL, "is no BAR");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENODEV, "there is no PCI device");
	mt_link(sys, "bus/pci/devices/" BDF "/driver", "../../bus/pci/drivers/nvme");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENODEV, "bound to nvme: write vfio-pci");
	o.offset = 100;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, &o, &m), -EINVAL, "multiple of the page size");
	assert_ptr_equal(m, (void *)1);
}

static void test_vfio_places(void **state)
{
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *a, *b, *c, *m;
	char x;

	(void)state;
	vfio_tree(true, false);
	size_node("vfio/devices/vfio3");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", (1 << 20) + 1, NULL, &m), -ENOSPC, "no room");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", INT64_MAX, NULL, &m), -ENOSPC, "no room");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/1", 1, NULL, &m), -ENODEV, "has no BAR 1");
	o.offset = 8192;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, &o, &a));
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, &o, &m), -EBUSY, "another memory");
	o.offset = 4096;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4097, &o, &m), -EBUSY, "another memory");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 8192, NULL, &b)); /* before it */
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", (1 << 20) - 12288, NULL, &c)); /* behind it */
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENOSPC, "no room");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/3", 1, NULL, &m)); /* another BAR */
	devio_mem_free(m);
	mt_ok(devio_mem_copy_in(a, 4095, "a", 1));
	mt_ok(devio_mem_copy_in(b, 8191, "b", 1));
	mt_ok(devio_mem_copy_in(c, 0, "c", 1));
	mt_ok(devio_mem_copy_out(a, 4095, &x, 1));
	assert_int_equal(x, 'a');
	mt_ok(devio_mem_copy_out(b, 8191, &x, 1));
	assert_int_equal(x, 'b');
	devio_mem_free(a);
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4000, NULL, &a)); /* the hole */
	devio_mem_free(c);
	devio_mem_free(a);
	devio_mem_free(b);
}

static void fails_with(unsigned long cmd, int err, int want, const char *word)
{
	struct devio_mem *m;

	fk.fail_cmd = cmd;
	fk.fail_err = err;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m), want, word);
	fk.fail_cmd = 0;
	assert_int_equal(mt_open_fds(), fds);
}

static void test_vfio_failures(void **state)
{
	struct devio_mem *m;
	uint64_t off;
	void *p;
	int fd;

	(void)state;
	vfio_tree(false, false);
	size_node("vfio/12");
	fails_with(VFIO_GROUP_GET_STATUS, EIO, -EIO, "does not answer");
	fails_with(VFIO_GROUP_SET_CONTAINER, EINVAL, -EINVAL, "takes no container");
	fails_with(VFIO_SET_IOMMU, EPERM, -EPERM, "allow_unsafe_interrupts");
	fails_with(VFIO_SET_IOMMU, EINVAL, -EINVAL, "allow_unsafe_interrupts");
	fails_with(VFIO_GROUP_GET_DEVICE_FD, ENODEV, -ENODEV, "does not open the device");
	fails_with(VFIO_DEVICE_GET_REGION_INFO, EINVAL, -EINVAL, "does not describe");
	fk.not_viable = true;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m), -EBUSY, "bind all of them");
	fk.not_viable = false;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	fk.fail_cmd = VFIO_DEVICE_FEATURE;
	fk.fail_err = ENOTTY;
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "Linux 6.19");
	fk.fail_err = EINVAL;
	mt_fails(devio_mem_export(m, &fd, &off), -EINVAL, "does not export");
	fk.fail_cmd = 0;
	devio_mem_free(m);
	fk.bar_mmap = false;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	mt_info(m, "vfio:" BDF "/2", 4096, VFIO_CAPS & ~DEVIO_MEM_CPU_MAP, BDF);
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "does not map");
	mt_fails(devio_mem_copy_in(m, 0, "", 1), -EOPNOTSUPP, "does not map");
	devio_mem_free(m);
}

static void test_vfio_cdev_failures(void **state)
{
	struct devio_mem *m;

	(void)state;
	vfio_tree(true, false);
	size_node("vfio/devices/vfio3");
	/* No group node: the sentence tells of both ways. */
	fails_with(DV_VFIO_DEVICE_BIND_IOMMUFD, EPERM, -ENOENT, "by its character device EPERM, by its group");
	/* With one, the group is the second way. */
	mt_file(dev, "vfio/12", "");
	mt_file(dev, "vfio/vfio", "");
	size_node("vfio/12");
	fk.fail_cmd = DV_VFIO_DEVICE_BIND_IOMMUFD;
	fk.fail_err = EPERM;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	devio_mem_free(m);
}

/* Right of access is the kernel's to judge: root passes, everybody else is told. */
static void test_no_access(void **state)
{
	struct devio_mem *m;

	(void)state;
	mt_file(dev, "udmabuf", "");
	mt_file(dev, "dma_heap/system", "");
	mt_file(dev, "dri/card0", "");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/allocate", "");
	forbid("udmabuf");
	forbid("dma_heap/system");
	forbid("dri/card0");
	if (!access(dev, W_OK) && geteuid() == 0 && seteuid(65534)) {
		print_message("# SKIP this process is root and cannot become nobody\n");
		skip();
	}
	chmod(sys, 0700);
	mt_fails(devio_mem_alloc(ctx, "udmabuf", 1, NULL, &m), -EACCES, "mem udmabuf");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", 1, NULL, &m), -EACCES, "mem dmaheap");
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -EACCES, "mem drm");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, 1, NULL, &m), -EACCES, "mem p2pmem");
	assert_string_equal(mt_list(ctx), "host");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static void test_fork(void **state)
{
	static const char *const spec[] = { "udmabuf", "dmaheap", "drm:/dev/dri/card0", "vfio:" BDF "/2", "host" };
	struct devio_mem *m[5];
	int status, parent_buffers;
	pid_t pid;
	void *p;

	(void)state;
	vfio_tree(true, false);
	size_node("vfio/devices/vfio3");
	mt_file(dev, "udmabuf", "");
	mt_file(dev, "dma_heap/system", "");
	mt_file(dev, "dri/card0", "");
	for (int i = 0; i < 5; i++) {
		mt_ok(devio_mem_alloc(ctx, spec[i], 4096, NULL, &m[i]));
		mt_ok(devio_mem_map(m[i], &p));
	}
	parent_buffers = (int)fk.buffers;
	pid = fork();
	if (!pid) {
		int bad = 0, mine = mt_open_fds();

		for (int i = 0; i < 5; i++) {
			bad |= devio_mem_map(m[i], &p) != -ECHILD;
			devio_mem_free(m[i]);
		}
		/* The child's descriptors are closed, the parent's dumb buffer is not destroyed. */
		bad |= mt_open_fds() >= mine || fk.buffers != parent_buffers;
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 5; i++)
		devio_mem_free(m[i]);
}

static int stop_at_first(void *arg, const char *spec)
{
	(void)spec;
	++*(int *)arg;
	return 42;
}

static void test_list(void **state)
{
	int seen = 0;

	(void)state;
	vfio_tree(true, false);
	mt_file(dev, "udmabuf", "");
	mt_file(dev, "dma_heap/system", "");
	mt_file(dev, "dma_heap/cma", "");
	mt_file(dev, "dri/card0", "");
	mt_file(dev, "dri/card1", "");
	mt_file(dev, "dri/renderD128", "");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/allocate", "");
	assert_string_equal(mt_list(ctx), "vfio:" BDF "/2 p2pmem:" BDF " drm:/dev/dri/card0 drm:/dev/dri/card1 "
			    "dmaheap:cma dmaheap:system udmabuf host");
	assert_int_equal(devio_mem_list(ctx, stop_at_first, &seen), 42);
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_udmabuf), T(test_dmaheap), T(test_import), T(test_import_unmappable), T(test_p2pmem),
		T(test_drm), T(test_drm_failures), T(test_vfio_cdev), T(test_vfio_cdev_noiommu), T(test_vfio_group),
		T(test_vfio_group_noiommu), T(test_vfio_specs), T(test_vfio_places), T(test_vfio_failures),
		T(test_vfio_cdev_failures), T(test_no_access), T(test_fork), T(test_list),
	};

	return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
