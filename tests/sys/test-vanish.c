/* SPDX-License-Identifier: MIT */
/*
 * A device goes away, or is reset, in the middle: every operation completes,
 * with the right bytes or with an error, and the ring can be closed.
 *
 *   DEVIO_TEST_FILE     block device or file, only read (vanish.tmp)
 *   DEVIO_TEST_SPEC     memory (host)
 *   DEVIO_TEST_TRIGGER  shell command that makes it happen (true)
 *   DEVIO_TEST_GONE     1: reads must fail in the end; 0: they must work again
 *   DEVIO_TEST_PATH     the path that reads must take before it happens (not checked)
 */
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define DEPTH 32
#define BLOCK 65536u
#define SPAN (8u << 20)
#define LIMIT_S 60

static atomic_int triggered; /* 1: the command has ended well, -1: it failed */

static void *trigger(void *arg)
{
	struct timespec half = { .tv_nsec = 500000000 };

	nanosleep(&half, NULL);
	atomic_store(&triggered, system(arg) ? -1 : 1);
	return NULL;
}

struct tally {
	unsigned long good, failed, good_since;
	int last_error;
};

/* Whole batches, so that what was read can be compared while nothing is in flight. */
static void batch(struct devio_ring *ring, struct devio_file *f, struct devio_mem *mem, const unsigned char *want,
		  unsigned int round, struct tally *t)
{
	static unsigned char got[BLOCK];
	const char *expect = getenv("DEVIO_TEST_PATH");
	struct devio_completion done[DEPTH];
	int n;

	for (unsigned int i = 0; i < DEPTH; i++)
		must_zero(devio_ring_read(ring, f, mem, i * BLOCK, BLOCK,
					  (round * DEPTH + i) * BLOCK % SPAN, i));
	n = devio_ring_wait(ring, done, DEPTH, DEPTH, LIMIT_S * 1000000000LL);
	must(n == DEPTH, "%d of %d operations have completed: %s", n, DEPTH, devio_errmsg());
	for (int i = 0; i < n; i++) {
		uint64_t slot = done[i].cookie;

		if (done[i].result < 0) {
			t->failed++;
			t->last_error = done[i].result;
			continue;
		}
		must(done[i].result == BLOCK, "a short read: %lld", (long long)done[i].result);
		if (expect && !atomic_load(&triggered))
			must(!strcmp(devio_path_name(done[i].path), expect), "a read went by %s",
			     devio_path_name(done[i].path));
		t->good++;
		t->good_since += atomic_load(&triggered) != 0;
		/* The memory itself may be in what has gone. */
		if (!devio_mem_copy_out(mem, slot * BLOCK, got, BLOCK))
			must(!memcmp(got, want + (round * DEPTH + slot) * BLOCK % SPAN, BLOCK), "wrong bytes");
	}
}

static int over(const struct tally *t, time_t begin, int gone)
{
	must(atomic_load(&triggered) >= 0, "the command failed");
	must(time(NULL) - begin < LIMIT_S, "%lu good, %lu failed, and no end", t->good, t->failed);
	return gone ? t->failed > DEPTH : t->good_since > 4 * DEPTH;
}

static void test_vanish(void **state)
{
	const char *name = getenv("DEVIO_TEST_FILE"), *spec = getenv("DEVIO_TEST_SPEC");
	char *command = getenv("DEVIO_TEST_TRIGGER");
	int gone = getenv("DEVIO_TEST_GONE") && atoi(getenv("DEVIO_TEST_GONE"));
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	unsigned char *want = malloc(SPAN);
	time_t begin = time(NULL);
	struct tally t = { 0 };
	struct devio_ring *ring;
	struct devio_file *f;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	pthread_t thread;
	int fd;

	(void)state;
	fo.flags = DEVIO_FILE_NO_CACHE;
	fd = open(name ? name : "vanish.tmp", O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, want, SPAN) == SPAN, "the file has %u bytes", SPAN);
	close(fd);
	must_zero(devio_ctx_open(NULL, &ctx));
	must_zero(devio_mem_alloc(ctx, spec ? spec : "host", DEPTH * BLOCK, NULL, &mem));
	must_zero(devio_file_open(ctx, name ? name : "vanish.tmp", O_RDONLY, &fo, &f));
	must_zero(devio_ring_open(ctx, NULL, &ring));
	must(!pthread_create(&thread, NULL, trigger, command ? command : (char *)"true"), "thread");
	for (unsigned int round = 0; !over(&t, begin, gone); round++)
		batch(ring, f, mem, want, round, &t);
	pthread_join(thread, NULL);
	print_message("# %lu reads with the right bytes, %lu with an error (%d)\n", t.good, t.failed, t.last_error);
	devio_ring_close(ring);
	devio_file_close(f);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(want);
}

static int make_file(void **state)
{
	char *zero = calloc(1, SPAN);
	FILE *out = getenv("DEVIO_TEST_FILE") ? NULL : fopen("vanish.tmp", "we");

	(void)state;
	if (out) {
		for (unsigned int i = 0; i < SPAN; i++)
			zero[i] = random();
		fwrite(zero, 1, SPAN, out);
		fclose(out);
	}
	free(zero);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return getenv("DEVIO_TEST_FILE") ? 0 : unlink("vanish.tmp");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vanish) };

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
