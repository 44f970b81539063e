/* SPDX-License-Identifier: MIT */
/* Zero-copy receive of io_uring into the memory of a dma-buf. */
#include "devmem-tcp.h"

#define REGISTER_ZCRX_IFQ 32
#define OP_RECV_ZC 58
#define AREA_DMABUF 1
#define REGION_USER 1
#define RQ_ENTRIES 4096
#define OFFSET_MASK ((1ull << 48) - 1)

/* linux/io_uring.h of newer kernels */
struct zc_region {
	uint64_t user_addr, size;
	uint32_t flags, id;
	uint64_t mmap_offset, resv[4];
};

struct zc_area {
	uint64_t addr, len, token;
	uint32_t flags, dmabuf_fd;
	uint64_t resv[2];
};

struct zc_reg {
	uint32_t if_idx, if_rxq, rq_entries, flags;
	uint64_t area_ptr, region_ptr;
	uint32_t head, tail, rqes, resv2;
	uint64_t resv3[2];
	uint32_t zcrx_id, rx_buf_len;
	uint64_t event_desc, resv[2];
};

struct zc_rqe {
	uint64_t off;
	uint32_t len, pad;
};

struct zc {
	struct io_uring ring;
	const struct mem *m;
	char *region;
	struct zc_reg reg;
	uint32_t tail;
	uint64_t position, linear, completions, wrong;
};

static int zc_open(struct zc *z, const struct mem *m)
{
	struct io_uring_params params = { .flags = IORING_SETUP_CQE32 | IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
					  .cq_entries = RQ_ENTRIES };
	struct zc_region region = { .size = 128 * KIB, .flags = REGION_USER };
	struct zc_area area = { .len = m->size, .flags = AREA_DMABUF, .dmabuf_fd = m->fd };
	int ret = -EEXIST;

	memset(z, 0, sizeof(*z));
	z->m = m;
	if (io_uring_queue_init_params(64, &z->ring, &params))
		die("io_uring");
	z->region = host_memory(region.size);
	region.user_addr = (uintptr_t)z->region;
	/* The queue of a ring that was closed is freed a little later. */
	for (int i = 0; i < 40 && ret == -EEXIST; i++) {
		z->reg = (struct zc_reg){ .if_idx = nic, .if_rxq = QUEUE, .rq_entries = RQ_ENTRIES,
					  .area_ptr = (uintptr_t)&area, .region_ptr = (uintptr_t)&region };
		ret = syscall(SYS_io_uring_register, z->ring.ring_fd, REGISTER_ZCRX_IFQ, &z->reg, 1) ? -errno : 0;
		if (ret == -EEXIST)
			usleep(50000);
	}
	return ret;
}

static void zc_close(struct zc *z)
{
	io_uring_queue_exit(&z->ring);
	free(z->region);
}

static void zc_arm(struct zc *z, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&z->ring);

	io_uring_prep_rw(OP_RECV_ZC, sqe, fd, NULL, 0, 0);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	sqe->splice_fd_in = z->reg.zcrx_id;
	io_uring_submit(&z->ring);
}

static void zc_take(struct zc *z, uint64_t off, uint32_t len, bool check)
{
	struct zc_rqe *rqe = (struct zc_rqe *)(z->region + z->reg.rqes) + z->tail % RQ_ENTRIES;
	uint64_t at = off & OFFSET_MASK;

	if (at + len > z->m->size || (check && !same(z->m->map + at, z->position, len)))
		z->wrong++;
	z->position += len;
	z->completions++;
	*rqe = (struct zc_rqe){ .off = off, .len = len };
	__atomic_store_n((uint32_t *)(z->region + z->reg.tail), ++z->tail, __ATOMIC_RELEASE);
}

/* A request ends at a packet that is not in the memory: read that with recv(). */
static bool zc_linear(struct zc *z, int fd)
{
	char bytes[16 * KIB];
	ssize_t ret = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (ret <= 0)
		return false;
	z->wrong += !same(bytes, z->position, ret);
	z->position += ret;
	z->linear += ret;
	return true;
}

/* 0 at the end of the stream, or the error. */
static int zc_receive(struct zc *z, int fd, bool check)
{
	struct __kernel_timespec timeout = { .tv_sec = 20 };
	struct io_uring_cqe *cqe;

	zc_arm(z, fd);
	for (;;) {
		int ret = io_uring_wait_cqe_timeout(&z->ring, &cqe, &timeout), res;
		uint64_t off;
		bool more;

		if (ret == -EINTR)
			continue;
		if (ret)
			return ret;
		res = cqe->res;
		more = cqe->flags & IORING_CQE_F_MORE;
		memcpy(&off, cqe->big_cqe, sizeof(off));
		io_uring_cqe_seen(&z->ring, cqe);
		if (more) {
			zc_take(z, off, res, check);
			continue;
		}
		if (res != -ENOMEM || !check || !zc_linear(z, fd))
			return res;
		zc_arm(z, fd);
	}
}

static void zc_stream(struct zc *z, uint64_t bytes, const char *what)
{
	struct peer p = { .bytes = bytes, .port = 4991 };
	int listener = listen_on(true, p.port), fd, ret;

	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	ret = zc_receive(z, fd, true);
	close(fd);
	pthread_join(p.thread, NULL);
	close(listener);
	printf("# %s: %lu bytes, %lu linear, %lu completions\n", what, (long)z->position, (long)z->linear,
	       (long)z->completions);
	ok(!ret && z->position == bytes, "the stream came whole", ret ? ret : (long)z->position);
	ok(!z->wrong, "every byte where it was said to be", z->wrong);
}

static void zc_revoked(const struct mem *m, bool starve)
{
	struct peer p = { .bytes = 1ull << 40, .port = 4990 };
	struct revoker r = { .m = m, .starve = starve };
	int listener, fd, ret;
	pthread_t thread;
	struct zc z;

	is(zc_open(&z, m), 0, "register");
	listener = listen_on(true, p.port);
	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	pthread_create(&thread, NULL, revoke_later, &r);
	ret = zc_receive(&z, fd, false);
	pthread_join(thread, NULL);
	/* Without memory for its queue the NIC is down, and nothing comes any more. */
	ok(z.completions && (ret == -ENODEV || ret == -ENOMEM || (starve && ret == -ETIME)),
	   "receiving ends with an error", ret);
	ok(r.took < 5, "revocation is prompt", r.took * 1e3);
	p.stop = true;
	close(fd);
	zc_close(&z);
	if (starve)
		run("ip link set " NIC " up");
	pthread_join(p.thread, NULL);
	close(listener);
	memory_bit(m, true);
}

int test_zcrx(const char *spec, int n)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct zc z;

	prepare(true);
	if (is(zc_open(&z, &m), 0, "register")) {
		zc_stream(&z, 32 * MIB, "large writes");
		zc_close(&z);
	}
	for (int i = 0; i < n; i++)
		zc_revoked(&m, false);
	if (n && is(zc_open(&z, &m), 0, "register again")) {
		zc_stream(&z, 8 * MIB, "after revocations");
		zc_close(&z);
	}
	prepare(false);
	return finish();
}

int test_zcrx_restart(const char *bdf)
{
	struct mem m = mem_vfio(bdf);
	struct zc z;

	prepare(true);
	zc_revoked(&m, true);
	await_link();
	if (is(zc_open(&z, &m), 0, "register again")) {
		zc_stream(&z, 8 * MIB, "after the revocation");
		zc_close(&z);
	}
	prepare(false);
	return finish();
}
