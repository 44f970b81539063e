/* SPDX-License-Identifier: MIT */
/* Receiving fragments in place: the application borrows them from the NIC's memory and releases them. */
#include "config.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "core/clock.h"
#include "sock/frag_table.h"

static void stat_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* Polls until there is something to receive, or until the time `end` (< 0: no timeout). */
static int wait_readable(int fd, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	int64_t left = end < 0 ? 0 : end - dv_now_ns();
	struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	int n;

	if (end >= 0 && left <= 0)
		return -EAGAIN;
	n = ppoll(&p, 1, end < 0 ? NULL : &ts, NULL);
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : n ? -errno : -EAGAIN;
}

/* Without a timeout recvmsg() itself blocks, which saves two system calls; but the socket may be non-blocking. */
static ssize_t receive(struct devio_sock *s, uint32_t bytes, unsigned int max, int64_t timeout_ns)
{
	int64_t end = timeout_ns < 0 ? -1 : dv_end_ns(timeout_ns);
	struct dv_rx *rx = s->rx;
	int rc = 0;

	while (!rc) {
		ssize_t n;

		dv_rx_prepare(rx, NULL, bytes, max);
		n = recvmsg(s->fd, &rx->msg, MSG_SOCK_DEVMEM | (end < 0 ? 0 : MSG_DONTWAIT));
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_readable(s->fd, end);
	}
	return rc;
}

static int borrow(struct devio_sock *s, struct devio_frag *frags, uint32_t n)
{
	struct devio_path_stat *path = &s->base.ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM];
	struct dv_frag_sum sum;
	int nr = dv_borrow_fill(s->rx, frags, s->rx->linear, n, &sum);

	stat_add(&s->base.ctx->sync.linear, sum.linear);
	stat_add(&s->base.ctx->sync.frags, sum.frags);
	stat_add(&s->base.ctx->sync.frag_bytes, sum.bytes);
	stat_add(&path->reads, 1);
	stat_add(&path->bytes_read, sum.linear + sum.bytes);
	stat_add(&path->copied, sum.linear);
	return nr;
}

static int stream_error(struct dv_stream *st, int err)
{
	dv_stream_fail(st, err, err == -ENODEV ? DEVIO_REASON_REVOKED : err == -ETIMEDOUT ? DEVIO_REASON_TIMEOUT :
				DEVIO_REASON_NET);
	if (err == -ENODEV)
		return dv_err(err, "sock: the owner of the NIC's memory revoked it, and bytes of the stream are lost: "
			      "reconnect");
	return dv_err(err, "sock: receive by sock-devmem failed");
}

static int recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes,
		      int64_t timeout_ns)
{
	struct dv_stream *st = &s->stream[0];
	struct dv_rx *rx = s->rx;
	uint32_t left = dv_frag_table_room(&rx->borrowed), room = max < DV_RX_FRAGS ? max : DV_RX_FRAGS;
	ssize_t n;
	int nr;

	if (st->err)
		return dv_err(st->err, "sock: an earlier receive of this connection failed: reconnect");
	if (st->ended)
		return 0;
	if (!left)
		return dv_err_plain(-ENOBUFS, "sock: too many fragments of the connection are borrowed: release some "
				    "[ENOBUFS: No buffer space available]");
	n = receive(s, bytes < DV_RX_BYTES ? (uint32_t)bytes : DV_RX_BYTES, room < left ? room : left, timeout_ns);
	if (n == -EAGAIN)
		return dv_err_plain(-EAGAIN, "sock: nothing was received within the timeout "
				    "[EAGAIN: Resource temporarily unavailable]");
	if (n < 0)
		return stream_error(st, (int)n);
	st->ended = !n;
	nr = n ? borrow(s, frags, (uint32_t)n) : 0;
	return nr < 0 ? stream_error(st, nr) : nr;
}

static int prepare(struct devio_sock *s)
{
	int rc = dv_rx_open(s);

	if (rc == -EOPNOTSUPP)
		return dv_err(rc, "sock: the connection's interface is not set up in this context: call "
			      "devio_nic_open()");
	if (!rc && s->rx->nic->binding->per_ring)
		return dv_err(-EOPNOTSUPP, "sock: the interface is set up for a ring, which alone can receive: use "
			      "devio_ring_recv() on it, or devio_nic_open() without a ring");
	if (!rc)
		rc = dv_frag_table_init(&s->rx->borrowed, s->rx->nic->mem->size / s->rx->nic->buffer);
	return rc ? dv_err(rc, "sock: cannot allocate the connection's fragment table") : 0;
}

