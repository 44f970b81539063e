/* SPDX-License-Identifier: MIT */
/*
 * Property test: random reads and writes at any offset and length, by every
 * path that works here, compared byte for byte with a shadow of the file that
 * pread and pwrite keep.
 */
#include <devio.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define FILE_MAX (6u << 20)
#define MEM_SIZE (4u << 20)
#define ROUNDS 300

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_file *file;
	struct devio_ring *ring;
	char name[64];
	unsigned char *shadow;     /* what the file must contain */
	unsigned char *image;      /* what the memory must contain */
	uint64_t size;
	uint64_t seed;
};

static const char *spec;

static uint64_t rnd(struct env *e)
{
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return e->seed;
}

/* Lengths and offsets that hit blocks, their neighbours, and anything else. */
static uint64_t pick(struct env *e, uint64_t max)
{
	static const uint32_t unit[] = { 1, 512, 4096, 65536, 1048576 };
	uint64_t v = rnd(e) % max;

	switch (rnd(e) % 3) {
	case 0:
		return v;
	case 1:
		v -= v % unit[rnd(e) % 5];
		return v;
	default:
		v -= v % unit[rnd(e) % 5];
		v += rnd(e) % 3;
		return v ? v - 1 : 0;
	}
}

static void env_open(struct env *e, int path, unsigned int ctx_flags)
{
	struct devio_ctx_opts co = DEVIO_OPTS(co);
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);

	memset(e, 0, sizeof(*e));
	e->seed = 0x9e3779b97f4a7c15ULL + path;
	co.flags = ctx_flags;
	fo.path = path;
	fo.mode = 0600;
	ro.entries = 16;
	ro.staging = 4 << 20;
	ro.slot = 256 << 10;
	snprintf(e->name, sizeof(e->name), "rw-%d.tmp", (int)getpid());
	must_zero(devio_ctx_open(&co, &e->ctx));
	must_zero(devio_mem_alloc(e->ctx, spec, MEM_SIZE, NULL, &e->mem));
	must_zero(devio_file_open(e->ctx, e->name, O_RDWR | O_CREAT | O_TRUNC, &fo, &e->file));
	must_zero(devio_ring_open(e->ctx, &ro, &e->ring));
	e->shadow = calloc(1, FILE_MAX + MEM_SIZE);
	e->image = calloc(1, MEM_SIZE);
	must_zero(devio_mem_copy_in(e->mem, 0, e->image, MEM_SIZE));
}

static void env_close(struct env *e)
{
	devio_ring_close(e->ring);
	devio_file_close(e->file);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	unlink(e->name);
	free(e->shadow);
	free(e->image);
}

static void check_memory(struct env *e)
{
	unsigned char *got = malloc(MEM_SIZE);

	must_zero(devio_mem_copy_out(e->mem, 0, got, MEM_SIZE));
	for (uint32_t i = 0; i < MEM_SIZE && memcmp(got, e->image, MEM_SIZE); i++)
		if (got[i] != e->image[i])
			fail_msg("memory differs at byte %u", i);
	free(got);
}

static void check_file(struct env *e)
{
	unsigned char *got = malloc(FILE_MAX + MEM_SIZE);
	int fd = open(e->name, O_RDONLY);
	ssize_t n = pread(fd, got, FILE_MAX + MEM_SIZE, 0);

	must(n == (ssize_t)e->size, "file has %zd bytes, not %llu", n, (unsigned long long)e->size);
	for (ssize_t i = 0; i < n && memcmp(got, e->shadow, n); i++)
		if (got[i] != e->shadow[i])
			fail_msg("file differs at byte %zd", i);
	close(fd);
	free(got);
}

static void fill(struct env *e, uint64_t off, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		e->image[off + i] = rnd(e);
	must_zero(devio_mem_copy_in(e->mem, off, e->image + off, len));
}

/* One random write, from fresh bytes. */
static void one_write(struct env *e, int async)
{
	uint64_t moff = pick(e, MEM_SIZE), len = pick(e, MEM_SIZE - moff), foff = pick(e, FILE_MAX);
	struct devio_completion c;
	ssize_t n;

	if (rnd(e) % 2)
		len %= 20000;
	fill(e, moff, len);
	if (async) {
		must_zero(devio_ring_write(e->ring, e->file, e->mem, moff, len, foff, 7));
		must(devio_ring_wait(e->ring, &c, 1, 1, -1) == 1 && c.cookie == 7, "one completion");
		n = c.result;
	} else {
		n = devio_file_write(e->file, e->mem, moff, len, foff, &c);
	}
	if (n != (ssize_t)len)
		fail_msg("write of %llu at %llu: %zd %s", (unsigned long long)len, (unsigned long long)foff, n,
			devio_errmsg());
	if (len) {
		memcpy(e->shadow + foff, e->image + moff, len);
		if (foff + len > e->size)
			e->size = foff + len;
	}
}

