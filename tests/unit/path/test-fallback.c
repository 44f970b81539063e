/* SPDX-License-Identifier: MIT */
/*
 * The choice of a path and what happens when the kernel refuses it later: for
 * memories of every kind, refused by a kernel that is a double.
 */
#include "config.h"
#include <errno.h>
#include "core/ctx.h"
#include "file/file.h"
#include "rig.h"
#include "unit/double.h"
#include "unit/fake.h"

#define SIZE (1u << 20)
#define HOST DEVIO_PATH_FILE_HOST
#define BOUNCE DEVIO_PATH_FILE_BOUNCE
#define BUFFERED DEVIO_PATH_FILE_BUFFERED

static struct devio_ctx *ctx;
static struct devio_mem *host, *fake;
static struct devio_ring *ring;
static struct devio_file *file;
static const char *name;

static int setup(void **state)
{
	(void)state;
	double_reset(1);
	fake_plan = (struct fake_plan){ 0 };
	name = rig_name("fallback");
	rig_file(name, SIZE, 3);
	ctx = rig_ctx(0);
	host = rig_mem(ctx, SIZE);
	fake = fake_mem(ctx, SIZE, 0);
	ring = rig_ring(ctx, 8, 512 << 10, 64 << 10);
	file = rig_open(ctx, name, O_RDWR, 0);
	file->flags = DEVIO_FILE_NO_CACHE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	double_reset(1);
	check_idle(ring);
	devio_ring_close(ring);
	devio_file_close(file);
	devio_mem_free(host);
	devio_mem_free(fake);
	devio_ctx_close(ctx);
	return unlink(name);
}

static struct devio_completion xfer(struct devio_mem *m, int write, uint64_t moff, uint64_t len, uint64_t off, int path)
{
	struct devio_range g = { m, moff, len };
	struct devio_io io = { .sz = sizeof(io), .file = file, .ranges = &g, .nr_ranges = 1, .write = write,
			       .file_off = off, .path = path };
	struct devio_completion c;

	must_zero(devio_ring_io(ring, &io));
	rig_wait(ring, &c, 1);
	return c;
}

static void skip_without_direct(void)
{
	if (!rig_direct(file))
		must_skip("no O_DIRECT in this directory");
}

/* Every path is refused but the page cache: the data arrives, and that is reported. */
static void test_refused(void **state)
{
	static const int errs[] = { -EINVAL, -EOPNOTSUPP };
	struct devio_completion c;

	(void)state;
	skip_without_direct();
	for (int e = 0; e < 2; e++) {
		double_plan.every = errs[e];
		for (int i = 0; i < 2; i++) {
			struct devio_mem *m = i ? fake : host;

			c = xfer(m, 0, 0, SIZE, 0, 0);
			must(c.result == SIZE && c.path == BUFFERED, "%lld by %s", (long long)c.result,
			     devio_path_name(c.path));
			must(c.flags == DEVIO_DONE_FELL_BACK && c.copied == SIZE, "flags %u", c.flags);
			must(i || (c.best_unused == HOST && c.reason == DEVIO_REASON_REFUSED), "better %u reason %u",
			     c.best_unused, c.reason);
			rig_check(m, 0, SIZE, 3, 0);
		}
	}
}

/* A forced path that the kernel refuses, and direct-or-fail: an error that says so. */
static void test_forced(void **state)
{
	struct devio_completion c;

	(void)state;
	skip_without_direct();
	double_plan.every = -EOPNOTSUPP;
	c = xfer(host, 0, 0, 65536, 0, HOST);
	must(c.result == -EOPNOTSUPP && c.reason == DEVIO_REASON_REFUSED && !c.good, "%lld", (long long)c.result);
	c = xfer(fake, 1, 0, 65536, 0, BOUNCE);
	must(c.result == -EOPNOTSUPP && c.reason == DEVIO_REASON_REFUSED && !c.good, "%lld", (long long)c.result);
	file->flags |= DEVIO_FILE_DIRECT_ONLY;
	c = xfer(host, 0, 0, 65536, 0, 0);
	must(c.result == -EOPNOTSUPP && c.reason == DEVIO_REASON_REFUSED && !c.copied, "%lld, %u", (long long)c.result,
	     c.reason);
}

