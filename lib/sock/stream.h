/* SPDX-License-Identifier: MIT */
/*
 * Each direction of a connection is a stream: its operations in their order,
 * of which at most one step at a time is with the kernel, because io_uring
 * keeps no order between requests on one socket. Copies between staging
 * buffers and device run beside it.
 */
#ifndef DV_SOCK_STREAM_H
#define DV_SOCK_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include "ring/engine.h"

/* What a connection's part does or waits for. */
enum dv_step {
	DV_STEP_COPY,        /* send: the copy into its staging buffer */
	DV_STEP_READY,       /* send: its turn */
	DV_STEP_MOVE,        /* the kernel moves bytes, waiting for the peer if need be */
	DV_STEP_POLL,        /* the kernel reports when it could move some; a staging buffer would be idle until then */
	DV_STEP_SLOT,        /* it could: a staging buffer is wanted */
	DV_STEP_MOVE_NOW,    /* the kernel moves what it can at once */
	DV_STEP_PAUSE,       /* send: the kernel has no room for more zero-copy sends */
	DV_STEP_PENDING,     /* sent, but the kernel still reads from the memory */
};

#define DV_STREAM_LINE 8

struct dv_stream {
	uint64_t id;                       /* dv_ctx_new_id() << 32: half of the key of its pairs */
	atomic_bool claimed;               /* by a ring, or by a synchronous call that needs none */
	_Atomic(struct devio_ring *) ring; /* to which it belongs; the rest is that ring's alone */
	struct dv_op *head, **tail;        /* linked by op->sock.behind */
	struct dv_part *io;                /* with the kernel, or about to be */
	struct dv_part *line[DV_STREAM_LINE]; /* send: parts in the order of their bytes, circular */
	unsigned int first, count;
	int err;                           /* the stream is dead: -errno ... */
	uint8_t why;                       /* ... and enum devio_reason */
	struct dv_part *pending, **pending_tail; /* send: parts that the kernel still reads from; the first one watches */
	bool ended;                        /* receive: the peer sends no more */
	bool going, again;                 /* dv_stream_advance() runs, and shall run once more */
	bool sweep;                        /* some that wait behind the head have ended */
	struct __kernel_timespec timeout;  /* the last one given to the kernel */
	struct __kernel_timespec watch_timeout; /* and for the pending parts */
};

struct devio_sock;

/* sock/stream.c */
/* The stream becomes the ring's (NULL: a call's without a ring) as long as operations are in flight. 0 or -EBUSY. */
int dv_stream_claim(struct devio_ring *r, struct dv_stream *st, bool send);
/* Ends the claim if no operation came of it. */
void dv_stream_release(struct dv_stream *st);
void dv_stream_enqueue(struct devio_ring *r, struct dv_stream *st, struct dv_op *op);
/* Everything that the stream can do now, if it is the ring's. */
void dv_stream_advance(struct devio_ring *r, struct devio_sock *s, bool send);
/* Nobody will end op and those beside it. */
void dv_stream_forget(struct devio_ring *r, struct dv_op *op);

/* sock/transfer.c: the steps of parts */
/* The part takes its place in the stream; p->addr is set, or its step is DV_STEP_POLL. */
void dv_transfer_part(struct devio_ring *r, struct dv_part *p);
/* A part of op for bytes [x, x + take), its connection's half zeroed; NULL: wait. */
struct dv_part *dv_transfer_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Is the line of sends too long for one more, or (alone) not empty? */
bool dv_transfer_full(const struct dv_op *op, bool alone);
/* Sends: the front of the line is next. */
void dv_transfer_kick(struct devio_ring *r, struct dv_stream *st);
/* The step that is with the kernel shall end. */
void dv_transfer_cancel_io(struct devio_ring *r, const struct dv_stream *st);
/* The kernel's answer. Returns a part whose bytes are to be copied once the stream has advanced, or NULL. */
struct dv_part *dv_transfer_event(struct devio_ring *r, struct dv_part *p, int res);
void dv_transfer_copy(struct devio_ring *r, struct dv_part *p);
void dv_transfer_copied(struct devio_ring *r, struct dv_part *p, int err);
void dv_transfer_retry(struct devio_ring *r, struct dv_part *p);
/* The part ends before its end, for this reason or for that of its operation or stream. */
void dv_transfer_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why);
void dv_transfer_give_up_dead(struct devio_ring *r, struct dv_part *p);
/* The part's step to the kernel, or to the list of stalled parts. */
void dv_transfer_submit(struct devio_ring *r, struct dv_part *p);
enum devio_reason dv_transfer_reason(int err);

/* sock/zerocopy.c: sends that the kernel has accepted and still reads from */
extern struct __kernel_timespec dv_zc_pause;
/* One more send of the part; the kernel counts them, too. */
void dv_zc_count(struct dv_part *p);
/* The part is out of the line; it ends, with so many bytes, when the kernel reports its sends complete. */
void dv_zc_pend(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* Waits for the kernel's report, or (pause) polls a little later. */
void dv_zc_watch(struct devio_ring *r, struct dv_part *p, bool pause);
void dv_zc_event(struct devio_ring *r, struct dv_part *p, int res);
/* What the kernel reports now: the number of sends that have ended. */
unsigned int dv_zc_reap(struct devio_sock *s);

/* sock/zcrx.c: one of several answers to a receive, and the end of a series */
void dv_zcrx_piece(struct devio_ring *r, struct dv_part *p, int res, uint64_t off);
void dv_zcrx_pieces(struct devio_ring *r);

#endif
