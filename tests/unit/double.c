/* SPDX-License-Identifier: MIT */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "double.h"

#define BLOCK 4096u
#define MARKS 65536

struct double_plan double_plan;
struct double_count double_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t state;
static struct {
	uint64_t user_data;
	int res;
} marks[MARKS];
static struct {
	struct io_uring *ring;
	int fd;
	unsigned int seen;         /* entries before it were processed */
} rings[64];

int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int nr,
					    struct __kernel_timespec *ts, sigset_t *mask);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t off);
ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t off);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int nr,
					    struct __kernel_timespec *ts, sigset_t *mask);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off);

void double_reset(uint64_t seed)
{
	memset(&double_plan, 0, sizeof(double_plan));
	memset(&double_count, 0, sizeof(double_count));
	state = seed * 2654435761u + 1;
}

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static bool chance(unsigned int of_1000)
{
	return of_1000 && next() % 1000 < of_1000;
}

static bool is_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

static int pick_error(void)
{
	int n = 0;

	while (double_plan.errors[n])
		n++;
	return double_plan.errors[next() % n];
}

/* What becomes of an I/O: < 0 an error, else the bytes that it may transfer. */
static int64_t outcome(int fd, uint32_t len, uint64_t off)
{
	bool direct = is_direct(fd);
	uint32_t unit = direct ? BLOCK : 1;

	double_count.ios++;
	if (direct && double_plan.every)
		return double_plan.every;
	if (double_plan.fail_errno && off + len > double_plan.fail_from) {
		if (off >= double_plan.fail_from)
			return double_plan.fail_errno;
		return double_plan.fail_from - off;
	}
	if (chance(double_plan.again)) {
		double_count.again++;
		return next() & 1 ? -EAGAIN : -EINTR;
	}
	if ((direct || !double_plan.direct_only) && double_plan.errors && chance(double_plan.error)) {
		double_count.errors++;
		return pick_error();
	}
	if (len > unit && chance(double_plan.shorten)) {
		uint32_t n = next() % len;

		double_count.shortened++;
		n -= n % unit;
		return n ? n : unit;
	}
	return len;
}

static void mark(uint64_t user_data, int res)
{
	unsigned int i = user_data / 64 % MARKS;

	while (marks[i].user_data)
		i = (i + 1) % MARKS;
	marks[i].user_data = user_data;
	marks[i].res = res;
}

static bool take_mark(uint64_t user_data, int *res)
{
	for (unsigned int i = 0; i < MARKS; i++) {
		unsigned int k = (user_data / 64 + i) % MARKS;

		if (marks[k].user_data == user_data) {
			*res = marks[k].res;
			marks[k].user_data = 0;
			return true;
		}
		if (i == 256)
			break;
	}
	return false;
}

static void mangle(struct io_uring_sqe *sqe)
{
	bool io = sqe->opcode == IORING_OP_READ || sqe->opcode == IORING_OP_WRITE ||
		  sqe->opcode == IORING_OP_READ_FIXED || sqe->opcode == IORING_OP_WRITE_FIXED;
	int64_t what;
	uint64_t user_data = sqe->user_data;

	if (!io)
		return;
	what = outcome(sqe->fd, sqe->len, sqe->off);
	if (what >= 0) {
		sqe->len = what;
		return;
	}
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	sqe->fd = -1;
	sqe->user_data = user_data;
	mark(user_data, what);
}

static unsigned int *seen_of(struct io_uring *ring)
{
	unsigned int i = 0;

	while (rings[i].ring && rings[i].ring != ring)
		i++;
	if (!rings[i].ring || rings[i].fd != ring->ring_fd || rings[i].seen > ring->sq.sqe_tail)
		rings[i].seen = 0;
	rings[i].ring = ring;
	rings[i].fd = ring->ring_fd;
	return &rings[i].seen;
}

/* -errno, or 0: go on. */
static int before(struct io_uring *ring)
{
	static const int fails[] = { -EINTR, -EAGAIN, -EBUSY };
	unsigned int *seen;

	double_count.enters++;
	if (chance(double_plan.enter)) {
		double_count.enters_failed++;
		return fails[next() % 3];
	}
	seen = seen_of(ring);
	for (; *seen != ring->sq.sqe_tail; ++*seen)
		mangle(&ring->sq.sqes[*seen & ring->sq.ring_mask]);
	return 0;
}

static void after(struct io_uring *ring)
{
	unsigned int tail = io_uring_smp_load_acquire(ring->cq.ktail);

	for (unsigned int head = *ring->cq.khead; head != tail; head++) {
		struct io_uring_cqe *cqe = &ring->cq.cqes[head & ring->cq.ring_mask];
		int res;

		if (take_mark(cqe->user_data, &res))
			cqe->res = res;
	}
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int nr,
					    struct __kernel_timespec *ts, sigset_t *mask)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = before(ring);
	pthread_mutex_unlock(&lock);
	if (rc)
		return rc;
	rc = __real_io_uring_submit_and_wait_timeout(ring, cqe, nr, ts, mask);
	pthread_mutex_lock(&lock);
	after(ring);
	pthread_mutex_unlock(&lock);
	return rc;
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = before(ring);
	pthread_mutex_unlock(&lock);
	if (rc)
		return rc;
	rc = __real_io_uring_submit_and_get_events(ring);
	pthread_mutex_lock(&lock);
	after(ring);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int64_t fate_locked(int fd, size_t len, off_t off)
{
	int64_t what;

	pthread_mutex_lock(&lock);
	what = outcome(fd, len, off);
	pthread_mutex_unlock(&lock);
	if (what < 0)
		errno = -what;
	return what;
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t off)
{
	int64_t what = fate_locked(fd, len, off);

	return what < 0 ? -1 : __real_pread(fd, buf, what, off);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	int64_t what = fate_locked(fd, len, off);

	return what < 0 ? -1 : __real_pwrite(fd, buf, what, off);
}
