/* SPDX-License-Identifier: MIT */
/*
 * The kernel series: a dma-buf as an io_uring fixed buffer, without libdevio.
 *
 *   uring-dmabuf data MEM FILE            all sizes, offsets and depths, both ways
 *   uring-dmabuf files MEM DIR            one registration for many files: holes,
 *                                         appends, preallocated, past the end
 *   uring-dmabuf errors MEM FILE [OTHER]  what is refused, and with which error
 *   uring-dmabuf refused MEM FILE         the file's device cannot do it
 *   uring-dmabuf revoke BDF FILE N        N times while 64 reads are in flight
 *   uring-dmabuf stress MEM FILE SECONDS [RESET]
 *                                         I/O, register, exit, kill; RESET is a file
 *                                         to write 1 to, again and again
 *   uring-dmabuf commands MEM DISK N      one read of 8 MiB is N commands
 *   uring-dmabuf bench KIND FILE SIZE N   KIND: plain, fixed, or MEM; cost per read
 *
 * MEM: udmabuf, scattered (udmabuf of single pages out of order), dmaheap, vfio:BDF
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>

#define KIB 1024ul
#define MIB (1024 * KIB)
#define FEATURE_DMA_BUF 11

/* linux/io_uring.h of 7.4, and what the series adds */
#define UPDATE_EXTENDED (1u << 1)
#define DMABUF_ANY_FILE (1u << 31)

struct update2 {
	uint32_t offset, flags;
	uint64_t data, tags;
	uint32_t nr, resv2;
};

struct regbuf_desc {
	uint32_t type, flags;
	uint64_t size, uaddr;
	int32_t dmabuf_fd, target_fd;
	uint64_t resv[6];
};

struct feature_dma_buf {
	struct vfio_device_feature head;
	uint32_t region_index, open_flags, flags, nr_ranges;
	uint64_t offset, length;
};

/* Memory as a dma-buf, and a mapping to look at it. */
struct mem {
	int fd, device;
	char *map;
	size_t size;
	off_t config;
};

static int tests, failures;

static int ok(int good, const char *what, long detail)
{
	if (!good || strlen(what))
		printf("%sok %d - %s (%ld)\n", good ? "" : "not ", ++tests, what, detail);
	fflush(stdout);
	failures += !good;
	return good;
}

