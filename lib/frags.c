/* SPDX-License-Identifier: MIT */
/* Pieces of a stream where the NIC wrote them: lent to the application, and given back. */
#include "config.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ctx.h"
#include "devmem.h"
#include "err.h"

int dv_lent_init(struct dv_rx *rx, uint64_t mem_size)
{
	uint64_t n = mem_size / 4096 / 2;

	if (rx->lent)
		return 0;
	n = n < DV_LENT_MIN ? DV_LENT_MIN : n > DV_LENT_MAX ? DV_LENT_MAX : n;
	rx->lent = calloc(n, sizeof(*rx->lent));
	if (!rx->lent)
		return -ENOMEM;
	rx->max_lent = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++)
		rx->lent[i].next = i + 1;
	return 0;
}

uint64_t dv_lent_put(struct dv_rx *rx, uint32_t token)
{
	uint32_t i = rx->free_lent;
	struct dv_lent *l = &rx->lent[i];

	if (i == rx->max_lent)
		return 0;
	rx->free_lent = l->next;
	rx->nr_lent++;
	l->token = token;
	l->gen++;
	return (uint64_t)l->gen << 32 | i;
}

bool dv_lent_take(struct dv_rx *rx, uint64_t ours, uint32_t *token)
{
	uint32_t i = (uint32_t)ours, gen = (uint32_t)(ours >> 32);
	struct dv_lent *l;

	if (!rx->lent || i >= rx->max_lent || rx->lent[i].gen != gen || !(gen & 1))
		return false;
	l = &rx->lent[i];
	*token = l->token;
	l->gen++;
	l->next = rx->free_lent;
	rx->free_lent = i;
	rx->nr_lent--;
	return true;
}

static void count(struct devio_ctx *ctx, uint64_t *counter, uint64_t n)
{
	(void)ctx;
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Until there is something to receive, or `end` (< 0: for ever). */
static int wait_in(int fd, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	int64_t left = end < 0 ? 0 : end - now_ns();
	struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	int n;

	if (end >= 0 && left <= 0)
		return -EAGAIN;
	n = ppoll(&p, 1, end < 0 ? NULL : &ts, NULL);
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : n ? -errno : -EAGAIN;
}

static ssize_t receive(struct devio_sock *s, uint32_t bytes, unsigned int pieces, int64_t timeout_ns)
{
	int64_t end = timeout_ns < 0 ? -1 : now_ns() + timeout_ns;
	struct dv_rx *rx = s->rx;
	int rc = 0;

	while (!rc) {
		ssize_t n;

		dv_rx_prepare(rx, bytes);
		/* As many pieces as the caller has room for, and one place for each. */
		rx->msg.msg_controllen = pieces * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg));
		n = recvmsg(s->fd, &rx->msg, MSG_SOCK_DEVMEM | MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_in(s->fd, end);
	}
	return rc;
}

/* The pieces of one call in the caller's terms. */
static int hand_out(struct devio_sock *s, struct devio_frag *frags, uint32_t n)
{
	struct dv_rx *rx = s->rx;
	struct devio_mem *m = rx->nic->mem;
	int nr = dv_rx_parse(&rx->msg, n, rx->nic->id, rx->nic->mem_off + m->size, rx->piece);
	uint64_t linear = 0, bytes = 0, nr_frags = 0;

	for (int i = 0; i < nr; i++) {
		const struct dv_piece *p = &rx->piece[i];

		frags[i] = (struct devio_frag){ .len = p->len };
		if (p->linear) {
			frags[i].host = rx->linear + linear;
			linear += p->len;
			continue;
		}
		frags[i].mem = m;
		frags[i].off = p->off - rx->nic->mem_off;
		frags[i].token = dv_lent_put(rx, p->token);
		bytes += p->len;
		nr_frags++;
	}
	count(s->ctx, &s->ctx->sync.linear, linear);
	count(s->ctx, &s->ctx->sync.frags, nr_frags);
	count(s->ctx, &s->ctx->sync.frag_bytes, bytes);
	count(s->ctx, &s->ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM].reads, 1);
	count(s->ctx, &s->ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM].bytes_read, linear + bytes);
	count(s->ctx, &s->ctx->sync.path[DEVIO_PATH_SOCK_DEVMEM].copied, linear);
	return nr;
}

static int lost(struct dv_flow *fl, int err)
{
	fl->err = err;
	fl->why = err == -ENODEV ? DEVIO_WHY_REVOKED : err == -ETIMEDOUT ? DEVIO_WHY_TIMEOUT : DEVIO_WHY_NET;
	if (err == -ENODEV)
		return dv_err(err, "sock: the owner of the NIC's memory took it back, and bytes of the stream with it: connect "
			      "again");
	return dv_err(err, "sock: receive by sock-devmem");
}

static int recv_frags(struct devio_sock *s, struct devio_frag *frags, unsigned int max, uint64_t bytes, int64_t timeout_ns)
{
	struct dv_flow *fl = &s->flow[0];
	struct dv_rx *rx = s->rx;
	uint32_t left = rx->max_lent - rx->nr_lent, room = max < DV_RX_PIECES ? max : DV_RX_PIECES;
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
	rc = dv_rx_open(s);
	if (rc == -EOPNOTSUPP)
		rc = dv_err(rc, "sock: the connection's interface was not set up in this context: devio_nic_open()");
	if (!rc)
		rc = dv_lent_init(s->rx, s->rx->nic->mem->size);
	if (!rc)
		rc = recv_frags(s, frags, max, bytes, timeout_ns);
	atomic_store_explicit(&s->flow[0].ring, NULL, memory_order_release);
	return rc;
}

DEVIO_API int devio_sock_release(struct devio_sock *s, const struct devio_frag *frags, unsigned int n)
{
	int rc = dv_sock_check(s), stale = 0, lost_ones = 0;
	uint64_t given = 0;
	uint32_t token;

	if (!rc && n && !frags)
		rc = dv_err(-EINVAL, "sock: there are no pieces");
	for (unsigned int i = 0; !rc && i < n; i++) {
		if (!frags[i].token)
			continue;
		if (!s->rx || !dv_lent_take(s->rx, frags[i].token, &token)) {
			stale++;
			continue;
		}
		lost_ones |= dv_rx_back(s->rx, s->fd, token);
		given++;
	}
	if (rc || !s->rx)
		return rc ? rc : stale ? dv_err(-ESTALE, "sock: %d pieces are none of this connection's", stale) : 0;
	lost_ones |= dv_rx_flush(s->rx, s->fd);
	count(s->ctx, &s->ctx->sync.returned, given);
	if (stale)
		return dv_err(-ESTALE, "sock: %d pieces are not out: they were released before, or are another connection's",
			      stale);
	return lost_ones ? dv_err(-ESTALE, "sock: the kernel did not know pieces that it had given") : 0;
}
