/* SPDX-License-Identifier: MIT */
/* Registration and I/O on the block device: the data, the commands. */
#include "uring-dmabuf.h"

void ring_open(struct io_uring *ring, unsigned int entries, unsigned int flags)
{
	int ret = io_uring_queue_init(entries, ring, flags);

	if (!ret)
		ret = io_uring_register_buffers_sparse(ring, 8);
	if (ret) {
		errno = -ret;
		die("io_uring");
	}
}

int update(struct io_uring *ring, unsigned int opcode, unsigned int slot, struct regbuf_desc *desc, unsigned int flags)
{
	struct update2 up = { .offset = slot, .flags = flags, .data = (uintptr_t)desc, .nr = 1 };
	int ret = syscall(__NR_io_uring_register, ring->ring_fd, opcode, &up, sizeof(up));

	return ret < 0 ? -errno : ret;
}

int reg(struct io_uring *ring, unsigned int slot, int dmabuf_fd, int target, unsigned int opcode)
{
	struct regbuf_desc desc = { .type = 2, .dmabuf_fd = dmabuf_fd, .target_fd = target };

	return update(ring, opcode, slot, &desc, UPDATE_EXTENDED);
}

void queue(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
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

int reap(struct io_uring *ring, uint64_t *data)
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
int one(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
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

int data(const char *spec, const char *path)
{
	struct mem m = mem_open(spec, 64 * MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT | O_CREAT);
	struct io_uring ring;
	unsigned int depth;
	size_t len;

	ring_open(&ring, 256, 0);
	if (!is(reg(&ring, 0, m.fd, fd, ONE_FILE), 1, "register"))
		return finish();
	for (len = 512; len <= 64 * MIB; len *= 2)
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
	ok(one(&ring, false, 0, fd, 0, 0, 0) == -EFAULT, "no bytes", 0);
	io_uring_queue_exit(&ring);
	return finish();
}

static long reads_of(int fd)
{
	char path[64];
	struct stat st;
	FILE *f;
	long n = 0;

	if (fstat(fd, &st))
		die("fstat");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", (unsigned int)(st.st_rdev >> 8),
		 (unsigned int)(st.st_rdev & 255));
	f = fopen(path, "r");
	if (!f || fscanf(f, "%ld", &n) != 1)
		die(path);
	fclose(f);
	return n;
}

int commands(const char *spec, const char *path, long want)
{
	struct mem m = mem_open(spec, 8 * MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT);
	struct io_uring ring;
	long before;

	ring_open(&ring, 8, 0);
	if (!is(reg(&ring, 0, m.fd, fd, ONE_FILE), 1, "register"))
		return finish();
	before = reads_of(fd);
	is(one(&ring, false, 0, fd, 0, 8 * MIB, 0), 8 * MIB, "read 8 MiB");
	is(reads_of(fd) - before, want, "the number of commands");
	io_uring_queue_exit(&ring);
	return finish();
}
