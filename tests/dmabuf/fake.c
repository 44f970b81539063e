/* SPDX-License-Identifier: MIT */
/* The kernel's side: registrations and the I/O on them. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <liburing.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "kern/uapi/uring_dmabuf.h"
#include "fake.h"

#define MAX_REGS 4096
#define MAX_PENDING 32768
#define MAX_REVOKED 64

struct reg {
	int ring_fd;               /* -1: free */
	uint32_t slot;
	int target;                /* a duplicate: the same file */
	ino_t ino;                 /* of the "dma-buf" */
	char *map;
	uint64_t size;
};

struct fake fake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reg regs[MAX_REGS];
static unsigned int nr_regs;
static struct { int ring_fd; uint64_t user_data; int res; } pending[MAX_PENDING];
static unsigned int nr_pending;
static ino_t revoked[MAX_REVOKED];
static unsigned int nr_revoked;
static uint64_t seed = 1;

long __real_syscall(long nr, ...);
int __real_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask);
int __real_io_uring_register_buffers_update_tag(struct io_uring *ring, unsigned int off, const struct iovec *iov,
						const __u64 *tags, unsigned int nr);
void __real_io_uring_queue_exit(struct io_uring *ring);
long __wrap_syscall(long nr, ...);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask);
int __wrap_io_uring_register_buffers_update_tag(struct io_uring *ring, unsigned int off, const struct iovec *iov,
						const __u64 *tags, unsigned int nr);
void __wrap_io_uring_queue_exit(struct io_uring *ring);

static unsigned int rnd(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 20) % n;
}

void fake_reset(uint64_t s)
{
	unsigned int live = fake.live, mems = fake.mems;

	fake = (struct fake){ .live = live, .peak = live, .mems = mems };
	nr_revoked = 0;
	seed = s ? s : 1;
}

static ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

void fake_revoke(struct devio_mem *m)
{
	uint64_t off;
	int fd;

	if (devio_mem_export(m, &fd, &off))
		return;
	revoked[nr_revoked++] = inode(fd);
	close(fd);
}

static bool is_revoked(ino_t ino)
{
	for (unsigned int i = 0; i < nr_revoked; i++)
		if (revoked[i] == ino)
			return true;
	return false;
}

static struct reg *find(int ring_fd, uint32_t slot)
{
	for (unsigned int i = 0; i < nr_regs; i++)
		if (regs[i].ring_fd == ring_fd && regs[i].slot == slot)
			return &regs[i];
	return NULL;
}

static void drop(struct reg *g)
{
	if (!g)
		return;
	munmap(g->map, g->size);
	close(g->target);
	*g = regs[--nr_regs];
	fake.live--;
}

static int check_desc(const struct dv_uring_regbuf_desc *d)
{
	static const uint64_t zero[6];

	if (d->uaddr || d->size || d->flags || memcmp(d->resv, zero, sizeof(zero)))
		return -EINVAL;
	if (fcntl(d->target_fd, F_GETFL) < 0 || fcntl(d->dmabuf_fd, F_GETFL) < 0)
		return -EBADF;
	return is_revoked(inode(d->dmabuf_fd)) ? -ENXIO : 0;
}

static int add(int ring_fd, uint32_t slot, const struct dv_uring_regbuf_desc *d)
{
	struct reg *g = &regs[nr_regs];
	int rc = fake.reg_err;

	fake.tried++;
	if (!rc)
		rc = check_desc(d);
	if (rc)
		return rc;
	drop(find(ring_fd, slot));
	if (nr_regs == MAX_REGS)
		return -ENOMEM;
	g = &regs[nr_regs];
	g->size = lseek(d->dmabuf_fd, 0, SEEK_END);
	g->map = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->dmabuf_fd, 0);
	if (g->map == MAP_FAILED)
		return -ENOMEM;
	g->ring_fd = ring_fd;
	g->slot = slot;
	g->ino = inode(d->dmabuf_fd);
	g->target = fcntl(d->target_fd, F_DUPFD_CLOEXEC, 0);
	nr_regs++;
	if (++fake.live > fake.peak)
		fake.peak = fake.live;
	return 1;
}

static int update(int ring_fd, const struct dv_uring_update2 *up)
{
	const struct dv_uring_regbuf_desc *d = (const void *)(uintptr_t)up->data;

	if (up->nr != 1 || up->resv2)
		return -EINVAL;
	if (d->type == DV_REGBUF_EMPTY)
		fake.probes++;
	if (fake.absent)
		return -EINVAL;
	if (fake.no_table)
		return -ENXIO;
	if (d->type == DV_REGBUF_DMABUF)
		return add(ring_fd, up->offset, d);
	if (d->type != DV_REGBUF_EMPTY)
		return -EINVAL;
	drop(find(ring_fd, up->offset));
	return 1;
}

