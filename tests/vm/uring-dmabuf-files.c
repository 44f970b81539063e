/* SPDX-License-Identifier: MIT */
/* Files on ext4 and xfs, and every error of the interface. */
#include "uring-dmabuf.h"

#include <netinet/in.h>
#include <sys/socket.h>

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

int files(const char *spec, const char *dir)
{
	struct mem m = mem_open(spec, 16 * MIB);
	int fd = file_in(dir, "first"), many[50], i, ret;
	char *host = host_memory(MIB), name[32];
	struct io_uring ring;

	ring_open(&ring, 64, 0);
	if (!is(reg(&ring, 0, m.fd, fd, ANY_FILE), 1, "register for any file"))
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

int refused(const char *spec, const char *path)
{
	struct mem m = mem_open(spec, MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT), ret;
	struct io_uring ring;

	ring_open(&ring, 8, 0);
	ret = reg(&ring, 0, m.fd, fd, ONE_FILE);
	ok(ret == -EOPNOTSUPP, "the file's device cannot do it", ret);
	ret = reg(&ring, 0, m.fd, fd, ANY_FILE);
	ok(ret == -EOPNOTSUPP, "not for any file either", ret);
	return finish();
}

static void expect(struct io_uring *ring, struct regbuf_desc desc, unsigned int flags, int want, const char *what)
{
	int ret = update(ring, ONE_FILE, 0, &desc, flags);

	ok(ret == want, what, ret);
}

/* I/O that a registration does not serve. Slot 0 is for fd, slot 1 becomes one for any file. */
static void io_errors(struct io_uring *ring, const struct mem *m, int fd, int same, int buffered, int null,
		      const char *other_path)
{
	is(one(ring, false, 0, fd, 0, 4096, 0), 4096, "the old registration still works");
	is(one(ring, false, 0, same, 0, 4096, 0), -EBADF, "the same file opened again");
	is(one(ring, false, 0, buffered, 0, 4096, 0), -EBADF, "another descriptor");
	is(one(ring, false, 1, fd, 0, 4096, 0), -EFAULT, "an empty slot");
	ok(reg(ring, 1, m->fd, fd, ANY_FILE) == 1, "any file", ONE_FILE);
	is(one(ring, false, 1, same, 0, 4096, 0), 4096, "the same file opened again");
	is(one(ring, false, 1, buffered, 0, 4096, 0), -EOPNOTSUPP, "without O_DIRECT");
	is(one(ring, true, 1, buffered, 0, 4096, 0), -EOPNOTSUPP, "write without O_DIRECT");
	is(one(ring, false, 1, null, 0, 4096, 0), -EBADF, "another kind of file");
	if (other_path) {
		int other = must_open(other_path, O_RDWR | O_DIRECT);

		is(one(ring, false, 1, other, 0, 4096, 0), -EBADF, "another device");
		is(one(ring, true, 1, other, 0, 4096, 0), -EBADF, "write to another device");
	}
}

/* Fields that the other types have no use for. */
static void reserved(struct io_uring *ring, uint64_t host, int dmabuf, int fd)
{
	struct regbuf_desc desc = { .type = 0, .size = 1 };

	expect(ring, desc, UPDATE_EXTENDED, -EFAULT, "a size for nothing");
	desc = (struct regbuf_desc){ .type = 0, .dmabuf_fd = dmabuf };
	expect(ring, desc, UPDATE_EXTENDED, -EINVAL, "a dma-buf for nothing");
	desc = (struct regbuf_desc){ .type = 0, .target_fd = fd };
	expect(ring, desc, UPDATE_EXTENDED, -EINVAL, "a target for nothing");
	desc = (struct regbuf_desc){ .type = 1 };
	expect(ring, desc, UPDATE_EXTENDED, -EFAULT, "user memory without an address");
	desc = (struct regbuf_desc){ .type = 1, .uaddr = host, .size = MIB, .dmabuf_fd = dmabuf };
	expect(ring, desc, UPDATE_EXTENDED, -EINVAL, "user memory and a dma-buf");
	desc = (struct regbuf_desc){ .type = 1, .uaddr = host, .size = MIB, .target_fd = fd };
	expect(ring, desc, UPDATE_EXTENDED, -EINVAL, "user memory and a target");
}

static void not_for_sockets(struct io_uring *ring, const struct mem *m, int fd)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(sa);
	struct io_uring_sqe *sqe;

	if (bind(listener, (void *)&sa, sizeof(sa)) || listen(listener, 1) ||
	    getsockname(listener, (void *)&sa, &len) ||
	    connect(s, (void *)&sa, sizeof(sa)) || reg(ring, 3, m->fd, fd, ONE_FILE) != 1)
		die("a connection, and a dma-buf in slot 3");
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_rw(IORING_OP_SEND_ZC, sqe, s, NULL, 4096, 0);
	sqe->ioprio = IORING_RECVSEND_FIXED_BUF;
	sqe->buf_index = 3;
	io_uring_submit(ring);
	is(reap(ring, NULL), -EFAULT, "no other operation");
	is(reap(ring, NULL), 0, "its notification");
	close(s);
	close(listener);
}

