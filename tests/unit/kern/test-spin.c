/* SPDX-License-Identifier: MIT */
/* Polling before a wait sleeps: with a clock that only advances when it is read, then in a real ring. */
#include "config.h"
#include <errno.h>
#include <sys/resource.h>
#include <time.h>
#include <liburing.h>
#include "rig.h"

#define STEP 100        /* ns that a reading of the clock takes */
#define ROUNDS 20

static unsigned int reads, answer_at, sq_flags, cq_head, cq_tail;
static int64_t now;

/* At reading answer_at the kernel has an answer. */
static int step_clock(clockid_t id, struct timespec *ts)
{
	(void)id;
	now += STEP;
	if (++reads == answer_at)
		sq_flags |= IORING_SQ_TASKRUN;
	*ts = (struct timespec){ now / 1000000000, now % 1000000000 };
	return 0;
}

#define clock_gettime step_clock
#include "kern/spin.h"
#undef clock_gettime

/* Only now, with the real clock behind it. */
#include "kern/uring.h"

static struct io_uring fake = { .sq.kflags = &sq_flags, .cq = { .khead = &cq_head, .ktail = &cq_tail } };

/* Polls, and returns how often the clock was read. */
static unsigned int spin(struct dv_spin *s, unsigned int nr, int64_t timeout_ns)
{
	reads = 0;
	dv_spin(s, &fake, nr, timeout_ns);
	return reads;
}

static void test_length(void **state)
{
	struct dv_spin s = { .ns = 1000 };

	(void)state;
	answer_at = sq_flags = cq_tail = 0;
	must(spin(&s, 1, -1) == 11, "1000 ns, by steps of %d: %u readings", STEP, reads);
	s = (struct dv_spin){ .ns = 1000 };
	must(spin(&s, 1, 300) == 4, "no longer than the time-out: %u readings", reads);
	s = (struct dv_spin){ .ns = 0 };
	must(!spin(&s, 1, -1) && !s.misses, "no polling when it is off");
	s = (struct dv_spin){ .ns = 1000 };
	answer_at = 5;
	must(spin(&s, 1, -1) == 5 && !s.misses && !s.skip, "an answer ends it: %u readings", reads);
	must(!spin(&s, 1, -1), "an answer that is there needs no clock");
	s = (struct dv_spin){ .ns = 1000 };
	sq_flags = answer_at = 0;
	cq_tail = 4;
	must(!spin(&s, 4, -1) && !s.skip, "as many completions as wanted need no clock");
	must(spin(&s, 5, -1) == 11, "fewer do: %u readings", reads);
}

/* Without success: only waits 0, 2, 6, 14, 30, 62, 94, ... poll. */
static void test_rarer(void **state)
{
	struct dv_spin s = { .ns = 1000 };
	unsigned int next = 0, gap = 2;

	(void)state;
	answer_at = sq_flags = cq_tail = 0;
	for (unsigned int i = 0; i < 200; i++) {
		must(!!spin(&s, 1, -1) == (i == next), "wait %u, the next poll is due at %u", i, next);
		if (i == next) {
			next += gap;
			gap = gap < 32 ? 2 * gap : gap;
		}
	}
	while (s.skip)
		spin(&s, 1, -1);
	answer_at = 3;
	must(spin(&s, 1, -1) == 3 && !s.skip && !s.misses, "a success brings them back");
}

/* One success allows eight failures. */
static void test_credit(void **state)
{
	struct dv_spin s = { .ns = 1000 };

	(void)state;
	for (int round = 0; round < 3; round++) {
		answer_at = 3;
		sq_flags = cq_tail = 0;
		must(spin(&s, 1, -1) == 3, "round %d: success", round);
		answer_at = sq_flags = 0;
		for (int i = 0; i < 8; i++)
			must(spin(&s, 1, -1) == 11 && !s.skip, "round %d: wait %d polls", round, i);
	}
	must(spin(&s, 1, -1) == 11 && s.skip == 1, "then they become rarer");
	must(!spin(&s, 1, -1), "and one is skipped");
}

/* Waits, each for an answer that comes 200 us later; how often the thread slept. */
static long slept(int ring, uint32_t ns)
{
	struct __kernel_timespec ts = { .tv_nsec = 200000 };
	struct rusage before, after;
	struct dv_queue q = { 0 };

	must_zero(dv_queue_init(&q, 8, ring));
	q.spin.ns = ns;
	must_zero(dv_queue_enter(&q, 0, 0));
	getrusage(RUSAGE_THREAD, &before);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		must_zero(dv_queue_timer(&q, &ts, NULL));
		must_zero(dv_queue_enter(&q, 0, 0));
		must_zero(dv_queue_enter(&q, 1, -1));
		must(io_uring_cq_ready(q.uring) == 1, "the answer is there");
		io_uring_cq_advance(q.uring, 1);
	}
	getrusage(RUSAGE_THREAD, &after);
	dv_queue_exit(&q);
	return after.ru_nvcsw - before.ru_nvcsw;
}

static void test_real(void **state)
{
	static const int rings[] = { 0, DV_QUEUE_SHARED };
	struct dv_queue q = { 0 };
	bool uring;

	(void)state;
	must_zero(dv_queue_init(&q, 8, 0));
	uring = q.uring;
	dv_queue_exit(&q);
	if (!uring)
		must_skip("no io_uring here");
	for (int i = 0; i < 2; i++) {
		long with = slept(rings[i], 1000000 / 2), without = slept(rings[i], 0);

		must(with < ROUNDS / 4, "with polling for 500 us %ld of %d waits slept", with, ROUNDS);
		must(without > ROUNDS / 2, "without them only %ld of %d did", without, ROUNDS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_rarer),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
