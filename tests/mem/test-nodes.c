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
#include "rig.h"
#include "mem/mem.h"

#define BDF FK_BDF

/* A node that only root may open. */
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
	mt_fails(devio_mem_alloc(ctx, "udmabuf:1", 1, NULL, &m), -EINVAL, "takes no argument");
	mt_fails(devio_mem_alloc(ctx, "udmabuf", INT64_MAX, NULL, &m), -ENOMEM, "too large");
	mt_fails_big(devio_mem_alloc(ctx, "udmabuf", INT64_MAX - 8191, NULL, &m), "mem udmabuf");
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
	mt_fails(devio_mem_alloc(ctx, "dmaheap:../udmabuf", 1, NULL, &m), -EINVAL, "invalid heap name");
	mt_fails(devio_mem_alloc(ctx, "dmaheap:none", 1, NULL, &m), -ENODEV, "dma_heap/none");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", INT64_MAX, NULL, &m), -ENOMEM, "cannot allocate");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", 1ULL << 50, NULL, &m), -ENOMEM, "cannot allocate");
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
	mt_fails(devio_mem_import_dmabuf(ctx, file, 0, 1, &m), -EINVAL, "not a dma-buf");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 0, 20001, &m), -ERANGE, "exceed the dma-buf of 20000");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 20001, 1, &m), -ERANGE, "exceed the dma-buf");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, UINT64_MAX, 2, &m), -ERANGE, "exceed the dma-buf");
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
	mt_fails(devio_mem_copy_out(m, 0, &b, 1), -EOPNOTSUPP, "rejects mmap() with EPERM");
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "rejects mmap");
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
	mt_fails(devio_mem_alloc(ctx, "p2pmem:", 1, NULL, &m), -EINVAL, "invalid PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem", 1, NULL, &m), -EINVAL, "invalid PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:0000:05:00.8", 1, NULL, &m), -EINVAL, "invalid PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF "x", 1, NULL, &m), -EINVAL, "invalid PCI address");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, 1, NULL, &m), -ENODEV, "controller memory buffer");
	assert_string_equal(mt_list(ctx), "host");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/allocate", "");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/available", "1048576\n");
	mt_fails_big(devio_mem_alloc(ctx, "p2pmem:" BDF, 1ULL << 60, NULL, &m), ": 1048576 bytes of P2P memory");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, INT64_MAX, NULL, &m), -ENOMEM, "too large");
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
		mt_fails(devio_mem_alloc(ctx, bad[i], 1, NULL, &m), -EINVAL, "invalid DRM node");
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -ENODEV, "load a DRM driver");
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
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", INT64_MAX, NULL, &m), -ENOMEM, "too large");
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
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -EOPNOTSUPP, "cannot create a dumb buffer");
	fk.fail_cmd = DRM_IOCTL_MODE_MAP_DUMB;
	mt_ok(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -ENOSYS, "cannot map the dumb buffer");
	fk.fail_cmd = DRM_IOCTL_PRIME_HANDLE_TO_FD;
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "PRIME");
	fk.fail_cmd = 0;
	mt_ok(devio_mem_map(m, &p)); /* a failure is not kept */
	devio_mem_free(m);
}

/* Access is the kernel's decision: root may, others get EACCES. */
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
		print_message("# SKIP this process is root and cannot become another user\n");
		skip();
	}
	/* A user's own directory is closed to the user as well. */
	chmod(sys, getuid() ? 0 : 0700);
	mt_fails(devio_mem_alloc(ctx, "udmabuf", 1, NULL, &m), -EACCES, "mem udmabuf");
	mt_fails(devio_mem_alloc(ctx, "dmaheap", 1, NULL, &m), -EACCES, "mem dmaheap");
	mt_fails(devio_mem_alloc(ctx, "drm:/dev/dri/card0", 1, NULL, &m), -EACCES, "mem drm");
	mt_fails(devio_mem_alloc(ctx, "p2pmem:" BDF, 1, NULL, &m), -EACCES, "mem p2pmem");
	assert_string_equal(mt_list(ctx), "host");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	chmod(sys, 0700);
}

static void test_fork(void **state)
{
	static const char *const spec[] = { "udmabuf", "dmaheap", "drm:/dev/dri/card0", "vfio:" BDF "/2", "host" };
	struct devio_mem *m[5];
	int status, parent_buffers;
	pid_t pid;
	void *p;

	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	fk_size_node(dev, "vfio/devices/vfio3");
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
		mt_leave(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 5; i++)
		devio_mem_free(m[i]);
}

/* A memory from allocation to free; errors of freeing are not reported. */
static int life(const char *spec)
{
	struct devio_mem *m, *again;
	uint64_t off;
	char b[100] = "";
	void *p;
	int fd, rc = devio_mem_alloc(ctx, spec, 5000, NULL, &m);

	if (rc)
		return rc;
	rc = devio_mem_map(m, &p);
	if (!rc)
		rc = devio_mem_copy_in(m, 3, b, 100);
	if (!rc)
		rc = devio_mem_copy_out(m, 3, b, 100);
	if (!rc && m->caps & DEVIO_MEM_EXPORT) {
		rc = devio_mem_export(m, &fd, &off);
		if (!rc) {
			rc = devio_mem_import_dmabuf(ctx, fd, off, 5000, &again);
			close(fd);
		}
		if (!rc) {
			rc = devio_mem_copy_out(again, 0, b, 100);
			devio_mem_free(again);
		}
	}
	devio_mem_free(m);
	return rc;
}

static void fail_each(const char *spec)
{
	int n, rc = 0, before = mt_open_fds();

	for (n = 1; n < 100; n++) {
		fk.tripped = false;
		fk.trip = n;
		rc = life(spec);
		fk.trip = 0;
		if (!fk.tripped)
			break;
		assert_true(rc <= 0);
		if (rc)
			mt_fails(rc, rc, "mem");
		assert_int_equal(mt_open_fds(), before);
		assert_int_equal(fk.buffers, 0);
		fk.syncs = 0; /* one that failed has no partner */
	}
	mt_ok(rc);
	assert_in_range(n, 3, 99);
	print_message("# %s: %d calls failed in turn\n", spec, n - 1);
}

static void test_every_failure(void **state)
{
	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	mt_file(dev, "vfio/12", "");
	mt_file(dev, "vfio/vfio", "");
	fk_size_node(dev, "vfio/devices/vfio3");
	fk_size_node(dev, "vfio/12");
	mt_file(dev, "udmabuf", "");
	mt_file(dev, "dma_heap/system", "");
	mt_file(dev, "dri/card0", "");
	mt_file(sys, "bus/pci/devices/" BDF "/p2pmem/allocate", "");
	fk_size_node(sys, "bus/pci/devices/" BDF "/p2pmem/allocate");
	fail_each("udmabuf");
	fail_each("dmaheap");
	fail_each("drm:/dev/dri/card0");
	fail_each("p2pmem:" BDF);
	fail_each("vfio:" BDF "/2");
	fail_each("host");
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
	fk_vfio_tree(sys, dev, true, false);
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
#define T(f) cmocka_unit_test_setup_teardown(f, nodes_setup, nodes_teardown)
		T(test_udmabuf), T(test_dmaheap), T(test_import), T(test_import_unmappable), T(test_p2pmem),
		T(test_drm), T(test_drm_failures),
		
		 T(test_no_access), T(test_fork), T(test_every_failure), T(test_list),
	};

	return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
