/* SPDX-License-Identifier: MIT */
/*
 * Every size and offset between files and a memory, in both directions, and many
 * operations at once from several threads; the bytes are compared on the
 * other side each time.
 *
 *   DEVIO_TEST_SPEC   memory (host)
 *   DEVIO_TEST_FILES  files or block devices, OVERWRITTEN (matrix.tmp)
 *   DEVIO_TEST_PATH   the path that aligned transfers must take (not checked)
 */
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

#define BIG (8u << 20)
#define SPAN (BIG + (64u << 10))
#define THREADS 4
#define DEPTH 64
#define SHARE (1u << 20)   /* memory and file region of one thread */
#define OPS 256

static const char *spec, *expect;

struct env {
	const char *name;
	struct devio_ctx *ctx;
	struct devio_file *file;
	int fd;                    /* the file's bytes without the library */
	unsigned char *data;       /* SPAN random bytes */
	unsigned char *back;
};

static void open_env(struct env *e, const char *name)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);

	memset(e, 0, sizeof(*e));
	e->name = name;
	fo.flags = DEVIO_FILE_NO_CACHE;
	fo.mode = 0600;
	must_zero(devio_ctx_open(NULL, &e->ctx));
	must_zero(devio_file_open(e->ctx, name, O_RDWR | O_CREAT, &fo, &e->file));
	e->fd = open(name, O_RDWR | O_CLOEXEC);
	e->data = malloc(SPAN);
	e->back = malloc(SPAN);
	must(e->fd >= 0 && e->data && e->back, "set-up");
	for (uint32_t i = 0; i < SPAN; i++)
		e->data[i] = random();
}

static void close_env(struct env *e)
{
	devio_file_close(e->file);
	devio_ctx_close(e->ctx);
	close(e->fd);
	free(e->data);
	free(e->back);
}

/* Writes data into the file at off, and drops it from the page cache. */
static void put_file(struct env *e, const unsigned char *data, size_t len, off_t off)
{
	must(pwrite(e->fd, data, len, off) == (ssize_t)len, "pwrite");
	must(!fsync(e->fd) && !posix_fadvise(e->fd, 0, 0, POSIX_FADV_DONTNEED), "fsync");
}

static void same(const unsigned char *a, const unsigned char *b, size_t len, const char *what, size_t size, size_t off)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			fail_msg("%s of %zu bytes at %zu: byte %zu is %02x, not %02x", what, size, off, i, a[i], b[i]);
}

static void check_path(const struct devio_completion *c, size_t size, size_t off)
{
	char text[300];

	devio_completion_text(c, text, sizeof(text));
	if (!expect || size % 4096 || off % 4096)
		return;
	must(!strcmp(devio_path_name(c->path), expect), "%zu bytes at %zu went by %s", size, off, text);
	if (!strcmp(expect, "file-p2p") || !strcmp(expect, "file-dmabuf") || !strcmp(expect, "file-host"))
		must(!c->copied, "%zu bytes at %zu: %llu were copied", size, off, (unsigned long long)c->copied);
}

