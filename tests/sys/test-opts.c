/* SPDX-License-Identifier: MIT */
/* Option and info structures: sizes, unknown tails, unknown flags, NULL; specs that do not parse. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct devio_ctx *ctx;

static int setup(void **state)
{
	(void)state;
	ctx = rig_ctx(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	return 0;
}

/* One option structure after the other, by number: 0 or the call's errno. */
static int call(int which, void *opts)
{
	struct devio_ctx *c = NULL;
	struct devio_mem *m = NULL;
	struct devio_file *f = NULL;
	struct devio_ring *r = NULL;
	int rc;

	switch (which) {
	case 0:
		rc = devio_ctx_open(opts, &c);
		devio_ctx_close(c);
		return rc;
	case 1:
		rc = devio_mem_alloc(ctx, "host", 4096, opts, &m);
		devio_mem_free(m);
		return rc;
	case 2:
		rc = devio_file_open(ctx, "/proc/self/exe", O_RDONLY, opts, &f);
		devio_file_close(f);
		return rc;
	default:
		rc = devio_ring_open(ctx, opts, &r);
		devio_ring_close(r);
		return rc;
	}
}

static const size_t sizes[] = {
	sizeof(struct devio_ctx_opts), sizeof(struct devio_mem_opts), sizeof(struct devio_file_opts),
	sizeof(struct devio_ring_opts),
};

static void set_size(unsigned char *buf, size_t sz)
{
	memcpy(buf, &sz, sizeof(sz));
}

static void test_sizes(void **state)
{
	unsigned char *buf = calloc(1, 1 << 18);

	(void)state;
	for (int i = 0; i < 4; i++) {
		must_zero(call(i, NULL));
		set_size(buf, 0);
		must_fail(call(i, buf), -EINVAL);
		set_size(buf, 7);
		must_fail(call(i, buf), -EINVAL);
		set_size(buf, SIZE_MAX);
		must_fail(call(i, buf), -EINVAL);
		set_size(buf, 1 << 17);
		must_fail(call(i, buf), -EINVAL);
		for (size_t sz = sizeof(size_t); sz < sizes[i] + 100; sz++) {
			set_size(buf, sz);
			must_zero(call(i, buf));
		}
	}
	free(buf);
}

static void test_tails(void **state)
{
	unsigned char buf[512] = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		for (size_t at = sizes[i]; at < sizes[i] + 40; at++) {
			set_size(buf, sizes[i] + 40);
			buf[at] = 1;
			must_fail(call(i, buf), -E2BIG);
			/* What lies behind sz is not read. */
			set_size(buf, at);
			must_zero(call(i, buf));
			buf[at] = 0;
		}
	}
}

static void test_unknown_values(void **state)
{
	struct devio_ctx_opts c = DEVIO_OPTS(c);
	struct devio_mem_opts m = DEVIO_OPTS(m);
	struct devio_file_opts f = DEVIO_OPTS(f);
	struct devio_ring_opts r = DEVIO_OPTS(r);

	(void)state;
	c.flags = 1u << 31;
	must_fail(call(0, &c), -EINVAL);
	c.flags = 0;
	c.path = DEVIO_PATH_MAX;
	must_fail(call(0, &c), -EINVAL);
	c.path = -1;
	must_fail(call(0, &c), -EINVAL);
	m.flags = 1;
	must_fail(call(1, &m), -EINVAL);
	f.flags = 4;
	must_fail(call(2, &f), -EINVAL);
	f.flags = 0;
	f.path = 1000;
	must_fail(call(2, &f), -EINVAL);
	r.flags = 4;
	must_fail(call(3, &r), -EINVAL);
	r.flags = 0;
	r.spin_ns = 1000001;
	must_fail(call(3, &r), -EINVAL);
	r.spin_ns = 1000000;
	must_zero(call(3, &r));
	r.spin_ns = -1;
	must_zero(call(3, &r));
}

static void ring_fails(unsigned int entries, uint64_t staging, uint32_t slot, uint32_t dmabuf_slots)
{
	struct devio_ring_opts r = DEVIO_OPTS(r);

	r.entries = entries;
	r.staging = staging;
	r.slot = slot;
	r.dmabuf_slots = dmabuf_slots;
	must_fail(call(3, &r), -EINVAL);
}

static void test_ring_sizes(void **state)
{
	(void)state;
	ring_fails(16385, 0, 0, 0);
	ring_fails(UINT32_MAX, 0, 0, 0);
	ring_fails(0, 0, 4096, 0);
	ring_fails(0, 0, 65537, 0);
	ring_fails(0, 0, 100000, 0);
	ring_fails(0, 0, 1u << 31, 0);
	ring_fails(0, 65535, 0, 0);
	ring_fails(0, 65536, 1 << 20, 0);
	ring_fails(0, UINT64_MAX, 0, 0);
	ring_fails(0, 1ULL << 40, 0, 0);
	ring_fails(0, 0, 0, 5000);
}

