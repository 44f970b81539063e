/* SPDX-License-Identifier: MIT */
/* lib/kern/pool.c: order, limits, timeouts, cancelling; lib/core/err.c: options and sentences. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "kern/pool.h"
#include "rig.h"

#define SIZE 65536

static int setup(void **state)
{
	const char *name = rig_name("pool");
	int fd;

	rig_file(name, SIZE, 3);
	fd = open(name, O_RDWR);
	unlink(name);
	*state = (void *)(intptr_t)fd;
	return fd < 0;
}

static int teardown(void **state)
{
	return close((int)(intptr_t)*state);
}

static void test_jobs(void **state)
{
	int fd = (int)(intptr_t)*state, res;
	unsigned char *buf = calloc(1, SIZE);
	struct dv_pool *p;
	void *data;

	must_zero(dv_pool_open(100, &p));
	for (int round = 0; round < 50; round++) {
		unsigned char seen[128] = { 0 };

		for (intptr_t i = 0; i < 128; i++)
			must_zero(dv_pool_queue(p, false, fd, buf + i * 512, 512, i * 512, (void *)(i + 1)));
		must(dv_pool_queue(p, false, fd, buf, 1, 0, NULL) == -EAGAIN, "full");
		must(dv_pool_ready(p) == 128 && !dv_pool_reap(p, &data, &res), "nothing is begun");
		must_zero(dv_pool_enter(p, round & 1 ? 128 : 0, -1));
		must(!dv_pool_ready(p), "all is handed over");
		for (int n = 0; n < 128;) {
			if (!dv_pool_reap(p, &data, &res)) {
				must_zero(dv_pool_enter(p, 1, 5000000000LL));
				continue;
			}
			must(res == 512 && data && !seen[(intptr_t)data - 1]++, "each once, whole: %d", res);
			n++;
		}
		for (unsigned int i = 0; i < SIZE; i++)
			must(buf[i] == rig_byte(3, i), "byte %u", i);
		memset(buf, 0, SIZE);
	}
	dv_pool_close(p);
	free(buf);
}

static void test_results(void **state)
{
	int fd = (int)(intptr_t)*state, res;
	struct dv_pool *p;
	char buf[100] = { 0 };
	void *data;

	must_zero(dv_pool_open(4, &p));
	must_zero(dv_pool_queue(p, false, -1, buf, 100, 0, &buf[0]));
	must_zero(dv_pool_enter(p, 1, -1));
	must(dv_pool_reap(p, &data, &res) && data == &buf[0] && res == -EBADF, "an error is one: %d", res);
	must_zero(dv_pool_queue(p, false, fd, buf, 100, SIZE - 50, &buf[1]));
	must_zero(dv_pool_enter(p, 1, -1));
	must(dv_pool_reap(p, &data, &res) && res == 50, "the end of the file: %d", res);
	must_zero(dv_pool_queue(p, false, fd, buf, 100, SIZE, &buf[1]));
	must_zero(dv_pool_enter(p, 1, -1));
	must(dv_pool_reap(p, &data, &res) && res == 0, "behind it: %d", res);
	must_zero(dv_pool_queue(p, true, fd, buf, 100, SIZE, &buf[1]));
	must_zero(dv_pool_enter(p, 1, -1));
	must(dv_pool_reap(p, &data, &res) && res == 100, "a write: %d", res);
	must(!ftruncate(fd, SIZE), "ftruncate");
	dv_pool_close(p);
}

static void test_timeout(void **state)
{
	struct dv_pool *p;
	uint64_t t;

	(void)state;
	must_zero(dv_pool_open(4, &p));
	for (int ms = 0; ms < 100; ms += 33) {
		t = rig_ns();
		must(dv_pool_enter(p, 1, ms * 1000000LL) == -ETIME, "nothing comes");
		t = rig_ns() - t;
		must(t >= ms * 1000000ULL && t < (ms + 100) * 1000000ULL, "%d ms took %llu us", ms,
		     (unsigned long long)t / 1000);
	}
	must_zero(dv_pool_enter(p, 0, 0));
	dv_pool_close(p);
}

static void test_cancel_and_fd(void **state)
{
	int fd = (int)(intptr_t)*state, res, canceled = 0;
	struct pollfd pfd = { .events = POLLIN };
	struct dv_pool *p;
	char buf[64][16];
	void *data;

	must_zero(dv_pool_open(64, &p));
	pfd.fd = dv_pool_fd(p);
	must(pfd.fd >= 0 && dv_pool_fd(p) == pfd.fd && !poll(&pfd, 1, 0), "not readable yet");
	for (int i = 0; i < 64; i++)
		must_zero(dv_pool_queue(p, false, fd, buf[i], 16, 0, buf[i]));
	for (int i = 0; i < 64; i += 2)
		dv_pool_cancel(p, buf[i]);
	must_zero(dv_pool_enter(p, 64, -1));
	must(poll(&pfd, 1, 1000) == 1, "readable");
	while (dv_pool_reap(p, &data, &res)) {
		must(res == ((((char (*)[16])data - buf) & 1) ? 16 : -ECANCELED), "%d", res);
		canceled += res < 0;
	}
	must(canceled == 32, "%d were cancelled", canceled);
	dv_pool_close(p);
}

struct opts { size_t sz; int a, b; };

static void test_opts(void **state)
{
	struct { struct opts known; int more[4]; } in = { { 0, 1, 2 }, { 0 } };
	struct opts out;

	(void)state;
	must_zero(dv_opts_copy(&out, sizeof(out), NULL, "opts"));
	must(!out.sz && !out.a && !out.b, "NULL is zero");
	in.known.sz = offsetof(struct opts, b);
	must_zero(dv_opts_copy(&out, sizeof(out), &in, "opts"));
	must(out.a == 1 && !out.b, "what the caller does not know is zero");
	in.known.sz = sizeof(in);
	must_zero(dv_opts_copy(&out, sizeof(out), &in, "opts"));
	must(out.a == 1 && out.b == 2, "a longer one with zeroes");
	in.more[3] = 1;
	must_fail(dv_opts_copy(&out, sizeof(out), &in, "some_opts"), -E2BIG);
	must(strstr(devio_errmsg(), "some_opts"), "names the structure: %s", devio_errmsg());
	in.known.sz = sizeof(size_t) - 1;
	must_fail(dv_opts_copy(&out, sizeof(out), &in, "opts"), -EINVAL);
}

static void test_sentences(void **state)
{
	char longer[2000];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	must(dv_err(-EIO, "%s", longer) == -EIO && strstr(devio_errmsg(), "EIO"), "cut, but with its errno: %s",
	     devio_errmsg());
	must(dv_err_plain(-EAGAIN, longer) == -EAGAIN && strlen(devio_errmsg()) < 600, "cut");
	must(dv_err(-EIO, "it broke") == -EIO && strstr(devio_errmsg(), "it broke") && strstr(devio_errmsg(), "EIO"),
	     "%s", devio_errmsg());
	must(dv_err_in(-EIO, "here") == -EIO && strstr(devio_errmsg(), "here") && strstr(devio_errmsg(), "it broke"),
	     "%s", devio_errmsg());
	must(dv_err(-123456, "odd") == -123456 && devio_errmsg()[0], "an errno without a name");
	must(dv_err(INT_MIN, "odd") == INT_MIN && strstr(devio_errmsg(), "unknown errno"), "%s", devio_errmsg());
	for (unsigned int i = 0; i < DEVIO_REASON_MAX + 3; i++)
		must(devio_reason_text(i) && devio_reason_text(i)[0], "reason %u", i);
	for (int i = 0; i < DEVIO_PATH_MAX; i++)
		must(devio_path_parse(devio_path_name(i)) == i, "path %d", i);
	must_fail(devio_path_parse("file"), -EINVAL);
	must_fail(devio_path_parse(NULL), -EINVAL);
	must(!strcmp(devio_path_name(1000), "none"), "none");
}

static void test_completion_text(void **state)
{
	static const int64_t odd[] = { INT_MIN, INT_MIN - 1LL, INT64_MIN, -123456, -(1LL << 32) };
	struct devio_completion c = { 0 };
	char buf[400], tiny[10];
	int n;

	(void)state;
	for (int result = -40; result < 2; result++)
		for (unsigned int path = 0; path < DEVIO_PATH_MAX + 1; path++)
			for (unsigned int why = 0; why < DEVIO_REASON_MAX + 1; why++) {
				c.result = result;
				c.path = path;
				c.best_unused = why ? path : 0;
				c.reason = why;
				n = devio_completion_text(&c, buf, sizeof(buf));
				must(n > 0 && n < (int)sizeof(buf) && strlen(buf) == (size_t)n, "a sentence of %d", n);
				must(devio_completion_text(&c, tiny, sizeof(tiny)) == n && strlen(tiny) == 9, "cut");
				must(devio_completion_text(&c, NULL, 0) == n, "the length alone");
			}
	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		c.result = odd[i];
		n = devio_completion_text(&c, buf, sizeof(buf));
		must(n > 0 && n < (int)sizeof(buf) && strstr(buf, "failed"), "result %lld: %s", (long long)odd[i], buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs), cmocka_unit_test(test_results), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_cancel_and_fd), cmocka_unit_test(test_opts), cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_completion_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
