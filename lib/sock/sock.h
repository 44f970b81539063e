/* SPDX-License-Identifier: MIT */
/* Internals of the connection endpoint. */
#ifndef DV_SOCK_SOCK_H
#define DV_SOCK_SOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <devio/sock.h>
#include "path/choose.h"
#include "sock/stream.h"

struct devio_frags_io;

/* What a NIC is queried for: enum devio_reason of each is cached. */
enum dv_nic_use { DV_NIC_RECV, DV_NIC_SEND, DV_NIC_ZCRX, DV_NIC_USES };

struct devio_sock {
	struct dv_endpoint base;
	int fd;
	bool listening;
	_Atomic uint8_t nic_reason[DV_NIC_USES]; /* 0: not queried yet */
	struct devio_sock_opts opts;
	struct dv_rx *rx;           /* sock-devmem, sock-zcrx: NULL until used; owned by the receiving stream */
	struct dv_tx *tx;           /* sock-devmem: NULL until used; owned by the sending stream */
	struct dv_stream stream[2]; /* receive, send */
};

/* A path for connections. */
struct dv_sock_path {
	struct dv_path path;
	/* Prepares the kernel request of a part if it is not a plain recv or send. NULL: it is. */
	void (*prep)(struct dv_part *p, struct dv_net *n);
	/* Moves n received bytes to their destination. The bytes copied by the CPU, or -errno: all n are lost. */
	int (*deliver)(struct devio_ring *r, struct dv_part *p, uint32_t n);
	/* The last CQE of a multishot request. NULL: requests have one CQE. */
	void (*ended)(struct devio_ring *r, struct dv_part *p, int res);
	/* With `ended`: nanoseconds left of the idle timeout. */
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

/* Initializes the connection-specific fields of an operation. */
static inline void dv_sock_op_init(struct dv_op *op, struct devio_sock *s, bool send)
{
	op->end_id = s->stream[send].id;
	op->want = s->opts.flags & (DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL);
	op->sock = (struct dv_op_sock){ .behind = NULL };
}

/* sock/sock.c */
int dv_sock_check(const struct devio_sock *s);
void dv_sock_destroy(struct dv_endpoint *e);
/* The first obstacle to using the NIC, DEVIO_REASON_NET_SETUP if there is none. r: for DV_NIC_ZCRX, its ring. */
enum devio_reason dv_sock_nic_reason(struct devio_sock *s, enum dv_nic_use use, struct devio_ring *r);

/* sock/endpoint.c */
extern const struct dv_endpoint_ops dv_sock_endpoint_ops;

/* sock/paths.c */
extern const struct dv_path *const dv_sock_paths[];
extern const struct dv_sock_path dv_path_sock_devmem, dv_path_sock_zcrx, dv_path_sock_host, dv_path_sock_bounce;

/* sock/open.c: on success the new handle owns fd. */
int dv_sock_new(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *o, bool listening,
		struct devio_sock **out);
int dv_sock_opts(struct devio_ctx *ctx, const struct devio_sock_opts *in, struct devio_sock_opts *o, const void *out);

/* sock/submit.c: frags: a receive of fragments in place, or NULL. */
int dv_sock_start(struct devio_ring *r, const struct devio_sock_io *io, const struct devio_frags_io *frags);

#endif
