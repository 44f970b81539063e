/* SPDX-License-Identifier: MIT */
/* The application's own io_uring, with and without slots of its buffer table, of all shapes. */
#include <devio/uring.h>
#include "rig.h"

#include <errno.h>

#define SIZE (4u << 20)
#define OURS ((void *)0x1234)

struct env {
	struct io_uring uring;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_file *file;
	struct devio_ring *ring;
	const char *name;
	unsigned int own;          /* completions of the application's own requests */
};

struct shape {
	unsigned int entries, setup, slots;
	int path;
};

/* 0: there is no such ring here. */
static int env_open(struct env *e, const struct shape *s)
{
	struct io_uring_params p = { .flags = s->setup };
	struct devio_attach_opts o = DEVIO_OPTS(o);

	memset(e, 0, sizeof(*e));
	if (io_uring_queue_init_params(s->entries, &e->uring, &p))
		return 0;
	if (s->slots)
		must_zero(io_uring_register_buffers_sparse(&e->uring, s->slots + 3));
	e->name = rig_name("own");
	rig_file(e->name, SIZE, 7);
	e->ctx = rig_ctx(0);
	e->mem = rig_mem(e->ctx, SIZE);
	e->file = rig_open(e->ctx, e->name, O_RDWR, s->path);
	o.entries = 32;
	o.staging = 256 << 10;
	o.slot = 64 << 10;
	o.buf_first = 3;
	o.buf_count = s->slots;
	must_zero(devio_ring_attach(e->ctx, &e->uring, &o, &e->ring));
	return 1;
}

static void env_close(struct env *e)
{
	devio_ring_close(e->ring);
	devio_file_close(e->file);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	io_uring_queue_exit(&e->uring);
	unlink(e->name);
}

/* One round of the application's loop: submit, wait, hand over what is not its own. */
static void loop(struct env *e)
{
	struct io_uring_cqe *cqe;
	int rc = io_uring_submit(&e->uring);

	must(rc >= 0, "submit: %d", rc);
	rc = io_uring_wait_cqe(&e->uring, &cqe);
	must(!rc, "wait: %d", rc);
	do {
		rc = devio_ring_handle(e->ring, cqe);
		if (!rc) {
			must(io_uring_cqe_get_data(cqe) == OURS && !cqe->res, "the application's own");
			e->own++;
		} else {
			must(rc == 1, "handle: %d %s", rc, devio_errmsg());
		}
		io_uring_cqe_seen(&e->uring, cqe);
	} while (!io_uring_peek_cqe(&e->uring, &cqe));
}

static void nop(struct env *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->uring);

	if (!sqe) {
		must(io_uring_submit(&e->uring) >= 0, "make room");
		sqe = io_uring_get_sqe(&e->uring);
	}
	must(sqe != NULL, "room for a request");
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, OURS);
}

static void read_all(struct env *e, unsigned int step, int own)
{
	struct devio_completion c[32];
	unsigned int asked = 0, wanted = 0;
	uint64_t at = 0, got = 0;

	e->own = 0;
	while (got < SIZE || e->own < wanted) {
		while (at < SIZE && devio_ring_inflight(e->ring) < 32) {
			uint64_t len = SIZE - at < step ? SIZE - at : step;

			must_zero(devio_ring_read(e->ring, e->file, e->mem, at, len, at, len));
			at += len;
			if (own && ++asked % 3 == 0) {
				nop(e);
				wanted++;
			}
		}
		int n = devio_ring_peek(e->ring, c, 32);

		must(n >= 0, "peek: %d", n);
		for (int i = 0; i < n; i++) {
			must(c[i].result == (int64_t)c[i].cookie, "%lld of %llu", (long long)c[i].result,
			     (unsigned long long)c[i].cookie);
			got += c[i].result;
		}
		if (!n)
			loop(e);
	}
	must(e->own == wanted, "each of the application's own, once");
	rig_check(e->mem, 0, SIZE, 7, 0);
}

