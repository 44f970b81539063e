/* SPDX-License-Identifier: MIT */
/* Interface to io_uring: setup, the registered buffer table, waiting. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "core/err.h"
#include "kern/uring.h"
#include "kern/uapi/uring_dmabuf.h"
#include "kern/uapi/zcrx.h"

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

/* Sets of setup flags, best first; an older kernel returns -EINVAL for flags it does not support. */
static const unsigned int setup_own[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0
};

#define ZCRX_SETUP (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | \
		    IORING_SETUP_R_DISABLED | IORING_SETUP_CQE32 | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)
#define ZCRX_CQES 16384 /* one per packet: the kernel ends the multishot request if the CQ is full */

static int setup_zcrx(struct dv_queue *q, unsigned int entries)
{
	struct io_uring_params p = {
		.flags = ZCRX_SETUP,
		.cq_entries = entries < ZCRX_CQES / 4 ? ZCRX_CQES : 4 * entries,
	};
	int rc = io_uring_queue_init_params(2 * entries, &q->own, &p);

	if (rc)
		return dv_err(rc == -EINVAL || rc == -ENOSYS ? -EOPNOTSUPP : rc,
			      "ring: DEVIO_RING_ZCRX: io_uring_setup: not supported by this kernel or not allowed for "
			      "this process (%s): needs Linux 6.16 and kernel.io_uring_disabled=0", dv_errno_name(rc));
	q->uring = &q->own;
	q->disabled = q->big = true;
	return 0;
}

static int setup(struct dv_queue *q, unsigned int entries, unsigned int flags)
{
	size_t i = flags & DV_QUEUE_SHARED ? 1 : 0;
	int rc = -EINVAL;

	for (; rc == -EINVAL && i < sizeof(setup_own) / sizeof(setup_own[0]); i++) {
		struct io_uring_params p = { .flags = setup_own[i] | IORING_SETUP_CLAMP };

		rc = io_uring_queue_init_params(2 * entries, &q->own, &p);
		if (rc)
			continue;
		q->uring = &q->own;
		q->plain = true;
		q->disabled = p.flags & IORING_SETUP_R_DISABLED;
	}
	return rc;
}

int dv_queue_init(struct dv_queue *q, unsigned int entries, unsigned int flags)
{
	int rc = flags & DV_QUEUE_NO_URING ? -ENOSYS :
		 flags & DV_QUEUE_ZCRX ? setup_zcrx(q, entries) : setup(q, entries, flags);

	q->event_fd = -1;
	q->entries = entries;
	if (!rc)
		return 0;
	if (flags & DV_QUEUE_ZCRX && rc == -ENOSYS)
		return dv_err(-EOPNOTSUPP, "ring: DEVIO_RING_ZCRX needs io_uring, which is disabled for this context");
	if (flags & DV_QUEUE_ZCRX)
		return rc;
	/* Out of descriptors: falling back to threads would hide a problem that the caller can solve. */
	if (rc == -EMFILE || rc == -ENFILE)
		return dv_err(rc, "ring: io_uring_setup: no free file descriptor (see RLIMIT_NOFILE)");
	q->no_uring = rc;
	return dv_pool_open(entries, &q->pool);
}

void dv_queue_borrow(struct dv_queue *q, struct io_uring *uring, uint32_t first, uint32_t count)
{
	q->uring = uring;
	q->borrowed = true;
	q->event_fd = -1;
	q->table_first = first;
	q->table_count = count;
}

void dv_queue_exit(struct dv_queue *q)
{
	if (q->pool) {
		dv_pool_close(q->pool); /* closes event_fd, too */
		return;
	}
	if (q->uring && !q->borrowed)
		io_uring_queue_exit(q->uring);
	if (q->event_fd >= 0)
		close(q->event_fd);
}

int dv_queue_table(struct dv_queue *q)
{
	int rc;

	if (q->table_count)
		return 0;
	if (!q->uring || q->borrowed)
		return -EOPNOTSUPP;
	rc = io_uring_register_buffers_sparse(q->uring, q->table_want);
	if (!rc)
		q->table_count = q->table_want;
	return rc;
}

int dv_queue_register(struct dv_queue *q, uint32_t slot, void *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };
	__u64 tag = 0;
	int rc;

	if (slot >= q->table_count)
		return -EOPNOTSUPP;
	rc = io_uring_register_buffers_update_tag(q->uring, q->table_first + slot, &iov, &tag, 1);
	return rc < 0 ? rc : 0;
}

static int update_extended(struct dv_queue *q, unsigned int opcode, uint32_t slot,
			   const struct dv_uring_regbuf_desc *desc)
{
	struct dv_uring_update2 up = {
		.offset = q->table_first + slot,
		.flags = DV_IORING_RSRC_UPDATE_EXTENDED,
		.data = (uintptr_t)desc,
		.nr = 1,
	};
	long rc = syscall(__NR_io_uring_register, q->uring->ring_fd, opcode, &up, sizeof(up));

	return rc < 0 ? -errno : 0;
}