int errors(const char *spec, const char *path, const char *other_path)
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
	desc = good, desc.target_fd = buffered;
	expect(&ring, desc, UPDATE_EXTENDED, -EINVAL, "a target without O_DIRECT");
	is(reg(&ring, 0, -1, -1, ANY_FILE), -EBADF, "the kernel has the registration for any file");
	is(reg(&ring, 2, m.fd, buffered, ANY_FILE), 1, "for any file, by a target without O_DIRECT");
	desc = (struct regbuf_desc){ .type = 0 };
	is(update(&ring, ANY_FILE, 2, &desc, UPDATE_EXTENDED), -EINVAL, "any file, but no dma-buf");
	is(update(&ring, ANY_FILE, 2, &good, 0), -EINVAL, "any file, but an iovec");
	ok(syscall(__NR_io_uring_register, ring.ring_fd, 16, &(struct update2){ .offset = 8, .flags = UPDATE_EXTENDED,
		   .data = (uintptr_t)&good, .nr = 1 }, 32) == -1 && errno == EINVAL, "behind the table", errno);

	io_errors(&ring, &m, fd, same, buffered, null, other_path);

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_rw(58 /* READV_FIXED */, sqe, fd, &iov, 1, 0);
	io_uring_submit(&ring);
	ret = reap(&ring, NULL);
	ok(ret < 0, "no vectored form", ret);
	io_uring_queue_init(8, &second, 0);
	ret = syscall(__NR_io_uring_register, second.ring_fd, 30 /* CLONE_BUFFERS */,
		      &(struct { uint32_t src, flags, src_off, dst_off, nr, pad[3]; }){ .src = ring.ring_fd }, 1);
	ok(ret == -1 && errno == ENOMEM, "no clone", errno);
	io_uring_queue_exit(&second);

	desc = (struct regbuf_desc){ .type = 1, .uaddr = (uintptr_t)host, .size = MIB };
	expect(&ring, desc, UPDATE_EXTENDED, 1, "user memory in place of the dma-buf");
	is(one(&ring, false, 0, fd, (uintptr_t)host, 4096, 0), 4096, "read into it");
	desc = (struct regbuf_desc){ .type = 0 };
	expect(&ring, desc, UPDATE_EXTENDED, 1, "empty the slot");
	is(one(&ring, false, 0, fd, 0, 4096, 0), -EFAULT, "it is empty");
	desc.uaddr = 1;
	expect(&ring, desc, UPDATE_EXTENDED, -EFAULT, "an address for nothing");
	reserved(&ring, (uintptr_t)host, m.fd, fd);
	not_for_sockets(&ring, &m, fd);
	ring_open(&polled, 8, IORING_SETUP_IOPOLL);
	is(reg(&polled, 0, m.fd, fd, ONE_FILE), -EOPNOTSUPP, "a polled ring");
	io_uring_queue_exit(&polled);
	ok(reg(&ring, 0, m.fd, fd, ONE_FILE) == 1, "register again", 0);
	close(fd);
	is(one(&ring, false, 0, same, 0, 4096, 0), -EBADF, "the target was closed");
	io_uring_queue_exit(&ring);
	return finish();
}

/* ------------------------------------------------- the memory goes away */
