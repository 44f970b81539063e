/* SPDX-License-Identifier: MIT */
/*
 * Internals of the ring. An operation (dv_op) is a request of the caller. It is executed
 * in parts (dv_part): each is one I/O in flight and, if the bytes are staged, the copy
 * that follows or precedes it. Offsets inside an operation ("x") count from its first
 * byte: off + x in the file, and the same x along its list of memory ranges.
 */
#ifndef DV_RING_ENGINE_H
#define DV_RING_ENGINE_H

#include <stdatomic.h>
#include <devio/ring.h>
#include "core/ctx.h"
#include "core/outcome.h"
#include "core/stat.h"
#include "kern/uring.h"
#include "mem/mem.h"
#include "ring/client.h"
#include "ring/endpoint.h"
#include "ring/staging.h"

struct dv_index;
struct dv_pair;
struct dv_pairs;
struct dv_plan;

/* How a part moves its bytes; later modes are fallbacks for earlier ones. */
enum dv_mode {
	DV_MODE_DIRECT,       /* directly between device and memory */
	DV_MODE_STAGED,       /* O_DIRECT between device and a staging buffer, plus a copy */
	DV_MODE_STAGED_CACHE, /* page cache or socket to or from a staging buffer, plus a copy */
	DV_MODE_CACHE,        /* page cache or socket; the kernel copies to or from the memory */
	DV_MODE_MAX
};

#define DV_PART_COPIES 4

/* Usage of a registered buffer. */
struct dv_use {
	uint32_t users;            /* operations in flight */
	uint32_t last;             /* dv_use_now() when the last one started */
};

/* The operation's state in a part that carries a whole operation (lib/file/fast.c). */
struct dv_fast {
	/* NULL: an ordinary part of an operation. Holds the references, and remains set when the part is free. */
	struct dv_plan *plan;
	uint64_t mem_off;
	uint64_t cookie;
	struct dv_endpoint *end;   /* these two only if the plan is no pair's: then the part holds the references */
	struct devio_mem *mem;
};

/* The file-specific fields of a part. */
struct dv_part_file {
	uint64_t off;              /* of the I/O */
	int fd;
	int buf;                   /* registered buffer of the I/O, -1: none */
};

/* The connection-specific fields of a part; each of the two NIC paths uses one of the structures. */
struct dv_part_sock {
	uint8_t step;              /* enum dv_step in sock/sock.h */
	union {
		struct {
			struct dv_part *pending; /* the next part from which the kernel still reads */
			uint32_t first, n, left; /* its sends, by the kernel's numbering; not yet released ones */
			uint32_t pauses;         /* how often there was no room although poll() reported some */
			uint32_t binding;        /* of the memory */
		} tx;                      /* sock-devmem, sending; zero on other paths */
		struct {
			int64_t since;     /* when bytes last arrived, 0 before it is submitted */
			bool enough;       /* its request was canceled because it has bytes */
		} zcrx;
	};
};

struct dv_part {
	struct dv_op *op;          /* NULL if it carries a whole operation */
	struct dv_part *next;      /* in the list of free, copying or stalled parts */
	struct dv_part *op_next, **op_prev; /* in the list of op's parts */
	struct dv_fast fast;
	uint32_t len;              /* of the I/O */
	uint32_t done;             /* bytes of it transferred so far */
	union {
		struct dv_part_file file;
		struct dv_part_sock sock;
	};
	const struct dv_path *path;
	enum dv_mode mode;
	uint16_t tries;            /* resubmissions of the I/O */
	uint8_t nr_copies;
	uint64_t addr;             /* of the I/O's first byte, as the kernel expects it */
	uint64_t x;                /* first payload byte in the operation */
	uint32_t skip;             /* staged: bytes in the staging buffer before the payload */
	uint32_t take;             /* payload bytes */
	struct dv_staging_buf slot;
	struct dv_copy copy[DV_PART_COPIES];
	struct devio_mem *copy_mem[DV_PART_COPIES];
};
_Static_assert(offsetof(struct dv_part, file) + sizeof(struct dv_part_file) <= 128,
	       "the hot path touches two cache lines only");

#define DV_FEW_RANGES 8

/* The file-specific fields of an operation. */
struct dv_op_file {
	uint64_t off;              /* file offset of byte 0 */
	uint64_t end;              /* reads: the file has the bytes before this offset */
	struct { uint64_t x, len; } edge[2]; /* writes: head and tail, written later through the page cache */
	uint8_t nr_edges;
	struct {
		int hint;          /* buffer table slot that the pair used last */
		int buf;           /* slot that the operation uses, -1: none */
		uint64_t off;      /* offset of byte 0 of the memory in the dma-buf */
	} dmabuf;                  /* file-dmabuf */
};