/* Refusals of single ranges do not disable the path: only refusals in a row do. */
static void test_strikes(void **state)
{
	struct devio_completion c;

	(void)state;
	skip_without_direct();
	for (int i = 0; i < 30; i++) {
		double_plan.every = -EOPNOTSUPP;
		c = xfer(host, 0, 0, 65536, 0, 0);
		must(c.result == 65536 && c.flags & DEVIO_DONE_FELL_BACK, "refused");
		double_plan.every = 0;
		c = xfer(host, 0, 0, 65536, 0, 0);
		must(c.result == 65536 && c.path == HOST, "round %d: by %s", i, devio_path_name(c.path));
	}
	double_plan.every = -EOPNOTSUPP;
	for (int i = 0; i < 8; i++)
		c = xfer(host, 0, 0, 65536, 0, 0);
	double_count.ios = 0;
	c = xfer(host, 0, 0, 65536, 0, 0);
	must(c.path == BUFFERED && c.reason == DEVIO_REASON_REFUSED && double_count.ios == 1,
	     "after eight in a row it is not tried again: %lu I/Os", double_count.ios);
}

/* The disk fails at a byte: what is good ends before it, by every path, for reads and writes. */
static void test_error_at(void **state)
{
	static const struct { uint64_t off, len, at; } cases[] = {
		{ 0, SIZE, 0 }, { 0, SIZE, 4096 }, { 0, SIZE, SIZE / 2 }, { 777, SIZE - 777, SIZE / 2 },
		{ 777, SIZE / 2, 4096 }, { 1, 5000, 4096 }, { 100, 100, 0 }, { 4095, 4098, 4096 },
	};
	static const int paths[] = { 0, HOST, BOUNCE, BUFFERED };

	(void)state;
	skip_without_direct();
	for (unsigned int i = 0; i < 8 * 4 * 2 * 2; i++) {
		uint64_t off = cases[i % 8].off, len = cases[i % 8].len, at = cases[i % 8].at;
		int path = paths[i / 8 % 4], write = i / 32 % 2;
		struct devio_mem *m = i / 64 ? fake : host;
		struct devio_completion c;
		unsigned char *buf = malloc(SIZE);

		if (m == fake && path == HOST)
			path = 0;
		rig_fill(buf, 3, 0, SIZE);
		if (!write)
			memset(buf, 0, SIZE);
		must_zero(devio_mem_copy_in(m, 0, buf, SIZE));
		free(buf);
		double_plan.fail_from = at;
		double_plan.fail_errno = -EIO;
		c = xfer(m, write, off, len, off, path);
		must(c.result == -EIO && c.reason == DEVIO_REASON_IO, "case %u: %lld, reason %u", i,
		     (long long)c.result, c.reason);
		must(off + c.good <= at || !c.good, "case %u: %llu good bytes from %llu, it fails at %llu", i,
		     (unsigned long long)c.good, (unsigned long long)off, (unsigned long long)at);
		if (!write)
			rig_check(m, off, c.good, 3, off);
		double_plan.fail_errno = 0;
	}
}

/* enters counts the system calls. */
static void test_enters(void **state)
{
	struct devio_stat s = DEVIO_OPTS(s);

	(void)state;
	for (int i = 0; i < 20; i++)
		(void)xfer(i & 1 ? host : fake, 0, i, 99999, i * 7, 0);
	must_zero(devio_stat_get(ctx, &s));
	must(s.enters == double_count.enters, "%llu enters, not %lu", (unsigned long long)s.enters,
	     double_count.enters);
}

