/* SPDX-License-Identifier: MIT */
/* file-dmabuf: what is reported of the path, and what happens when the kernel refuses. */
#include <devio/uring.h>
#include "dmabuftest.h"

static struct devio_mem *new_mem(struct bed *b, uint64_t size, uint64_t off)
{
	struct devio_mem *m;

	must_zero(fake_mem(b->ctx, size, off, false, &m));
	return m;
}

static void must_direct(const struct devio_completion *c, uint64_t len)
{
	must(c->result == (int64_t)len, "%lld of %llu bytes", (long long)c->result, (unsigned long long)len);
	must(c->path == DEVIO_PATH_FILE_DMABUF, "path %s", devio_path_name(c->path));
	must(!c->best_unused && !c->reason, "nothing is better: %s", devio_reason_text(c->reason));
}

/* By file-bounce, and why not by file-dmabuf; tried: known only from its I/O. */
static void must_bounce(const struct devio_completion *c, int64_t len, unsigned int reason, bool tried)
{
	must(c->result == len && c->path == DEVIO_PATH_FILE_BOUNCE, "%lld by %s", (long long)c->result,
	     devio_path_name(c->path));
	must(c->best_unused == DEVIO_PATH_FILE_DMABUF && c->reason == reason, "best unused %u, reason %u, not %u",
	     c->best_unused, c->reason, reason);
	must(!!(c->flags & DEVIO_DONE_FELL_BACK) == tried, "flags %u", c->flags);
}

/* The memory is filled `times` times from the start of the file, directly each time. */
static void must_read_directly(struct bed *b, struct devio_mem *m, int times)
{
	while (times--) {
		struct devio_completion c = ring_read(b, m, 0, MIB, 0);

		must_direct(&c, MIB);
	}
}

/* The memory is filled from this place of the file, by file-bounce. */
static void must_read_bounced(struct bed *b, struct devio_mem *m, uint64_t off)
{
	struct devio_completion c = ring_read(b, m, 0, MIB, off);

	must(c.result == MIB && c.path == DEVIO_PATH_FILE_BOUNCE, "%lld by %s", (long long)c.result,
	     devio_path_name(c.path));
}

/* A ring of the application without a buffer table: its error, not the kernel's; nothing is learnt from it. */
static void test_bad_slots(void **state)
{
	struct devio_attach_opts ao = { .sz = sizeof(ao), .entries = 8, .buf_first = 0, .buf_count = 4 };
	struct io_uring_cqe *cqe;
	struct devio_completion c;
	struct devio_ring *r;
	struct devio_mem *m;
	struct io_uring u;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	must_zero(fake_mem(b.ctx, MIB, 0, false, &m));
	must_zero(io_uring_queue_init(32, &u, 0));
	must_zero(devio_ring_attach(b.ctx, &u, &ao, &r));
	fake.no_table = true;
	must_zero(devio_ring_read(r, b.file, m, 0, MIB, 0, 1));
	while (devio_ring_peek(r, &c, 1) != 1) {
		io_uring_submit(&u);
		must_zero(io_uring_wait_cqe(&u, &cqe));
		devio_ring_handle(r, cqe);
		io_uring_cqe_seen(&u, cqe);
	}
	must(c.result == MIB && c.path == DEVIO_PATH_FILE_BOUNCE, "by %s", devio_path_name(c.path));
	fake.no_table = false;
	c = ring_read(&b, m, 0, MIB, 0);
	must(c.path == DEVIO_PATH_FILE_DMABUF, "another ring is direct, by %s", devio_path_name(c.path));
	devio_ring_close(r);
	io_uring_queue_exit(&u);
	devio_mem_free(m);
	bed_close(&b);
}

static void test_aligned(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	for (int i = 0; i < 3; i++) { /* the second by the hot path */
		c = ring_read(&b, m, 0, MIB, 0);
		must_direct(&c, MIB);
		must(!c.copied && !c.flags, "copied %llu, flags %u", (unsigned long long)c.copied, c.flags);
		must_hold(m, 0, MIB, 0);
	}
	must(fake.tried == 1 && fake.ios == 3, "one registration, three reads: %u %u", fake.tried, fake.ios);
	devio_mem_free(m);
	bed_close(&b);
}