static void count_warnings(void *arg, enum devio_log_level level, const char *text)
{
	(void)text;
	*(int *)arg += level <= DEVIO_LOG_WARN;
}

/*
 * The memory of rings counts as locked, with a limit for each user but root, and the kernel returns it some time
 * after a ring is closed: a ring that did not get it is opened again.
 */
static bool by_io_uring(struct devio_ctx *loud, const int *warned, unsigned int entries, uint64_t staging,
			uint32_t slot)
{
	for (int tries = 0; tries < 100; tries++) {
		int before = *warned;

		devio_ring_close(rig_ring(loud, entries, staging, slot));
		if (*warned == before)
			return true;
		usleep(20000);
	}
	return false;
}

/* All sizes that are promised, with io_uring: falling back to threads is logged. */
static void test_ring_extremes(void **state)
{
	static const struct { unsigned int entries; uint64_t staging; uint32_t slot; } good[] = {
		{ 1, 65536, 65536 }, { 16384, 0, 0 }, { 16384, 1 << 30, 65536 }, { 3, 64 << 20, 64 << 20 }, { 1, 0, 0 },
		{ 1, 0, 64 << 20 },
	};
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *loud;
	int warned = 0;

	(void)state;
	o.log = count_warnings;
	o.log_arg = &warned;
	o.log_level = DEVIO_LOG_DEBUG;
	must_zero(devio_ctx_open(&o, &loud));
	if (!by_io_uring(loud, &warned, 1, 0, 0))
		must_skip("no io_uring here");
	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		must(by_io_uring(loud, &warned, good[i].entries, good[i].staging, good[i].slot),
		     "%u entries are served by io_uring", good[i].entries);
	devio_ctx_close(loud);
}

static void test_specs(void **state)
{
	static const char *const bad[] = {
		"", ":", "hosts", "hos", "HOST", "host:1", " host", "nothing:0",
		"hosthosthosthosthosthosthosthosthosthosthosthosthosthosthosthosthosthosthost",
	};
	struct devio_mem *m = (void *)1;
	struct devio_mem_opts o = DEVIO_OPTS(o);
	char c = 0;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		must_fail(devio_mem_alloc(ctx, bad[i], 4096, NULL, &m), -EINVAL);
	must_fail(devio_mem_alloc(ctx, NULL, 4096, NULL, &m), -EINVAL);
	must_fail(devio_mem_alloc(ctx, "host", 0, NULL, &m), -EINVAL);
	must_fail(devio_mem_alloc(ctx, "host", UINT64_MAX, NULL, &m), -EINVAL);
	must(devio_mem_alloc(ctx, "host", 1ULL << 60, NULL, &m) < 0 && devio_errmsg()[0], "no machine has that much");
	o.offset = 4096;
	must_fail(devio_mem_alloc(ctx, "host", 4096, &o, &m), -EINVAL);
	must_fail(devio_mem_import_ptr(ctx, "host", NULL, 4096, &m), -EFAULT);
	must_fail(devio_mem_import_ptr(ctx, "host", &c, UINT64_MAX, &m), -EFAULT);
	must(m == (void *)1, "nothing is written on failure");
}

static void test_infos(void **state)
{
	struct devio_file *f = rig_open(ctx, "/proc/self/exe", O_RDONLY, 0);
	struct devio_mem *m = rig_mem(ctx, 4096);
	unsigned char buf[4096];

	(void)state;
	for (size_t sz = sizeof(size_t); sz < 4000; sz += 61) {
		memset(buf, 0xee, sizeof(buf));
		set_size(buf, sz);
		must_zero(devio_file_get_info(f, (void *)buf));
		must(buf[sz] == 0xee, "no byte behind sz");
		memset(buf, 0xee, sizeof(buf));
		set_size(buf, sz);
		must_zero(devio_mem_get_info(m, (void *)buf));
		must(buf[sz] == 0xee, "no byte behind sz");
		memset(buf, 0xee, sizeof(buf));
		set_size(buf, sz);
		must_zero(devio_stat_get(ctx, (void *)buf));
		must(buf[sz] == 0xee, "no byte behind sz");
	}
	set_size(buf, 3);
	must_fail(devio_file_get_info(f, (void *)buf), -EINVAL);
	must_fail(devio_mem_get_info(m, (void *)buf), -EINVAL);
	must_fail(devio_stat_get(ctx, (void *)buf), -EINVAL);
	must_fail(devio_file_get_info(f, NULL), -EINVAL);
	must_fail(devio_mem_get_info(m, NULL), -EINVAL);
	must_fail(devio_stat_get(ctx, NULL), -EINVAL);
	devio_file_close(f);
	devio_mem_free(m);
}