/* A memory that copies when it likes: the descriptor wakes for it. */
static void test_slow_copies(void **state)
{
	struct devio_completion c;

	(void)state;
	fake_plan.polls = 40;
	for (int i = 0; i < 20; i++) {
		c = xfer(fake, i & 1, 0, SIZE - i, 0, i & 2 ? BOUNCE : BUFFERED);
		if (c.result == -EOPNOTSUPP)
			continue;
		must(c.result == SIZE - i, "%lld", (long long)c.result);
	}
}

static void test_timeout_of_copies(void **state)
{
	struct devio_completion c;
	uint64_t t;
	int rc;

	(void)state;
	fake_plan.polls = 1u << 30;
	must_zero(devio_ring_read(ring, file, fake, 0, 65536, 0, 0));
	t = rig_ns();
	while (!(rc = devio_ring_wait(ring, &c, 1, 1, 30000000)) && rig_ns() - t < 20000000)
		;
	t = rig_ns() - t;
	must(rc >= 0 && t < 1000000000ULL, "the wait ends in time: %d after %llu us", rc, (unsigned long long)t / 1000);
	fake_plan.polls = 0;
	if (!rc)
		rig_wait(ring, &c, 1);
	must(c.result == 65536, "%lld", (long long)c.result);
}

/* The hot path serves whatever a plan serves, memory of devices too: it takes no struct dv_op. */
static void test_hot_path(void **state)
{
	struct devio_mem *p2p = fake_mem(ctx, SIZE, DEVIO_MEM_P2P_PAGES);
	struct devio_mem *mems[] = { host, p2p };
	struct devio_completion c;

	(void)state;
	skip_without_direct();
	file->flags = 0;
	for (int i = 0; i < 2; i++) {
		rig_cache(name, 0);
		for (uint64_t n = 0; n < 20; n++) {
			struct dv_op *op = ring->free_ops;

			must_zero(devio_ring_read(ring, file, mems[i], n << 12, 4096, n << 12, n));
			must(n == 0 || ring->free_ops == op, "memory %d, read %llu takes the slow path", i,
			     (unsigned long long)n);
			rig_wait(ring, &c, 1);
			must(c.result == 4096 && c.cookie == n && c.path == (i ? DEVIO_PATH_FILE_P2P : HOST),
			     "%lld by %s", (long long)c.result, devio_path_name(c.path));
		}
		rig_check(mems[i], 0, 20 << 12, 3, 0);
	}
	devio_mem_free(p2p);
}

/* Memory that could be a fixed buffer, were it not for io_uring: the completion says that. */
static void test_no_uring(void **state)
{
	struct devio_ctx *none = rig_ctx(DEVIO_CTX_NO_URING);
	struct devio_mem *m = fake_mem(none, SIZE, DEVIO_MEM_EXPORT);
	struct devio_file *f = rig_open(none, name, O_RDONLY, DEVIO_PATH_FILE_DMABUF);
	struct devio_completion c;

	(void)state;
	must_fail(devio_file_read(f, m, 0, 65536, 0, &c), -EOPNOTSUPP);
	must(c.reason == DEVIO_REASON_NO_URING && strstr(devio_errmsg(), "io_uring"), "reason %u: %s", c.reason,
	     devio_errmsg());
	devio_file_close(f);
	f = rig_open(none, name, O_RDONLY, 0);
	must(devio_file_read(f, m, 0, SIZE, 0, &c) == SIZE, "%s", devio_errmsg());
	must(c.best_unused == DEVIO_PATH_FILE_DMABUF && c.reason == DEVIO_REASON_NO_URING, "better %u, reason %u",
	     c.best_unused, c.reason);
	rig_check(m, 0, SIZE, 3, 0);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(none);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_refused), T(test_forced), T(test_strikes), T(test_error_at), T(test_enters), T(test_slow_copies),
		T(test_timeout_of_copies), T(test_hot_path), T(test_no_uring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