/* The connection-specific fields of an operation. */
struct dv_op_sock {
	struct dv_op *behind;      /* the stream's next operation */
	uint64_t delivered;        /* bytes that the NIC wrote into device memory */
	struct devio_frag *frags;  /* the caller's array, for fragments left in place; NULL: copied to the memory */
	void *frag_host;
	uint32_t max_frags, nr_frags;
};

struct dv_op {
	struct dv_endpoint *end;
	uint64_t end_id;           /* of the file or stream: with op->mem->id the key of its pair */
	struct devio_mem *mem;     /* of the first range; determines the path */
	const struct dv_path *path;
	struct dv_op *next;        /* in the list of free or waiting operations */
	struct devio_range few[DV_FEW_RANGES]; /* avoids an allocation in the common case */
	struct devio_range *ranges;
	uint32_t nr_ranges;
	uint32_t cur;              /* the range that contains `issued` ... */
	uint64_t cur_x;            /* ... and the x of its first byte */
	uint64_t cookie;
	uint64_t len;
	uint64_t issued;           /* [0, issued) has been assigned to parts */
	uint64_t eof_x;            /* end of the file or stream, once found */
	uint64_t fail_x;           /* lowest byte that failed ... */
	int err;                   /* ... and its error */
	uint32_t parts;            /* in flight */
	struct dv_part *first;     /* of these */
	uint64_t by_mode[DV_MODE_MAX]; /* bytes moved in each mode */
	uint8_t best_unused, reason, fail_reason;
	uint16_t tried;            /* paths that the kernel refused for this operation */
	uint16_t flags;            /* DEVIO_DONE_* */
	uint32_t want;             /* DEVIO_FILE_* or DEVIO_SOCK_* */
	bool write, forced, canceled, waiting, restart, active;
	bool waits_alone;          /* waits for something that later operations may hold: they must not wait for it */
	union {
		struct dv_op_file file;
		struct dv_op_sock sock;
	};
};

/* CQEs that do not belong to a part: their user_data are the elements after the last part. */
enum dv_tag { DV_TAG_CANCEL, DV_TAG_TIMER, DV_TAG_TIMEOUT, DV_TAG_MAX };

struct devio_ring {
	struct devio_ctx *ctx;
	struct dv_queue q;
	struct dv_staging staging;
	unsigned int flags;
	unsigned int nr_ops, nr_parts;
	unsigned int room;         /* free entries: completions not yet taken count as in flight */
	unsigned int nr_full;      /* operations in flight that are not carried by a part alone */
	unsigned int nr_held;      /* parts of these */
	unsigned int nr_io;        /* parts submitted to the kernel or a thread */
	unsigned int nr_staged;    /* parts with a pending copy, and streams in use: their CQEs lead to more work */
	uint64_t copied;           /* bytes copied by the CPU in this reaping */
	struct dv_op *ops, *free_ops;
	struct dv_part *parts, *free_parts;
	struct dv_part *copying;   /* parts whose copy runs on the device */
	struct dv_part *stalled;   /* parts for which the queue had no room */
	struct dv_op *wait_head, **wait_tail; /* operations waiting for parts, staging buffers or queue entries */
	struct devio_completion *done; /* completions not yet taken, circular */
	unsigned int done_mask, done_head, done_tail;
	/* The array of a waiting caller: completions are written to it directly. */
	struct devio_completion *sink, *sink_end, *sink_begin;
	struct dv_plan *hot[2];    /* plans of the pairs that the last read and the last write used */
	unsigned int plan_gen;     /* plans of an older generation are invalid */
	struct dv_use no_use;      /* dummy for plans without a registered buffer */
	struct dv_pairs *pairs;    /* ring/pair.h */
	struct dv_index *index;    /* ring/index.h; NULL: no cancellation lately */
	bool timer_armed;
	bool owes_cancel;          /* the queue had no room for a cancellation */
	bool closing;              /* abort connections instead of waiting for them */
	bool client_due;           /* a client needs another progress() call soon */
	unsigned int close_gen;    /* dv_close_gen at the clients' last progress() call */
	struct dv_ring_client *clients;
	struct dv_part *collecting; /* the part of the current batch of multishot CQEs */
	struct __kernel_timespec timer;
	struct dv_fork_node fork_node;
	struct dv_stat_node stat;
};

/* The user_data of CQEs that do not belong to a part. */
static inline struct dv_part *dv_ring_tag(const struct devio_ring *r, enum dv_tag tag)
{
	return &r->parts[r->nr_parts + tag];
}

/* The clock for least-recently-used decisions: counts batches. */
static inline uint32_t dv_use_now(const struct devio_ring *r)
{
	return (uint32_t)r->stat.sum.enters;
}

/* Operations in flight, not counting completed ones. */
static inline unsigned int dv_ring_active(const struct devio_ring *r)
{
	return r->nr_ops - r->room - (r->done_tail - r->done_head);
}

