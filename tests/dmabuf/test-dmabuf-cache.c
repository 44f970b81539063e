/* SPDX-License-Identifier: MIT */
/* The cache of registrations: hits, misses, eviction, and letting go. */
#include <pthread.h>
#include "dmabuftest.h"

#define MEMS 4

static struct devio_mem *mem[MEMS];

static void mems_new(struct bed *b, int n)
{
	for (int i = 0; i < n; i++)
		must_zero(fake_mem(b->ctx, MIB, 0, false, &mem[i]));
}

static void mems_free(int n)
{
	for (int i = 0; i < n; i++)
		devio_mem_free(mem[i]);
}

static void read_direct(struct bed *b, int i, uint64_t off)
{
	struct devio_completion c = ring_read(b, mem[i], 0, 16 * BLOCK, off);

	must(c.result == 16 * BLOCK && c.path == DEVIO_PATH_FILE_DMABUF, "memory %d: %lld by %s (%s)", i,
	     (long long)c.result, devio_path_name(c.path), devio_reason_text(c.reason));
	must_hold(mem[i], 0, 16 * BLOCK, off);
}

/* Two slots, three memories in turn: each is registered anew, the oldest goes. */
static void test_evict(void **state)
{
	struct devio_stat s;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 2);
	mems_new(&b, 3);
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < 3; i++)
			read_direct(&b, i, (round * 3 + i) * BLOCK);
	s = stats(b.ctx);
	must(fake.live == 2 && fake.peak == 2, "never more than two: %u", fake.peak);
	must(fake.tried == 15 && s.dmabuf_misses == 15 && s.dmabuf_evictions == 13,
	     "%u tried, %llu missed, %llu evicted", fake.tried, (unsigned long long)s.dmabuf_misses,
	     (unsigned long long)s.dmabuf_evictions);
	mems_free(3);
	bed_close(&b);
}

/* The one that was used last stays, by the hot path too. */
static void test_lru(void **state)
{
	unsigned int tried;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 2);
	mems_new(&b, 3);
	read_direct(&b, 0, 0);
	read_direct(&b, 1, 0);
	for (int i = 0; i < 10; i++)
		read_direct(&b, 0, BLOCK * i); /* by the hot path from the second on */
	read_direct(&b, 2, 0);                 /* so this one takes the place of memory 1 */
	tried = fake.tried;
	read_direct(&b, 0, 0);
	must(fake.tried == tried, "memory 0 was used last and stayed");
	mems_free(3);
	bed_close(&b);
}

/* More memories in flight at once than slots: what has no slot falls back or waits, and the path stays enabled. */
static void test_crowd(void **state)
{
	struct devio_completion c[MEMS];
	struct bed b;
	int n = 0;

	(void)state;
	bed_open(&b, MIB, 0, 2);
	mems_new(&b, MEMS);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < MEMS; i++)
			must_zero(devio_ring_read(b.ring, b.file, mem[i], 0, MIB, 0, i));
		for (n = 0; n < MEMS;) {
			int k = devio_ring_wait(b.ring, c + n, 1, MEMS - n, 10000000000LL);

			must(k > 0, "completions: %d", k);
			n += k;
		}
		for (int i = 0; i < MEMS; i++)
			must(c[i].result == MIB, "whole: %lld", (long long)c[i].result);
		for (int i = 0; i < MEMS; i++)
			must_hold(mem[i], 0, MIB, 0);
	}
	for (int i = 0; i < MEMS; i++)
		read_direct(&b, i, BLOCK);
	must(fake.peak <= 2, "two slots: %u", fake.peak);
	mems_free(MEMS);
	bed_close(&b);
}

/* A memory freed while it is registered and idle: its registration goes when the ring is polled. */
static void test_mem_freed(void **state)
{
	struct devio_completion c;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	mems_new(&b, 2);
	read_direct(&b, 0, 0);
	read_direct(&b, 1, 0);
	devio_mem_free(mem[0]);
	must(devio_ring_peek(b.ring, &c, 1) == 0, "nothing is in flight");
	must(fake.live == 1 && fake.mems == 1, "%u registrations, %u memories", fake.live, fake.mems);
	read_direct(&b, 1, BLOCK);
	devio_mem_free(mem[1]);
	bed_close(&b);
}

