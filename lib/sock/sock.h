/* SPDX-License-Identifier: MIT */
/* The connection endpoint's inside. */
#ifndef DV_SOCK_SOCK_H
#define DV_SOCK_SOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <devio/sock.h>
#include "path/choose.h"
#include "sock/stream.h"

struct devio_frags_io;

struct devio_sock {
	struct dv_endpoint base;
	int fd;
	bool listening;
	_Atomic uint8_t nic_why[2]; /* sock/devmem.c: enum devio_reason, 0 if not asked yet */
	_Atomic uint8_t zcrx_why;   /* sock/zcrx.c: the same */
	struct devio_sock_opts opts;
	struct dv_rx *rx;           /* sock-devmem, sock-zcrx: NULL until it is used; the receiver's alone */
	struct dv_tx *tx;           /* sock-devmem: the sender's alone */
	struct dv_stream stream[2]; /* receive, send */
};

/* A path of connections. */
struct dv_sock_path {
	struct dv_path path;
	/* The kernel's request for a part, if it is not a plain receive or send. May be NULL. */
	void (*frame)(struct dv_part *p, struct dv_net *n);
	/* Received: n bytes of the part; puts them where they belong: how many the CPU copied, or -errno: all are lost. */
	int (*deliver)(struct devio_ring *r, struct dv_part *p, uint32_t n);
	/* The kernel gives several answers to a request; this is the last. NULL: there is one answer. */
	void (*ended)(struct devio_ring *r, struct dv_part *p, int res);
	/* With `ended`: nanoseconds that are left of the idle timeout. */
	int64_t (*timeout)(struct dv_part *p);
};

static inline const struct dv_sock_path *dv_sock_path(const struct dv_part *p)
{
	return (const struct dv_sock_path *)p->path;
}

static inline struct devio_sock *dv_sock_of(const struct dv_op *op)
{
	return (struct devio_sock *)op->end;
}

static inline struct dv_stream *dv_stream_of(const struct dv_op *op)
{
	return &dv_sock_of(op)->stream[op->write];
}

static inline bool dv_op_dead(const struct dv_op *op)
{
	return op->err || op->canceled;
}

static inline struct devio_sock *dv_sock_get(struct devio_sock *s)
{
	dv_endpoint_get(&s->base);
	return s;
}

static inline void dv_sock_put(struct devio_sock *s)
{
	dv_endpoint_put(&s->base);
}

/* The connection's half of an operation. */
static inline void dv_sock_op_init(struct dv_op *op, struct devio_sock *s, bool send)
{
	op->end_id = s->stream[send].id;
	op->want = s->opts.flags & (DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL);
	op->sock = (struct dv_op_sock){ .behind = NULL };
}

/* sock/sock.c */
int dv_sock_check(const struct devio_sock *s);
void dv_sock_destroy(struct dv_endpoint *e);

/* sock/endpoint.c */
extern const struct dv_endpoint_ops dv_sock_endpoint_ops;

/* sock/paths.c */
extern const struct dv_path *const dv_sock_paths[];
extern const struct dv_sock_path dv_path_sock_devmem, dv_path_sock_zcrx, dv_path_sock_host, dv_path_sock_bounce;

/* sock/open.c: fd becomes the sock's; left to the caller on failure. */
int dv_sock_new(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *o, bool listening,
		struct devio_sock **out);
int dv_sock_opts(struct devio_ctx *ctx, const struct devio_sock_opts *in, struct devio_sock_opts *o, const void *out);

/* sock/submit.c: frags: where to report fragments, or NULL. */
int dv_sock_start(struct devio_ring *r, const struct devio_sock_io *io, const struct devio_frags_io *frags);

#endif
