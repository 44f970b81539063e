/* SPDX-License-Identifier: MIT */
/* Fragments of a stream where the NIC wrote them: borrowed by the application, and released. */
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

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* Until there is something to receive, or `end` (< 0: for ever). */
static int wait_in(int fd, int64_t end)
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

/* With no end to wait for the call itself waits: that saves two. A descriptor may be non-blocking all the same. */
static ssize_t receive(struct devio_sock *s, uint32_t bytes, unsigned int pieces, int64_t timeout_ns)
{
	int64_t end = timeout_ns < 0 ? -1 : dv_end_ns(timeout_ns);
	struct dv_rx *rx = s->rx;
	int rc = 0;

	while (!rc) {
		ssize_t n;

		dv_rx_prepare(rx, NULL, bytes, pieces);
		n = recvmsg(s->fd, &rx->msg, MSG_SOCK_DEVMEM | (end < 0 ? 0 : MSG_DONTWAIT));
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_in(s->fd, end);
	}
	return rc;
}

static int borrow(struct devio_sock *s, struct devio_frag *frags, uint32_t n)
{
	struct devio_path_stat *path = &s->base.ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM];
	struct dv_frag_sum sum;
	int nr = dv_borrow_fill(s->rx, frags, s->rx->linear, n, &sum);

	count(&s->base.ctx->sync.linear, sum.linear);
	count(&s->base.ctx->sync.frags, sum.frags);
	count(&s->base.ctx->sync.frag_bytes, sum.bytes);
	count(&path->reads, 1);
	count(&path->bytes_read, sum.linear + sum.bytes);
	count(&path->copied, sum.linear);
	return nr;
}

static int lost(struct dv_stream *st, int err)
{
	st->err = err;
	st->why = err == -ENODEV ? DEVIO_REASON_REVOKED : err == -ETIMEDOUT ? DEVIO_REASON_TIMEOUT : DEVIO_REASON_NET;
	if (err == -ENODEV)
		return dv_err(err, "sock: the owner of the NIC's memory took it back, and bytes of the stream with it: connect "
			      "again");
	return dv_err(err, "sock: receive by sock-devmem");
}

static int recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes, int64_t timeout_ns)
{
	struct dv_stream *st = &s->stream[0];
	struct dv_rx *rx = s->rx;
	uint32_t left = dv_frag_table_room(&rx->borrowed), room = max < DV_RX_FRAGS ? max : DV_RX_FRAGS;
	ssize_t n;
	int nr;

	if (st->err)
		return dv_err(st->err, "sock: the stream ended with an error before");
	if (st->ended)
		return 0;
	if (!left)
		return dv_err_plain(-ENOBUFS, "sock: as many pieces of this connection are out as may be: release some [ENOBUFS]");
	n = receive(s, bytes < DV_RX_BYTES ? (uint32_t)bytes : DV_RX_BYTES, room < left ? room : left, timeout_ns);
	if (n == -EAGAIN)
		return dv_err_plain(-EAGAIN, "sock: nothing has come in the time allowed [EAGAIN]");
	if (n < 0)
		return lost(st, (int)n);
	st->ended = !n;
	nr = n ? borrow(s, frags, (uint32_t)n) : 0;
	return nr < 0 ? lost(st, nr) : nr;
}

static int prepare(struct devio_sock *s)
{
	int rc = dv_rx_open(s);

	if (rc == -EOPNOTSUPP)
		return dv_err(rc, "sock: the connection's interface was not set up in this context: devio_nic_open()");
	if (!rc && s->rx->nic->binding->per_ring)
		return dv_err(-EOPNOTSUPP, "sock: the interface was set up for a ring, which alone receives: devio_ring_recv() there, "
			      "or devio_nic_open() without a ring");
	if (!rc)
		rc = dv_frag_table_init(&s->rx->borrowed, s->rx->nic->mem->size / s->rx->nic->buffer);
	return rc ? dv_err(rc, "sock: no memory for the connection's pieces") : 0;
}

DEVIO_API int devio_sock_recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes,
				    int64_t timeout_ns)
{
	struct dv_stream *st;
	int rc = dv_sock_check(s);

	if (!rc && (!frags || !max || !bytes))
		rc = dv_err(-EINVAL, "sock: no room for a piece, or no bytes");
	if (!rc && s->listening)
		rc = dv_err(-ENOTCONN, "sock: a listener does not receive: accept a connection from it");
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
		rc = dv_err(-EINVAL, "ring: no room for a piece or for bytes in ordinary memory, or no bytes");
	if (!rc && io->sock->listening)
		rc = dv_err(-ENOTCONN, "sock: a listener does not receive: accept a connection from it");
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
	int rc = dv_sock_check(s), stale = 0, lost_ones = 0;
	struct dv_token_batch back;
	uint64_t given = 0;
	uint32_t token;

	if (!rc && n && !frags)
		rc = dv_err(-EINVAL, "sock: there are no pieces");
	back.nr = back.frags = 0;
	for (unsigned int i = 0; !rc && i < n; i++) {
		if (!frags[i].token)
			continue;
		if (!s->rx || !dv_frag_table_take(&s->rx->borrowed, frags[i].token, &token)) {
			stale++;
			continue;
		}
		lost_ones |= dv_token_batch_add(&back, s->fd, token);
		given++;
	}
	if (rc)
		return rc;
	lost_ones |= dv_token_batch_flush(&back, s->fd);
	count(&s->base.ctx->sync.returned, given);
	if (stale)
		return dv_err(-ESTALE, "sock: %d pieces are not out: they were released before, or are another connection's",
			      stale);
	return lost_ones ? dv_err(-ESTALE, "sock: the kernel did not know pieces that it had given") : 0;
}
