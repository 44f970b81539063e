/* SPDX-License-Identifier: MIT */
/*
 * The ring's inside. An operation (dv_op) is what the caller asked for; it is
 * carried out in parts (dv_part), each one I/O in flight and, where bytes are
 * staged, the copy that follows or precedes it. Offsets inside an operation
 * ("x") count from its first byte: file_off + x in the file, and the same x
 * along its list of memory ranges.
 */
#ifndef DV_RING_H
#define DV_RING_H

#include <stdatomic.h>
#include <devio/ring.h>
#include <devio/stat.h>
#include "kern/uring.h"
#include "ring/staging.h"
#include "mem/mem.h"

struct dv_path;
struct dv_pair;
struct devio_file;
struct devio_sock;
struct devio_nic;

/* How a part moves its bytes; falls back downwards when the kernel refuses. */
enum dv_way {
	DV_WAY_DIRECT,       /* between device and the memory itself */
	DV_WAY_STAGED,       /* O_DIRECT between device and a slot, and a copy */
	DV_WAY_STAGED_CACHE, /* page cache or socket, a slot, and a copy */
	DV_WAY_CACHE,        /* page cache or socket, the kernel copies into the memory */
};

#define DV_PART_COPIES 4

/* The completion's path, better, reason and flags: the same bytes, moved at once. */
struct dv_told {
	uint16_t path, best_unused, reason, flags;
};

/* The use made of a registered buffer. */
struct dv_use {
	uint32_t users;            /* operations in flight */
	uint32_t last;             /* dv_use_now() of the last one that began */
};

/* What a part must remember that carries a whole operation (lib/file/fast.c). */
struct dv_fast {
	struct devio_file *file;   /* NULL: the part is not such a one */
	struct devio_mem *mem;
	uint64_t mem_off;
	uint64_t cookie;
	struct dv_use *use;        /* of the registered buffer, or the ring's no_use */
	struct dv_told told;
};

struct dv_part {
	struct dv_op *op;          /* NULL for one that carries a whole operation */
	struct dv_part *next;      /* in the free list or in the list of copies */
	struct dv_fast fast;
	const struct dv_path *path;
	enum dv_way way;
	uint16_t tries;            /* after EAGAIN and EINTR */
	uint8_t nr_copies;
	uint8_t step;              /* of a connection's part: enum dv_step in sock.h */
	int buf;                   /* registered buffer of the I/O, -1 if none */
	int fd;
	uint64_t addr;             /* of the I/O's first byte, as the kernel wants it */
	uint64_t file_off;         /* of the I/O */
	uint32_t len;              /* of the I/O */
	uint32_t done;             /* bytes of it so far */
	uint64_t x;                /* first payload byte in the operation */
	uint32_t skip;             /* staged: bytes of the slot before it */
	uint32_t take;             /* payload bytes */
	struct dv_part *held;      /* sock-devmem: the next that the kernel still reads from */
	uint32_t pauses;           /* ... and how often this one found no room though there was said to be some */
	uint32_t zc_first, zc_n, zc_left; /* its sends, by the kernel's count; how many the kernel has not let go of */
	int64_t since;             /* sock-zcrx: when it last got bytes, 0 before it is asked */
	bool enough;               /* ... and its request was cancelled, since it has some */
	struct dv_slot slot;
	struct dv_copy copy[DV_PART_COPIES];
	struct devio_mem *copy_mem[DV_PART_COPIES];
};

#define DV_FEW_RANGES 8