static void test_edges(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	/* 100 bytes of a head, 200 of a tail; memory and file offset agree modulo the block. */
	c = ring_read(&b, m, BLOCK - 100, 100 + 16 * BLOCK + 200, 3 * BLOCK - 100);
	must_direct(&c, 100 + 16 * BLOCK + 200);
	must(c.copied == 300, "only the edges are copied: %llu", (unsigned long long)c.copied);
	must(c.flags == DEVIO_DONE_MIXED, "flags %u", c.flags);
	must_hold(m, BLOCK - 100, 100 + 16 * BLOCK + 200, 3 * BLOCK - 100);
	devio_mem_free(m);
	bed_close(&b);
}

/* File and memory disagree modulo the alignment: nothing direct is possible. */
static void test_misaligned(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	c = ring_read(&b, m, 1, 64 * BLOCK, 0);
	must(c.result == 64 * BLOCK && c.best_unused == DEVIO_PATH_FILE_DMABUF && c.reason == DEVIO_REASON_ALIGN,
	     "%lld better %u reason %u", (long long)c.result, c.best_unused, c.reason);
	must(!(c.flags & DEVIO_DONE_FELL_BACK), "nothing was tried");
	must_hold(m, 1, 64 * BLOCK, 0);
	devio_mem_free(m);
	bed_close(&b);
}

/* A hole: the same call by the next path, which is reported; the next operation is direct again. */
static void test_hole(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 4 * MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	fake.hole[0].off = MIB + 5 * BLOCK;
	fake.hole[0].len = BLOCK;
	fake.nr_holes = 1;
	must_read_directly(&b, m, 2);
	c = ring_read(&b, m, 0, MIB, MIB);
	must_bounce(&c, MIB, DEVIO_REASON_REFUSED, true);
	must(c.flags == DEVIO_DONE_FELL_BACK && c.copied == MIB, "flags %u", c.flags);
	must_hold(m, 0, MIB, MIB);
	must(stats(b.ctx).path[DEVIO_PATH_FILE_DMABUF].fell_back == 1, "counted");
	c = ring_read(&b, m, 0, MIB, 2 * MIB);
	must_direct(&c, MIB);
	must_hold(m, 0, MIB, 2 * MIB);
	devio_mem_free(m);
	bed_close(&b);
}

/* Eight refusals in a row disable the path for the pair; a success in between starts the count again. */
static void test_refusals(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 4 * MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	for (int i = 0; i < 7; i++) {
		fake.io_err = -EOPNOTSUPP;
		fake.io_err_left = 1;
		c = ring_read(&b, m, 0, MIB, 0);
		must_bounce(&c, MIB, DEVIO_REASON_REFUSED, true);
	}
	must_read_directly(&b, m, 1);
	fake.injected = 0;
	fake.io_err_left = 100;
	for (int i = 0; i < 20; i++) {
		c = ring_read(&b, m, 0, MIB, 0);
		must_bounce(&c, MIB, DEVIO_REASON_REFUSED, i < 8);
	}
	must(fake.injected == 8, "the eighth refusal was the last: %u", fake.injected);
	devio_mem_free(m);
	bed_close(&b);
}

/* A page cache that is busy is temporary: the path is tried again for each operation. */
static void test_busy(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 4 * MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	fake.injected = 0;
	fake.io_err = -EBUSY;
	for (int i = 0; i < 20; i++) {
		fake.io_err_left = 1;
		must_zero(devio_ring_write(b.ring, b.file, m, 0, MIB, 0, 1));
		c = wait_one(b.ring);
		must(c.result == MIB && c.flags & DEVIO_DONE_FELL_BACK, "write %d while busy", i);
	}
	must(fake.injected == 20, "tried each time: %u", fake.injected);
	fake.io_err_left = 0;
	must_read_directly(&b, m, 1);
	devio_mem_free(m);
	bed_close(&b);
}

