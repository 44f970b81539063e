/* SPDX-License-Identifier: MIT */
/*
 * The ring's inside. An operation (dv_op) is what the caller asked for; it is
 * carried out in parts (dv_part), each one I/O in flight and, where bytes are
 * staged, the copy that follows or precedes it. Offsets inside an operation
 * ("x") count from its first byte: off + x in the file, and the same x along
 * its list of memory ranges.
 */
#ifndef DV_RING_ENGINE_H
#define DV_RING_ENGINE_H

#include <stdatomic.h>
#include <devio/ring.h>
#include "core/outcome.h"
#include "core/stat.h"
#include "kern/uring.h"
#include "mem/mem.h"
#include "ring/client.h"
#include "ring/endpoint.h"
#include "ring/staging.h"

struct dv_pair;

/* How a part moves its bytes; falls back downwards when the kernel refuses. */
enum dv_mode {
	DV_MODE_DIRECT,       /* between device and the memory itself */
	DV_MODE_STAGED,       /* O_DIRECT between device and a staging buffer, and a copy */
	DV_MODE_STAGED_CACHE, /* page cache or socket, a staging buffer, and a copy */
	DV_MODE_CACHE,        /* page cache or socket, the kernel copies into the memory */
	DV_MODE_MAX
};

#define DV_PART_COPIES 4

/* The use made of a registered buffer. */
struct dv_use {
	uint32_t users;            /* operations in flight */
	uint32_t last;             /* dv_use_now() of the last one that began */
};

/* What a part must remember that carries a whole operation (lib/file/fast.c). */
struct dv_fast {
	struct dv_endpoint *end;   /* NULL: the part is one of an operation */
	struct devio_mem *mem;
	uint64_t mem_off;
	uint64_t cookie;
	struct dv_use *use;        /* of the registered buffer, or the ring's no_use */
	struct dv_outcome outcome;
};

/* A file's half of a part. */
struct dv_part_file {
	uint64_t off;              /* of the I/O */
	int fd;
	int buf;                   /* registered buffer of the I/O, -1: none */
};

/* A connection's half of a part; the two paths of a NIC use one of the structures each. */
struct dv_part_sock {
	uint8_t step;              /* enum dv_step in sock/sock.h */
	union {
		struct {
			struct dv_part *pending; /* the next that the kernel still reads from */
			uint32_t first, n, left; /* its sends, by the kernel's count; how many the kernel has not released */
			uint32_t pauses;         /* how often there was no room though the kernel reported some */
			uint32_t binding;        /* of the memory */
		} tx;                      /* sock-devmem, sending; zero on other paths */
		struct {
			int64_t since;     /* when it last received bytes, 0 before it is submitted */
			bool enough;       /* its request was cancelled, as it has bytes */
		} zcrx;
	};
};

struct dv_part {
	struct dv_op *op;          /* NULL for one that carries a whole operation */
	struct dv_part *next;      /* in the free list, the list of copies or of stalled parts */
	struct dv_fast fast;
	uint32_t len;              /* of the I/O */
	uint32_t done;             /* bytes of it so far */
	union {
		struct dv_part_file file;
		struct dv_part_sock sock;
	};
	const struct dv_path *path;
	enum dv_mode mode;
	uint16_t tries;            /* of an I/O that the kernel wants submitted again */
	uint8_t nr_copies;
	uint64_t addr;             /* of the I/O's first byte, as the kernel wants it */
	uint64_t x;                /* first payload byte in the operation */
	uint32_t skip;             /* staged: bytes of the staging buffer before it */
	uint32_t take;             /* payload bytes */
	struct dv_staging_buf slot;
	struct dv_copy copy[DV_PART_COPIES];
	struct devio_mem *copy_mem[DV_PART_COPIES];
};
_Static_assert(offsetof(struct dv_part, file) + sizeof(struct dv_part_file) <= 128,
	       "what the hot path touches is in two cache lines");

#define DV_FEW_RANGES 8