static int is(long got, long want, const char *what)
{
	return ok(got == want, what, got);
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
	int fd = open(path, flags | O_CLOEXEC, 0600);

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

static void *host_memory(size_t len)
{
	void *mem;

	if (posix_memalign(&mem, 4096, len))
		die("posix_memalign");
	return mem;
}

/* A pattern in which every 8 bytes differ, and which differs with the seed. */
static void fill(void *mem, size_t len, uint64_t seed)
{
	uint64_t word, i;

	for (i = 0; i * 8 < len; i++) {
		word = (i + seed) * 0x9e3779b97f4a7c15u;
		memcpy((char *)mem + i * 8, &word, 8);
	}
}

/* ---------------------------------------------------------------- memory */

static struct mem mem_udmabuf(size_t size, bool scattered)
{
	int memory = memfd_create("uring-dmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t n = scattered ? size / 4096 : 1, i;
	struct udmabuf_create_list *list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	struct mem m = { .size = size };

	if (memory < 0 || ftruncate(memory, size) || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd_create");
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = n;
	for (i = 0; i < n; i++) {
		list->list[i].memfd = memory;
		list->list[i].offset = scattered ? (n - 1 - i) * 4096 : 0;
		list->list[i].size = scattered ? 4096 : size;
	}
	m.fd = ioctl(must_open("/dev/udmabuf", O_RDWR), UDMABUF_CREATE_LIST, list);
	if (m.fd < 0)
		die("UDMABUF_CREATE_LIST");
	m.map = must_map(m.fd, size, 0);
	free(list);
	return m;
}

static struct mem mem_dmaheap(size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	struct mem m = { .size = size };

	if (ioctl(must_open("/dev/dma_heap/system", O_RDWR), DMA_HEAP_IOCTL_ALLOC, &data))
		die("DMA_HEAP_IOCTL_ALLOC");
	m.fd = data.fd;
	m.map = must_map(m.fd, size, 0);
	return m;
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
	container = must_open("/dev/vfio/vfio", O_RDWR);
	group = must_open(path, O_RDWR);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(container, VFIO_SET_IOMMU, noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU))
		die("VFIO_SET_IOMMU");
	return group;
}

static struct mem mem_vfio(const char *bdf)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR2_REGION_INDEX };
	struct feature_dma_buf feature = {
		.head = { .argsz = sizeof(feature), .flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF },
		.region_index = VFIO_PCI_BAR2_REGION_INDEX,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
	};
	struct mem m = { 0 };

	m.device = ioctl(vfio_group(bdf), VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (m.device < 0)
		die("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(m.device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	feature.length = m.size = bar.size;
	m.fd = ioctl(m.device, VFIO_DEVICE_FEATURE, &feature);
	if (m.fd < 0)
		die("VFIO_DEVICE_FEATURE_DMA_BUF");
	m.map = must_map(m.device, m.size, bar.offset);
	bar = (struct vfio_region_info){ .argsz = sizeof(bar), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	if (ioctl(m.device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	m.config = bar.offset;
	return m;
}

static struct mem mem_open(const char *spec, size_t size)
{
	if (!strcmp(spec, "udmabuf") || !strcmp(spec, "scattered"))
		return mem_udmabuf(size, spec[0] == 's');
	if (!strcmp(spec, "dmaheap"))
		return mem_dmaheap(size);
	if (!strncmp(spec, "vfio:", 5))
		return mem_vfio(spec + 5);
	errno = EINVAL;
	die(spec);
	return (struct mem){ 0 };
}

/* ----------------------------------------------------------------- rings */

static void ring_open(struct io_uring *ring, unsigned int entries, unsigned int flags)
{
	int ret = io_uring_queue_init(entries, ring, flags);

	if (!ret)
		ret = io_uring_register_buffers_sparse(ring, 8);
	if (ret) {
		errno = -ret;
		die("io_uring");
	}
}

static int update(struct io_uring *ring, unsigned int slot, struct regbuf_desc *desc, unsigned int flags)
{
	struct update2 up = { .offset = slot, .flags = flags, .data = (uintptr_t)desc, .nr = 1 };
	int ret = syscall(__NR_io_uring_register, ring->ring_fd, 16, &up, sizeof(up));

	return ret < 0 ? -errno : ret;
}

static int reg(struct io_uring *ring, unsigned int slot, int dmabuf_fd, int target, unsigned int flags)
{
	struct regbuf_desc desc = { .type = 2, .flags = flags, .dmabuf_fd = dmabuf_fd, .target_fd = target };

	return update(ring, slot, &desc, UPDATE_EXTENDED);
}

static void queue(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
		  off_t off, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		die("io_uring_get_sqe");
	io_uring_prep_rw(write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED, sqe, fd,
			 (void *)(uintptr_t)mem_off, len, off);
	sqe->buf_index = slot;
	sqe->user_data = data;
}

static int reap(struct io_uring *ring, uint64_t *data)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe(ring, &cqe);

	if (ret)
		die("io_uring_wait_cqe");
	ret = cqe->res;
	if (data)
		*data = cqe->user_data;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* One operation, and again as long as the kernel says so. */
static int one(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
	       off_t off)
{
	int ret, tries = 0;

	do {
		queue(ring, write, slot, fd, mem_off, len, off, 0);
		io_uring_submit(ring);
		ret = reap(ring, NULL);
	} while (ret == -EAGAIN && tries++ < 100);
	return ret;
}

/* -------------------------------------------------------------- the tests */

static void round_trip(struct io_uring *ring, const struct mem *m, int fd, size_t len, uint64_t mem_off, off_t off)
{
	char *want = host_memory(len), *got = host_memory(len), what[96];
	int ret;

	snprintf(what, sizeof(what), "read %zu at %lld into %#llx", len, (long long)off, (unsigned long long)mem_off);
	fill(want, len, len + off);
	if (pwrite(fd, want, len, off) != (ssize_t)len)
		die("write from host memory");
	memset(m->map + mem_off, 0xee, len);
	ret = one(ring, false, 0, fd, mem_off, len, off);
	if (ret != (int)len || memcmp(m->map + mem_off, want, len))
		ok(0, what, ret);
	else
		tests++, printf("ok %d - %s\n", tests, what);

	fill(m->map + mem_off, len, len + off + 1);
	fill(want, len, len + off + 1);
	ret = one(ring, true, 0, fd, mem_off, len, off);
	what[0] = 'w';
	if (ret != (int)len || pread(fd, got, len, off) != (ssize_t)len || memcmp(got, want, len))
		ok(0, what, ret);
	else
		tests++, printf("ok %d - %s, written\n", tests, what);
	free(want);
	free(got);
}

/* n reads in flight over and over, each to its own place; all compared. */
static void deep(struct io_uring *ring, const struct mem *m, int fd, unsigned int depth, size_t len)
{
	size_t total = (size_t)depth * len;
	char *want = host_memory(total), what[64];
	unsigned int i, bad = 0;

	fill(want, total, depth);
	if (pwrite(fd, want, total, 0) != (ssize_t)total)
		die("write from host memory");
	memset(m->map, 0xee, total);
	for (i = 0; i < depth; i++)
		queue(ring, false, 0, fd, total - (i + 1) * len, len, i * len, i);
	io_uring_submit(ring);
	for (i = 0; i < depth; i++) {
		int ret = reap(ring, NULL);

		bad += ret != (int)len;
	}
	for (i = 0; i < depth; i++)
		bad += !!memcmp(want + i * len, m->map + total - (i + 1) * len, len);
	snprintf(what, sizeof(what), "%u reads of %zu in flight", depth, len);
	ok(!bad, what, bad);
	free(want);
}

static int data(const char *spec, const char *path)
{
	struct mem m = mem_open(spec, 64 * MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT | O_CREAT);
	struct io_uring ring;
	unsigned int depth;
	size_t len;

	ring_open(&ring, 256, 0);
	if (!is(reg(&ring, 0, m.fd, fd, 0), 1, "register"))
		return finish();
	for (len = 512; len <= m.size; len *= 2)
		round_trip(&ring, &m, fd, len, 0, 4096);
	for (len = 4096; len <= 8 * MIB; len *= 8) {
		round_trip(&ring, &m, fd, len, 512, 512);
		round_trip(&ring, &m, fd, len + 512, 4096 - 512, 1024);
		round_trip(&ring, &m, fd, len, 1028, 512); /* 4 bytes: all that NVMe needs */
		round_trip(&ring, &m, fd, len, m.size - len, 0);
	}
	for (depth = 1; depth <= 256; depth *= 4) {
		deep(&ring, &m, fd, depth, 4096);
		deep(&ring, &m, fd, depth, 12 * KIB);
	}
	ok(one(&ring, false, 0, fd, 1, 4096, 0) == -EINVAL, "an odd byte is refused", 0);
	ok(one(&ring, false, 0, fd, m.size - 512, 4096, 0) == -EFAULT, "past the end of the memory", 0);
	ok(one(&ring, false, 0, fd, m.size, 512, 0) == -EFAULT, "behind the end of the memory", 0);
	ok(one(&ring, false, 0, fd, ~0ul - 511, 4096, 0) == -EFAULT, "an offset that wraps", 0);
	ok(one(&ring, false, 0, fd, 0, 0, 0) == 0, "no bytes", 0);
	io_uring_queue_exit(&ring);
	return finish();
}

static long reads_of(int fd)
{
	char path[64];
	struct stat st;
	FILE *f;
	long n;

	if (fstat(fd, &st))
		die("fstat");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", (unsigned int)(st.st_rdev >> 8), (unsigned int)(st.st_rdev & 255));
	f = fopen(path, "r");
	if (!f || fscanf(f, "%ld", &n) != 1)
		die(path);
	fclose(f);
	return n;
}

static int commands(const char *spec, const char *path, long want)
{
	struct mem m = mem_open(spec, 8 * MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT);
	struct io_uring ring;
	long before;

	ring_open(&ring, 8, 0);
	if (!is(reg(&ring, 0, m.fd, fd, 0), 1, "register"))
		return finish();
	before = reads_of(fd);
	is(one(&ring, false, 0, fd, 0, 8 * MIB, 0), 8 * MIB, "read 8 MiB");
	is(reads_of(fd) - before, want, "the number of commands");
	io_uring_queue_exit(&ring);
	return finish();
}

static int file_in(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	return must_open(path, O_RDWR | O_DIRECT | O_CREAT);
}

static void expect_file(int fd, const char *what, size_t len, size_t size, uint64_t seed)
{
	char *want = host_memory(size), *got = host_memory(size + 4096);
	struct stat st;

	memset(want, 0, size);
	fill(want, len, seed);
	if (fstat(fd, &st))
		die("fstat");
	ok(st.st_size == (off_t)size && pread(fd, got, size + 4096, 0) == (ssize_t)size && !memcmp(want, got, size),
	   what, st.st_size);
	free(want);
	free(got);
}

static int files(const char *spec, const char *dir)
{
	struct mem m = mem_open(spec, 16 * MIB);
	int fd = file_in(dir, "first"), many[50], i, ret;
	char *host = host_memory(MIB), name[32];
	struct io_uring ring;

	ring_open(&ring, 64, 0);
	if (!is(reg(&ring, 0, m.fd, fd, DMABUF_ANY_FILE), 1, "register for any file"))
		return finish();
	close(fd);

	fill(m.map, m.size, 7);
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		many[i] = file_in(dir, name);
		ret = one(&ring, true, 0, many[i], 0, MIB, 0); /* appends */
		if (ret != (int)MIB)
			ok(0, "append to one of many files", ret);
		close(many[i]);
	}
	ok(1, "50 files with one registration", 0);
	fd = file_in(dir, "append");
	for (i = 0; i < 4; i++)
		is(one(&ring, true, 0, fd, i * 64 * KIB, 64 * KIB, i * 64 * KIB), 64 * (int)KIB, "append");
	expect_file(fd, "the file grew, its bytes", 256 * KIB, 256 * KIB, 7);
	is(one(&ring, true, 0, fd, 256 * KIB, 512, 256 * KIB), 512, "append a sector");
	expect_file(fd, "the sector's bytes", 256 * KIB + 512, 256 * KIB + 512, 7);
	memset(m.map, 0xee, MIB);
	ret = one(&ring, false, 0, fd, 0, MIB, 0);
	fill(host, MIB, 7);
	ok(ret == 256 * (int)KIB + 512 && !memcmp(m.map, host, ret), "read across the end", ret);
	is(one(&ring, false, 0, fd, 0, MIB, 2 * MIB), 0, "read behind the end");
	fill(m.map, m.size, 7);

	fd = file_in(dir, "prealloc");
	if (fallocate(fd, 0, 0, MIB))
		die("fallocate");
	ret = one(&ring, false, 0, fd, 0, 4096, 0);
	ok(ret == -EOPNOTSUPP, "read of what was never written is refused", ret);
	ret = one(&ring, true, 0, fd, 0, 64 * KIB, 0);
	ok(ret == 64 * (int)KIB, "write to a preallocated extent", ret);
	expect_file(fd, "its bytes, and zeroes behind", 64 * KIB, MIB, 7);
	ret = one(&ring, false, 0, fd, 8 * MIB, MIB, 0);
	ok(ret == -EOPNOTSUPP, "read across written and not written", ret);

	fd = file_in(dir, "sub-block");
	if (fallocate(fd, 0, 0, MIB))
		die("fallocate");
	ret = one(&ring, true, 0, fd, 0, 512, 0);
	ok(ret == 512, "write a sector of a preallocated block", ret);
	expect_file(fd, "its bytes, and zeroes behind", 512, MIB, 7);

	fd = file_in(dir, "hole");
	if (ftruncate(fd, MIB))
		die("ftruncate");
	ret = one(&ring, false, 0, fd, 0, 4096, 4096);
	ok(ret == -EOPNOTSUPP, "read of a hole is refused", ret);
	ret = one(&ring, true, 0, fd, 0, 64 * KIB, 0);
	ok(ret == 64 * (int)KIB, "write to a hole", ret);
	expect_file(fd, "its bytes, and zeroes behind", 64 * KIB, MIB, 7);
	ret = one(&ring, false, 0, fd, 8 * MIB, MIB, 0);
	ok(ret == -EOPNOTSUPP, "read across data and a hole", ret);

	fd = file_in(dir, "tail");
	ret = one(&ring, true, 0, fd, 0, 4096, 0);
	if (ftruncate(fd, 1000))
		die("ftruncate");
	memset(m.map, 0xee, 64 * KIB);
	ret = one(&ring, false, 0, fd, 0, 64 * KIB, 0);
	ok(ret == 1000 && !memcmp(m.map, host, 1000), "read of a file of 1000 bytes", ret);
	io_uring_queue_exit(&ring);
	return finish();
}

static int refused(const char *spec, const char *path)
{
	struct mem m = mem_open(spec, MIB);
	int fd = must_open(path, O_RDWR), ret;
	struct io_uring ring;

	ring_open(&ring, 8, 0);
	ret = reg(&ring, 0, m.fd, fd, 0);
	ok(ret == -EOPNOTSUPP, "the file's device cannot do it", ret);
	ret = reg(&ring, 0, m.fd, fd, DMABUF_ANY_FILE);
	ok(ret == -EOPNOTSUPP, "not for any file either", ret);
	return finish();
}

static void expect(struct io_uring *ring, struct regbuf_desc desc, unsigned int flags, int want, const char *what)
{
	int ret = update(ring, 0, &desc, flags);

	ok(ret == want, what, ret);
}

static int errors(const char *spec, const char *path, const char *other_path)
{
	struct mem m = mem_open(spec, MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT), same = must_open(path, O_RDWR | O_DIRECT), ret;
	int buffered = must_open(path, O_RDWR), null = must_open("/dev/null", O_RDWR);
	struct regbuf_desc good = { .type = 2, .dmabuf_fd = m.fd, .target_fd = fd }, desc;
	struct io_uring ring, polled, second;
	struct io_uring_sqe *sqe;
	char *host = host_memory(MIB);
	struct iovec iov = { .iov_base = 0, .iov_len = 4096 };

	ret = io_uring_queue_init(8, &ring, 0);
	expect(&ring, good, UPDATE_EXTENDED, -ENXIO, "no table");
	io_uring_queue_exit(&ring);
	ring_open(&ring, 8, 0);
	expect(&ring, good, UPDATE_EXTENDED, 1, "all right");
	expect(&ring, good, 1 << 0, -EINVAL, "an unknown flag of the update");
	expect(&ring, good, UPDATE_EXTENDED | 1 << 2, -EINVAL, "one more flag of the update");
	desc = good, desc.type = 3;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "an unknown type");
	desc = good, desc.uaddr = 4096;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "an address");
	desc = good, desc.size = 4096;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "a size");
	desc = good, desc.resv[5] = 1;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "a reserved field");
	desc = good, desc.flags = 1;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "an unknown flag");
	desc = good, desc.target_fd = -1;
	expect(&ring, desc, UPDATE_EXTENDED, -EBADF, "no target");
	desc = good, desc.dmabuf_fd = -1;
	expect(&ring, desc, UPDATE_EXTENDED, -EBADF, "no dma-buf");
	desc = good, desc.dmabuf_fd = fd;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "not a dma-buf");
	desc = good, desc.target_fd = null;
	expect(&ring, desc, UPDATE_EXTENDED, -EOPNOTSUPP, "a target that cannot");
	desc = good, desc.dmabuf_fd = desc.target_fd = -1, desc.flags = DMABUF_ANY_FILE;
	expect(&ring, desc, UPDATE_EXTENDED, -EBADF, "the way to ask for any-file");
	ok(syscall(__NR_io_uring_register, ring.ring_fd, 16, &(struct update2){ .offset = 8, .flags = UPDATE_EXTENDED,
		   .data = (uintptr_t)&good, .nr = 1 }, 32) == -1 && errno == EINVAL, "behind the table", errno);

	is(one(&ring, false, 0, fd, 0, 4096, 0), 4096, "the old registration still works");
	is(one(&ring, false, 0, same, 0, 4096, 0), -EBADF, "the same file opened again");
	is(one(&ring, false, 0, buffered, 0, 4096, 0), -EBADF, "another descriptor");
	is(one(&ring, false, 1, fd, 0, 4096, 0), -EFAULT, "an empty slot");
	ok(reg(&ring, 1, m.fd, fd, DMABUF_ANY_FILE) == 1, "any file", 0);
	is(one(&ring, false, 1, same, 0, 4096, 0), 4096, "the same file opened again");
	is(one(&ring, false, 1, buffered, 0, 4096, 0), -EOPNOTSUPP, "without O_DIRECT");
	is(one(&ring, true, 1, buffered, 0, 4096, 0), -EOPNOTSUPP, "write without O_DIRECT");
	is(one(&ring, false, 1, null, 0, 4096, 0), -EBADF, "another kind of file");
	if (other_path) {
		int other = must_open(other_path, O_RDWR | O_DIRECT);

		is(one(&ring, false, 1, other, 0, 4096, 0), -EBADF, "another device");
		is(one(&ring, true, 1, other, 0, 4096, 0), -EBADF, "write to another device");
	}

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_rw(58 /* READV_FIXED */, sqe, fd, &iov, 1, 0);
	io_uring_submit(&ring);
	ret = reap(&ring, NULL);
	ok(ret < 0, "no vectored form", ret);
	io_uring_queue_init(8, &second, 0);
	ret = syscall(__NR_io_uring_register, second.ring_fd, 30 /* CLONE_BUFFERS */,
		      &(struct { uint32_t src, flags, src_off, dst_off, nr, pad[3]; }){ .src = ring.ring_fd }, 1);
	ok(ret == -1 && errno == EOPNOTSUPP, "no clone", errno);
	io_uring_queue_exit(&second);

	desc = (struct regbuf_desc){ .type = 1, .uaddr = (uintptr_t)host, .size = MIB };
	expect(&ring, desc, UPDATE_EXTENDED, 1, "user memory in place of the dma-buf");
	is(one(&ring, false, 0, fd, (uintptr_t)host, 4096, 0), 4096, "read into it");
	desc = (struct regbuf_desc){ .type = 0 };
	expect(&ring, desc, UPDATE_EXTENDED, 1, "empty the slot");
	is(one(&ring, false, 0, fd, 0, 4096, 0), -EFAULT, "it is empty");
	desc.uaddr = 1;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "an address for nothing");
	ring_open(&polled, 8, IORING_SETUP_IOPOLL);
	is(reg(&polled, 0, m.fd, fd, 0), -EOPNOTSUPP, "a polled ring");
	io_uring_queue_exit(&polled);
	ok(reg(&ring, 0, m.fd, fd, 0) == 1, "register again", 0);
	close(fd);
	is(one(&ring, false, 0, same, 0, 4096, 0), -EBADF, "the target was closed");
	io_uring_queue_exit(&ring);
	return finish();
}

