/* SPDX-License-Identifier: MIT */
/*
 * Interface to io_uring: a queue of reads, writes and steps on connections. It is an
 * io_uring of our own, the application's, or, where io_uring is not available, a
 * thread pool (pool.h).
 */
#ifndef DV_KERN_URING_H
#define DV_KERN_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <liburing.h>
#include "kern/pool.h"
#include "kern/spin.h"

struct dv_queue {
	struct io_uring *uring;    /* NULL: the thread pool is used instead */
	struct dv_pool *pool;
	struct io_uring own;
	bool borrowed;             /* the application's ring: it submits and reaps */
	bool disabled;             /* created with R_DISABLED: enable before the first submission */
	bool plain, big;           /* our own ring with 16-byte completions; with 32-byte ones (CQE32) */
	int no_uring;              /* -errno of io_uring_setup if the thread pool is used */
	unsigned int entries;      /* I/Os in flight at most */
	struct dv_spin spin;       /* .ns: set by the ring that owns the queue */
	int event_fd;              /* registered eventfd, created on demand; -1: none yet */
	uint32_t table_first;      /* our first slot in the registered buffer table */
	uint32_t table_count;      /* number of slots, 0: none (yet) */
	uint32_t table_want;
};

/* One transfer. buf >= 0: a registered buffer, and addr as READ_FIXED expects it. */
struct dv_rw {
	bool write;
	int fd;
	int buf;
	uint32_t len;
	uint64_t addr;
	uint64_t off;
};

#define DV_QUEUE_NO_URING (1u << 0)  /* do not try io_uring */
#define DV_QUEUE_SHARED   (1u << 1)  /* several threads take turns */
#define DV_QUEUE_ZCRX     (1u << 2)  /* set up for zero-copy receive, or -EOPNOTSUPP */

/*
 * entries: I/Os in flight at most, up to 32002; the submission queue is larger, twice
 * that if possible, to have room for cancellations. 0, or -errno with an error message.
 */
int dv_queue_init(struct dv_queue *q, unsigned int entries, unsigned int flags);
void dv_queue_borrow(struct dv_queue *q, struct io_uring *uring, uint32_t first, uint32_t count);
void dv_queue_exit(struct dv_queue *q);

/* Registers a sparse buffer table of table_want slots if there is none yet. */
int dv_queue_table(struct dv_queue *q);

/* Registers [addr, addr + len) in a slot, counted from our first. */
int dv_queue_register(struct dv_queue *q, uint32_t slot, void *addr, size_t len);

/*
 * Posted upstream (v7): registers a dma-buf in a slot, for I/O on target_fd; with any_file (see
 * dv_queue_has_any_file()) on every file of its disk.
 */
int dv_queue_register_dmabuf(struct dv_queue *q, uint32_t slot, int dmabuf_fd, int target_fd, bool any_file);
int dv_queue_unregister(struct dv_queue *q, uint32_t slot);

/* Does this kernel support dma-bufs as fixed buffers? Probed once per process. */
bool dv_queue_has_dmabuf(struct dv_queue *q);
/* Does one registration serve all files of a disk? Needs the patches in kernel/. */
bool dv_queue_has_any_file(struct dv_queue *q);

/*
 * Submits what is queued, then waits for wait_nr completions or the timeout
 * (timeout_ns < 0: none). 0, -ETIME, -EINTR or -errno.
 */
int dv_queue_enter(struct dv_queue *q, unsigned int wait_nr, int64_t timeout_ns);

/* Is there a completion to take, in the queue or at the next dv_queue_enter()? */
static inline bool dv_queue_has_events(const struct dv_queue *q)
{
	return q->uring && dv_spin_ready(q->uring, 1);
}

/* The number of queued entries not yet submitted. */
unsigned int dv_queue_ready(struct dv_queue *q);

/* The number of these that count as I/O: all except cancellations and the timer. */
unsigned int dv_queue_unsent(struct dv_queue *q);

/* Queues the cancellation of the I/O with that user_data; its own completion has user_data done_data. */
int dv_queue_cancel(struct dv_queue *q, void *user_data, void *done_data);

/*
 * Queues a step on a connection. 0, or -EAGAIN if no queue entry is free. *nr_cqes is
 * the number of completions to expect: 2 with a linked timeout, whose own one has
 * user_data done_data.
 */
int dv_queue_net(struct dv_queue *q, const struct dv_net *n, void *user_data, void *done_data, unsigned int *nr_cqes);