long __wrap_syscall(long nr, ...)
{
	long a[4]; /* what the library's system calls have at most */
	va_list ap;
	int rc;

	va_start(ap, nr);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	/* The series posted upstream does not have this one: whether a kernel does is asked once. */
	if (nr == __NR_io_uring_register && a[1] == DV_IORING_REGISTER_DMABUF_ANY_FILE) {
		errno = EINVAL;
		return -1;
	}
	if (nr != __NR_io_uring_register || a[1] != IORING_REGISTER_BUFFERS_UPDATE ||
	    !(((struct dv_uring_update2 *)a[2])->flags & DV_IORING_RSRC_UPDATE_EXTENDED))
		return __real_syscall(nr, a[0], a[1], a[2], a[3]);
	pthread_mutex_lock(&lock);
	rc = update((int)a[0], (struct dv_uring_update2 *)a[2]);
	pthread_mutex_unlock(&lock);
	if (rc >= 0)
		return rc;
	errno = -rc;
	return -1;
}

int __wrap_io_uring_register_buffers_update_tag(struct io_uring *ring, unsigned int off, const struct iovec *iov,
						const __u64 *tags, unsigned int nr)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nr; i++)
		drop(find(ring->ring_fd, off + i));
	pthread_mutex_unlock(&lock);
	return __real_io_uring_register_buffers_update_tag(ring, off, iov, tags, nr);
}

void __wrap_io_uring_queue_exit(struct io_uring *ring)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = nr_regs; i-- > 0;)
		if (regs[i].ring_fd == ring->ring_fd)
			drop(&regs[i]);
	pthread_mutex_unlock(&lock);
	__real_io_uring_queue_exit(ring);
}

static bool same_file(int a, int b)
{
	long rc = __real_syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, a, b);

	return rc < 0 ? inode(a) == inode(b) : !rc;
}

static bool in_hole(int fd, uint64_t off, uint64_t len)
{
	off_t at;

	for (unsigned int i = 0; i < fake.nr_holes; i++)
		if (off < fake.hole[i].off + fake.hole[i].len && fake.hole[i].off < off + len)
			return true;
	if (!fake.real_holes)
		return false;
	at = lseek(fd, off, SEEK_HOLE);
	return at < 0 || (uint64_t)at < off + len;
}

static int rule(int res)
{
	fake.wrong++;
	return res;
}

static int inject(int res)
{
	fake.injected++;
	return res;
}

/* What the kernel would say to it before any byte moves: -errno, or 0. */
static int check_io(const struct io_uring_sqe *sqe, const struct reg *g)
{
	if (!same_file(sqe->fd, g->target))
		return rule(-EBADF);
	if (sqe->addr > g->size || sqe->len > g->size - sqe->addr)
		return rule(-EFAULT);
	if (!(fcntl(sqe->fd, F_GETFL) & O_DIRECT))
		return rule(-EINVAL);
	if (fake.io_err && fake.io_err_left && fake.io_err_left--)
		return inject(fake.io_err);
	if (is_revoked(g->ino))
		return inject(-EREMOTEIO);
	if (rnd(1000) < fake.eagain)
		return inject(-EAGAIN);
	return in_hole(sqe->fd, sqe->off, sqe->len) ? inject(-EOPNOTSUPP) : 0;
}

static void rewrite(struct io_uring *ring, struct io_uring_sqe *sqe)
{
	const struct reg *g;
	int rc;

	if (sqe->opcode != IORING_OP_READ_FIXED && sqe->opcode != IORING_OP_WRITE_FIXED)
		return;
	g = find(ring->ring_fd, sqe->buf_index);
	if (!g)
		return;
	rc = check_io(sqe, g);
	if (rc) {
		pending[nr_pending].ring_fd = ring->ring_fd;
		pending[nr_pending].user_data = sqe->user_data;
		pending[nr_pending++].res = rc;
		sqe->opcode = IORING_OP_NOP;
		sqe->buf_index = 0;
		sqe->addr = sqe->off = sqe->len = 0;
		return;
	}
	fake.ios++;
	sqe->opcode = sqe->opcode == IORING_OP_READ_FIXED ? IORING_OP_READ : IORING_OP_WRITE;
	sqe->addr += (uintptr_t)g->map;
	sqe->buf_index = 0;
	if (sqe->len > 8192 && rnd(1000) < fake.shorts)
		sqe->len = inject(sqe->len / 2 & ~4095u);
}

static void before(struct io_uring *ring)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		rewrite(ring, &ring->sq.sqes[i & ring->sq.ring_mask]);
	pthread_mutex_unlock(&lock);
}

static void answer(struct io_uring *ring, struct io_uring_cqe *cqe)
{
	for (unsigned int i = 0; i < nr_pending; i++) {
		if (pending[i].ring_fd != ring->ring_fd || pending[i].user_data != cqe->user_data)
			continue;
		cqe->res = pending[i].res;
		pending[i] = pending[--nr_pending];
		return;
	}
}

static int after(struct io_uring *ring, int rc)
{
	unsigned int tail = io_uring_smp_load_acquire(ring->cq.ktail);

	pthread_mutex_lock(&lock);
	for (unsigned int i = *ring->cq.khead; i != tail && nr_pending; i++)
		answer(ring, &ring->cq.cqes[i & ring->cq.ring_mask]);
	pthread_mutex_unlock(&lock);
	return rc;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	before(ring);
	return after(ring, __real_io_uring_submit(ring));
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n)
{
	before(ring);
	return after(ring, __real_io_uring_submit_and_wait(ring, n));
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
	before(ring);
	return after(ring, __real_io_uring_submit_and_get_events(ring));
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask)
{
	before(ring);
	return after(ring, __real_io_uring_submit_and_wait_timeout(ring, cqe, n, ts, mask));
}