static void one_size(struct env *e, struct devio_mem *mem, size_t size, size_t off)
{
	size_t mem_off = off % 4096 ? off % 4096 : 0;
	struct devio_completion c;

	put_file(e, e->data, size, off);
	must(devio_file_read(e->file, mem, mem_off, size, off, &c) == (ssize_t)size, "read: %s", devio_errmsg());
	check_path(&c, size, off);
	must_zero(devio_mem_copy_out(mem, mem_off, e->back, size));
	same(e->back, e->data, size, "read", size, off);

	for (size_t i = 0; i < size; i++)
		e->back[i] = ~e->data[i];
	must_zero(devio_mem_copy_in(mem, mem_off, e->back, size));
	must(devio_file_write(e->file, mem, mem_off, size, off, &c) == (ssize_t)size, "write: %s", devio_errmsg());
	check_path(&c, size, off);
	must(!fsync(e->fd) && !posix_fadvise(e->fd, 0, 0, POSIX_FADV_DONTNEED), "fsync");
	memset(e->back, 0, size);
	must(pread(e->fd, e->back, size, off) == (ssize_t)size, "pread");
	for (size_t i = 0; i < size; i++)
		e->back[i] = ~e->back[i];
	same(e->back, e->data, size, "write", size, off);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 512, 513, 4096, 5000, 65536, 1 << 20, (1 << 20) + 1, BIG };
	static const size_t offsets[] = { 0, 1, 512, 777, 4096, 40961 };
	struct devio_mem *mem;
	struct env e;

	open_env(&e, *state);
	must_zero(devio_mem_alloc(e.ctx, spec, SPAN, NULL, &mem));
	for (unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (unsigned int o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
			one_size(&e, mem, sizes[s], offsets[o]);
	devio_mem_free(mem);
	close_env(&e);
}

/* One thread: its own ring and memory, its own part of the file. */
struct worker {
	struct env *e;
	unsigned int nr;
	unsigned int seed;
	char error[200];
};

static int flood(struct worker *w, struct devio_ring *ring, struct devio_mem *mem, int write)
{
	struct devio_completion done[DEPTH];
	uint64_t base = (uint64_t)w->nr * SHARE, slot = SHARE / DEPTH;
	unsigned int begun = 0, ended = 0;
	int n;

	while (ended < OPS) {
		while (begun < OPS && begun - ended < DEPTH) {
			uint64_t at = begun % DEPTH * slot, len = write ? slot : slot - rand_r(&w->seed) % 512 * 8;
			int rc = write ? devio_ring_write(ring, w->e->file, mem, at, len, base + at, len) :
					 devio_ring_read(ring, w->e->file, mem, at, len, base + at, len);

			if (rc)
				return rc;
			begun++;
		}
		n = devio_ring_wait(ring, done, 1, DEPTH, 60000000000LL);
		if (n <= 0)
			return n ? n : -ETIMEDOUT;
		for (int i = 0; i < n; i++)
			if (done[i].result != (int64_t)done[i].cookie)
				return done[i].result < 0 ? (int)done[i].result : -EIO;
		ended += n;
	}
	return 0;
}

static int differs(struct worker *w, const unsigned char *got)
{
	return memcmp(got, w->e->data + (size_t)w->nr * SHARE, SHARE);
}

static int work(struct worker *w)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	unsigned char *got = malloc(SHARE);
	struct devio_ring *ring;
	struct devio_mem *mem;
	int rc;

	ro.entries = DEPTH;
	rc = devio_ring_open(w->e->ctx, &ro, &ring);
	if (rc || (rc = devio_mem_alloc(w->e->ctx, spec, SHARE, NULL, &mem)))
		return rc;
	/* All of it once, whole; then any lengths, again and again. */
	rc = devio_file_read(w->e->file, mem, 0, SHARE, (uint64_t)w->nr * SHARE, NULL) == SHARE ? 0 : -EIO;
	if (!rc)
		rc = flood(w, ring, mem, 0);
	if (!rc)
		rc = devio_mem_copy_out(mem, 0, got, SHARE);
	if (!rc && differs(w, got))
		rc = -EBADMSG;
	if (!rc)
		rc = flood(w, ring, mem, 1);
	devio_mem_free(mem);
	devio_ring_close(ring);
	free(got);
	return rc;
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	int rc = work(w);

	if (rc)
		snprintf(w->error, sizeof(w->error), "%d: %s", rc, rc == -EBADMSG ? "wrong data" : devio_errmsg());
	return NULL;
}

static void test_threads(void **state)
{
	struct worker w[THREADS] = { 0 };
	pthread_t t[THREADS];
	struct env e;

	open_env(&e, *state);
	put_file(&e, e.data, THREADS * SHARE, 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .e = &e, .nr = i, .seed = i + 1 };
		must(!pthread_create(&t[i], NULL, run_worker, &w[i]), "thread");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		must(!w[i].error[0], "thread %u: %s", i, w[i].error);
	}
	must(!fsync(e.fd) && !posix_fadvise(e.fd, 0, 0, POSIX_FADV_DONTNEED), "fsync");
	must(pread(e.fd, e.back, THREADS * SHARE, 0) == THREADS * SHARE, "pread");
	same(e.back, e.data, THREADS * SHARE, "threads", THREADS * SHARE, 0);
	close_env(&e);
}

int main(void)
{
	char *files = strdup(getenv("DEVIO_TEST_FILES") ? getenv("DEVIO_TEST_FILES") : "matrix.tmp"), *save;
	struct CMUnitTest tests[32];
	char names[32][128];
	int n = 0, rc;

	spec = getenv("DEVIO_TEST_SPEC") ? getenv("DEVIO_TEST_SPEC") : "host";
	expect = getenv("DEVIO_TEST_PATH");
	for (char *f = strtok_r(files, " ", &save); f && n < 30; f = strtok_r(NULL, " ", &save), n += 2) {
		snprintf(names[n], sizeof(names[n]), "sizes %s %s", spec, f);
		snprintf(names[n + 1], sizeof(names[n]), "depth %d, %d threads %s %s", DEPTH, THREADS, spec, f);
		tests[n] = (struct CMUnitTest){ names[n], test_sizes, NULL, NULL, f };
		tests[n + 1] = (struct CMUnitTest){ names[n + 1], test_threads, NULL, NULL, f };
	}
	rc = _cmocka_run_group_tests("matrix", tests, n, NULL, NULL);
	if (!getenv("DEVIO_TEST_FILES"))
		unlink("matrix.tmp");
	free(files);
	return rc;
}
