/* SPDX-License-Identifier: MIT */
/*
 * The application's contexts, streams, captures and threads are what they were,
 * whatever libdevio does. First of all without the primary context, which must
 * then not be made for memory that is in another one.
 */
#include "config.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include "app.h"
#include "mem/memtest.h"

#define SIZE (4u << 20)
#define THREADS 8

static struct devio_ctx *ctx;
static const char *name;
static unsigned char want[SIZE];
static int device;

static int setup(void **state)
{
	(void)state;
	name = hw_file(SIZE, 3);
	hw_pattern(want, SIZE, 3);
	return cu.device(&device, hw_device()) || devio_ctx_open(NULL, &ctx) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	return hw_current() ? -1 : 0;
}

static int primary_active(void)
{
	unsigned int flags;
	int active = -1;

	cu.primary_state(device, &flags, &active);
	return active;
}

/* All of the file by this ring, by blocks of an odd size; 0 or the first error. */
static int read_all(struct devio_ring *ring, struct devio_mem *m)
{
	const uint64_t step = 700001;
	struct devio_completion done[16];
	struct devio_file *f;
	int rc, n, begun = 0, bad = 0;

	rc = devio_file_open(ctx, name, O_RDONLY, NULL, &f);
	if (rc)
		return rc;
	for (uint64_t at = 0; !rc && at < SIZE; at += step, begun++)
		rc = devio_ring_read(ring, f, m, at, SIZE - at < step ? SIZE - at : step, at, at);
	while (begun > 0 && (n = devio_ring_wait(ring, done, 1, 16, -1)) > 0) {
		for (int i = 0; i < n; i++)
			if (done[i].result < 0)
				bad = (int)done[i].result;
		begun -= n;
	}
	devio_file_close(f);
	return rc ? rc : bad;
}

static void compare(cu_ptr at)
{
	static unsigned char got[SIZE];

	memset(got, 0, SIZE);
	assert_int_equal(cu.to_host(got, at, SIZE), 0);
	assert_memory_equal(got, want, SIZE);
}

static void compare_mem(struct devio_mem *m)
{
	unsigned char *got = calloc(1, SIZE);

	mt_ok(devio_mem_copy_out(m, 0, got, SIZE));
	assert_memory_equal(got, want, SIZE);
	free(got);
}

/* Memory in a context of the application's own, which goes before the ring does. */
static void test_own_context(void **state)
{
	struct devio_ring *ring;
	struct devio_mem *m;
	void *app;
	cu_ptr a;

	(void)state;
	assert_int_equal(primary_active(), 0);
	assert_int_equal(cu.ctx_create(&app, 0, device), 0);
	assert_int_equal(cu.alloc(&a, SIZE), 0);
	mt_ok(devio_ring_open(ctx, NULL, &ring));
	mt_ok(devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)a, SIZE, &m));
	assert_ptr_equal(hw_current(), app);
	mt_ok(read_all(ring, m));
	assert_ptr_equal(hw_current(), app);
	compare(a);
	compare_mem(m);
	assert_int_equal(primary_active(), 0); /* it would cost hundreds of megabytes */
	devio_mem_free(m);
	assert_int_equal(cu.free(a), 0);
	assert_int_equal(cu.ctx_destroy(app), 0);
	devio_ring_close(ring);
	assert_null(hw_current());
}

static void test_no_context(void **state)
{
	struct devio_ring *ring;
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_ring_open(ctx, NULL, &ring));
	mt_ok(devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &m));
	assert_null(hw_current());
	mt_ok(read_all(ring, m));
	assert_null(hw_current());
	compare_mem(m);
	devio_mem_free(m);
	devio_ring_close(ring);
	assert_null(hw_current());
	assert_int_equal(primary_active(), 0); /* what we took we gave back */
}

/* As the CUDA runtime has it: the primary context, set and never popped. */
static void test_primary(void **state)
{
	struct devio_mem *m;
	struct devio_ring *ring;
	void *primary;
	cu_ptr a;

	(void)state;
	assert_int_equal(cu.primary_retain(&primary, device), 0);
	assert_int_equal(cu.ctx_set(primary), 0);
	assert_int_equal(cu.alloc(&a, SIZE), 0);
	mt_ok(devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)a, SIZE, &m));
	mt_ok(devio_ring_open(ctx, NULL, &ring));
	mt_ok(read_all(ring, m));
	assert_ptr_equal(hw_current(), primary);
	compare(a);
	devio_ring_close(ring);
	devio_mem_free(m);
	assert_int_equal(cu.free(a), 0);
	assert_int_equal(primary_active(), 1);
	assert_int_equal(cu.ctx_set(NULL), 0);
	assert_int_equal(cu.primary_release(device), 0);
	assert_int_equal(primary_active(), 0);
}