DEVIO_API int devio_sock_recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes,
				    int64_t timeout_ns)
{
	struct dv_stream *st;
	int rc = dv_sock_check(s);

	if (!rc && (!frags || !max || !bytes))
		rc = dv_err(-EINVAL, "sock: frags is NULL, or max or bytes is 0");
	if (!rc && s->listening)
		rc = dv_err(-ENOTCONN, "sock: cannot receive from a listener: accept a connection first");
	if (rc)
		return rc;
	st = &s->stream[0];
	rc = dv_stream_claim(NULL, st, false);
	if (rc)
		return rc;
	rc = prepare(s);
	if (!rc)
		rc = recv_frags(s, frags, max, bytes, timeout_ns);
	dv_stream_release(st);
	return rc;
}

static int check_io(const struct devio_ring *r, const struct devio_frags_io *io)
{
	int rc = dv_sock_check(io->sock);

	if (!rc && io->sock->base.ctx != r->ctx)
		rc = dv_err(-EINVAL, "ring: the connection belongs to another context");
	if (!rc && (!io->frags || !io->max || !io->bytes || !io->host))
		rc = dv_err(-EINVAL, "ring: devio_frags_io: frags or host is NULL, or max or bytes is 0");
	if (!rc && io->sock->listening)
		rc = dv_err(-ENOTCONN, "sock: cannot receive from a listener: accept a connection first");
	return rc;
}

DEVIO_API int devio_ring_recv_frags(struct devio_ring *r, const struct devio_frags_io *io)
{
	struct devio_range range = { 0 };
	struct devio_sock_io op = { .sz = sizeof(op), .ranges = &range, .nr_ranges = 1, .path = DEVIO_PATH_SOCK_DEVMEM,
				    .flags = DEVIO_SOCK_PARTIAL };
	struct devio_frags_io f;
	struct dv_stream *st;
	int rc = dv_ring_check(r);

	if (!rc)
		rc = dv_opts_copy(&f, sizeof(f), io, "devio_frags_io");
	if (!rc)
		rc = check_io(r, &f);
	if (rc)
		return rc;
	st = &f.sock->stream[0];
	rc = dv_stream_claim(r, st, false);
	if (rc)
		return rc;
	rc = prepare(f.sock);
	if (rc) {
		dv_stream_release(st);
		return rc;
	}
	op.sock = f.sock;
	op.cookie = f.cookie;
	range.mem = f.sock->rx->nic->mem;
	range.len = f.bytes < range.mem->size ? f.bytes : range.mem->size;
	range.len = range.len < DV_RX_BYTES ? range.len : DV_RX_BYTES;
	return dv_sock_start(r, &op, &f);
}

DEVIO_API int devio_sock_release(struct devio_sock *s, const struct devio_frag *frags, unsigned int n)
{
	int rc = dv_sock_check(s), stale = 0, unknown = 0;
	struct dv_token_batch batch;
	uint64_t returned = 0;
	uint32_t token;

	if (!rc && n && !frags)
		rc = dv_err(-EINVAL, "sock: the pointer to the fragments is NULL");
	batch.nr = batch.frags = 0;
	for (unsigned int i = 0; !rc && i < n; i++) {
		if (!frags[i].token)
			continue;
		if (!s->rx || !dv_frag_table_take(&s->rx->borrowed, frags[i].token, &token)) {
			stale++;
			continue;
		}
		unknown |= dv_token_batch_add(&batch, s->fd, token);
		returned++;
	}
	if (rc)
		return rc;
	unknown |= dv_token_batch_flush(&batch, s->fd);
	stat_add(&s->base.ctx->sync.returned, returned);
	if (stale)
		return dv_err(-ESTALE, "sock: %d fragments are not borrowed: they were released before, or belong to "
			      "another connection", stale);
	if (unknown)
		return dv_err(-ESTALE, "sock: SO_DEVMEM_DONTNEED: the kernel does not know tokens that it issued");
	return 0;
}
