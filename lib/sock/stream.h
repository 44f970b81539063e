/* SPDX-License-Identifier: MIT */
/*
 * Each direction of a connection is a stream: a queue of operations. At most one
 * step is in flight in the kernel, because io_uring does not order requests on one
 * socket. Copies between staging buffers and device overlap with it.
 */
#ifndef DV_SOCK_STREAM_H
#define DV_SOCK_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include "ring/engine.h"

/* What a connection's part does or waits for. */
enum dv_step {
	DV_STEP_COPY,        /* send: the copy to its staging buffer */
	DV_STEP_READY,       /* send: waits for its turn */
	DV_STEP_MOVE,        /* the kernel moves bytes, and waits for the peer if necessary */
	DV_STEP_POLL,        /* polls the socket before it takes a staging buffer, which would be idle until then */
	DV_STEP_SLOT,        /* the socket is ready: waits for a staging buffer */
	DV_STEP_MOVE_NOW,    /* the kernel moves what it can without waiting */
	DV_STEP_PAUSE,       /* send: waits until the kernel has room for more zero-copy sends */
	DV_STEP_PENDING,     /* sent, but the kernel still reads from the memory */
};

#define DV_STREAM_PARTS 8

struct dv_stream {
	uint64_t id;                       /* dv_ctx_new_id() */
	atomic_bool claimed;               /* by a ring, or by a synchronous call without one */
	_Atomic(struct devio_ring *) ring; /* the owner; all other fields are used by its thread only */
	struct dv_op *head, **tail;        /* linked by op->sock.behind */
	struct dv_part *io;                /* the part in flight, or about to be submitted */
	struct dv_part *parts[DV_STREAM_PARTS]; /* send: parts in stream order, circular */
	unsigned int first, count;         /* of parts[] */
	int err;                           /* the stream has failed: -errno */
	uint8_t why;                       /* enum devio_reason of err */
	struct dv_part *pending, **pending_tail; /* send: parts that the kernel still reads from; the first watches */
	bool ended;                        /* receive: end of the stream */
	bool advancing, again;             /* dv_stream_advance() is running, and must run once more */
	bool sweep;                        /* operations behind the head have ended */
	struct __kernel_timespec timeout;  /* of the request in flight */
	struct __kernel_timespec watch_timeout; /* of dv_zc_watch() */
};

struct devio_sock;

/* The first error of a stream is kept: all later operations fail with it. */
static inline void dv_stream_fail(struct dv_stream *st, int err, enum devio_reason why)
{
	if (st->err)
		return;
	st->err = err;
	st->why = why;
}

/* sock/stream.c */
/* Claims the stream for the ring (NULL: for a synchronous call) while operations are in flight. 0 or -EBUSY. */
int dv_stream_claim(struct devio_ring *r, struct dv_stream *st, bool send);
/* Ends the claim unless operations are queued. */
void dv_stream_release(struct dv_stream *st);
void dv_stream_enqueue(struct devio_ring *r, struct dv_stream *st, struct dv_op *op);
/* Advances the stream as far as possible, if the ring owns it. */
void dv_stream_advance(struct devio_ring *r, struct devio_sock *s, bool send);
/* The ring is being freed: drops the stream's operations, which will never complete. */
void dv_stream_forget(struct devio_ring *r, struct dv_op *op);

/* sock/transfer.c: the steps of parts */
/* Adds the part to the stream and starts it; p->addr is set, or its step is DV_STEP_POLL. */
void dv_transfer_part(struct devio_ring *r, struct dv_part *p);
/* Takes a free part for bytes [x, x + take) of op, its connection-specific fields cleared. NULL: wait. */
struct dv_part *dv_transfer_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Issues a receive of at most max bytes that the NIC writes into its own memory. 0 or -EAGAIN. */
int dv_transfer_receive(struct devio_ring *r, struct dv_op *op, uint32_t max);
/* Send: parts[] is full, or (alone) not empty. */
bool dv_transfer_full(const struct dv_op *op, bool alone);
/* Send: submits the first of parts[] if nothing is in flight. */
void dv_transfer_kick(struct devio_ring *r, struct dv_stream *st);
/* Cancels the step in flight. */
void dv_transfer_cancel_io(struct devio_ring *r, const struct dv_stream *st);
/* A CQE. Returns a part whose bytes must be copied once the stream has advanced, or NULL. */
struct dv_part *dv_transfer_event(struct devio_ring *r, struct dv_part *p, int res);
void dv_transfer_copy(struct devio_ring *r, struct dv_part *p);
void dv_transfer_copied(struct devio_ring *r, struct dv_part *p, int err);
void dv_transfer_retry(struct devio_ring *r, struct dv_part *p);
/* Ends the part before its last byte: with this error, or (_dead) with that of its stream or operation. */
void dv_transfer_give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why);
void dv_transfer_give_up_dead(struct devio_ring *r, struct dv_part *p);
/* Submits the part's step, or stalls it if the queue has no room. */
void dv_transfer_submit(struct devio_ring *r, struct dv_part *p);
enum devio_reason dv_transfer_reason(int err);

/* sock/zerocopy.c: sends that the kernel has accepted and still reads from */
extern struct __kernel_timespec dv_zc_pause;
/* Records one more send of the part, numbered as the kernel does. */
void dv_zc_count(struct dv_part *p);
/* The part has left parts[]; it completes, with `payload` bytes, once the kernel has reported its sends complete. */
void dv_zc_pend(struct devio_ring *r, struct dv_part *p, uint32_t payload);
/* Waits for the kernel's report, or (pause) polls after a short delay. */
void dv_zc_watch(struct devio_ring *r, struct dv_part *p, bool pause);
void dv_zc_event(struct devio_ring *r, struct dv_part *p, int res);
/* Reads the kernel's reports. Returns the number of sends that have completed. */
unsigned int dv_zc_reap(struct devio_sock *s);

/* sock/zcrx.c: one CQE of a multishot receive, and the end of a batch of them */
void dv_zcrx_piece(struct devio_ring *r, struct dv_part *p, int res, uint64_t off);
void dv_zcrx_pieces(struct devio_ring *r);

#endif