/* A file's half of an operation. */
struct dv_op_file {
	uint64_t off;              /* of byte 0 */
	struct { uint64_t x, len; } edge[2]; /* writes: what follows through the page cache */
	uint8_t nr_edges;
	struct {
		int hint;          /* the slot of the buffer table that the pair had last, */
		int buf;           /* the one that the operation holds (-1: none), and */
		uint64_t off;      /* where byte 0 of the memory is in the dma-buf */
	} dmabuf;                  /* file-dmabuf */
};

/* A connection's half of an operation. */
struct dv_op_sock {
	struct dv_op *behind;      /* the stream's next operation */
	uint64_t delivered;        /* bytes that the NIC wrote into device memory */
	struct devio_frag *frags;  /* the caller's, for fragments left in place; NULL: gathered */
	void *frag_host;
	uint32_t max_frags, nr_frags;
};

struct dv_op {
	struct dv_endpoint *end;
	uint64_t end_id;           /* of the file or stream: half of the key of its pairs */
	struct devio_mem *mem;     /* of the first range; paths are chosen by it */
	const struct dv_path *path;
	struct dv_op *next;        /* in the free list or in the list of waiting operations */
	struct devio_range few[DV_FEW_RANGES]; /* the usual case needs no allocation */
	struct devio_range *ranges;
	uint32_t nr_ranges;
	uint32_t cur;              /* range of `issued` ... */
	uint64_t cur_x;            /* ... and the x of its first byte */
	uint64_t cookie;
	uint64_t len;
	uint64_t issued;           /* [0, issued) has been given to parts */
	uint64_t eof_x;            /* where the file or stream turned out to end */
	uint64_t fail_x;           /* lowest byte that failed ... */
	int err;                   /* ... and how */
	uint32_t parts;            /* in flight */
	uint64_t by_mode[DV_MODE_MAX]; /* bytes that were moved in each mode */
	uint8_t best_unused, reason, fail_reason;
	uint16_t tried;            /* paths that the kernel refused for this operation */
	uint16_t flags;            /* DEVIO_DONE_* */
	uint32_t want;             /* DEVIO_FILE_* or DEVIO_SOCK_* */
	bool write, forced, canceled, waiting, restart, active;
	bool waits_alone;          /* for something that those behind it may hold: they go on */
	union {
		struct dv_op_file file;
		struct dv_op_sock sock;
	};
};

/* What the kernel answers that is no part: the parts behind the last one are its user_data. */
enum dv_tag { DV_TAG_CANCEL, DV_TAG_TIMER, DV_TAG_TIMEOUT, DV_TAG_MAX };

struct devio_ring {
	struct devio_ctx *ctx;
	struct dv_queue q;
	struct dv_staging staging;
	unsigned int flags;
	unsigned int nr_ops, nr_parts;
	unsigned int room;         /* how many more may be started: completions not yet taken count as in flight */
	unsigned int nr_io;        /* parts with the kernel or a thread */
	unsigned int nr_staged;    /* those with a copy to come, and streams in use: each answer leads to more */
	uint64_t copied;           /* bytes copied by the CPU since the last reaping */
	struct dv_op *ops, *free_ops;
	struct dv_part *parts, *free_parts;
	struct dv_part *copying;   /* parts whose copy runs on the device */
	struct dv_part *stalled;   /* parts for which the queue had no room */
	struct dv_op *wait_head, **wait_tail; /* operations that wait for parts, staging or queue entries */
	struct devio_completion *done; /* finished, circular */
	unsigned int done_mask, done_head, done_tail;
	/* The array of a caller who waits: completions are written there at once. */
	struct devio_completion *sink, *sink_end, *sink_begin;
	unsigned int plan_gen;     /* plans of an older generation are void */
	struct dv_use no_use;      /* what plans without a registered buffer count on */
	struct dv_pair *last;      /* the pair that was used last */
	struct dv_pair *pairs;     /* DV_PAIRS, ring/pair.h */
	bool timer_armed;
	bool owes_cancel;          /* the queue had no room for a cancellation */
	bool closing;              /* connections are aborted rather than waited for */
	bool client_due;           /* a client has something left to do, soon */
	unsigned int close_gen;    /* dv_close_gen when the clients last made progress */
	struct dv_ring_client *clients;
	struct dv_part *collecting; /* whose pieces its endpoint collects */
	struct __kernel_timespec timer;
	struct dv_stat_node stat;
};

