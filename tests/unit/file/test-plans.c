/* SPDX-License-Identifier: MIT */
/* lib/file/fast.c and plan.c: plans of files and memories that come and go, with operations in flight. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "unit/fake.h"
#include "file/file.h"
#include "rig.h"

#define BLOCK 4096u
#define BLOCKS 64u
#define SIZE (BLOCKS * BLOCK)
#define DEPTH 32u

/* Files at the same address, one after another: the plan of the first is not that of the second. */
static void test_address_again(void **state)
{
	const char *name[2] = { rig_name("plan-a"), rig_name("plan-b") };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_ring *r = rig_ring(ctx, DEPTH, 0, 0);
	struct devio_completion c[4];
	unsigned int same = 0;
	void *before = NULL;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		rig_file(name[i], SIZE, i);
	for (unsigned int round = 0; round < 200; round++) {
		unsigned int which = round % 2;
		struct devio_mem *m = rig_mem(ctx, SIZE);
		struct devio_file *f = rig_open(ctx, name[which], O_RDWR, 0);

		same += f == before;
		before = f;
		for (unsigned int k = 0; k < 4; k++)
			must_zero(devio_ring_read(r, f, m, k * BLOCK, BLOCK, k * BLOCK, k));
		rig_wait(r, c, 4);
		for (unsigned int k = 0; k < 4; k++)
			must(c[k].result == BLOCK, "%lld", (long long)c[k].result);
		rig_check(m, 0, 4 * BLOCK, which, 0);
		devio_file_close(f);
		devio_mem_free(m);
	}
	if (!same)
		print_message("# no file was allocated where the one before it had been\n");
	check_idle(r);
	devio_ring_close(r);
	devio_ctx_close(ctx);
	unlink(name[0]);
	unlink(name[1]);
}

/* What the completions of operations in flight report does not change with the plan for the next ones. */
static void test_outcome(void **state)
{
	enum { LEN = 1 << 20, N = 8 };
	struct devio_completion c[2 * N];
	unsigned int buffered = 0;
	struct rig_env e;

	(void)state;
	rig_env_open(&e, "plan-outcome", N * LEN, 3, 0, 0, 2 * N);
	rig_cache(e.name, 1);
	must_zero(devio_ring_read(e.ring, e.file, e.mem, 0, LEN, 0, 0));
	rig_wait(e.ring, c, 1);
	if (!rig_direct(e.file) || c[0].path != DEVIO_PATH_FILE_BUFFERED)
		must_skip("needs O_DIRECT, and the page cache must be found to be hot");
	/* These are queued, not submitted, when the file leaves the page cache: the later ones find that out. */
	for (unsigned int i = 0; i < N; i++) {
		if (i == 2)
			rig_cache(e.name, 0);
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * LEN, LEN, i * LEN, i));
	}
	rig_wait(e.ring, c, N);
	for (unsigned int i = 0; i < N; i++) {
		bool by_cache = c[i].path == DEVIO_PATH_FILE_BUFFERED;

		must(c[i].result == LEN && c[i].copied == (by_cache ? LEN : 0), "result %lld, copied %llu",
		     (long long)c[i].result, (unsigned long long)c[i].copied);
		must(by_cache || c[i].path == DEVIO_PATH_FILE_HOST, "path %u", c[i].path);
		must(by_cache || c[i].cookie >= 2, "operation %llu was started when the file was cached",
		     (unsigned long long)c[i].cookie);
		buffered += by_cache;
	}
	must(buffered >= 2 && buffered < N, "%u by the page cache", buffered);
	rig_check(e.mem, 0, N * LEN, 3, 0);
	check_idle(e.ring);
	rig_env_close(&e);
}

#define FILES 40u

struct many {
	struct rig_rnd rnd;
	struct devio_ctx *ctx;
	struct devio_ring *ring;
	const char *base;
	struct devio_file *file[FILES];
	struct devio_mem *whole;   /* four blocks for each slot */
	struct { unsigned int file; uint64_t file_off, mem_off, len; bool busy; } op[DEPTH];
	unsigned int busy;
};

static const char *file_name(const struct many *s, unsigned int i)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s-%u", s->base, i);
	return name;
}

