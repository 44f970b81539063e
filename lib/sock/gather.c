/* SPDX-License-Identifier: MIT */
/*
 * Gathering: a NIC writes payload into its memory in the order in which packets
 * arrive; from there it is copied to where the caller wants it.
 */
#include "config.h"
#include "sock/rx.h"

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
		int rc = dv_mem_copy_wait(w->mem[w->nr - 1], &w->copy[w->nr - 1]);

		w->nr--;
		err = rc ? rc : err;
	}
	return err;
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

		rc = dv_mem_copy_now(m, off, host, n, false);
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
		rc = dv_mem_copy_now(rx->nic->mem, from, rx->bounce, n, true);
		if (!rc)
			rc = scatter(w, op, x, rx->bounce, n);
	}
	return rc;
}

/* Adjacent fragments are one copy: from byte `from` of the NIC's memory. */
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

static uint32_t run_of(const struct dv_rx_frag *p, int nr, int i, int *next)
{
	uint32_t len = p[i].len;

	for (*next = i + 1; *next < nr && p[*next].linear == p[i].linear; ++*next) {
		if (!p[i].linear && p[*next].off != p[i].off + len)
			break;
		len += p[*next].len;
	}
	return len;
}

int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr)
{
	struct dv_rx *rx = dv_sock_of(op)->rx;
	uint64_t first = x, linear = 0;
	struct pending w = { .nr = 0 };
	int rc = 0, next, err;

	for (int i = 0; i < nr && !rc; i = next) {
		uint32_t len = run_of(rx->frag, nr, i, &next);

		if (rx->frag[i].linear) {
			rc = scatter(&w, op, x, rx->linear + linear, len);
			linear += len;
		} else {
			rc = gather(&w, rx, op, x, rx->frag[i].off - rx->nic->mem_off, len);
		}
		x += len;
	}
	err = wait_all(&w);
	op->sock.delivered += x - first - linear;
	r->copied += w.by_cpu;
	dv_stat_add(&r->stat.sum.linear, linear);
	dv_stat_add(&r->stat.sum.frag_bytes, x - first - linear);
	return rc ? rc : err ? err : (int)w.by_cpu;
}
