/* SPDX-License-Identifier: MIT */
/* lib/ring/index.c: devio_ring_cancel() among many operations, and that it is forgotten afterwards. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ring/engine.h"
#include "rig.h"
#include "unit/fake.h"

#define BLOCK 4096u
#define MOST 16384u
#define COOKIES 1000u

static bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

struct work {
	struct rig_env e;
	struct rig_rnd rnd;
	unsigned int in_flight;
	unsigned int with[COOKIES];    /* operations in flight with this cookie */
	bool canceled[COOKIES];        /* since there was none */
	struct devio_completion *done;
};

static void work_open(struct work *w, unsigned int entries)
{
	memset(w, 0, sizeof(*w));
	w->rnd.s = 4711;
	w->done = calloc(entries, sizeof(*w->done));
	rig_env_open(&w->e, "index", 64 * BLOCK, 1, 0, DEVIO_PATH_FILE_BUFFERED, entries);
}

static void start(struct work *w, unsigned int cookie)
{
	uint64_t block = rig_rnd(&w->rnd) % 64;

	/* Of two lengths: started by the hot path, by another length of the plan, and by several parts. */
	must_zero(devio_ring_read(w->e.ring, w->e.file, w->e.mem, block * BLOCK, rig_rnd(&w->rnd) % 8 ? BLOCK : 512,
				  block * BLOCK, cookie));
	w->with[cookie]++;
	w->in_flight++;
}

static void finish(struct work *w, unsigned int least)
{
	int n = devio_ring_wait(w->e.ring, w->done, least, MOST, -1);

	must(n >= (int)least, "%d: %s", n, devio_errmsg());
	for (int i = 0; i < n; i++) {
		unsigned int cookie = w->done[i].cookie;

		must(cookie < COOKIES && w->with[cookie], "cookie %u: one that is in flight", cookie);
		must(w->done[i].result == BLOCK || w->done[i].result == 512 ||
		     (w->done[i].result == -ECANCELED && w->canceled[cookie]), "%lld", (long long)w->done[i].result);
		if (!--w->with[cookie])
			w->canceled[cookie] = false;
	}
	w->in_flight -= n;
}

static void cancel(struct work *w, unsigned int cookie)
{
	int want = w->with[cookie] ? (int)w->with[cookie] : -ENOENT, n = devio_ring_cancel(w->e.ring, cookie);

	must(n == want, "cookie %u: %d, not %d", cookie, n, want);
	w->canceled[cookie] = w->with[cookie];
}

static void work_close(struct work *w)
{
	finish(w, w->in_flight);
	must(!w->in_flight && !devio_ring_inflight(w->e.ring), "each completes once");
	check_idle(w->e.ring);
	rig_env_close(&w->e);
	free(w->done);
}

/* Each cookie many times among the most that can be in flight: all with the cookie are canceled, and no other. */
static void test_most(void **state)
{
	struct work w;

	(void)state;
	work_open(&w, MOST);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < MOST; i++)
			start(&w, i % (COOKIES - 1));
		for (unsigned int cookie = 0; cookie < COOKIES; cookie += 7)
			cancel(&w, cookie);
		cancel(&w, COOKIES - 1);
		cancel(&w, 0);
		finish(&w, MOST / 2);
		finish(&w, w.in_flight);
	}
	work_close(&w);
}

/* Starts, completions and cancellations in any order, with and without memory for the index. */
static void any_order(bool index)
{
	struct work w;

	work_open(&w, 256);
	no_memory = !index;
	for (unsigned int round = 0; round < 200000; round++) {
		if (w.in_flight < 256)
			start(&w, rig_rnd(&w.rnd) % 16);
		if (rig_rnd(&w.rnd) % 64 == 0)
			cancel(&w, rig_rnd(&w.rnd) % 17);
		if (w.in_flight == 256 || rig_rnd(&w.rnd) % 64 == 0)
			finish(&w, rig_rnd(&w.rnd) % (w.in_flight + 1));
	}
	must(!!w.e.ring->index == index, "the index");
	no_memory = false;
	work_close(&w);
}

static void test_any_order(void **state)
{
	(void)state;
	any_order(true);
	any_order(false);
}

/* The index is dropped if nothing more is canceled, and then built again. */
static void test_dropped(void **state)
{
	struct work w;
	unsigned int n = 0;

	(void)state;
	work_open(&w, 64);
	for (unsigned int round = 0; round < 3; round++) {
		must(!w.e.ring->index, "no index before the first cancellation");
		for (unsigned int i = 0; i < 64; i++)
			start(&w, i);
		cancel(&w, round);
		must(w.e.ring->index, "an index");
		for (n = 0; w.e.ring->index && n < 100000; n++) {
			finish(&w, 1);
			while (w.in_flight < 64)
				start(&w, n % 64);
		}
		must(n > 64 && !w.e.ring->index, "dropped after %u batches", n);
		finish(&w, w.in_flight);
	}
	work_close(&w);
}

/* Nanoseconds for each canceled operation with so many in flight: the least of some rounds. */
static double cost(unsigned int in_flight)
{
	double least = 1e9;
	struct work w;

	work_open(&w, in_flight);
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int n = 0;
		uint64_t t;

		while (w.in_flight < in_flight)
			start(&w, w.in_flight % COOKIES);
		cancel(&w, 1);
		t = rig_ns();
		for (unsigned int i = 20; i < 40; i++) {
			n += devio_ring_cancel(w.e.ring, i);
			w.canceled[i] = true;
		}
		t = rig_ns() - t;
		must(n == 20 * w.with[20], "%u", n);
		least = (double)t / n < least ? (double)t / n : least;
		finish(&w, w.in_flight);
	}
	work_close(&w);
	return least;
}

/* Looking through all operations would take 128 times as long. */
static void test_cost(void **state)
{
	double few = cost(128), many = cost(MOST);

	(void)state;
	print_message("# cancellation of one: %.0f ns with 128 in flight, %.0f ns with %u\n", few, many, MOST);
	must(many < 16 * few, "%.0f ns, %.0f ns", few, many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
