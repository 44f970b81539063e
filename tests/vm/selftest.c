/* SPDX-License-Identifier: MIT */
/*
 * Does the lab itself work? Needs nothing of libdevio: plain system calls show
 * that the machine of a row can do what the library's tests there rely on.
 *
 *   selftest p2p FILE BDF [EXPECTED-ERRNO]   FILE <-> the CMB of BDF, O_DIRECT
 *   selftest vfio BDF BYTE                   BAR 2 as a dma-buf, filled with BYTE
 *   selftest udmabuf | dmaheap               host memory as a dma-buf
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>

#define MIB (1 << 20)

/* linux/vfio.h since 6.19 */
#define FEATURE_DMA_BUF 11

struct feature_dma_buf {
	uint32_t argsz, feature;    /* struct vfio_device_feature, which ends in an open array */
	uint32_t region_index, open_flags, flags, nr_ranges;
	uint64_t offset, length;
};

static int tests, failures;

static int ok(int good, const char *what, long detail)
{
	printf("%sok %d - %s (%ld)\n", good ? "" : "not ", ++tests, what, detail);
	fflush(stdout);
	failures += !good;
	return good;
}

static int finish(void)
{
	printf("1..%d\n", tests);
	return failures != 0;
}

static void die(const char *what)
{
	printf("not ok %d - %s: %s\n", ++tests, what, strerror(errno));
	exit(1);
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static void *must_map(int fd, size_t len, off_t off)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

/* A pattern in which every 8 bytes differ, and which differs with the seed. */
static void fill(void *mem, size_t len, uint64_t seed)
{
	uint64_t *word = mem, i;

	for (i = 0; i < len / 8; i++)
		word[i] = (i + seed) * 0x9e3779b97f4a7c15u;
}

static void *host_memory(size_t len)
{
	void *mem;

	if (posix_memalign(&mem, 4096, len))
		die("posix_memalign");
	return mem;
}

static void *p2p_memory(const char *bdf, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/p2pmem/allocate", bdf);
	return must_map(must_open(path, O_RDWR), len, 0);
}

static void p2p_round(int fd, void *p2p, size_t len, off_t off)
{
	void *want = host_memory(len), *got = host_memory(len);
	long ret;

	fill(want, len, len + off);
	if (pwrite(fd, want, len, off) != (ssize_t)len)
		die("write from host memory");
	memset(p2p, 0xee, len);
	ret = pread(fd, p2p, len, off);
	if (ok(ret == (long)len, "drive -> CMB", ret < 0 ? -errno : ret))
		ok(!memcmp(p2p, want, len), "drive -> CMB, the bytes", len);

	fill(p2p, len, len + off + 1);
	fill(want, len, len + off + 1);
	ret = pwrite(fd, p2p, len, off);
	if (ok(ret == (long)len, "CMB -> drive", ret < 0 ? -errno : ret))
		ok(pread(fd, got, len, off) == (long)len && !memcmp(got, want, len),
		   "CMB -> drive, the bytes", len);
	free(want);
	free(got);
}

static int p2p(const char *file, const char *bdf, int expected)
{
	int fd = must_open(file, O_RDWR | O_DIRECT | O_CREAT);
	void *p2p = p2p_memory(bdf, MIB);
	size_t len;
	long ret;

	if (expected) {
		if (pwrite(fd, host_memory(4096), 4096, 0) != 4096)
			die("write from host memory");
		ret = pread(fd, p2p, 4096, 0);
		ok(ret < 0 && errno == expected, "drive -> CMB is refused", ret < 0 ? -errno : ret);
		return finish();
	}
	for (len = 512; len <= MIB; len *= 8)
		p2p_round(fd, p2p, len, 8 * MIB);
	p2p_round(fd, p2p, MIB, 512);
	return finish();
}

static int vfio_group(const char *bdf)
{
	char link[128], target[128] = "", path[128];
	int container, group, noiommu;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		die(link);
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s", strrchr(target, '/') + 1);
	noiommu = !access(path, F_OK);
	if (!noiommu)
		snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	printf("# %s\n", path);
	container = must_open("/dev/vfio/vfio", O_RDWR);
	group = must_open(path, O_RDWR);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(container, VFIO_SET_IOMMU, noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU))
		die("VFIO_SET_IOMMU");
	return group;
}

static int vfio(const char *bdf, int byte)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR2_REGION_INDEX };
	struct feature_dma_buf feature = {
		.argsz = sizeof(feature), .feature = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.region_index = VFIO_PCI_BAR2_REGION_INDEX,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
	};
	uint16_t command = 0;
	int device, fd;
	off_t bar2;

	device = ioctl(vfio_group(bdf), VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		die("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	ok(bar.size >= MIB, "BAR 2 is there", bar.size);
	bar2 = bar.offset;
	feature.length = bar.size;
	fd = ioctl(device, VFIO_DEVICE_FEATURE, &feature);
	if (ok(fd >= 0, "BAR 2 as a dma-buf", fd < 0 ? -errno : fd))
		ok(lseek(fd, 0, SEEK_END) == (off_t)bar.size, "the dma-buf has its size", bar.size);

	bar = (struct vfio_region_info){ .argsz = sizeof(bar), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	if (pread(device, &command, 2, bar.offset + 4) != 2)
		die("PCI_COMMAND");
	ok(command & 2, "the BAR is switched on", command);
	ok(mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED, "no CPU mapping of the dma-buf", errno);
	memset(must_map(device, MIB, bar2), byte, MIB);
	return finish();
}

static int udmabuf(void)
{
	struct udmabuf_create create = { .size = MIB, .flags = UDMABUF_FLAGS_CLOEXEC };
	int memory = memfd_create("selftest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *own, *mem;
	int fd;

	if (memory < 0 || ftruncate(memory, MIB) || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd_create");
	create.memfd = memory;
	fd = ioctl(must_open("/dev/udmabuf", O_RDWR), UDMABUF_CREATE, &create);
	if (!ok(fd >= 0, "UDMABUF_CREATE", fd < 0 ? -errno : fd))
		return finish();
	own = must_map(memory, MIB, 0);
	mem = must_map(fd, MIB, 0);
	strcpy(own, "lab");
	ok(!strcmp(mem, "lab"), "the dma-buf is the memory", 0);
	return finish();
}

static int dmaheap(void)
{
	struct dma_heap_allocation_data data = { .len = MIB, .fd_flags = O_RDWR | O_CLOEXEC };
	int ret = ioctl(must_open("/dev/dma_heap/system", O_RDWR), DMA_HEAP_IOCTL_ALLOC, &data);

	if (ok(!ret, "DMA_HEAP_IOCTL_ALLOC", ret ? -errno : 0))
		memset(must_map(data.fd, MIB, 0), 1, MIB);
	return finish();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "p2p") && argc >= 4)
		return p2p(argv[2], argv[3], argc > 4 ? atoi(argv[4]) : 0);
	if (!strcmp(what, "vfio") && argc == 4)
		return vfio(argv[2], atoi(argv[3]));
	if (!strcmp(what, "udmabuf"))
		return udmabuf();
	if (!strcmp(what, "dmaheap"))
		return dmaheap();
	fprintf(stderr, "usage: selftest p2p FILE BDF [ERRNO] | vfio BDF BYTE | udmabuf | dmaheap\n");
	return 2;
}