static void start(struct many *s, unsigned int slot)
{
	unsigned int blocks = 1 + rig_rnd(&s->rnd) % 2 * (rig_rnd(&s->rnd) % 3);
	/* Few files most of the time, so that the same plan is used in a row. */
	unsigned int file = rig_rnd(&s->rnd) % (rig_rnd(&s->rnd) % 4 ? 2 : FILES);

	s->op[slot].file = file;
	s->op[slot].len = blocks * BLOCK;
	s->op[slot].file_off = rig_rnd(&s->rnd) % (BLOCKS - blocks) * BLOCK;
	s->op[slot].mem_off = slot * 4 * BLOCK;
	s->op[slot].busy = true;
	s->busy++;
	must_zero(devio_ring_read(s->ring, s->file[file], s->whole, s->op[slot].mem_off, s->op[slot].len,
				  s->op[slot].file_off, slot));
}

static void finish(struct many *s, unsigned int least)
{
	struct devio_completion c[DEPTH];
	int n = devio_ring_wait(s->ring, c, least, DEPTH, -1);

	must(n >= (int)least, "%d: %s", n, devio_errmsg());
	for (int i = 0; i < n; i++) {
		unsigned int slot = c[i].cookie;

		must(slot < DEPTH && s->op[slot].busy && c[i].result == (int64_t)s->op[slot].len, "slot %u: %lld", slot,
		     (long long)c[i].result);
		rig_check(s->whole, s->op[slot].mem_off, s->op[slot].len, s->op[slot].file, s->op[slot].file_off);
		s->op[slot].busy = false;
		s->busy--;
	}
}

/* The file is closed while reads from it may be in flight, and opened again. */
static void reopen(struct many *s)
{
	unsigned int file = rig_rnd(&s->rnd) % 2 ? rig_rnd(&s->rnd) % 2 : rig_rnd(&s->rnd) % FILES;

	devio_file_close(s->file[file]);
	s->file[file] = rig_open(s->ctx, file_name(s, file), rig_rnd(&s->rnd) % 2 ? O_RDONLY : O_RDWR, 0);
}

/* The memory of all reads in flight is freed by its owner, and another one allocated. */
static void renew(struct many *s)
{
	devio_mem_free(s->whole);
	while (s->busy) {
		struct devio_completion c[DEPTH];
		int n = devio_ring_wait(s->ring, c, 1, DEPTH, -1);

		must(n > 0, "%d: %s", n, devio_errmsg());
		for (int i = 0; i < n; i++)
			s->op[c[i].cookie].busy = false;
		s->busy -= n;
	}
	s->whole = rig_mem(s->ctx, DEPTH * 4 * BLOCK);
}

/* Reads of 40 files in any order, while these are closed and opened, and the memory is replaced. */
static void test_any_order(void **state)
{
	struct many s = { .rnd = { 24 }, .base = rig_name("plan-many") };
	int fds;

	(void)state;
	s.ctx = rig_ctx(0);
	s.ring = rig_ring(s.ctx, DEPTH, 0, 0);
	s.whole = rig_mem(s.ctx, DEPTH * 4 * BLOCK);
	fds = rig_fds();
	for (unsigned int i = 0; i < FILES; i++) {
		rig_file(file_name(&s, i), SIZE, i);
		s.file[i] = rig_open(s.ctx, file_name(&s, i), O_RDWR, 0);
	}
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int slot = rig_rnd(&s.rnd) % DEPTH;

		if (!s.op[slot].busy)
			start(&s, slot);
		if (rig_rnd(&s.rnd) % 16 == 0)
			reopen(&s);
		if (rig_rnd(&s.rnd) % 512 == 0)
			renew(&s);
		if (rig_rnd(&s.rnd) % 16 == 0)
			finish(&s, s.busy ? rig_rnd(&s.rnd) % s.busy : 0);
	}
	finish(&s, s.busy);
	check_idle(s.ring);
	for (unsigned int i = 0; i < FILES; i++) {
		devio_file_close(s.file[i]);
		unlink(file_name(&s, i));
	}
	must(rig_fds() == fds, "%d descriptors, not %d: a plan without operations keeps no file open", rig_fds(), fds);
	devio_mem_free(s.whole);
	devio_ring_close(s.ring);
	devio_ctx_close(s.ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_again),
		cmocka_unit_test(test_outcome),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