struct dv_op {
	struct devio_file *file;   /* one of the two: */
	struct devio_sock *sock;
	struct dv_op *behind;      /* sock: the stream's next operation */
	struct devio_mem *mem;     /* of the first range; paths are chosen by it */
	const struct dv_path *path;
	struct dv_op *next;        /* in the free list or in the list of waiting operations */
	struct devio_range few[DV_FEW_RANGES]; /* the usual case needs no allocation */
	struct devio_range *ranges;
	uint32_t nr_ranges;
	uint32_t cur;              /* range in which `issued` lies ... */
	uint64_t cur_x;            /* ... and the x of its first byte */
	uint64_t cookie;
	uint64_t file_off;
	uint64_t len;
	uint64_t issued;           /* [0, issued) has been given to parts */
	uint64_t eof_x;            /* where the file turned out to end */
	uint64_t fail_x;           /* lowest byte that failed ... */
	int err;                   /* ... and how */
	uint32_t parts;            /* in flight */
	uint64_t by_way[4];        /* bytes that went each way */
	uint64_t landed;           /* sock-devmem, sock-zcrx: bytes that the NIC wrote into device memory */
	struct devio_frag *frags;  /* the caller's, for pieces where they lie; NULL: in place */
	void *frag_host;
	uint32_t max_frags, nr_frags;
	struct { uint64_t x, len; } edge[2]; /* writes: what follows through the page cache */
	uint8_t nr_edges;
	uint8_t best_unused, reason, fail_reason;
	uint16_t tried;            /* paths that the kernel refused for this operation */
	uint16_t flags;            /* DEVIO_DONE_* */
	uint32_t want;             /* DEVIO_FILE_* or DEVIO_SOCK_* */
	int hint;                  /* file-dmabuf: where its registration was last, */
	int buf;                   /* the slot of the buffer table that it holds (-1: none), and */
	uint64_t dmabuf_off;       /* where byte 0 of mem lies in the dma-buf */
	bool write, forced, canceled, waiting, restart, active;
	bool lacks_buf;            /* waits for a slot of the buffer table, not for parts or staging */
};

#define DV_PAIRS 64

struct devio_ring {
	struct devio_ctx *ctx;
	struct dv_queue q;
	struct dv_slots slots;
	unsigned int flags;
	unsigned int nr_ops, nr_parts;
	unsigned int room;         /* how many more may come: completions not yet taken count as there */
	unsigned int nr_io;        /* parts with the kernel or a thread */
	unsigned int nr_staged;    /* those with a copy to come, and streams in use: each answer leads to more */
	uint64_t copied;           /* bytes copied by the CPU in this turn */
	struct dv_op *ops, *free_ops;
	struct dv_part *parts, *free_parts;
	struct dv_part *copying;   /* parts whose copy runs on the device */
	struct dv_part *stalled;   /* parts for which the queue had no room */
	struct dv_op *wait_head, **wait_tail; /* operations that wait for parts, slots or queue entries */
	struct devio_completion *done; /* finished, circular */
	unsigned int done_mask, done_head, done_tail;
	/* The array of a caller who waits: completions go there without a detour. */
	struct devio_completion *sink, *sink_end, *sink_begin;
	unsigned int plan_gen;     /* plans of an older generation are void */
	struct dv_use no_use;      /* what plans without a registered buffer count on */
	struct dv_pair *last;      /* the pair that was asked for last */
	struct dv_pair *pairs;     /* DV_PAIRS, what is known about (file, memory) */
	struct dv_regs *regs;      /* cache of registered dma-bufs, made when needed */
	uint32_t dmabuf_slots;
	bool timer_armed;
	bool owes_cancel;          /* a cancellation found no room */
	bool owes_refill;          /* sock-zcrx: buffers wait for room on their way back to the NIC */
	bool closing;              /* connections are aborted rather than waited for */
	unsigned int closings;     /* dv_closings when the caches were last swept */
	struct dv_part *zc_part;   /* sock-zcrx: whose pieces are collected */
	struct devio_nic *nics;    /* that were set up for this ring */
	struct __kernel_timespec timer;
	struct devio_ring *next, **prev; /* in ctx->rings */
	struct devio_stat stat;    /* written by the ring's thread alone, relaxed */
};

/* Adds to a counter that other threads may read. */
static inline void dv_stat_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* The clock of what was used when: batches, which is fine enough to find the oldest. */
static inline uint32_t dv_use_now(const struct devio_ring *r)
{
	return (uint32_t)r->stat.enters;
}

/* Operations in flight, without the finished ones. */
static inline unsigned int dv_ring_active(const struct devio_ring *r)
{
	return r->nr_ops - r->room - (r->done_tail - r->done_head);
}