static void test_shape(void **state)
{
	const struct shape *s = *state;
	struct env e;

	if (!env_open(&e, s))
		must_skip("the kernel makes no such ring");
	if (s->path == DEVIO_PATH_FILE_BOUNCE && !rig_direct(e.file)) {
		env_close(&e);
		must_skip("no O_DIRECT in this directory");
	}
	read_all(&e, 65536, 0);
	memset(&e.own, 0, sizeof(e.own));
	read_all(&e, 99991, 1);
	read_all(&e, 1 << 20, 1);
	must(devio_ring_inflight(e.ring) == 0, "nothing is left");
	env_close(&e);
}

static void test_not_here(void **state)
{
	const struct shape s = { 64, 0, 0, 0 };
	struct devio_completion c;
	struct devio_ring *r = (void *)1;
	struct devio_attach_opts o = DEVIO_OPTS(o);
	struct env e;

	(void)state;
	if (!env_open(&e, &s))
		must_skip("no io_uring here");
	must_fail(devio_ring_submit(e.ring), -EOPNOTSUPP);
	must_fail(devio_ring_wait(e.ring, &c, 0, 1, 0), -EOPNOTSUPP);
	must_fail(devio_ring_fd(e.ring), -EOPNOTSUPP);
	must(devio_ring_peek(e.ring, &c, 1) == 0, "peek");
	must_fail(devio_ring_attach(e.ctx, NULL, NULL, &r), -EINVAL);
	must_fail(devio_ring_attach(NULL, &e.uring, NULL, &r), -EINVAL);
	o.entries = 1 << 20;
	must_fail(devio_ring_attach(e.ctx, &e.uring, &o, &r), -EINVAL);
	o.sz = 1;
	must_fail(devio_ring_attach(e.ctx, &e.uring, &o, &r), -EINVAL);
	must(r == (void *)1, "nothing is written on failure");
	env_close(&e);
}

static void test_cancel(void **state)
{
	const struct shape s = { 256, 0, 0, 0 };
	struct devio_completion c[32];
	unsigned int done = 0;
	struct env e;

	(void)state;
	if (!env_open(&e, &s))
		must_skip("no io_uring here");
	for (uint64_t i = 0; i < 32; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i << 16, 65536, i << 16, i));
	for (uint64_t i = 0; i < 32; i += 2)
		must(devio_ring_cancel(e.ring, i) == 1, "cancel");
	while (done < 32) {
		int n = devio_ring_peek(e.ring, c, 32);

		for (int i = 0; i < n; i++)
			must(c[i].result == 65536 || (c[i].result == -ECANCELED && !(c[i].cookie & 1)), "%lld",
			     (long long)c[i].result);
		done += n;
		if (done < 32)
			loop(&e);
	}
	/* The answers to the cancellations are not the application's either. */
	for (struct io_uring_cqe *cqe; !io_uring_peek_cqe(&e.uring, &cqe); io_uring_cqe_seen(&e.uring, cqe))
		must(devio_ring_handle(e.ring, cqe) == 1, "ours");
	env_close(&e);
}

/* Buffers registered with the ring, from its `fdinfo`. */
static int registered(struct env *e)
{
	char path[64], line[256];
	int n = 0, in = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e->uring.ring_fd);
	f = fopen(path, "r");
	must(f != NULL, "fdinfo");
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "UserBufs", 8))
			in = 1;
		else if (in && strstr(line, "0x") && strchr(line, '/'))
			n++;
		else if (in && line[0] != ' ')
			in = 0;
	}
	fclose(f);
	return n;
}