/* Each errno of a refusal leads to the next path, for reads and writes; others are the caller's. */
static void test_errors(void **state)
{
	static const int refusals[] = { -EOPNOTSUPP, -EINVAL, -EREMOTEIO, -ENXIO, -EBADF, -EFAULT, -EBUSY };
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		bed_open(&b, 2 * MIB, 0, 4);
		m = new_mem(&b, MIB, 0);
		fake.io_err = refusals[i];
		fake.io_err_left = 1;
		c = ring_read(&b, m, 0, MIB, MIB);
		must(c.result == MIB && c.flags & DEVIO_DONE_FELL_BACK, "read after %d", refusals[i]);
		must_hold(m, 0, MIB, MIB);
		fake.io_err_left = 1;
		must_zero(devio_ring_write(b.ring, b.file, m, 0, MIB, 0, 1));
		c = wait_one(b.ring);
		must(c.result == MIB && c.flags & DEVIO_DONE_FELL_BACK, "write after %d", refusals[i]);
		fake.io_err = -EIO;
		fake.io_err_left = 1;
		c = ring_read(&b, m, 0, MIB, 0);
		must(c.result == -EIO && c.reason == DEVIO_REASON_IO && !c.good, "EIO is reported: %lld",
		     (long long)c.result);
		devio_mem_free(m);
		bed_close(&b);
	}
}

/* Forced and direct-or-fail: the refusal is the caller's, nothing is copied behind its back. */
static void test_forced(void **state)
{
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 2 * MIB, DEVIO_PATH_FILE_DMABUF, 4);
	m = new_mem(&b, MIB, 0);
	for (int i = 0; i < 2; i++) { /* the second by the hot path */
		c = ring_read(&b, m, 0, MIB, 0);
		must_direct(&c, MIB);
	}
	fake.io_err = -EOPNOTSUPP;
	fake.io_err_left = 2;
	for (int i = 0; i < 2; i++) {
		c = ring_read(&b, m, 0, MIB, 0);
		must(c.result == -EOPNOTSUPP && c.path == DEVIO_PATH_FILE_DMABUF && c.reason == DEVIO_REASON_REFUSED,
		     "%lld reason %u", (long long)c.result, c.reason);
	}
	devio_mem_free(m);
	bed_close(&b);
}

static void test_direct_only(void **state)
{
	struct devio_range g = { .len = MIB };
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 2 * MIB, 0, 4);
	g.mem = m = new_mem(&b, MIB, 0);
	struct devio_io io = { .sz = sizeof(io), .file = b.file, .ranges = &g, .nr_ranges = 1,
			       .flags = DEVIO_FILE_DIRECT_ONLY };

	must_zero(devio_ring_io(b.ring, &io));
	c = wait_one(b.ring);
	must_direct(&c, MIB);
	fake.io_err = -EOPNOTSUPP;
	fake.io_err_left = 1;
	must_zero(devio_ring_io(b.ring, &io));
	c = wait_one(b.ring);
	must(c.result == -EOPNOTSUPP, "direct or fail: %lld by %s", (long long)c.result, devio_path_name(c.path));
	devio_mem_free(m);
	bed_close(&b);
}

/* The registration refused: another path with the reason, and never again for the pair. */
static void test_registration_refused(void **state)
{
	static const struct { int err; unsigned int why; } cases[] = {
		{ -EOPNOTSUPP, DEVIO_REASON_TARGET }, { -EBADF, DEVIO_REASON_TARGET }, { -ENXIO, DEVIO_REASON_MAP },
		{ -EREMOTEIO, DEVIO_REASON_MAP }, { -ENOMEM, DEVIO_REASON_MAP },
	};
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bed_open(&b, 2 * MIB, 0, 4);
		m = new_mem(&b, MIB, 0);
		fake.reg_err = cases[i].err;
		for (int k = 0; k < 5; k++) {
			c = ring_read(&b, m, 0, MIB, MIB);
			must_bounce(&c, MIB, cases[i].why, false);
		}
		must_hold(m, 0, MIB, MIB);
		must(fake.tried == 1, "tried once: %u", fake.tried);
		devio_mem_free(m);
		bed_close(&b);
	}
}