/* Where the next completion goes. */
static inline struct devio_completion *dv_ring_done(struct devio_ring *r)
{
	if (r->sink != r->sink_end) {
		r->room++;
		return r->sink++;
	}
	return &r->done[r->done_tail++ & r->done_mask];
}

/* lib/ring/ring.c */
int dv_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *o, struct io_uring *borrowed,
		 uint32_t buf_first, uint32_t buf_count, struct devio_ring **out);
int dv_ring_check(const struct devio_ring *r);
/* Drives the ring: reaps, copies, goes on; waits for at most timeout_ns if nothing was ready. */
int dv_ring_step(struct devio_ring *r, unsigned int want, int64_t timeout_ns);
/* A completion of the kernel: ours? */
bool dv_ring_event(struct devio_ring *r, uint64_t user_data, int res);
/* Makes operations (that can be cancelled) of what is in flight as parts alone. */
void dv_ring_promote_all(struct devio_ring *r);
/* Everything that can go on without the kernel's help. */
void dv_ring_progress(struct devio_ring *r);
/* The memory alone; everything else was given back. */
void dv_ring_free(struct devio_ring *r);

/* lib/ring/close.c: closes a ring whose context is not held by it; NULL is allowed. */
void dv_ring_free_idle(struct devio_ring *r);

/* lib/ring/op.c */
int dv_op_start(struct devio_ring *r, const struct devio_io *io);
/* What operations of files and connections have in common; *out is not linked to either. */
int dv_op_take(struct devio_ring *r, const struct devio_range *ranges, uint32_t nr, struct dv_op **out);
void dv_op_init(struct dv_op *op, uint64_t len, uint64_t cookie, bool write);
int dv_op_check_ranges(const struct devio_ctx *ctx, const struct devio_range *ranges, uint32_t nr, uint64_t *len);
/* Puts it behind those that wait for parts, slots or queue entries. */
void dv_op_wait(struct devio_ring *r, struct dv_op *op);
/* The completion; op is free afterwards. */
void dv_op_finish(struct devio_ring *r, struct dv_op *op);
/* The arguments of an operation: 0 and its length, or -errno with its sentence. */
int dv_op_check(const struct devio_ctx *ctx, const struct devio_io *io, uint64_t *len);
void dv_op_advance(struct devio_ring *r, struct dv_op *op);
void dv_op_fail(struct dv_op *op, uint64_t x, int err, enum devio_reason why);
/* Lets go of file and memories, and of nothing else. */
void dv_op_forget(struct dv_op *op);
void dv_op_cancel(struct devio_ring *r, struct dv_op *op);

/* An operation for a part that carried a whole one alone and cannot any more. */
void dv_op_promote(struct devio_ring *r, struct dv_part *p);

/* lib/file/fast.c: takes what the kernel has completed. */
void dv_fast_reap(struct devio_ring *r);
/* The completion of a part that carries a whole operation. */
void dv_fast_event(struct devio_ring *r, struct dv_part *p, int res);
/* Remembers how op goes, for those that are like it. */
void dv_fast_learn(struct devio_ring *r, const struct dv_op *op);

/* lib/ring/part.c: parts, for the paths */
/* A zeroed part of op for bytes [x, x + take), counted in op->parts; NULL: wait. */
struct dv_part *dv_part_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Hands the I/O to the queue, or keeps the part until there is room. */
void dv_part_queue(struct devio_ring *r, struct dv_part *p);
/* Staged: starts the copy between slot and memory; a write is queued after it. */
void dv_part_copy(struct devio_ring *r, struct dv_part *p);
/* The part has ended, payload bytes of it were moved. */
void dv_part_finish(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* The next step of a part after the kernel's answer, and after a device copy. */
void dv_part_event(struct devio_ring *r, struct dv_part *p, int res);
/* Looks after the copies that run; with wait it blocks until the first one has ended. */
void dv_part_poll_copies(struct devio_ring *r, bool wait);

#endif
