/* SPDX-License-Identifier: MIT */
/*
 * Gathering: the NIC writes payload into its memory in the order of packets; from
 * there it is copied to the ranges of the operation.
 */
#include "config.h"
#include "sock/rx.h"

/* The copies in flight, all of which complete before the fragments are returned. */
struct copies {
	struct dv_copy copy[16];
	struct devio_mem *mem[16];
	unsigned int nr;
	uint32_t cpu_bytes;        /* copied by the CPU */
};

static int wait_all(struct copies *c)
{
	int err = 0;

	while (c->nr) {
		int rc = dv_mem_copy_wait(c->mem[c->nr - 1], &c->copy[c->nr - 1]);

		c->nr--;
		err = rc ? rc : err;
	}
	return err;
}

/* Copies from host memory to byte x of the operation onward. */
static int scatter(struct copies *c, struct dv_op *op, uint64_t x, char *host, uint32_t len)
{
	int rc = 0;

	c->cpu_bytes += len;
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

/* Copies through host memory, where no device copies between the two memories. */
static int bounce(struct copies *c, struct dv_rx *rx, struct dv_op *op, uint64_t x, uint64_t from, uint32_t len)
{
	int rc = 0;

	for (uint32_t n; len && !rc; x += n, from += n, len -= n) {
		n = len < DV_RX_BYTES ? len : DV_RX_BYTES;
		rc = dv_mem_copy_now(rx->nic->mem, from, rx->bounce, n, true);
		if (!rc)
			rc = scatter(c, op, x, rx->bounce, n);
	}
	return rc;
}

/* Copies from byte `from` of the NIC's memory onward to byte x of the operation onward. */
static int gather(struct copies *c, struct dv_rx *rx, struct dv_op *op, uint64_t x, uint64_t from, uint32_t len)
{
	int rc = 0;

	for (uint32_t n; len && rc >= 0; x += n, from += n, len -= n) {
		uint64_t off, left;
		struct devio_mem *m = dv_op_at(op, x, &off, &left), *poll;

		n = left < len ? (uint32_t)left : len;
		if (c->nr == sizeof(c->copy) / sizeof(c->copy[0]) && (rc = wait_all(c)) < 0)
			break;
		c->copy[c->nr] = (struct dv_copy){ 0 };
		rc = dv_mem_between(m, off, rx->nic->mem, from, n, &c->copy[c->nr], &poll);
		if (!rc)
			c->mem[c->nr++] = poll;
		else if (rc > 0)
			c->cpu_bytes += n;
		else if (rc == -EOPNOTSUPP)
			rc = bounce(c, rx, op, x, from, n);
	}
	return rc < 0 ? rc : 0;
}

/* The bytes of fragment i and the adjacent ones after it, which are copied as one. */
static uint32_t run_len(const struct dv_rx_frag *f, int nr, int i, int *next)
{
	uint32_t len = f[i].len;

	for (*next = i + 1; *next < nr && f[*next].linear == f[i].linear; ++*next) {
		if (!f[i].linear && f[*next].off != f[i].off + len)
			break;
		len += f[*next].len;
	}
	return len;
}

int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr)
{
	struct dv_rx *rx = dv_sock_of(op)->rx;
	uint64_t first = x, linear = 0;
	struct copies c = { .nr = 0 };
	int rc = 0, next, err;

	for (int i = 0; i < nr && !rc; i = next) {
		uint32_t len = run_len(rx->frag, nr, i, &next);

		if (rx->frag[i].linear) {
			rc = scatter(&c, op, x, rx->linear + linear, len);
			linear += len;
		} else {
			rc = gather(&c, rx, op, x, rx->frag[i].off - rx->nic->mem_off, len);
		}
		x += len;
	}
	err = wait_all(&c);
	op->sock.delivered += x - first - linear;
	r->copied += c.cpu_bytes;
	dv_stat_add(&r->stat.sum.linear, linear);
	dv_stat_add(&r->stat.sum.frag_bytes, x - first - linear);
	return rc ? rc : err ? err : (int)c.cpu_bytes;
}
