/* SPDX-License-Identifier: MIT */
/* Cancelling, closing with operations in flight, and closing in any order. */
#include "rig.h"

#include <errno.h>

#define SIZE (4u << 20)
#define N 64

static unsigned int flags;
static int path;
static const char *name;

static void env_open(struct rig_env *e, unsigned int entries)
{
	e->name = NULL; /* one file for all environments of a case */
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, SIZE);
	e->file = rig_open(e->ctx, name, O_RDWR, path);
	e->ring = rig_ring(e->ctx, entries, 128 << 10, 64 << 10);
}

static void queue(struct rig_env *e, uint64_t n, uint64_t cookies)
{
	for (uint64_t i = 0; i < n; i++)
		must_zero(devio_ring_read(e->ring, e->file, e->mem, i << 16, 65536, i << 16, i % cookies));
}

/* Whole, or cancelled with the good bytes being good. */
static void check(struct rig_env *e, const struct devio_completion *c, uint64_t off)
{
	must(c->result == 65536 || c->result == -ECANCELED, "%lld", (long long)c->result);
	must(c->result < 0 ? c->reason == DEVIO_REASON_CANCELED && c->good < 65536 : c->good == 65536,
	     "reason %u, good %llu", c->reason, (unsigned long long)c->good);
	rig_check(e->mem, off, c->good, 5, off);
}

static void test_cancel(void **state)
{
	struct devio_completion c[N];
	struct rig_env e;

	(void)state;
	env_open(&e, N);
	must(devio_ring_cancel(e.ring, 1) == -ENOENT && devio_errmsg()[0], "nothing to cancel");
	for (int round = 0; round < 8; round++) {
		queue(&e, N, N);
		if (round & 1)
			must(devio_ring_submit(e.ring) >= 0, "submit");
		for (uint64_t i = 0; i < N; i += 1 + round)
			must(devio_ring_cancel(e.ring, i) == 1, "one has cookie %llu", (unsigned long long)i);
		must(devio_ring_cancel(e.ring, 1000) == -ENOENT, "none has this");
		rig_wait(e.ring, c, N);
		for (int i = 0; i < N; i++)
			check(&e, &c[i], c[i].cookie << 16);
		must(!devio_ring_inflight(e.ring), "each completes once");
	}
	rig_env_close(&e);
}

/* Many with the same cookie; cancelled again and again without a submission. */
static void test_cancel_storm(void **state)
{
	struct devio_completion c[N];
	struct rig_env e;
	int found;

	(void)state;
	env_open(&e, N);
	for (int round = 0; round < 3; round++) {
		queue(&e, N / 2, 1);
		for (int i = 0; i < 100; i++) {
			found = devio_ring_cancel(e.ring, 0);
			must(found == N / 2 || (i && found >= -ENOENT && found < N / 2), "found %d", found);
		}
		for (uint64_t i = N / 2; i < N; i++)
			must_zero(devio_ring_read(e.ring, e.file, e.mem, i << 16, 65536, i << 16, i));
		rig_wait(e.ring, c, N);
		for (int i = 0; i < N; i++)
			must(c[i].cookie == 0 || c[i].result == 65536, "the others are whole: %lld",
			     (long long)c[i].result);
		rig_check(e.mem, SIZE / 2, SIZE / 2, 5, SIZE / 2);
	}
	rig_env_close(&e);
}

/* A wrong cancellation leaves the rest alone. */
static void test_cancel_one(void **state)
{
	struct devio_completion c[N];
	struct rig_env e;

	(void)state;
	env_open(&e, N);
	queue(&e, N, N);
	must(devio_ring_cancel(e.ring, 17) == 1, "one");
	rig_wait(e.ring, c, N);
	for (int i = 0; i < N; i++)
		must(c[i].cookie == 17 || c[i].result == 65536, "%llu: %lld", (unsigned long long)c[i].cookie,
		     (long long)c[i].result);
	rig_env_close(&e);
}

/* All orders of closing; how: 0 idle, 1 queued, 2 handed over, 3 partly taken. */
static void close_in_order(const int *order, int how)
{
	struct devio_completion c[N];
	int fds = rig_fds();
	struct rig_env e;

	env_open(&e, N);
	must(devio_file_read(e.file, e.mem, 1, 70001, 1, NULL) == 70001, "sync");
	if (how)
		queue(&e, N, N);
	if (how > 1)
		must(devio_ring_submit(e.ring) >= 0, "submit");
	if (how == 3)
		rig_wait(e.ring, c, 3);
	for (int i = 0; i < 4; i++)
		rig_env_close_nth(&e, order[i]);
	must(rig_fds() == fds, "no descriptor is left: %d, not %d", rig_fds(), fds);
}

static void test_close_orders(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * 4 * 4 * 4; i++) {
		int order[4] = { i & 3, i >> 2 & 3, i >> 4 & 3, i >> 6 & 3 }, set = 0;

		for (int k = 0; k < 4; k++)
			set |= 1 << order[k];
		if (set == 15)
			close_in_order(order, i % 4);
	}
	for (int how = 0; how < 4; how++) {
		const int order[4] = { 2, 1, 3, 0 };

		close_in_order(order, how);
	}
}

/* File and memory are closed as soon as the operation is queued: it has references. */
static void test_free_in_flight(void **state)
{
	struct devio_completion c;
	struct rig_env e;

	(void)state;
	env_open(&e, N);
	for (int i = 0; i < 50; i++) {
		struct devio_mem *m = rig_mem(e.ctx, 1 << 20);
		struct devio_file *f = rig_open(e.ctx, name, O_RDONLY, path);
		int fd = open(name, O_RDONLY);
		struct devio_file *g;

		must_zero(devio_file_import(e.ctx, fd, NULL, &g));
		close(fd);
		must_zero(devio_ring_read(e.ring, i & 1 ? f : g, m, i * 3, 500000, i * 4096, 7));
		devio_mem_free(m);
		devio_file_close(f);
		devio_file_close(g);
		rig_wait(e.ring, &c, 1);
		must(c.result == 500000, "%lld", (long long)c.result);
	}
	rig_env_close(&e);
}

static int modes[][2] = {
	{ 0, 0 }, { 0, DEVIO_PATH_FILE_BOUNCE }, { 0, DEVIO_PATH_FILE_BUFFERED },
	{ DEVIO_CTX_NO_URING, 0 }, { DEVIO_CTX_NO_URING, DEVIO_PATH_FILE_BOUNCE },
};

static int mode_of(void **state)
{
	const int *m = *state;
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_file *f;

	flags = m[0];
	path = m[1];
	name = rig_name("cancel");
	rig_file(name, SIZE, 5);
	f = rig_open(ctx, name, O_RDONLY, 0);
	if (path == DEVIO_PATH_FILE_BOUNCE && !rig_direct(f))
		path = 0;
	devio_file_close(f);
	devio_ctx_close(ctx);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(name);
}

#define ALL(f) { #f, f, mode_of, remove_file, modes[0] }, { #f " bounce", f, mode_of, remove_file, modes[1] }, \
	{ #f " buffered", f, mode_of, remove_file, modes[2] }, { #f " threads", f, mode_of, remove_file, modes[3] }, \
	{ #f " bounce threads", f, mode_of, remove_file, modes[4] }

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(test_cancel), ALL(test_cancel_storm), ALL(test_cancel_one), ALL(test_close_orders),
		ALL(test_free_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