/* Queues a timer: its completion, with user_data done_data, wakes up pollers of the descriptor. */
int dv_queue_timer(struct dv_queue *q, struct __kernel_timespec *ts, void *done_data);

/* A pollable descriptor, created on first use. >= 0 or -errno. */
int dv_queue_fd(struct dv_queue *q);
void dv_queue_fd_drain(struct dv_queue *q);
/* Makes the descriptor readable, if there is one. */
void dv_queue_fd_raise(struct dv_queue *q);

/* The constant parts of a submission queue entry, in the kernel's layout. */
struct dv_frame {
	uint64_t head;             /* opcode, flags, ioprio, fd */
	uint64_t tail;             /* buf_index, personality, file_index */
};
_Static_assert(offsetof(struct io_uring_sqe, fd) == 4 && offsetof(struct io_uring_sqe, len) == 24 &&
	       offsetof(struct io_uring_sqe, user_data) == 32 && offsetof(struct io_uring_sqe, buf_index) == 40 &&
	       sizeof(struct io_uring_sqe) == 64, "kernel ABI");

static inline struct dv_frame dv_queue_frame(const struct dv_queue *q, bool write, int fd, int buf)
{
	struct io_uring_sqe sqe;
	struct dv_frame f;

	__builtin_memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = buf >= 0 ? (write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED) :
				(write ? IORING_OP_WRITE : IORING_OP_READ);
	sqe.fd = fd;
	sqe.buf_index = buf >= 0 ? q->table_first + buf : 0;
	__builtin_memcpy(&f.head, &sqe, sizeof(f.head));
	__builtin_memcpy(&f.tail, &sqe.buf_index, sizeof(f.tail));
	return f;
}

/* Writes all 64 bytes with as few stores as possible. len: less than 4 GiB. */
static inline void dv_queue_fill(struct io_uring_sqe *sqe, const struct dv_frame *f, uint64_t addr, uint64_t len,
				 uint64_t off, void *user_data)
{
	uint64_t len_flags = __BYTE_ORDER == __LITTLE_ENDIAN ? len : len << 32;

	__builtin_memcpy(sqe, &f->head, sizeof(f->head));
	sqe->off = off;
	sqe->addr = addr;
	__builtin_memcpy(&sqe->len, &len_flags, sizeof(len_flags));
	sqe->user_data = (uintptr_t)user_data;
	__builtin_memcpy(&sqe->buf_index, &f->tail, sizeof(f->tail));
	__builtin_memset((char *)sqe + 48, 0, 16);
}

/*
 * A free entry of a submission queue of our own, which is sized so that there
 * always is one for each part (dv_queue_init()).
 */
static inline struct io_uring_sqe *dv_queue_own_sqe(struct dv_queue *q)
{
	struct io_uring_sq *sq = &q->own.sq;

	return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
}

/* An entry of the submission queue, NULL if there is none. */
static inline struct io_uring_sqe *dv_queue_sqe(struct dv_queue *q)
{
	return q->borrowed ? io_uring_get_sqe(q->uring) : dv_queue_own_sqe(q);
}

/* The completion at head in a queue of our own; head must be before the tail. */
static inline const struct io_uring_cqe *dv_queue_cqe(const struct dv_queue *q, unsigned int head)
{
	return &q->own.cq.cqes[head & q->own.cq.ring_mask];
}

/* The same with CQE32, whose completions are 16 bytes longer. */
static inline const struct io_uring_cqe *dv_queue_big_cqe(const struct dv_queue *q, unsigned int head, uint64_t *more)
{
	const struct io_uring_cqe *cqe = &q->own.cq.cqes[(head & q->own.cq.ring_mask) << 1];

	__builtin_memcpy(more, cqe + 1, sizeof(*more));
	return cqe;
}

/* Queues a transfer. 0, or -EAGAIN if no queue entry is free. */
static inline int dv_queue_rw(struct dv_queue *q, const struct dv_rw *rw, void *user_data)
{
	struct dv_frame frame = dv_queue_frame(q, rw->write, rw->fd, rw->buf);
	struct io_uring_sqe *sqe;

	if (!q->uring)
		return dv_pool_queue(q->pool, rw->write, rw->fd, (void *)(uintptr_t)rw->addr, rw->len,
				     rw->off, user_data);
	sqe = dv_queue_sqe(q);
	if (!sqe)
		return -EAGAIN;
	dv_queue_fill(sqe, &frame, rw->addr, rw->len, rw->off, user_data);
	return 0;
}

#endif