/* The place to write the next completion to. */
static inline struct devio_completion *dv_ring_done(struct devio_ring *r)
{
	if (r->sink != r->sink_end) {
		r->room++;
		return r->sink++;
	}
	return &r->done[r->done_tail++ & r->done_mask];
}

/* ring/ring.c */
int dv_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *o, struct io_uring *borrowed,
		 uint32_t buf_first, uint32_t buf_count, struct devio_ring **out);
int dv_ring_check(const struct devio_ring *r);
/* Drives the ring: submits, reaps, copies; waits up to timeout_ns unless enough completions are available. */
int dv_ring_step(struct devio_ring *r, unsigned int want, int64_t timeout_ns);
/* Turns parts that carry a whole operation into operations, which can be canceled. */
void dv_ring_promote_all(struct devio_ring *r);
/* Afterwards exactly the parts that carry an operation in flight have fast.plan set. */
static inline void dv_ring_clear_free_parts(struct devio_ring *r)
{
	for (struct dv_part *p = r->free_parts; p; p = p->next)
		p->fast.plan = NULL;
}
/* Does all pending work that needs no system call. */
void dv_ring_progress(struct devio_ring *r);
/* Frees the memory only; everything else was released before. */
void dv_ring_free(struct devio_ring *r);

/* ring/reap.c */
/* Processes the available CQEs. */
void dv_reap(struct devio_ring *r);
/* Processes one CQE. False if it is not ours. */
bool dv_reap_event(struct devio_ring *r, uint64_t user_data, int res);

/* ring/close.c: closes a ring without dropping a context reference; NULL is allowed. */
void dv_ring_destroy(struct devio_ring *r);

/* ring/op.c */
/* Takes a free operation, copies the ranges and takes references to their memories; no endpoint yet. 0 or -errno. */
int dv_op_take(struct devio_ring *r, const struct devio_range *ranges, uint32_t nr, struct dv_op **out);
/* Takes a free operation for a part in flight, with one range. Never fails: there is one for each part. */
struct dv_op *dv_op_take_promoted(struct devio_ring *r, const struct devio_range *range);
/* Initializes the common fields; takes over a reference to the endpoint. */
void dv_op_init(struct devio_ring *r, struct dv_op *op, struct dv_endpoint *end, uint64_t len, uint64_t cookie,
		bool write);
int dv_op_check_ranges(const struct devio_ctx *ctx, const struct devio_range *ranges, uint32_t nr, uint64_t *len);
/* The memory at byte x of the operation, and the number of bytes left in that range. */
struct devio_mem *dv_op_at(struct dv_op *op, uint64_t x, uint64_t *mem_off, uint64_t *left);
/* Appends it to the operations waiting for parts, staging buffers or queue entries. */
void dv_op_wait(struct devio_ring *r, struct dv_op *op);
/* Queues the cancellation of op's parts: true if the queue had no room for all of these requests. */
bool dv_op_cancel_parts(struct devio_ring *r, struct dv_op *op);
void dv_op_cancel(struct devio_ring *r, struct dv_op *op);
/* Writes the completion and frees op. */
void dv_op_finish(struct devio_ring *r, struct dv_op *op);
void dv_op_fail(struct dv_op *op, uint64_t x, int err, enum devio_reason why);
/* Drops the references to endpoint and memories. */
void dv_op_forget(struct dv_op *op);

/*
 * Whether dv_part_get() finds a part. Operations leave one for each free entry of the ring:
 * the hot path takes it without checking.
 */
static inline bool dv_part_available(const struct devio_ring *r)
{
	return r->nr_held < r->nr_parts - r->nr_ops + r->nr_full;
}

/* Adds a part in flight to the list of op's parts. */
static inline void dv_part_link(struct dv_op *op, struct dv_part *p)
{
	p->op = op;
	p->op_next = op->first;
	p->op_prev = &op->first;
	if (op->first)
		op->first->op_prev = &p->op_next;
	op->first = p;
	op->parts++;
}

/* ring/part.c */
/* Takes a free part for bytes [x, x + take) of op; endpoint-specific fields are not set. NULL: wait. */
struct dv_part *dv_part_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Defers the part until the queue has room: then its endpoint's retry() is called. */
void dv_part_stall(struct devio_ring *r, struct dv_part *p);
/* Starts the copy between staging buffer and memory; its endpoint's copied() is called when it completes. */
void dv_part_copy(struct devio_ring *r, struct dv_part *p);
/* Allocates a staging buffer for a part of op, page-locked for its device. 0, -EAGAIN: all in use, -ENOMEM. */
int dv_part_stage(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_staging_buf *slot);
/* The part has completed with `payload` bytes moved. */
void dv_part_finish(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* Polls the copies in flight; with wait, blocks until at least one has completed. */
void dv_part_poll_copies(struct devio_ring *r, bool wait);

#endif
