/* SPDX-License-Identifier: MIT */
/*
 * Does the lab itself work? Needs nothing of libdevio: plain system calls show
 * that the machine of a row can do what the library's tests there rely on.
 *
 *   selftest p2p FILE BDF [EXPECTED-ERRNO]   FILE <-> the CMB of BDF, O_DIRECT
 *   selftest vfio BDF BYTE                   BAR 2 as a dma-buf, filled with BYTE
 *   selftest udmabuf | dmaheap               host memory as a dma-buf
 */
#include "uring-dmabuf.h"

static void *must_map(int fd, size_t len, off_t off)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);

	if (mem == MAP_FAILED)
		die("mmap");
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

static int vfio(const char *bdf, int byte)
{
	struct mem bar2 = mem_vfio(bdf);
	uint16_t command = 0;

	ok(bar2.size >= MIB, "BAR 2 is there", bar2.size);
	ok(lseek(bar2.fd, 0, SEEK_END) == (off_t)bar2.size, "its dma-buf has its size", bar2.size);
	if (pread(bar2.device, &command, 2, bar2.config + 4) != 2)
		die("PCI_COMMAND");
	ok(command & 2, "the BAR is switched on", command);
	ok(mmap(NULL, MIB, PROT_READ, MAP_SHARED, bar2.fd, 0) == MAP_FAILED, "no CPU mapping of the dma-buf", errno);
	memset(bar2.map, byte, MIB);
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