int dv_queue_register_dmabuf(struct dv_queue *q, uint32_t slot, int dmabuf_fd, int target_fd, bool any_file)
{
	/* The kernel registers the entire dma-buf and requires a size of 0. */
	struct dv_uring_regbuf_desc desc = {
		.type = DV_REGBUF_DMABUF, .dmabuf_fd = dmabuf_fd, .target_fd = target_fd,
	};
	unsigned int opcode = any_file ? DV_IORING_REGISTER_DMABUF_ANY_FILE : IORING_REGISTER_BUFFERS_UPDATE;

	return slot < q->table_count ? update_extended(q, opcode, slot, &desc) : -EOPNOTSUPP;
}

int dv_queue_unregister(struct dv_queue *q, uint32_t slot)
{
	return dv_queue_register(q, slot, NULL, 0);
}

bool dv_queue_has_dmabuf(struct dv_queue *q)
{
	static _Atomic int known; /* 0: not tried, 1: yes, 2: no */
	struct dv_uring_regbuf_desc empty = { .type = DV_REGBUF_EMPTY };
	int rc, k = atomic_load_explicit(&known, memory_order_relaxed);

	if (k)
		return k == 1;
	if (!q->uring || !q->table_count)
		return false;
	rc = update_extended(q, IORING_REGISTER_BUFFERS_UPDATE, q->table_count - 1, &empty);
	/* Any other error is specific to this ring (invalid slots, no memory) and proves nothing. */
	if (!rc || rc == -EINVAL)
		atomic_store_explicit(&known, rc ? 2 : 1, memory_order_relaxed);
	return !rc;
}

bool dv_queue_has_any_file(struct dv_queue *q)
{
	static _Atomic int known; /* 0: not tried, 1: yes, 2: no */
	struct dv_uring_regbuf_desc none = {
		.type = DV_REGBUF_DMABUF, .dmabuf_fd = -1, .target_fd = -1,
	};
	int rc, k = atomic_load_explicit(&known, memory_order_relaxed);

	if (k)
		return k == 1;
	/* -1 is no descriptor: a kernel that has the opcode returns -EBADF, another one -EINVAL. */
	rc = update_extended(q, DV_IORING_REGISTER_DMABUF_ANY_FILE, q->table_count - 1, &none);
	if (rc == -EBADF || rc == -EINVAL)
		atomic_store_explicit(&known, rc == -EBADF ? 1 : 2, memory_order_relaxed);
	return rc == -EBADF;
}

static int enable(struct dv_queue *q)
{
	int rc;

	if (!q->disabled)
		return 0;
	/* Raw system call: liburing 2.3 does not export io_uring_enable_rings(). */
	rc = syscall(__NR_io_uring_register, q->uring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (rc)
		return dv_err(-errno, "ring: cannot enable the io_uring: IORING_REGISTER_ENABLE_RINGS failed");
	q->disabled = false;
	return 0;
}

int dv_queue_enter(struct dv_queue *q, unsigned int wait_nr, int64_t timeout_ns)
{
	struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000 };
	struct io_uring_cqe *cqe;
	int rc;

	if (!q->uring)
		return dv_pool_enter(q->pool, wait_nr, timeout_ns);
	rc = enable(q);
	if (rc)
		return rc;
	/* With entries to submit, submission and wait are one system call, without polling. */
	if (wait_nr && !io_uring_sq_ready(q->uring))
		dv_spin(&q->spin, q->uring, wait_nr, timeout_ns);
	if (!wait_nr)
		rc = io_uring_submit_and_get_events(q->uring);
	else
		rc = io_uring_submit_and_wait_timeout(q->uring, &cqe, wait_nr, timeout_ns < 0 ? NULL : &ts, NULL);
	if (rc == -EBUSY || rc == -EAGAIN) /* completions must be reaped first, which the caller does next */
		return 0;
	if (rc < 0 && rc != -ETIME && rc != -EINTR)
		return dv_err(rc, rc == -EEXIST ? "ring: io_uring_enter: called from another thread than the ring's; "
			      "see DEVIO_RING_SHARED" : "ring: io_uring_enter failed");
	return rc < 0 ? rc : 0;
}

unsigned int dv_queue_ready(struct dv_queue *q)
{
	return q->uring ? io_uring_sq_ready(q->uring) : dv_pool_ready(q->pool);
}

unsigned int dv_queue_unsent(struct dv_queue *q)
{
	const struct io_uring_sq *sq = &q->own.sq;
	unsigned int n = 0;

	for (unsigned int i = sq->sqe_tail - io_uring_sq_ready(q->uring); i != sq->sqe_tail; i++) {
		int op = sq->sqes[i & sq->ring_mask].opcode;

		n += op != IORING_OP_ASYNC_CANCEL && op != IORING_OP_TIMEOUT;
	}
	return n;
}