/* After the close the application's table is as it was, and its ring works on. */
static void test_close(void **state)
{
	const struct shape s = { 64, 0, 5, DEVIO_PATH_FILE_BOUNCE };
	struct devio_attach_opts o = DEVIO_OPTS(o);
	struct io_uring_cqe *cqe;
	struct env e;
	int mine;

	(void)state;
	if (!env_open(&e, &s))
		must_skip("no io_uring here");
	if (!rig_direct(e.file)) {
		env_close(&e);
		must_skip("no O_DIRECT in this directory");
	}
	mine = registered(&e);
	read_all(&e, 65536, 0);
	must(registered(&e) >= mine, "the staging memory may be registered");
	devio_ring_close(e.ring);
	must(registered(&e) == mine, "%d buffers are left in the application's table", registered(&e) - mine);
	nop(&e);
	must(io_uring_submit_and_wait(&e.uring, 1) >= 0, "the ring works on");
	must(!io_uring_peek_cqe(&e.uring, &cqe), "and answers");
	io_uring_cqe_seen(&e.uring, cqe);
	o.buf_first = 3;
	o.buf_count = 5;
	must_zero(devio_ring_attach(e.ctx, &e.uring, &o, &e.ring));
	read_all(&e, 65536, 1);
	env_close(&e);
}

/* Two of ours on one of the application's: each knows its own. */
static void test_two(void **state)
{
	const struct shape s = { 64, 0, 0, 0 };
	struct devio_completion c;
	struct io_uring_cqe *cqe;
	struct devio_ring *second;
	struct env e;
	int done = 0;

	(void)state;
	if (!env_open(&e, &s))
		must_skip("no io_uring here");
	must_zero(devio_ring_attach(e.ctx, &e.uring, NULL, &second));
	for (int i = 0; i < 16; i++)
		must_zero(devio_ring_read(i & 1 ? second : e.ring, e.file, e.mem, i << 12, 4096, i << 12, i));
	must(io_uring_submit(&e.uring) == 16, "sixteen");
	while (done < 16) {
		must(!io_uring_wait_cqe(&e.uring, &cqe), "wait");
		must(devio_ring_handle(e.ring, cqe) + devio_ring_handle(second, cqe) == 1, "of one of them");
		io_uring_cqe_seen(&e.uring, cqe);
		while (devio_ring_peek(e.ring, &c, 1) == 1 || devio_ring_peek(second, &c, 1) == 1) {
			must(c.result == 4096, "%lld", (long long)c.result);
			done++;
		}
	}
	rig_check(e.mem, 0, 65536, 7, 0);
	devio_ring_close(second);
	env_close(&e);
}

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#define BOUNCE DEVIO_PATH_FILE_BOUNCE
#define BUFFERED DEVIO_PATH_FILE_BUFFERED

static struct shape shapes[] = {
	{ 128, 0, 0, 0 },
	{ 128, 0, 8, 0 },
	{ 128, 0, 0, BOUNCE },
	{ 128, 0, 1, BOUNCE },
	{ 128, 0, 8, BOUNCE },
	{ 128, 0, 0, BUFFERED },
	{ 2, 0, 0, 0 },
	{ 2, 0, 4, BOUNCE },
	{ 1, 0, 0, BOUNCE },
	{ 64, IORING_SETUP_SQE128 | IORING_SETUP_CQE32, 0, 0 },
	{ 64, IORING_SETUP_SQE128 | IORING_SETUP_CQE32, 4, BOUNCE },
	{ 4, IORING_SETUP_CQE32, 0, BUFFERED },
	{ 64, IORING_SETUP_SQPOLL, 0, 0 },
	{ 64, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 4, BOUNCE },
};

int main(void)
{
	enum { N = sizeof(shapes) / sizeof(shapes[0]) };
	static char names[N][80];
	struct CMUnitTest tests[N + 4] = {
		cmocka_unit_test(test_not_here), cmocka_unit_test(test_cancel), cmocka_unit_test(test_close),
		cmocka_unit_test(test_two),
	};

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "%u entries, flags 0x%x, %u slots, %s", shapes[i].entries,
			 shapes[i].setup, shapes[i].slots, devio_path_name(shapes[i].path));
		tests[4 + i] = (struct CMUnitTest){ names[i], test_shape, NULL, NULL, &shapes[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
