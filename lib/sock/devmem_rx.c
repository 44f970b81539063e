/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem, received: the NIC writes payload into pieces of its memory, in
 * the order in which packets come; from there it is gathered to where the
 * caller wants it. The pieces go back to the NIC in one call for each receive.
 */
#include "config.h"
#include <string.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "sock/frag_table.h"

int dv_rx_can(struct devio_ring *r, const struct dv_op *op, uint8_t *why)
{
	int rc = dv_rx_open(op->sock);

	(void)r;
	*why = DEVIO_REASON_NO_SLOT;
	if (!rc && op->sock->rx->nic->by_ring) {
		*why = DEVIO_REASON_NET_RING;
		return -EBUSY;
	}
	return rc;
}

int dv_rx_issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t left = op->len - op->issued;
	struct dv_part *p;

	if (op->frags && !dv_lent_room(op->sock->rx))
		return -ENOBUFS;
	p = dv_part_get(r, op, op->issued, left < DV_RX_BYTES ? left : DV_RX_BYTES);
	if (!p)
		return -EAGAIN;
	p->way = DV_WAY_DIRECT;
	p->step = DV_STEP_MOVE;
	p->len = p->take;
	op->issued += p->len;
	dv_flow_part(r, p);
	return 0;
}

void dv_rx_frame(struct dv_part *p)
{
	const struct dv_op *op = p->op;
	struct dv_rx *rx = op->sock->rx;
	uint32_t room = DV_RX_PIECES;

	if (op->frags) {
		room = dv_lent_room(rx);
		room = op->max_frags < room ? op->max_frags : room;
	}
	dv_rx_prepare(rx, op->frag_host, p->len, room < DV_RX_PIECES ? room : DV_RX_PIECES);
}

/* ---------------------------------------------------------------- in place */

/* Copies under way, all of which end before the pieces go back. */
struct pending {
	struct dv_copy copy[16];
	struct devio_mem *mem[16];
	unsigned int nr;
	uint32_t by_cpu;           /* bytes */
};

static int wait_all(struct pending *w)
{
	int err = 0;

	while (w->nr) {
		int rc;

		w->nr--;
		do {
			rc = dv_mem_copy_poll(w->mem[w->nr], &w->copy[w->nr], true);
		} while (!rc);
		err = rc < 0 ? rc : err;
	}
	return err;
}

static int copy_now(struct devio_mem *m, uint64_t off, char *host, uint32_t len, bool out)
{
	struct dv_copy c = { 0 };
	int rc = dv_mem_copy(m, off, host, len, out, &c);

	while (!rc)
		rc = dv_mem_copy_poll(m, &c, true);
	return rc < 0 ? rc : 0;
}

/* Bytes that are in host memory, to byte x of the operation and on. */
static int scatter(struct pending *w, struct dv_op *op, uint64_t x, char *host, uint32_t len)
{
	int rc = 0;

	w->by_cpu += len;
	while (len && !rc) {
		uint64_t off, left;
		struct devio_mem *m = dv_op_at(op, x, &off, &left);
		uint32_t n = left < len ? (uint32_t)left : len;

		rc = copy_now(m, off, host, n, false);
		x += n;
		host += n;
		len -= n;
	}
	return rc;
}

static int by_bounce(struct pending *w, struct dv_rx *rx, struct dv_op *op, uint64_t x, uint64_t from, uint32_t len)
{
	int rc = 0;

	for (uint32_t n; len && !rc; x += n, from += n, len -= n) {
		n = len < DV_RX_BYTES ? len : DV_RX_BYTES;
		rc = copy_now(rx->nic->mem, from, rx->bounce, n, true);
		if (!rc)
			rc = scatter(w, op, x, rx->bounce, n);
	}
	return rc;
}