/* No object, or nowhere to put one. */
static void test_null(void **state)
{
	struct devio_file *f = rig_open(ctx, "/proc/self/exe", O_RDONLY, 0);
	struct devio_mem *m = rig_mem(ctx, 4096);
	struct devio_ring *r = rig_ring(ctx, 1, 0, 0);
	struct devio_completion c;
	void *p = (void *)1;
	uint64_t off;
	int fd;

	(void)state;
	must_fail(devio_ctx_open(NULL, NULL), -EINVAL);
	must_fail(devio_mem_alloc(NULL, "host", 1, NULL, (void *)&p), -EINVAL);
	must_fail(devio_mem_alloc(ctx, "host", 1, NULL, NULL), -EINVAL);
	must_fail(devio_mem_import_ptr(NULL, "host", &c, 1, (void *)&p), -EINVAL);
	must_fail(devio_mem_copy_in(NULL, 0, &c, 1), -EINVAL);
	must_fail(devio_mem_copy_out(NULL, 0, &c, 1), -EINVAL);
	must_fail(devio_mem_map(NULL, &p), -EINVAL);
	must_fail(devio_mem_export(NULL, &fd, &off), -EINVAL);
	must_fail(devio_mem_get_info(NULL, (void *)&c), -EINVAL);
	must_fail(devio_file_open(NULL, "x", O_RDONLY, NULL, (void *)&p), -EINVAL);
	must_fail(devio_file_open(ctx, NULL, O_RDONLY, NULL, (void *)&p), -EINVAL);
	must_fail(devio_file_open(ctx, "/proc/self/exe", O_RDONLY, NULL, NULL), -EINVAL);
	must_fail(devio_file_import(NULL, 0, NULL, (void *)&p), -EINVAL);
	must_fail(devio_file_read(NULL, m, 0, 1, 0, NULL), -EINVAL);
	must_fail(devio_file_read(f, NULL, 0, 1, 0, NULL), -EINVAL);
	must_fail(devio_file_sync(NULL), -EINVAL);
	must_fail(devio_file_get_info(NULL, (void *)&c), -EINVAL);
	must_fail(devio_file_explain(NULL, m, 0, 1, 0, 0, NULL, NULL, 0), -EINVAL);
	must_fail(devio_file_explain(f, m, 0, 1, 0, 0, NULL, NULL, 10), -EINVAL);
	must_fail(devio_ring_open(NULL, NULL, (void *)&p), -EINVAL);
	must_fail(devio_ring_open(ctx, NULL, NULL), -EINVAL);
	must_fail(devio_ring_read(r, NULL, m, 0, 1, 0, 0), -EINVAL);
	must_fail(devio_ring_read(r, f, NULL, 0, 1, 0, 0), -EINVAL);
	must_fail(devio_ring_submit(NULL), -EINVAL);
	must_fail(devio_ring_wait(NULL, &c, 1, 1, 0), -EINVAL);
	must_fail(devio_ring_cancel(NULL, 0), -EINVAL);
	must_fail(devio_ring_fd(NULL), -EINVAL);
	must_fail(devio_stat_get(NULL, (void *)&c), -EINVAL);
	must(p == (void *)1, "nothing is written on failure");
	devio_ctx_close(NULL);
	devio_mem_free(NULL);
	devio_file_close(NULL);
	devio_ring_close(NULL);
	devio_ring_close(r);
	devio_file_close(f);
	devio_mem_free(m);
}

/* The permissions of a file that O_CREAT makes with this option, 0 for none; opts may be NULL. */
static unsigned int new_mode(const struct devio_file_opts *opts)
{
	char name[] = "opts-XXXXXX";
	struct devio_file *f = NULL;
	struct stat st;

	close(mkstemp(name));
	unlink(name);
	must_zero(devio_file_open(ctx, name, O_WRONLY | O_CREAT | O_EXCL, opts, &f));
	devio_file_close(f);
	must(!stat(name, &st), "there is a file");
	unlink(name);
	return st.st_mode & 07777;
}

/* Without a mode a file is one that its owner can read. */
static void test_mode(void **state)
{
	struct devio_file_opts o = DEVIO_OPTS(o);
	mode_t mask = umask(027);

	(void)state;
	must(new_mode(NULL) == 0640, "the default, without options");
	must(new_mode(&o) == 0640, "the default");
	o.mode = 0600;
	must(new_mode(&o) == 0600, "a mode that was given");
	umask(mask);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_sizes), T(test_tails), T(test_unknown_values), T(test_ring_sizes), T(test_ring_extremes),
		T(test_specs), T(test_infos), T(test_mode), T(test_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
