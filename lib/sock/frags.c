/* SPDX-License-Identifier: MIT */
/* Pieces of a stream where the NIC wrote them: lent to the application, and given back. */
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

int dv_lent_init(struct dv_rx *rx, uint64_t buffers)
{
	uint64_t n = buffers / 2;

	if (rx->lent)
		return 0;
	n = n < DV_LENT_MIN ? DV_LENT_MIN : n > DV_LENT_MAX ? DV_LENT_MAX : n;
	rx->lent = calloc(n, sizeof(*rx->lent));
	if (!rx->lent)
		return -ENOMEM;
	rx->max_lent = (uint32_t)n;
	return 0;
}

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

int dv_frags_fill(struct dv_rx *rx, struct devio_frag *frags, const char *host, uint32_t n, struct dv_frag_sum *sum)
{
	struct devio_mem *m = rx->nic->mem;
	uint64_t mem_off = rx->nic->mem_off, linear = 0, bytes = 0, n_frags = 0;
	int nr = dv_rx_parse(&rx->msg, n, rx->nic->id, mem_off + m->size, rx->piece);

	for (int i = 0; i < nr; i++) {
		const struct dv_piece *p = &rx->piece[i];

		if (p->linear) {
			frags[i] = (struct devio_frag){ .host = host + linear, .len = p->len };
			linear += p->len;
			continue;
		}
		frags[i].mem = m;
		frags[i].host = NULL;
		frags[i].off = p->off - mem_off;
		frags[i].len = p->len;
		frags[i].resv = 0;
		frags[i].token = dv_lent_put(rx, p->token);
		bytes += p->len;
		n_frags++;
	}
	*sum = (struct dv_frag_sum){ .linear = linear, .frags = n_frags, .bytes = bytes };
	return nr;
}

static int hand_out(struct devio_sock *s, struct devio_frag *frags, uint32_t n)
{
	struct devio_path_stat *path = &s->ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM];
	struct dv_frag_sum sum;
	int nr = dv_frags_fill(s->rx, frags, s->rx->linear, n, &sum);

	count(&s->ctx->sync.linear, sum.linear);
	count(&s->ctx->sync.frags, sum.frags);
	count(&s->ctx->sync.frag_bytes, sum.bytes);
	count(&path->reads, 1);
	count(&path->bytes_read, sum.linear + sum.bytes);
	count(&path->copied, sum.linear);
	return nr;
}

static int lost(struct dv_flow *fl, int err)
{
	fl->err = err;
	fl->why = err == -ENODEV ? DEVIO_REASON_REVOKED : err == -ETIMEDOUT ? DEVIO_REASON_TIMEOUT : DEVIO_REASON_NET;
	if (err == -ENODEV)
		return dv_err(err, "sock: the owner of the NIC's memory took it back, and bytes of the stream with it: connect "
			      "again");
	return dv_err(err, "sock: receive by sock-devmem");
}

static int recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes, int64_t timeout_ns)
{
	struct dv_flow *fl = &s->flow[0];
	struct dv_rx *rx = s->rx;
	uint32_t left = dv_lent_room(rx), room = max < DV_RX_PIECES ? max : DV_RX_PIECES;
	ssize_t n;
	int nr;

	if (fl->err)
		return dv_err(fl->err, "sock: the stream ended with an error before");
	if (fl->ended)
		return 0;
	if (!left)
		return dv_err_plain(-ENOBUFS, "sock: as many pieces of this connection are out as may be: release some [ENOBUFS]");
	n = receive(s, bytes < DV_RX_BYTES ? (uint32_t)bytes : DV_RX_BYTES, room < left ? room : left, timeout_ns);
	if (n == -EAGAIN)
		return dv_err_plain(-EAGAIN, "sock: nothing has come in the time allowed [EAGAIN]");
	if (n < 0)
		return lost(fl, (int)n);
	fl->ended = !n;
	nr = n ? hand_out(s, frags, (uint32_t)n) : 0;
	return nr < 0 ? lost(fl, nr) : nr;
}

