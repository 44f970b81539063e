/* SPDX-License-Identifier: MIT */
/* Submitting receives and sends, on a ring and synchronously. */
#include "config.h"
#include <devio/nic.h>
#include "core/err.h"
#include "ring/idle.h"
#include "sock/sock.h"

_Static_assert(DEVIO_SOCK_DIRECT_ONLY == DEVIO_FILE_DIRECT_ONLY, "path/choose.c tests both by one name");

static int check(const struct devio_ctx *ctx, const struct devio_sock_io *io, uint64_t *len)
{
	static const unsigned int known = DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL;

	if (!io->sock)
		return dv_err(-EINVAL, "ring: the connection is NULL");
	if (io->sock->base.ctx != ctx)
		return dv_err(-EINVAL, "ring: the connection belongs to another context");
	if (io->sock->listening)
		return dv_err(-ENOTCONN, "sock: cannot receive or send on a listener: accept a connection first");
	if ((io->path && io->path < DEVIO_PATH_SOCK_DEVMEM) || io->path >= DEVIO_PATH_MAX || io->flags & ~known)
		return dv_err(-EINVAL, "ring: path %d is not a path for connections, or unknown flags in 0x%x",
			      io->path, io->flags);
	return dv_op_check_ranges(ctx, io->ranges, io->nr_ranges, len);
}

static void set_frags(struct dv_op *op, const struct devio_frags_io *f)
{
	op->sock.frags = f->frags;
	op->sock.max_frags = f->max;
	op->sock.frag_host = f->host;
}

int dv_sock_start(struct devio_ring *r, const struct devio_sock_io *io, const struct devio_frags_io *frags)
{
	struct devio_sock *s = io->sock;
	struct dv_stream *st;
	struct dv_op *op;
	uint64_t len = 0;
	int rc = check(r->ctx, io, &len);

	if (rc)
		return rc;
	st = &s->stream[!!io->send];
	rc = dv_stream_claim(r, st, io->send);
	if (rc)
		return rc;
	rc = dv_op_take(r, io->ranges, io->nr_ranges, &op);
	if (rc) {
		dv_stream_release(st);
		return rc;
	}
	dv_op_init(r, op, &dv_sock_get(s)->base, len, io->cookie, io->send);
	dv_sock_op_init(op, s, io->send);
	op->want |= io->flags;
	if (frags)
		set_frags(op, frags);
	dv_stream_enqueue(r, st, op);
	rc = len ? dv_path_choose(r, op, io->path ? io->path : s->opts.path) : 0;
	if (rc)
		dv_op_fail(op, 0, rc, op->fail_reason);
	dv_stream_advance(r, s, io->send);
	return 0;
}

DEVIO_API int devio_ring_sock_io(struct devio_ring *r, const struct devio_sock_io *io)
{
	struct devio_sock_io known;
	int rc = dv_ring_check(r);

	if (!rc)
		rc = dv_opts_copy(&known, sizeof(known), io, "devio_sock_io");
	return rc ? rc : dv_sock_start(r, &known, NULL);
}

static int start(struct devio_ring *r, struct devio_sock *s, const struct devio_range *range, uint64_t cookie, int send)
{
	const struct devio_sock_io io = {
		.sz = sizeof(io), .sock = s, .ranges = range, .nr_ranges = 1, .send = send, .cookie = cookie,
	};
	int rc = dv_ring_check(r);

	return rc ? rc : dv_sock_start(r, &io, NULL);
}

DEVIO_API int devio_ring_recv(struct devio_ring *r, struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off,
			      uint64_t len, uint64_t cookie)
{
	return start(r, s, &(struct devio_range){ mem, mem_off, len }, cookie, 0);
}

DEVIO_API int devio_ring_send(struct devio_ring *r, struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off,
			      uint64_t len, uint64_t cookie)
{
	return start(r, s, &(struct devio_range){ mem, mem_off, len }, cookie, 1);
}

static ssize_t transfer(struct devio_sock *s, const struct devio_range *range, int send, struct devio_completion *done)
{
	struct devio_completion c;
	struct devio_ring *r;
	int rc = dv_sock_check(s);

	if (!rc)
		rc = dv_idle_take(s->base.ctx, &r);
	if (rc)
		return rc;
	rc = start(r, s, range, 0, send);
	if (!rc)
		rc = dv_idle_wait(r, &c);
	dv_idle_put(s->base.ctx, r);
	if (rc)
		return rc;
	if (done)
		*done = c;
	if (c.result >= 0)
		return c.result;
	return dv_err((int)c.result, "sock: %s by %s failed after %llu bytes: %s", send ? "send" : "receive",
		      devio_path_name(c.path), (unsigned long long)c.good, devio_reason_text(c.reason));
}

DEVIO_API ssize_t devio_sock_recv(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done)
{
	return transfer(s, &(struct devio_range){ mem, mem_off, len }, 0, done);
}

DEVIO_API ssize_t devio_sock_send(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done)
{
	return transfer(s, &(struct devio_range){ mem, mem_off, len }, 1, done);
}

DEVIO_API int devio_sock_explain(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len, int send,
				 struct devio_completion *verdict, char *buf, size_t size)
{
	struct devio_range range = { mem, mem_off, len };
	const struct devio_sock_io io = { .sock = s, .ranges = &range, .nr_ranges = 1, .send = send };
	struct dv_op op = { .mem = mem, .ranges = &range, .nr_ranges = 1, .write = send, .eof_x = UINT64_MAX };
	int rc = dv_sock_check(s);

	if (!rc && (!mem || (size && !buf)))
		rc = dv_err(-EINVAL, "sock: the memory or the buffer is NULL");
	if (!rc)
		rc = check(s->base.ctx, &io, &op.len);
	if (rc)
		return rc;
	op.end = &s->base;
	dv_sock_op_init(&op, s, send);
	return dv_path_explain(&op, s->opts.path, verdict, buf, size);
}