/* ------------------------------------------------- the memory goes away */

struct revoker {
	const struct mem *m;
	int times;
	double longest;
	volatile bool done;
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void *revoke_thread(void *arg)
{
	struct revoker *r = arg;
	uint16_t command, off;

	if (pread(r->m->device, &command, 2, r->m->config + 4) != 2)
		die("PCI_COMMAND");
	off = command & ~2;
	for (int i = 0; i < r->times; i++) {
		double start = seconds();

		if (pwrite(r->m->device, &off, 2, r->m->config + 4) != 2)
			die("PCI_COMMAND");
		if (seconds() - start > r->longest)
			r->longest = seconds() - start;
		if (i % 8 == 0)
			usleep(2000);
		if (pwrite(r->m->device, &command, 2, r->m->config + 4) != 2)
			die("PCI_COMMAND");
		usleep(i % 4 * 1000);
	}
	r->done = true;
	return NULL;
}

static int revocations(const char *bdf, const char *path, int times)
{
	struct mem m = mem_vfio(bdf);
	struct revoker r = { .m = &m, .times = times };
	int fd = must_open(path, O_RDWR | O_DIRECT | O_CREAT), ret;
	long done = 0, again = 0, nodev = 0, other = 0, worst = 0;
	const unsigned int depth = 64;
	const size_t len = 16 * KIB;
	char *want = host_memory(depth * len);
	struct io_uring ring;
	unsigned int i, flying = 0;
	pthread_t thread;

	fill(want, depth * len, 99);
	if (pwrite(fd, want, depth * len, 0) != (ssize_t)(depth * len))
		die("write from host memory");
	ring_open(&ring, depth, 0);
	if (!is(reg(&ring, 0, m.fd, fd, DMABUF_ANY_FILE), 1, "register"))
		return finish();
	pthread_create(&thread, NULL, revoke_thread, &r);
	for (i = 0; i < depth; i++, flying++)
		queue(&ring, false, 0, fd, i * len, len, i * len, i);
	io_uring_submit(&ring);
	while (flying) {
		uint64_t which;

		ret = reap(&ring, &which);
		flying--;
		if (ret == (int)len)
			done++;
		else if (ret == -EAGAIN)
			again++;
		else if (ret == -ENODEV)
			nodev++;
		else
			other++, worst = ret;
		if (r.done && ret == (int)len)
			continue;
		queue(&ring, false, 0, fd, which * len, len, which * len, which);
		io_uring_submit(&ring);
		flying++;
	}
	pthread_join(thread, NULL);
	printf("# %d revocations, the longest %.1f ms; reads: %ld done, %ld again, %ld no device\n", times,
	       r.longest * 1e3, done, again, nodev);
	ok(!other, "no other error", worst);
	ok(done >= depth, "reads went on", done);
	ok(!memcmp(m.map, want, depth * len), "the bytes of the last reads", 0);

	/* Gone for good while registered: errors, not hangs. */
	r.times = 0;
	ret = 0;
	uint16_t command, off;
	if (pread(m.device, &command, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	off = command & ~2;
	if (pwrite(m.device, &off, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	is(one(&ring, false, 0, fd, 0, len, 0), -ENODEV, "revoked: a clear error");
	is(reg(&ring, 1, m.fd, fd, 0), -ENODEV, "revoked: no registration");
	if (pwrite(m.device, &command, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	is(one(&ring, false, 0, fd, 0, len, 0), (int)len, "back again");
	close(m.device);
	io_uring_queue_exit(&ring);
	return finish();
}

static volatile sig_atomic_t time_over;

static void on_alarm(int sig)
{
	(void)sig;
	time_over = 1;
}

/* Random I/O, compared; slots replaced under it. Returns what went wrong. */
static int stress_child(const struct mem *m, const char *path, int secs, unsigned int seed, bool errors_ok)
{
	const size_t part = m->size / 4, base = (seed & 3) * part;
	int fd = must_open(path, O_RDWR | O_DIRECT), bad = 0, ret;
	char *want = host_memory(part);
	double end = seconds() + secs;
	struct io_uring ring;

	srand(seed);
	ring_open(&ring, 64, seed & 4 ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN : 0);
	while (seconds() < end && !bad) {
		size_t len = 512 * (1 + rand() % 256), i, n = 1 + rand() % 32;
		off_t off = base + 512 * (rand() % ((part - len) / 512));
		unsigned int slot = rand() % 8;

		ret = reg(&ring, slot, m->fd, fd, rand() & 1 ? DMABUF_ANY_FILE : 0);
		if (ret != 1 && !(errors_ok && ret == -ENODEV)) {
			printf("# register: %d\n", ret);
			return 1;
		}
		fill(m->map + off, len, off + seed);
		do {
			queue(&ring, true, slot, fd, off, len, off, 0);
			io_uring_submit(&ring);
			ret = reap(&ring, NULL);
		} while (ret == -EAGAIN);
		if (ret != (int)len) {
			if (errors_ok && ret < 0)
				continue;
			printf("# write: %d\n", ret);
			return 1;
		}
		memset(m->map + off, 0xee, len);
		for (i = 0; i < n; i++)
			queue(&ring, false, slot, fd, off, len, off, 0);
		io_uring_submit(&ring);
		if (rand() & 1) /* unregister with the reads in flight */
			reg(&ring, slot, m->fd, fd, 0);
		for (i = 0; i < n; i++) {
			ret = reap(&ring, NULL);
			if (ret == -EAGAIN && i == n - 1)
				ret = one(&ring, false, slot, fd, off, len, off);
			if (ret != (int)len && ret != -EAGAIN && !(errors_ok && ret < 0)) {
				printf("# read: %d\n", ret);
				bad = 1;
			}
		}
		fill(want, len, off + seed);
		if (ret == (int)len && memcmp(want, m->map + off, len)) {
			printf("# wrong bytes: %zu at %lld\n", len, (long long)off);
			bad = 1;
		}
	}
	/* Ring exit with I/O in flight. */
	reg(&ring, 0, m->fd, fd, 0);
	for (int i = 0; i < 32; i++)
		queue(&ring, false, 0, fd, base, 64 * KIB, base, 0);
	io_uring_submit(&ring);
	if (seed & 8)
		io_uring_queue_exit(&ring);
	return bad;
}

static int stress(const char *spec, const char *path, int secs, const char *reset)
{
	struct mem m = mem_open(spec, 64 * MIB);
	int fd = must_open(path, O_RDWR | O_CREAT), rounds = 0, bad = 0, resets = 0;
	double end = seconds() + secs;
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		char *zero = calloc(1, MIB);

		for (size_t off = 0; off < m.size; off += MIB)
			if (pwrite(fd, zero, MIB, off) != (ssize_t)MIB)
				die("write");
		fsync(fd);
		free(zero);
	}
	signal(SIGALRM, on_alarm);
	while (seconds() < end && !bad) {
		pid_t pids[4];
		int i, status;

		for (i = 0; i < 4; i++) {
			pids[i] = fork();
			if (!pids[i])
				_exit(stress_child(&m, path, 3, rounds * 4 + i, !!reset));
		}
		if (reset) {
			for (i = 0; i < 4; i++) {
				int r = must_open(reset, O_WRONLY);

				resets += write(r, "1", 1) == 1;
				close(r);
				usleep(100000);
			}
		}
		if (rounds % 3 == 2) { /* kill -9 */
			usleep(500000);
			for (i = 0; i < 4; i++)
				kill(pids[i], SIGKILL);
		}
		for (i = 0; i < 4; i++) {
			waitpid(pids[i], &status, 0);
			if (WIFEXITED(status) && WEXITSTATUS(status))
				bad = 1;
		}
		rounds++;
	}
	printf("# %d rounds of 4 processes, %d resets\n", rounds, resets);
	ok(!bad, "stress", rounds);
	return finish();
}

/* ------------------------------------------------------------------ cost */

static double cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int bench(const char *kind, const char *path, size_t len, int n)
{
	bool plain = !strcmp(kind, "plain"), fixed = !strcmp(kind, "fixed"), nop = !strcmp(kind, "nop");
	const unsigned int depth = len > 128 * KIB ? 4 : 32;
	int fd = must_open(path, O_RDWR | O_DIRECT), ret;
	struct mem m = { .size = depth * len };
	struct iovec iov;
	struct io_uring ring;
	uint64_t base = 0, which;
	int queued = 0, done = 0, bad = 0;
	double start = 0;
	uint32_t rnd = 1;

	ring_open(&ring, depth, 0);
	if (plain || fixed || nop) {
		m.map = host_memory(m.size);
		memset(m.map, 1, m.size);
		base = (uintptr_t)m.map;
		iov = (struct iovec){ m.map, m.size };
		ret = io_uring_register_buffers_update_tag(&ring, 0, &iov, &(__u64){ 0 }, 1);
	} else {
		m = mem_open(kind, m.size);
		ret = reg(&ring, 0, m.fd, fd, 0);
	}
	if (ret != 1) {
		errno = -ret;
		die("register");
	}
	for (int warm = n / 4; done < n + warm;) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0;

		while (queued < n + warm && queued - done < (int)depth) {
			off_t off = (rnd = rnd * 1664525 + 1013904223) % (64 * MIB / len) * len;
			uint64_t at = base + queued % depth * len;
			struct io_uring_sqe *sqe;

			if (plain) {
				sqe = io_uring_get_sqe(&ring);
				io_uring_prep_rw(IORING_OP_READ, sqe, fd, (void *)(uintptr_t)at, len, off);
			} else if (nop) {
				io_uring_prep_nop(io_uring_get_sqe(&ring));
			} else {
				queue(&ring, false, 0, fd, at, len, off, queued);
			}
			queued++;
		}
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			which = cqe->user_data;
			bad += !nop && cqe->res != (int)len;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		if (done < warm && done + (int)seen >= warm) {
			start = cpu();
			n -= done + seen - warm;
			warm = done + seen;
		}
		done += seen;
	}
	(void)which;
	printf("cost: %s %zu: %.1f ns per operation (%d)\n", kind, len, (cpu() - start) / n, n);
	ok(!bad, "all reads done", bad);
	return finish();
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";

	if (!strcmp(what, "data"))
		return data(argv[2], argv[3]);
	if (!strcmp(what, "files"))
		return files(argv[2], argv[3]);
	if (!strcmp(what, "errors"))
		return errors(argv[2], argv[3], argv[4]);
	if (!strcmp(what, "refused"))
		return refused(argv[2], argv[3]);
	if (!strcmp(what, "commands") && argc > 4)
		return commands(argv[2], argv[3], atol(argv[4]));
	if (!strcmp(what, "revoke") && argc > 4)
		return revocations(argv[2], argv[3], atoi(argv[4]));
	if (!strcmp(what, "stress") && argc > 4)
		return stress(argv[2], argv[3], atoi(argv[4]), argv[5]);
	if (!strcmp(what, "bench") && argc > 5)
		return bench(argv[2], argv[3], atol(argv[4]), atoi(argv[5]));
	fprintf(stderr, "usage: see the head of tests/vm/uring-dmabuf.c\n");
	return 2;
}