/* The user_data of what is no part. */
static inline struct dv_part *dv_ring_tag(const struct devio_ring *r, enum dv_tag tag)
{
	return &r->parts[r->nr_parts + tag];
}

/* The clock of what was used when: batches, which is fine enough to find the oldest. */
static inline uint32_t dv_use_now(const struct devio_ring *r)
{
	return (uint32_t)r->stat.sum.enters;
}

/* Operations in flight, without the finished ones. */
static inline unsigned int dv_ring_active(const struct devio_ring *r)
{
	return r->nr_ops - r->room - (r->done_tail - r->done_head);
}

/* Where the next completion is written. */
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
/* Drives the ring: reaps, copies, goes on; waits for at most timeout_ns if nothing was ready. */
int dv_ring_step(struct devio_ring *r, unsigned int want, int64_t timeout_ns);
/* Makes operations (that can be cancelled) of what is in flight as parts alone. */
void dv_ring_promote_all(struct devio_ring *r);
/* Everything that can go on without the kernel. */
void dv_ring_progress(struct devio_ring *r);
/* The memory alone; everything else was freed before. */
void dv_ring_free(struct devio_ring *r);

/* ring/reap.c */
/* Takes what the kernel has completed. */
void dv_reap(struct devio_ring *r);
/* A completion of the kernel: ours? */
bool dv_reap_event(struct devio_ring *r, uint64_t user_data, int res);

/* ring/close.c: closes a ring that holds no reference to its context; NULL is allowed. */
void dv_ring_destroy(struct devio_ring *r);

/* ring/op.c */
/* An operation with copied ranges and references to their memories; *out has no endpoint yet. 0 or -errno. */
int dv_op_take(struct devio_ring *r, const struct devio_range *ranges, uint32_t nr, struct dv_op **out);
/* An operation for a part in flight, with one range; there is one for each part. */
struct dv_op *dv_op_take_promoted(struct devio_ring *r, const struct devio_range *range);
/* The common fields; takes over a reference to the endpoint. */
void dv_op_init(struct dv_op *op, struct dv_endpoint *end, uint64_t len, uint64_t cookie, bool write);
int dv_op_check_ranges(const struct devio_ctx *ctx, const struct devio_range *ranges, uint32_t nr, uint64_t *len);
/* The memory at byte x of the operation, and how many bytes follow in that range. */
struct devio_mem *dv_op_at(struct dv_op *op, uint64_t x, uint64_t *mem_off, uint64_t *left);
/* Puts it behind those that wait for parts, staging or queue entries. */
void dv_op_wait(struct devio_ring *r, struct dv_op *op);
/* Asks the kernel to cancel the parts of op that it has: true if the queue had no room for all of these requests. */
bool dv_op_cancel_parts(struct devio_ring *r, struct dv_op *op);
void dv_op_cancel(struct devio_ring *r, struct dv_op *op);
/* The completion; op is free afterwards. */
void dv_op_finish(struct devio_ring *r, struct dv_op *op);
void dv_op_fail(struct dv_op *op, uint64_t x, int err, enum devio_reason why);
/* Drops the references to endpoint and memories. */
void dv_op_forget(struct dv_op *op);

/* ring/part.c */
/* A part of op for bytes [x, x + take), counted in op->parts, its endpoint's half not set; NULL: wait. */
struct dv_part *dv_part_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Keeps the part until the queue has room: its endpoint's retry(). */
void dv_part_stall(struct devio_ring *r, struct dv_part *p);
/* Staged: starts the copy between staging buffer and memory; its endpoint's copied() follows. */
void dv_part_copy(struct devio_ring *r, struct dv_part *p);
/* A staging buffer for a part of op, known to the memory's device. 0, -EAGAIN: all are in use, -ENOMEM. */
int dv_part_stage(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_staging_buf *slot);
/* The part has ended, payload bytes of it were moved. */
void dv_part_finish(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* Looks after the copies that run; with wait it blocks until the first one has ended. */
void dv_part_poll_copies(struct devio_ring *r, bool wait);

#endif