/* The exporter takes the mapping away (a GPU reset, a BAR resized): the data still arrives. */
static void test_revoked(void **state)
{
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 2 * MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	must_read_directly(&b, m, 2);
	fake_revoke(m);
	for (int i = 0; i < 12; i++)
		must_read_bounced(&b, m, MIB);
	must_hold(m, 0, MIB, MIB);
	devio_mem_free(m);
	bed_close(&b);
}

/* Gone once and back: a new registration makes it direct again. */
static void test_remapped(void **state)
{
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, 2 * MIB, 0, 4);
	m = new_mem(&b, MIB, 0);
	must_read_directly(&b, m, 1);
	fake.io_err = -EREMOTEIO;
	fake.io_err_left = 1;
	must_read_bounced(&b, m, 0);
	must_read_directly(&b, m, 1);
	must(fake.tried == 2, "registered anew: %u", fake.tried);
	devio_mem_free(m);
	bed_close(&b);
}

/* A cancellation between a refusal and the fallback must not be reported as success. */
static void test_cancel_refused(void **state)
{
	enum { PARTS = 3 };
	uint64_t len = PARTS * (uint64_t)(64 * MIB);
	struct devio_completion c;
	struct devio_mem *m;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	must(!truncate(b.name, len), "a long sparse file");
	must_zero(fake_mem(b.ctx, len, 0, true, &m));
	for (int i = 0; i < 20; i++) {
		fake.hole[0].off = 64 * MIB;
		fake.hole[0].len = BLOCK;
		fake.nr_holes = 1;
		must_zero(devio_ring_read(b.ring, b.file, m, 0, len, 0, 1));
		must(devio_ring_submit(b.ring) >= 0, "submit");
		must(devio_ring_peek(b.ring, &c, 1) == 0, "in flight");
		must(devio_ring_cancel(b.ring, 1) == 1, "found");
		c = wait_one(b.ring);
		if (c.result == (int64_t)len)
			must(c.path != DEVIO_PATH_FILE_DMABUF, "a part was refused: not whole by this path");
		else
			must(c.result == -ECANCELED, "cancelled: %lld", (long long)c.result);
	}
	devio_mem_free(m);
	bed_close(&b);
}

/* The application's own ring, with slots 3 .. 6 of its table for the library. */
static void test_borrowed(void **state)
{
	struct devio_attach_opts ao = { .sz = sizeof(ao), .entries = 8, .buf_first = 3, .buf_count = 4 };
	struct devio_completion c;
	struct io_uring_cqe *cqe;
	struct devio_ring *r;
	struct devio_mem *m;
	struct io_uring u;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	m = new_mem(&b, MIB, BLOCK);
	must_zero(io_uring_queue_init(32, &u, 0));
	must_zero(io_uring_register_buffers_sparse(&u, 8));
	must_zero(devio_ring_attach(b.ctx, &u, &ao, &r));
	for (int i = 0; i < 3; i++) {
		must_zero(devio_ring_read(r, b.file, m, 100, 32 * BLOCK + 1000, BLOCK + 100 - BLOCK * (i & 1), i));
		while (devio_ring_peek(r, &c, 1) != 1) {
			io_uring_submit(&u);
			must_zero(io_uring_wait_cqe(&u, &cqe));
			must(devio_ring_handle(r, cqe) == 1, "ours");
			io_uring_cqe_seen(&u, cqe);
		}
		must_direct(&c, 32 * BLOCK + 1000);
		must_hold(m, 100, 32 * BLOCK + 1000, BLOCK + 100 - BLOCK * (i & 1));
	}
	must(fake.tried == 1 && fake.ios == 3, "one registration, three direct I/Os");
	devio_mem_free(m);
	devio_ring_close(r);
	must(!fake.live, "the ring released the slots");
	io_uring_queue_exit(&u);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_slots), /* first: what is learnt of the kernel is learnt once */
		cmocka_unit_test(test_aligned), cmocka_unit_test(test_edges), cmocka_unit_test(test_misaligned),
		cmocka_unit_test(test_hole), cmocka_unit_test(test_refusals), cmocka_unit_test(test_busy),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_forced), cmocka_unit_test(test_direct_only),
		cmocka_unit_test(test_registration_refused), cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_remapped), cmocka_unit_test(test_cancel_refused),
		cmocka_unit_test(test_borrowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
