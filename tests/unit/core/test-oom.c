/* SPDX-License-Identifier: MIT */
/* Each allocation fails in turn: right data or -ENOMEM, and nothing is left behind. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "rig.h"

#define SIZE (1u << 20)

static int armed;
static long countdown, outstanding;
static int tripped;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t sz);
void __real_free(void *p);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t sz);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);

static int fails(void)
{
	if (!armed || countdown-- != 0)
		return 0;
	tripped = 1;
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t n)
{
	if (fails())
		return NULL;
	outstanding += armed;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t sz)
{
	if (fails())
		return NULL;
	outstanding += armed;
	return __real_calloc(n, sz);
}

void __wrap_free(void *p)
{
	outstanding -= armed && p;
	__real_free(p);
}

char *__wrap_strdup(const char *s)
{
	char *p = __wrap_malloc(strlen(s) + 1);

	return p ? strcpy(p, s) : NULL;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return fails() ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, off);
}

/* A good result, or out of memory. */
static int fine(long rc, long want)
{
	must(rc == want || rc == -ENOMEM, "%ld, not %ld: %s", rc, want, devio_errmsg());
	must(rc == want || tripped, "without a reason");
	return rc == want;
}

static void many_ranges(struct devio_ring *r, struct devio_file *f, struct devio_mem *m)
{
	struct devio_range g[100];
	struct devio_io io = { .sz = sizeof(io), .file = f, .ranges = g, .nr_ranges = 100, .cookie = 1 };
	struct devio_completion c;

	for (int i = 0; i < 100; i++)
		g[i] = (struct devio_range){ m, i * 1000, 1000 };
	if (!fine(devio_ring_io(r, &io), 0))
		return;
	must(devio_ring_wait(r, &c, 1, 1, -1) == 1, "wait: %s", devio_errmsg());
	fine(c.result, 100000);
}

static void scenario(const char *name, unsigned int flags, int path)
{
	struct devio_ctx_opts co = DEVIO_OPTS(co);
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_ctx *ctx = NULL;
	struct devio_mem *m = NULL;
	struct devio_file *f = NULL;
	struct devio_ring *r = NULL;

	co.flags = flags;
	fo.path = path;
	if (!fine(devio_ctx_open(&co, &ctx), 0))
		return;
	if (fine(devio_mem_alloc(ctx, "host", SIZE, NULL, &m), 0) &&
	    fine(devio_file_open(ctx, name, O_RDWR, &fo, &f), 0) && fine(devio_ring_open(ctx, NULL, &r), 0)) {
		fine(devio_file_read(f, m, 1, SIZE - 1, 0, NULL), SIZE - 1);
		many_ranges(r, f, m);
		fine(devio_file_write(f, m, 0, SIZE, SIZE, NULL), SIZE);
	}
	devio_ring_close(r);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

static void test_each(void **state)
{
	static const struct { unsigned int flags; int path; } modes[] = {
		{ 0, 0 }, { 0, DEVIO_PATH_FILE_BOUNCE }, { 0, DEVIO_PATH_FILE_BUFFERED },
		{ DEVIO_CTX_NO_URING, DEVIO_PATH_FILE_BOUNCE },
	};
	const char *name = rig_name("oom");
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_file *f;
	int direct, fds;

	(void)state;
	rig_file(name, SIZE, 4);
	f = rig_open(ctx, name, O_RDONLY, 0);
	direct = rig_direct(f);
	devio_file_close(f);
	devio_ctx_close(ctx);
	fds = rig_fds();
	for (int i = 0; i < 4; i++) {
		long n;

		if (modes[i].path == DEVIO_PATH_FILE_BOUNCE && !direct)
			continue;
		for (n = 0, tripped = 1; tripped; n++) {
			tripped = 0;
			countdown = n;
			outstanding = 0;
			armed = 1;
			scenario(name, modes[i].flags, modes[i].path);
			armed = 0;
			must(!outstanding, "mode %d, allocation %ld: %ld are left behind", i, n, outstanding);
			must(rig_fds() == fds, "mode %d, allocation %ld: descriptors are left behind", i, n);
		}
		must(n > 10, "there were %ld allocations", n);
	}
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