/* Both kinds of context at once on one ring, so that its staging memory serves both. */
static void test_two_contexts(void **state)
{
	struct devio_mem *mine, *theirs;
	struct devio_ring *ring;
	void *app;
	cu_ptr a;

	(void)state;
	assert_int_equal(cu.ctx_create(&app, 0, device), 0);
	assert_int_equal(cu.alloc(&a, SIZE), 0);
	mt_ok(devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &mine));
	mt_ok(devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)a, SIZE, &theirs));
	mt_ok(devio_ring_open(ctx, NULL, &ring));
	mt_ok(read_all(ring, theirs));
	mt_ok(read_all(ring, mine));
	mt_ok(read_all(ring, theirs));
	compare(a);
	compare_mem(mine);
	devio_mem_free(theirs);
	assert_int_equal(cu.free(a), 0);
	assert_int_equal(cu.ctx_destroy(app), 0);
	mt_ok(read_all(ring, mine));
	compare_mem(mine);
	devio_ring_close(ring);
	devio_mem_free(mine);
}

static void *read_in_thread(void *arg)
{
	struct devio_ring *ring;
	int rc = devio_ring_open(ctx, NULL, &ring);

	if (rc)
		return ring;
	rc = read_all(ring, arg);
	devio_ring_close(ring);
	return rc ? arg : NULL;
}

/* The application captures a graph; a loader goes on reading, in this thread and in another. */
static void test_capture(void **state)
{
	void *primary, *stream, *graph = NULL, *bad;
	struct devio_mem *m, *other;
	pthread_t t;

	(void)state;
	assert_int_equal(cu.primary_retain(&primary, device), 0);
	assert_int_equal(cu.ctx_set(primary), 0);
	assert_int_equal(cu.stream_create(&stream, CU_NON_BLOCKING), 0);
	mt_ok(devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &other));
	assert_int_equal(cu.capture_begin(stream, CU_GLOBAL_CAPTURE), 0);
	mt_ok(devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &m));
	assert_int_equal(pthread_create(&t, NULL, read_in_thread, other), 0);
	bad = read_in_thread(m);
	assert_null(bad);
	pthread_join(t, &bad);
	assert_null(bad);
	compare_mem(m);
	compare_mem(other);
	devio_mem_free(m);
	assert_int_equal(cu.capture_end(stream, &graph), 0); /* 901: something ended it before */
	devio_mem_free(other);
	assert_int_equal(cu.stream_destroy(stream), 0);
	assert_int_equal(cu.ctx_set(NULL), 0);
	assert_int_equal(cu.primary_release(device), 0);
}

struct worker {
	pthread_t thread;
	bool own;               /* in a context of its own; else in none */
	char error[200];
};

static int work(struct worker *w, struct devio_mem *m)
{
	static const int rounds = 10;
	unsigned char *got = malloc(SIZE);
	void *before = hw_current();
	struct devio_ring *ring;
	int rc = devio_ring_open(ctx, NULL, &ring);

	for (int i = 0; !rc && i < rounds; i++) {
		memset(got, 0, SIZE);
		rc = devio_mem_copy_in(m, 0, got, SIZE);
		if (!rc)
			rc = read_all(ring, m);
		if (!rc)
			rc = devio_mem_copy_out(m, 0, got, SIZE);
		if (!rc && (memcmp(got, want, SIZE) || hw_current() != before))
			rc = -EBADMSG;
	}
	if (rc)
		snprintf(w->error, sizeof(w->error), "%d: %s", rc, devio_errmsg());
	devio_ring_close(ring);
	free(got);
	return rc;
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	struct devio_mem *m;
	void *app = NULL;

	if (w->own && cu.ctx_create(&app, 0, device))
		snprintf(w->error, sizeof(w->error), "no context");
	else if (devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &m))
		snprintf(w->error, sizeof(w->error), "%s", devio_errmsg());
	else {
		work(w, m);
		devio_mem_free(m);
	}
	if (app)
		cu.ctx_destroy(app);
	return NULL;
}

static void test_threads(void **state)
{
	struct worker w[THREADS] = { 0 };

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		w[i].own = i % 4 == 0;
		assert_int_equal(pthread_create(&w[i].thread, NULL, run_worker, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	for (int i = 0; i < THREADS; i++) {
		if (w[i].error[0])
			printf("# thread %d: %s\n", i, w[i].error);
		assert_int_equal(w[i].error[0], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(test_own_context), T(test_no_context), T(test_primary), T(test_two_contexts), T(test_capture),
		T(test_threads),
	};
	const char *why = hw_load();

	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests_name("contexts", tests, setup, teardown);
}
