/* SPDX-License-Identifier: MIT */
/*
 * The sock endpoint's inside. Each direction of a connection is a flow: its
 * operations in their order, of which at most one step at a time is with the
 * kernel, because io_uring keeps no order between requests on one socket.
 * Copies between slots and device run beside it.
 */
#ifndef DV_SOCK_H
#define DV_SOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <devio/sock.h>
#include "ring/engine.h"

/* What a connection's part does or waits for. */
enum dv_step {
	DV_STEP_COPY,        /* send: the copy into its slot */
	DV_STEP_READY,       /* send: its turn */
	DV_STEP_MOVE,        /* the kernel moves bytes, waiting for the peer if need be */
	DV_STEP_POLL,        /* the kernel says when it could move some; a slot would be idle so long */
	DV_STEP_SLOT,        /* it could: a slot is wanted */
	DV_STEP_MOVE_NOW,    /* the kernel moves what it can at once */
	DV_STEP_PAUSE,       /* send: the kernel has no room for more that it has to tell of */
	DV_STEP_HELD,        /* sent, but the kernel still reads from the memory */
};

#define DV_FLOW_LINE 8

struct dv_flow {
	uint32_t id;                       /* dv_ctx_new_id() */
	_Atomic(struct devio_ring *) ring; /* to which the stream belongs; the rest is that ring's alone */
	struct dv_op *head, **tail;        /* linked by op->behind */
	struct dv_part *io;                /* with the kernel, or about to be */
	struct dv_part *line[DV_FLOW_LINE]; /* send: parts in the order of their bytes, circular */
	unsigned int first, count;
	int err;                           /* the stream is dead: -errno ... */
	uint8_t why;                       /* ... and enum devio_reason */
	struct dv_part *held, **held_tail; /* send: parts that the kernel still reads from; the first one watches */
	bool ended;                        /* receive: the peer sends no more */
	bool going, again;                 /* dv_flow_go() runs, and shall look again */
	bool sweep;                        /* some that wait behind the head have ended */
	struct __kernel_timespec patience; /* the last time-out given to the kernel */
	struct __kernel_timespec held_patience; /* and for those that are held */
};

struct devio_sock {
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	int fd;
	bool listening;
	_Atomic uint8_t nic_why[2]; /* lib/sock/devmem.c: enum devio_reason, 0 if not asked yet */
	_Atomic uint8_t zcrx_why;   /* lib/sock/zcrx.c: the same */
	struct devio_sock_opts opts;
	struct dv_rx *rx;          /* sock-devmem, sock-zcrx: NULL until it is used; the flow's alone */
	struct dv_tx *tx;
	struct dv_flow flow[2];    /* receive, send */
};

/* The stream is a synchronous call's that has no ring. */
#define DV_FLOW_TAKEN ((struct devio_ring *)1)

static inline struct dv_flow *dv_flow_of(const struct dv_op *op)
{
	return &op->sock->flow[op->write];
}

static inline bool dv_op_dead(const struct dv_op *op)
{
	return op->err || op->canceled;
}

void dv_sock_destroy(struct devio_sock *s);

static inline struct devio_sock *dv_sock_get(struct devio_sock *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static inline void dv_sock_put(struct devio_sock *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		dv_sock_destroy(s);
}

/* lib/sock/open.c: fd becomes the sock's; left to the caller on failure. */
int dv_sock_new(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *o, bool listening,
		struct devio_sock **out);
int dv_sock_check(const struct devio_sock *s);
int dv_sock_opts(struct devio_ctx *ctx, const struct devio_sock_opts *in, struct devio_sock_opts *o, const void *out);

/* lib/sock/stream.c */
/* The arguments of an operation: 0 and its length, or -errno with its sentence. */
int dv_flow_check(const struct devio_ctx *ctx, const struct devio_sock_io *io, uint64_t *len);
/* frags: where to tell of pieces, or NULL. */
struct devio_frags_io;
int dv_flow_start(struct devio_ring *r, const struct devio_sock_io *io, const struct devio_frags_io *frags);
/* The stream becomes the ring's, as long as operations are in flight; let go: if none came of it. */
int dv_flow_claim(struct devio_ring *r, struct dv_flow *fl, bool send);
void dv_flow_let_go(struct dv_flow *fl);
/* Everything that the stream can do now. */
void dv_flow_go(struct devio_ring *r, struct devio_sock *s, bool send);
void dv_flow_canceled(struct devio_ring *r, struct dv_op *op);
/* Nobody will end op and those beside it. */
void dv_flow_forget(struct dv_op *op);

/* lib/sock/transfer.c */
/* Sends: the front of the line is next. */
void dv_flow_kick(struct devio_ring *r, struct dv_flow *fl);
/* The step that is with the kernel shall end. */
void dv_flow_cancel_io(struct devio_ring *r, const struct dv_flow *fl);
/* A part's news: the kernel's answer, the end of its copy, room in a queue. */
void dv_flow_event(struct devio_ring *r, struct dv_part *p, int res);
void dv_flow_copied(struct devio_ring *r, struct dv_part *p, int err);
void dv_flow_retry(struct devio_ring *r, struct dv_part *p);
/* The cancellations for which the queue had no room. */
void dv_flow_recancel(struct devio_ring *r);

/* lib/sock/zerocopy.c: sends that the kernel has, but has not let go of */
extern struct __kernel_timespec dv_flow_pause;
/* One more send of the part; the kernel counts them, too. */
void dv_flow_count(struct dv_part *p);
/* The part is out of the stream; it ends, with so many bytes, when the kernel says so. */
void dv_flow_hold(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* Asks the kernel to tell, or (pause) looks again a little later. */
void dv_flow_watch(struct devio_ring *r, struct dv_part *p, bool pause);
void dv_flow_held(struct devio_ring *r, struct dv_part *p, int res);
/* What the kernel tells now: the number of sends that have ended. */
unsigned int dv_flow_reap(struct devio_sock *s);

/* The part ends before its end, for this reason or for that of its operation or stream. */
void dv_flow_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why);
void dv_flow_give_up_dead(struct devio_ring *r, struct dv_part *p);
/* The part's step to the kernel, or to the list of those for which there is no room. */
void dv_flow_submit(struct devio_ring *r, struct dv_part *p);
enum devio_reason dv_flow_reason(int err);

/* lib/sock/zcrx_flow.c: receives that the kernel answers in pieces */
/* One of several answers: res bytes at off. Collected, until dv_flow_pieces() puts them where they belong. */
void dv_flow_piece(struct devio_ring *r, struct dv_part *p, int res, uint64_t off);
void dv_flow_pieces(struct devio_ring *r);
/* The last answer. */
void dv_flow_zc_ended(struct devio_ring *r, struct dv_part *p, int res);
/* Nanoseconds that are left of the idle time-out. */
int64_t dv_flow_zc_patience(struct dv_part *p);

/* lib/sock/transfer.c, for the paths */
/* Is the line of sends too long for one more, or (alone) not empty? */
bool dv_flow_full(const struct dv_op *op, bool alone);
/* A slot for a part of op. 0, -EAGAIN: all are in use, -ENOMEM. */
int dv_flow_slot(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_slot *slot);
/* The part takes its place in the stream; p->addr is set, or p->step is DV_STEP_POLL. */
void dv_flow_part(struct devio_ring *r, struct dv_part *p);

#endif