/* Freed while in use: it lives until the completion, and not longer. */
static void test_mem_freed_in_flight(void **state)
{
	struct devio_completion c;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	for (int hot = 0; hot < 2; hot++) {
		mems_new(&b, 2);
		read_direct(&b, 0, 0);
		read_direct(&b, 1, 0);
		if (hot)
			read_direct(&b, 0, 0);
		must_zero(devio_ring_read(b.ring, b.file, mem[0], 0, MIB, 0, 1));
		devio_mem_free(mem[0]);
		must(fake.mems == 2, "the operation has a reference");
		must(devio_ring_submit(b.ring) >= 0, "submit");
		c = wait_one(b.ring);
		must(c.result == MIB, "%lld", (long long)c.result);
		must(devio_ring_peek(b.ring, &c, 1) == 0, "nothing is in flight");
		must(fake.live == 1 && fake.mems == 1, "%u registrations, %u memories", fake.live, fake.mems);
		devio_mem_free(mem[1]);
		must(devio_ring_peek(b.ring, &c, 1) == 0, "nothing is in flight");
		must(!fake.live && !fake.mems, "%u registrations, %u memories", fake.live, fake.mems);
	}
	bed_close(&b);
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The file closed: idle, in flight, and before it was registered at all. */
static void test_file_closed(void **state)
{
	struct devio_completion c;
	struct devio_file *f;
	unsigned int fds;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	mems_new(&b, 1);
	read_direct(&b, 0, 0);
	fds = open_descriptors();
	for (int i = 0; i < 3; i++) {
		must_zero(devio_file_open(b.ctx, b.name, O_RDONLY, NULL, &f));
		must_zero(devio_ring_read(b.ring, f, mem[0], 0, MIB, 0, 1));
		if (i == 0)
			wait_one(b.ring);
		if (i == 1)
			must(devio_ring_submit(b.ring) >= 0, "submit");
		devio_file_close(f);
		if (i)
			wait_one(b.ring);
		must(devio_ring_peek(b.ring, &c, 1) == 0, "nothing is in flight");
		must(fake.live == 1, "case %d: %u registrations", i, fake.live);
		must(open_descriptors() == fds, "case %d: descriptors are left", i);
	}
	mems_free(1);
	bed_close(&b);
}

/* Two files and one memory: a registration each; I/O never goes to the other's. */
static void test_two_files(void **state)
{
	struct devio_completion c;
	struct devio_file *f;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	mems_new(&b, 1);
	must_zero(devio_file_open(b.ctx, b.name, O_RDONLY, NULL, &f));
	for (int i = 0; i < 6; i++) {
		must_zero(devio_ring_read(b.ring, i & 1 ? f : b.file, mem[0], 0, MIB, 0, 1));
		c = wait_one(b.ring);
		must(c.result == MIB && c.path == DEVIO_PATH_FILE_DMABUF, "by %s", devio_path_name(c.path));
	}
	must(fake.live == 2 && fake.tried == 2, "%u registrations", fake.live);
	devio_file_close(f);
	mems_free(1);
	bed_close(&b);
}

/* The synchronous calls' rings have no owner: they release registrations when the memory or the file is closed. */
static void test_sync(void **state)
{
	struct devio_completion c;
	struct devio_file *f;
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	mems_new(&b, 2);
	for (int i = 0; i < 3; i++) {
		must(devio_file_read(b.file, mem[0], 0, MIB, 0, &c) == MIB, "%s", devio_errmsg());
		must(c.path == DEVIO_PATH_FILE_DMABUF, "by %s", devio_path_name(c.path));
	}
	must_hold(mem[0], 0, MIB, 0);
	must(devio_file_read(b.file, mem[1], 0, MIB, 0, &c) == MIB, "%s", devio_errmsg());
	must(fake.live == 2, "%u registrations", fake.live);
	devio_mem_free(mem[0]);
	must(fake.live == 1 && fake.mems == 1, "%u registrations, %u memories", fake.live, fake.mems);
	must_zero(devio_file_open(b.ctx, b.name, O_RDONLY, NULL, &f));
	must(devio_file_read(f, mem[1], 0, MIB, 0, &c) == MIB, "%s", devio_errmsg());
	must(fake.live == 2, "%u registrations", fake.live);
	devio_file_close(f);
	must(fake.live == 1, "%u registrations", fake.live);
	devio_mem_free(mem[1]);
	must(!fake.live && !fake.mems, "%u registrations, %u memories", fake.live, fake.mems);
	bed_close(&b);
}

static void *reader(void *arg)
{
	struct bed *b = arg;

	for (int i = 0; i < 40; i++) {
		struct devio_completion c;
		struct devio_mem *m;

		if (fake_mem(b->ctx, 64 * BLOCK, 0, true, &m))
			return (void *)"no memory";
		if (devio_file_read(b->file, m, 0, 64 * BLOCK, 0, &c) != 64 * BLOCK || c.path != DEVIO_PATH_FILE_DMABUF)
			return (void *)"a read failed or was not direct";
		devio_mem_free(m);
	}
	return NULL;
}

/* Memories freed while other threads' calls have the rings: none is forgotten. */
static void test_sync_threads(void **state)
{
	pthread_t t[4];
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	for (int i = 0; i < 4; i++)
		must_zero(pthread_create(&t[i], NULL, reader, &b));
	for (int i = 0; i < 4; i++) {
		void *bad;

		must_zero(pthread_join(t[i], &bad));
		must(!bad, "%s", (const char *)bad);
	}
	must(!fake.live && !fake.mems, "%u registrations, %u memories", fake.live, fake.mems);
	bed_close(&b);
}

/* Everything closed in the least helpful order. */
static void test_close_order(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, MIB, 0, 4);
	mems_new(&b, 1);
	read_direct(&b, 0, 0);
	must_zero(devio_ring_read(b.ring, b.file, mem[0], 0, MIB, 0, 1));
	devio_ctx_close(b.ctx);
	devio_file_close(b.file);
	devio_mem_free(mem[0]);
	devio_ring_close(b.ring);
	unlink(b.name);
	must(!fake.live && !fake.mems, "%u registrations, %u memories", fake.live, fake.mems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evict), cmocka_unit_test(test_lru), cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_mem_freed), cmocka_unit_test(test_mem_freed_in_flight),
		cmocka_unit_test(test_file_closed), cmocka_unit_test(test_two_files), cmocka_unit_test(test_sync),
		cmocka_unit_test(test_sync_threads), cmocka_unit_test(test_close_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