/* Pieces that lie one behind the other are one copy: from byte `from` of the NIC's memory. */
static int gather(struct pending *w, struct dv_rx *rx, struct dv_op *op, uint64_t x, uint64_t from, uint32_t len)
{
	int rc = 0;

	for (uint32_t n; len && rc >= 0; x += n, from += n, len -= n) {
		uint64_t off, left;
		struct devio_mem *m = dv_op_at(op, x, &off, &left), *poll;

		n = left < len ? (uint32_t)left : len;
		if (w->nr == sizeof(w->copy) / sizeof(w->copy[0]) && (rc = wait_all(w)) < 0)
			break;
		w->copy[w->nr] = (struct dv_copy){ 0 };
		rc = dv_mem_between(m, off, rx->nic->mem, from, n, &w->copy[w->nr], &poll);
		if (!rc)
			w->mem[w->nr++] = poll;
		else if (rc > 0)
			w->by_cpu += n;
		else if (rc == -EOPNOTSUPP)
			rc = by_bounce(w, rx, op, x, from, n);
	}
	return rc < 0 ? rc : 0;
}

static uint32_t run_of(const struct dv_piece *p, int nr, int i, int *next)
{
	uint32_t len = p[i].len;

	for (*next = i + 1; *next < nr && p[*next].linear == p[i].linear; ++*next) {
		if (!p[i].linear && p[*next].off != p[i].off + len)
			break;
		len += p[*next].len;
	}
	return len;
}

static void give_back(struct devio_ring *r, struct dv_rx *rx, int fd, int nr)
{
	uint64_t frags = 0;
	int lost = 0;

	for (int i = 0; i < nr; i++) {
		int rc = rx->piece[i].linear ? 0 : dv_back_put(&rx->back, fd, rx->piece[i].token);

		frags += !rx->piece[i].linear;
		lost = rc ? rc : lost;
	}
	if (dv_back_flush(&rx->back, fd))
		lost = 1;
	if (lost)
		dv_log(r->ctx, DEVIO_LOG_ERROR, "sock-devmem: the kernel did not know tokens that it had given");
	dv_stat_add(&r->stat.frags, frags);
	dv_stat_add(&r->stat.returned, frags);
}

int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr)
{
	struct dv_rx *rx = op->sock->rx;
	uint64_t first = x, linear = 0;
	struct pending w = { .nr = 0 };
	int rc = 0, next, err;

	for (int i = 0; i < nr && !rc; i = next) {
		uint32_t len = run_of(rx->piece, nr, i, &next);

		if (rx->piece[i].linear) {
			rc = scatter(&w, op, x, rx->linear + linear, len);
			linear += len;
		} else {
			rc = gather(&w, rx, op, x, rx->piece[i].off - rx->nic->mem_off, len);
		}
		x += len;
	}
	err = wait_all(&w);
	op->landed += x - first - linear;
	r->copied += w.by_cpu;
	dv_stat_add(&r->stat.linear, linear);
	dv_stat_add(&r->stat.frag_bytes, x - first - linear);
	return rc ? rc : err ? err : (int)w.by_cpu;
}

static int account_fails(int err, uint32_t n)
{
	return dv_err(err, "sock-devmem: the kernel's account of %u bytes cannot be used%s", n,
		      err == -ENOMSG ? ": another memory is bound to the queue" : "");
}

/* ----------------------------------------------------------- where they lie */

static int hand_out(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_frag_sum sum;
	int nr = dv_frags_fill(op->sock->rx, op->frags, op->frag_host, n, &sum);

	if (nr < 0)
		return account_fails(nr, n);
	op->nr_frags = (uint32_t)nr;
	op->landed += sum.bytes;
	dv_stat_add(&r->stat.linear, sum.linear);
	dv_stat_add(&r->stat.frags, sum.frags);
	dv_stat_add(&r->stat.frag_bytes, sum.bytes);
	return (int)sum.linear;
}

int dv_rx_landed(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct devio_sock *s = p->op->sock;
	struct dv_rx *rx = s->rx;
	int nr, rc;

	if (p->op->frags)
		return hand_out(r, p, n);
	nr = dv_rx_parse(&rx->msg, n, rx->nic->id, rx->nic->mem_off + rx->nic->mem->size, rx->piece);
	if (nr < 0)
		return account_fails(nr, n);
	rc = dv_rx_place(r, p->op, p->x, nr);
	give_back(r, rx, s->fd, nr);
	return rc;
}
