/* SPDX-License-Identifier: MIT */
/*
 * The border to io_uring: a queue of reads and writes. It is an io_uring of
 * ours, one that the application lent, or (where io_uring is forbidden) a few
 * threads that call preadv (pool.h); callers see no difference but in
 * dv_queue_fixed().
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
	struct io_uring *uring;    /* NULL: the pool works instead */
	struct dv_pool *pool;
	struct io_uring own;
	bool borrowed;             /* the application's: it submits and reaps */
	bool disabled;             /* made with R_DISABLED: enable before the first submission */
	bool plain, big;           /* ours, with completions of 16 bytes; with those of 32 */
	int no_uring;              /* -errno of io_uring_setup where the pool works */
	unsigned int entries;      /* I/Os in flight at most */
	struct dv_spin spin;       /* .ns: set by who opens the queue */
	int event_fd;              /* registered eventfd, -1 until asked for */
	uint32_t table_first;      /* our slots of the registered buffer table */
	uint32_t table_count;      /* 0: none (yet) */
	uint32_t table_want;
};

/* One transfer. buf >= 0: a registered buffer, addr then as READ_FIXED wants it. */
struct dv_rw {
	bool write;
	int fd;
	int buf;
	uint32_t len;
	uint64_t addr;
	uint64_t off;
};

#define DV_QUEUE_NO_URING (1u << 0)  /* do not even try io_uring */
#define DV_QUEUE_SHARED   (1u << 1)  /* several threads take turns */
#define DV_QUEUE_ZCRX     (1u << 2)  /* as zero-copy receive wants it, or -EOPNOTSUPP */

/*
 * entries: I/Os in flight at most, 32002 at most; the submission queue has room
 * for more, twice that if it can, for cancellations. 0 or -errno with its sentence.
 */
int dv_queue_init(struct dv_queue *q, unsigned int entries, unsigned int flags);
void dv_queue_borrow(struct dv_queue *q, struct io_uring *uring, uint32_t first, uint32_t count);
void dv_queue_exit(struct dv_queue *q);

/* Makes the buffer table of table_want empty slots if there is none yet. */
int dv_queue_table(struct dv_queue *q);

/* Registers [addr, addr + len) as slot (0-based of ours). */
int dv_queue_register(struct dv_queue *q, uint32_t slot, void *addr, size_t len);

/*
 * Linux 7.4: a dma-buf as slot, for I/O on target_fd; with any_file (see
 * dv_queue_has_any_file()) on every file of its disk.
 */
int dv_queue_register_dmabuf(struct dv_queue *q, uint32_t slot, int dmabuf_fd, int target_fd, bool any_file);
int dv_queue_unregister(struct dv_queue *q, uint32_t slot);

/* Does this kernel take dma-bufs as fixed buffers? Tried once per process. */
bool dv_queue_has_dmabuf(struct dv_queue *q);
/* Does one registration serve all files of a disk? With the series in kernel/. */
bool dv_queue_has_any_file(struct dv_queue *q);

/*
 * Submits what is queued, waits for wait_nr completions or the time-out
 * (timeout_ns < 0: for ever). 0, -ETIME, -EINTR or -errno.
 */
int dv_queue_enter(struct dv_queue *q, unsigned int wait_nr, int64_t timeout_ns);

/* Is there a completion to take, in the queue or at the next dv_queue_enter()? */
static inline bool dv_queue_has_events(const struct dv_queue *q)
{
	return q->uring && dv_spin_sees(q->uring, 1);
}

/* How much is queued that the kernel has not seen. */
unsigned int dv_queue_ready(struct dv_queue *q);

/* How many of these will be counted as I/O: all but cancellations and the timer. */
unsigned int dv_queue_unsent(struct dv_queue *q);

/* Asks the kernel to cancel the I/O with that user_data; its own answer comes as `answer`. */
int dv_queue_cancel(struct dv_queue *q, void *user_data, void *answer);

/*
 * 0, or -EAGAIN when no queue entry is free. With a timeout a second answer
 * comes, with user_data `answer`, if *answers is then 2.
 */
int dv_queue_net(struct dv_queue *q, const struct dv_net *n, void *user_data, void *answer, unsigned int *answers);

/* A completion with user_data `answer` after ns: wakes those who poll the descriptor. */
int dv_queue_timer(struct dv_queue *q, struct __kernel_timespec *ts, void *answer);

/* A pollable descriptor, made on first use. >= 0 or -errno. */
int dv_queue_fd(struct dv_queue *q);
void dv_queue_fd_drain(struct dv_queue *q);
/* Makes the descriptor readable by hand, where one exists. */
void dv_queue_fd_raise(struct dv_queue *q);

/* What entries of one kind have in common, in the kernel's layout. */
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

/* All 64 bytes, in as few stores as can be. */
static inline void dv_queue_fill(struct io_uring_sqe *sqe, const struct dv_frame *f, uint64_t addr, uint32_t len,
				 uint64_t off, void *user_data)
{
	uint64_t len_flags = __BYTE_ORDER == __LITTLE_ENDIAN ? len : (uint64_t)len << 32;

	__builtin_memcpy(sqe, &f->head, sizeof(f->head));
	sqe->off = off;
	sqe->addr = addr;
	__builtin_memcpy(&sqe->len, &len_flags, sizeof(len_flags));
	sqe->user_data = (uintptr_t)user_data;
	__builtin_memcpy(&sqe->buf_index, &f->tail, sizeof(f->tail));
	__builtin_memset((char *)sqe + 48, 0, 16);
}

/*
 * An entry of a submission queue of ours, which is made so large that there
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

/* The next completion of a queue of ours, before `tail`. */
static inline const struct io_uring_cqe *dv_queue_cqe(const struct dv_queue *q, unsigned int head)
{
	return &q->own.cq.cqes[head & q->own.cq.ring_mask];
}

/* The same of a big one, which has 16 bytes more. */
static inline const struct io_uring_cqe *dv_queue_big_cqe(const struct dv_queue *q, unsigned int head, uint64_t *more)
{
	const struct io_uring_cqe *cqe = &q->own.cq.cqes[(head & q->own.cq.ring_mask) << 1];

	__builtin_memcpy(more, cqe + 1, sizeof(*more));
	return cqe;
}

/* 0, or -EAGAIN when no queue entry is free. */
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