static void one_read(struct env *e, int async)
{
	uint64_t moff = pick(e, MEM_SIZE), len = pick(e, MEM_SIZE - moff), foff = pick(e, FILE_MAX + 10000);
	uint64_t want = foff >= e->size ? 0 : e->size - foff < len ? e->size - foff : len;
	struct devio_completion c;
	ssize_t n;

	if (async) {
		must_zero(devio_ring_read(e->ring, e->file, e->mem, moff, len, foff, 9));
		must(devio_ring_wait(e->ring, &c, 1, 1, -1) == 1 && c.cookie == 9, "one completion");
		n = c.result;
	} else {
		n = devio_file_read(e->file, e->mem, moff, len, foff, &c);
	}
	if (n != (ssize_t)want)
		fail_msg("read of %llu at %llu of %llu: %zd, not %llu (%s)", (unsigned long long)len,
			(unsigned long long)foff, (unsigned long long)e->size, n, (unsigned long long)want,
			devio_errmsg());
	must(c.good == want, "good counts the bytes");
	memcpy(e->image + moff, e->shadow + foff, want);
}

static void rounds(int path, unsigned int ctx_flags)
{
	struct env e;

	env_open(&e, path, ctx_flags);
	for (int i = 0; i < ROUNDS; i++) {
		if (rnd(&e) % 2)
			one_write(&e, i & 1);
		else
			one_read(&e, i & 1);
		if (i % 50 == 49) {
			check_memory(&e);
			check_file(&e);
		}
	}
	env_close(&e);
}

/* Many at once: blocks of the file, read in one go, each byte in its place. */
static void batch(int path, unsigned int ctx_flags)
{
	struct devio_completion c[16];
	uint64_t at = 0, piece = 99991;
	struct env e;
	int flying = 0, n;

	env_open(&e, path, ctx_flags);
	fill(&e, 0, MEM_SIZE);
	must(devio_file_write(e.file, e.mem, 0, MEM_SIZE, 0, NULL) == MEM_SIZE, "whole write: %s", devio_errmsg());
	memset(e.image, 0, MEM_SIZE);
	must_zero(devio_mem_copy_in(e.mem, 0, e.image, MEM_SIZE));
	for (unsigned int i = 0; i < MEM_SIZE; i++)
		e.image[i] = 0;
	while (at < MEM_SIZE || flying) {
		while (at < MEM_SIZE && flying < 16) {
			uint64_t len = at + piece < MEM_SIZE ? piece : MEM_SIZE - at;

			must_zero(devio_ring_read(e.ring, e.file, e.mem, at, len, at, len));
			at += len;
			flying++;
		}
		n = devio_ring_wait(e.ring, c, 1, 16, 5000000000LL);
		must(n > 0, "completions come: %d", n);
		for (int i = 0; i < n; i++)
			must(c[i].result == (int64_t)c[i].cookie, "each read is whole: %lld",
			       (long long)c[i].result);
		flying -= n;
	}
	int fd = open(e.name, O_RDONLY);

	must(pread(fd, e.image, MEM_SIZE, 0) == MEM_SIZE, "pread");
	close(fd);
	check_memory(&e);
	env_close(&e);
}

/* path and context flags of a test: its initial state */
struct mode {
	int path;
	unsigned int flags;
};

static void test_random(void **state)
{
	const struct mode *m = *state;

	rounds(m->path, m->flags);
}

static void test_batch(void **state)
{
	const struct mode *m = *state;

	batch(m->path, m->flags);
}

int main(void)
{
	static struct mode modes[] = {
		{ DEVIO_PATH_AUTO, 0 }, { DEVIO_PATH_FILE_HOST, 0 }, { DEVIO_PATH_FILE_BOUNCE, 0 },
		{ DEVIO_PATH_FILE_BUFFERED, 0 },
		{ DEVIO_PATH_AUTO, DEVIO_CTX_NO_URING }, { DEVIO_PATH_FILE_HOST, DEVIO_CTX_NO_URING },
		{ DEVIO_PATH_FILE_BOUNCE, DEVIO_CTX_NO_URING }, { DEVIO_PATH_FILE_BUFFERED, DEVIO_CTX_NO_URING },
	};
	enum { N = sizeof(modes) / sizeof(modes[0]) };
	struct CMUnitTest tests[2 * N];
	char names[2 * N][64];

	spec = getenv("DEVIO_TEST_SPEC") ? getenv("DEVIO_TEST_SPEC") : "host";
	for (int i = 0; i < 2 * N; i++) {
		struct mode *m = &modes[i / 2];

		snprintf(names[i], sizeof(names[i]), "%s %s %s %s", i & 1 ? "batch" : "random", spec,
			 devio_path_name(m->path), m->flags ? "threads" : "io_uring");
		tests[i] = (struct CMUnitTest){ names[i], i & 1 ? test_batch : test_random, NULL, NULL, m };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