/* Are n entries free, beyond those that reads and writes take without checking? */
static bool has_room(struct dv_queue *q, unsigned int n)
{
	if (q->borrowed)
		return io_uring_sq_space_left(q->uring) >= n;
	if (q->entries + io_uring_sq_ready(q->uring) + n > q->uring->sq.ring_entries)
		(void)dv_queue_enter(q, 0, 0);
	return q->entries + io_uring_sq_ready(q->uring) + n <= q->uring->sq.ring_entries;
}

static void prepare(struct io_uring_sqe *sqe, const struct dv_net *n)
{
	void *addr = (void *)(uintptr_t)n->addr;

	switch (n->what) {
	case DV_NET_RECV:
		io_uring_prep_recv(sqe, n->fd, addr, n->len, n->flags);
		break;
	case DV_NET_SEND:
		io_uring_prep_send(sqe, n->fd, addr, n->len, n->flags);
		break;
	case DV_NET_RECVMSG:
		io_uring_prep_recvmsg(sqe, n->fd, addr, (unsigned int)n->flags);
		break;
	case DV_NET_SENDMSG:
		io_uring_prep_sendmsg(sqe, n->fd, addr, (unsigned int)n->flags);
		break;
	case DV_NET_RECV_ZC:
		io_uring_prep_rw(DV_IORING_OP_RECV_ZC, sqe, n->fd, NULL, n->len, 0);
		sqe->ioprio = IORING_RECV_MULTISHOT;
		sqe->splice_fd_in = (int32_t)n->addr;
		break;
	case DV_NET_PAUSE:
		io_uring_prep_timeout(sqe, n->timeout, 0, 0);
		break;
	case DV_NET_POLL_ERR:
		io_uring_prep_poll_add(sqe, n->fd, POLLERR);
		break;
	default:
		io_uring_prep_poll_add(sqe, n->fd, n->what == DV_NET_POLL_IN ? POLLIN | POLLRDHUP : POLLOUT);
		break;
	}
}

int dv_queue_net(struct dv_queue *q, const struct dv_net *n, void *user_data, void *done_data, unsigned int *nr_cqes)
{
	struct io_uring_sqe *sqe;

	*nr_cqes = 1;
	if (!q->uring)
		return dv_pool_net(q->pool, n, user_data);
	if (!has_room(q, n->timeout ? 2 : 1))
		return -EAGAIN;
	sqe = io_uring_get_sqe(q->uring);
	prepare(sqe, n);
	sqe->user_data = (uintptr_t)user_data;
	if (!n->timeout || n->what == DV_NET_PAUSE)
		return 0;
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(q->uring);
	io_uring_prep_link_timeout(sqe, n->timeout, 0);
	sqe->user_data = (uintptr_t)done_data;
	*nr_cqes = 2;
	return 0;
}

int dv_queue_cancel(struct dv_queue *q, void *user_data, void *done_data)
{
	struct io_uring_sqe *sqe;

	if (!q->uring) {
		dv_pool_cancel(q->pool, user_data);
		return 0;
	}
	/* Reads and writes take entries without checking: leave enough for all of them. */
	if (!has_room(q, 1))
		return -EAGAIN;
	sqe = io_uring_get_sqe(q->uring);
	io_uring_prep_cancel(sqe, user_data, 0);
	sqe->user_data = (uintptr_t)done_data;
	return 0;
}

int dv_queue_timer(struct dv_queue *q, struct __kernel_timespec *ts, void *done_data)
{
	struct io_uring_sqe *sqe = q->uring ? io_uring_get_sqe(q->uring) : NULL;

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_timeout(sqe, ts, 0, 0);
	sqe->user_data = (uintptr_t)done_data;
	return 0;
}

int dv_queue_fd(struct dv_queue *q)
{
	int fd, rc;

	if (!q->uring)
		return q->event_fd = dv_pool_fd(q->pool);
	if (q->borrowed)
		return dv_err(-EOPNOTSUPP, "ring: an attached ring has no descriptor: poll the application's io_uring");
	if (q->event_fd >= 0)
		return q->event_fd;
	rc = enable(q);
	if (rc)
		return rc;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return dv_err(-errno, "ring: cannot create an eventfd for the pollable descriptor");
	rc = io_uring_register_eventfd(q->uring, fd);
	if (rc) {
		close(fd);
		return dv_err(rc, "ring: IORING_REGISTER_EVENTFD failed");
	}
	return q->event_fd = fd;
}

void dv_queue_fd_drain(struct dv_queue *q)
{
	uint64_t n;

	if (q->event_fd >= 0 && read(q->event_fd, &n, sizeof(n)) < 0)
		return; /* it was not readable */
}

void dv_queue_fd_raise(struct dv_queue *q)
{
	uint64_t one = 1;

	if (q->event_fd >= 0 && write(q->event_fd, &one, sizeof(one)) < 0)
		return; /* counter full: already readable */
}