static int prepare(struct devio_sock *s)
{
	int rc = dv_rx_open(s);

	if (rc == -EOPNOTSUPP)
		return dv_err(rc, "sock: the connection's interface was not set up in this context: devio_nic_open()");
	if (!rc && s->rx->nic->by_ring)
		return dv_err(-EOPNOTSUPP, "sock: the interface was set up for a ring, which alone receives: devio_ring_recv() there, "
			      "or devio_nic_open() without a ring");
	if (!rc)
		rc = dv_lent_init(s->rx, s->rx->nic->mem->size / s->rx->nic->buffer);
	return rc ? dv_err(rc, "sock: no memory for the connection's pieces") : 0;
}

DEVIO_API int devio_sock_recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes,
				    int64_t timeout_ns)
{
	struct devio_ring *none = NULL;
	int rc = dv_sock_check(s);

	if (!rc && (!frags || !max || !bytes))
		rc = dv_err(-EINVAL, "sock: no room for a piece, or no bytes");
	if (!rc && s->listening)
		rc = dv_err(-ENOTCONN, "sock: a listener does not receive: accept a connection from it");
	if (rc)
		return rc;
	if (!atomic_compare_exchange_strong_explicit(&s->flow[0].ring, &none, DV_FLOW_TAKEN, memory_order_acquire,
						     memory_order_relaxed))
		return dv_err(-EBUSY, "sock: a ring or a thread is receiving on this connection: wait for it");
	rc = prepare(s);
	if (!rc)
		rc = recv_frags(s, frags, max, bytes, timeout_ns);
	atomic_store_explicit(&s->flow[0].ring, NULL, memory_order_release);
	return rc;
}

static int check_io(const struct devio_ring *r, const struct devio_frags_io *io)
{
	int rc = dv_sock_check(io->sock);

	if (!rc && io->sock->ctx != r->ctx)
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
	struct dv_flow *fl;
	int rc = dv_ring_check(r);

	if (!rc)
		rc = dv_opts_copy(&f, sizeof(f), io, "devio_frags_io");
	if (!rc)
		rc = check_io(r, &f);
	if (rc)
		return rc;
	fl = &f.sock->flow[0];
	rc = dv_flow_claim(r, fl, false);
	if (rc)
		return rc;
	rc = prepare(f.sock);
	if (rc) {
		dv_flow_let_go(fl);
		return rc;
	}
	op.sock = f.sock;
	op.cookie = f.cookie;
	range.mem = f.sock->rx->nic->mem;
	range.len = f.bytes < range.mem->size ? f.bytes : range.mem->size;
	range.len = range.len < DV_RX_BYTES ? range.len : DV_RX_BYTES;
	return dv_flow_start(r, &op, &f);
}

DEVIO_API int devio_sock_release(struct devio_sock *s, const struct devio_frag *frags, unsigned int n)
{
	int rc = dv_sock_check(s), stale = 0, lost_ones = 0;
	struct dv_back back;
	uint64_t given = 0;
	uint32_t token;

	if (!rc && n && !frags)
		rc = dv_err(-EINVAL, "sock: there are no pieces");
	back.nr = back.frags = 0;
	for (unsigned int i = 0; !rc && i < n; i++) {
		if (!frags[i].token)
			continue;
		if (!s->rx || !dv_lent_take(s->rx, frags[i].token, &token)) {
			stale++;
			continue;
		}
		lost_ones |= dv_back_put(&back, s->fd, token);
		given++;
	}
	if (rc)
		return rc;
	lost_ones |= dv_back_flush(&back, s->fd);
	count(&s->ctx->sync.returned, given);
	if (stale)
		return dv_err(-ESTALE, "sock: %d pieces are not out: they were released before, or are another connection's",
			      stale);
	return lost_ones ? dv_err(-ESTALE, "sock: the kernel did not know pieces that it had given") : 0;
}
