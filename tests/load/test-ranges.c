/* SPDX-License-Identifier: MIT */
/* devio_source_read(): ranges to where they are wanted, and nothing beside them. */
#include "files.h"
#include <signal.h>
#include <sys/time.h>

#define SIZE (3u << 20)
#define FILES 2

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_source *s;
	const char *names[FILES];
	unsigned char *host, *want;
	struct rig_rnd rnd;
};

static void env_open(struct env *e, unsigned int flags)
{
	static const char *const what[FILES] = { "ranges-a", "ranges-b" };
	void *p;

	memset(e, 0, sizeof(*e));
	for (int i = 0; i < FILES; i++) {
		e->names[i] = rig_name(what[i]);
		rig_file(e->names[i], SIZE - 4321, i + 1);
	}
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, SIZE);
	must_zero(devio_mem_map(e->mem, &p));
	e->host = p;
	e->want = malloc(SIZE);
	e->s = source_records(e->names, FILES, 1, 0);
}

static void env_close(struct env *e)
{
	devio_source_close(e->s);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	for (int i = 0; i < FILES; i++)
		unlink(e->names[i]);
	free(e->want);
}

/* Up to max ranges, one behind the other in the memory; of these many continue the one before in the file. */
static uint64_t make(struct env *e, struct devio_load_range *g, uint64_t max, uint64_t longest)
{
	uint64_t at = rig_rnd(&e->rnd) % 5000, n = 0;

	memset(e->host, 0xee, SIZE);
	memset(e->want, 0xee, SIZE);
	for (; n < max; n++) {
		uint64_t len = rig_rnd(&e->rnd) % 7 ? rig_rnd(&e->rnd) % longest : 0;

		g[n] = (struct devio_load_range){
			.file = rig_rnd(&e->rnd) % FILES, .mem_off = at, .len = len, .error = 77
		};
		g[n].off = rig_rnd(&e->rnd) % (SIZE - 4321 - longest);
		if (n && rig_rnd(&e->rnd) % 2 && g[n - 1].off + g[n - 1].len + len <= SIZE - 4321) {
			g[n].file = g[n - 1].file;
			g[n].off = g[n - 1].off + g[n - 1].len;
		}
		if (at + len + 5000 > SIZE)
			break;
		rig_fill(e->want + at, g[n].file + 1, g[n].off, len);
		at += len + (rig_rnd(&e->rnd) % 2 ? 0 : rig_rnd(&e->rnd) % 5000);
	}
	return n;
}

static void swap_some(struct env *e, struct devio_load_range *g, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t k = rig_rnd(&e->rnd) % n;
		struct devio_load_range x = g[i];

		g[i] = g[k];
		g[k] = x;
	}
}

static void rounds(unsigned int ctx_flags, int path)
{
	struct devio_read_opts o = DEVIO_OPTS(o);
	static struct devio_load_range g[500];
	struct env e;

	env_open(&e, ctx_flags);
	for (int round = 0; round < 24; round++) {
		uint64_t n = make(&e, g, round % 3 ? 500 : 5, round % 3 ? 9000 : 600000), sum = 0,
			 paths[DEVIO_PATH_MAX] = { 0 };

		swap_some(&e, g, n);
		o.depth = round % 2 ? 0 : 1 + round;
		o.max_read = round % 4 ? 0 : 8192;
		o.max_files = round % 2;
		o.path = path;
		o.path_bytes = paths;
		must_zero(devio_source_read(e.ctx, e.s, e.mem, g, n, &o));
		for (uint64_t i = 0; i < n; i++)
			must(!g[i].error && !g[i].len == !g[i].path, "range %llu", (unsigned long long)i);
		must(!memcmp(e.host, e.want, SIZE), "round %d: the memory is as it should be", round);
		for (uint64_t i = 0; i < n; i++)
			sum += g[i].len;
		for (int i = 0; i < DEVIO_PATH_MAX; i++)
			sum -= paths[i];
		must(!sum, "round %d: all bytes are counted by their path", round);
	}
	env_close(&e);
}

static void test_auto(void **state)
{
	(void)state;
	rounds(0, 0);
}

static void test_bounce(void **state)
{
	(void)state;
	rounds(0, DEVIO_PATH_FILE_BOUNCE);
}

static void test_threads(void **state)
{
	(void)state;
	rounds(DEVIO_CTX_NO_URING, 0);
}

/* Neighbours become one read; with a gap between them too, if that is allowed. */
static void test_merged(void **state)
{
	struct devio_read_opts o = DEVIO_OPTS(o);
	struct devio_stat before = DEVIO_OPTS(before), after = DEVIO_OPTS(after);
	struct devio_load_range g[100];
	struct env e;

	(void)state;
	env_open(&e, 0);
	o.path = DEVIO_PATH_FILE_BUFFERED;
	for (int gap = 0; gap < 2; gap++) {
		for (int i = 0; i < 100; i++)
			g[i] = (struct devio_load_range){ .off = i * 1000,
							  .len = gap ? 900 : 1000,
							  .mem_off = 5000 + i * 1000 };
		o.merge_gap = gap * 100;
		must_zero(devio_stat_get(e.ctx, &before));
		must_zero(devio_source_read(e.ctx, e.s, e.mem, g, 100, &o));
		must_zero(devio_stat_get(e.ctx, &after));
		must(after.path[o.path].reads == before.path[o.path].reads + 1, "one read");
		rig_check(e.mem, 5000, 99900, 1, 0);
	}
	o.merge_gap = 99;
	must_zero(devio_source_read(e.ctx, e.s, e.mem, g, 100, &o));
	must_zero(devio_stat_get(e.ctx, &before));
	must(after.path[o.path].reads + 100 == before.path[o.path].reads, "a hundred");
	env_close(&e);
}

static void test_errors(void **state)
{
	struct devio_load_range g[2] = { { .off = 0, .len = 10 }, { .file = 1, .len = 10, .mem_off = 50 } };
	struct devio_read_opts o = DEVIO_OPTS(o);
	struct env e;

	(void)state;
	env_open(&e, 0);
	must(!unlink(e.names[0]), "unlink");
	memset(e.host, 0, 100);
	must_tell(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ENOENT, e.names[0]);
	must(g[0].error == -ENOENT && !g[1].error, "the other came all the same");
	rig_check(e.mem, 50, 10, 2, 0);
	g[0].off = SIZE;
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ERANGE);
	g[0].off = SIZE - 4321 - 9;
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ERANGE);
	g[0] = (struct devio_load_range){ .file = FILES, .len = 1 };
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ERANGE);
	g[0] = (struct devio_load_range){ .len = 10, .mem_off = SIZE - 9 };
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ERANGE);
	g[0].mem_off = UINT64_MAX;
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g, 2, NULL), -ERANGE);
	must_fail(devio_source_read(e.ctx, e.s, e.mem, NULL, 2, NULL), -EINVAL);
	must_fail(devio_source_read(e.ctx, NULL, e.mem, g, 2, NULL), -EINVAL);
	must_zero(devio_source_read(e.ctx, e.s, e.mem, NULL, 0, NULL));
	o.max_read = 4097;
	must_fail(devio_source_read(e.ctx, e.s, e.mem, g + 1, 1, &o), -EINVAL);
	env_close(&e);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int stop(void *arg)
{
	unsigned int *calls = arg;

	return ++*calls == 2;
}

/* The wait is interrupted again and again; the second time the caller has enough. */
static void test_interrupt(void **state)
{
	const struct itimerval soon = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	struct devio_load_range g = { .len = SIZE - 5000 };
	struct devio_read_opts o = DEVIO_OPTS(o);
	unsigned int calls = 0;
	int rc = 0;
	struct env e;

	(void)state;
	env_open(&e, 0);
	o.interrupt = stop;
	o.interrupt_arg = &calls;
	o.max_read = 4096;
	o.depth = 1;
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (int i = 0; i < 1000 && !rc; i++)
		rc = devio_source_read(e.ctx, e.s, e.mem, &g, 1, &o);
	setitimer(ITIMER_REAL, &off, NULL);
	if (!calls) {
		env_close(&e);
		must_skip("no signal has interrupted a wait (valgrind delivers them between system calls)");
	}
	must(rc == -EINTR && calls == 2, "%d after %u calls", rc, calls);
	memset(e.host, 0xee, SIZE);
	usleep(20000);
	for (uint64_t i = 0; i < SIZE; i++)
		must(e.host[i] == 0xee, "nothing is read into the memory any more");
	o.interrupt = NULL;
	must_zero(devio_source_read(e.ctx, e.s, e.mem, &g, 1, &o));
	env_close(&e);
}

static void test_records(void **state)
{
	struct devio_records_opts o = DEVIO_OPTS(o);
	const char *name = rig_name("tail");
	struct devio_source *s;

	(void)state;
	rig_file(name, 1050, 1);
	must_fail(devio_source_open_records(&name, 1, &o, &s), -EINVAL);
	must_fail(devio_source_open_records(&name, 1, NULL, &s), -EINVAL);
	o.record_size = 100;
	must_tell(devio_source_open_records(&name, 1, &o, &s), -EBADMSG, "50 more");
	o.header = 1051;
	must_tell(devio_source_open_records(&name, 1, &o, &s), -EBADMSG, "header");
	o.header = 50;
	must_zero(devio_source_open_records(&name, 1, &o, &s));
	must(source_info(s).items == 10 && source_field(s, 9, 0).off == 950, "ten records");
	devio_source_close(s);
	o.header = 0;
	o.flags = DEVIO_RECORDS_TAIL;
	must_zero(devio_source_open_records(&name, 1, &o, &s));
	must(source_info(s).items == 10, "ten and a tail");
	devio_source_close(s);
	o.flags = 2;
	must_fail(devio_source_open_records(&name, 1, &o, &s), -EINVAL);
	unlink(name);
}

static void sleep_tick(void)
{
	usleep(20000); /* more than the resolution of a file's times */
}

/* Writes over the file as it is, and sets its time of modification back. */
static void modify(const char *name, unsigned int seed)
{
	struct timespec times[2];
	struct stat st;
	char byte = (char)seed;
	int fd = open(name, O_RDWR);

	sleep_tick();
	must(fd >= 0 && !fstat(fd, &st), "%s", name);
	must(pwrite(fd, &byte, 1, 100) == 1, "write");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	must(!futimens(fd, times), "the time is set back");
	close(fd);
}

/* A file that was modified, however well that is hidden; links and modes are no modification. */
static void test_modified(void **state)
{
	struct devio_load_range g = { .len = 4096 };
	struct devio_source *s;
	struct env e;
	const char *name = rig_name("modified"), *other = rig_name("other");

	(void)state;
	env_open(&e, 0);
	rig_file(name, 8192, 1);
	s = source_records(&name, 1, 4096, 0);
	sleep_tick();
	must(!link(name, other) && !chmod(name, 0400) && !unlink(other), "a link and a mode");
	must_zero(devio_source_read(e.ctx, s, e.mem, &g, 1, NULL));
	must(!chmod(name, 0600), "the mode as it was");
	devio_source_close(s);
	s = source_records(&name, 1, 4096, 0);
	modify(name, 1);
	must_fail(devio_source_read(e.ctx, s, e.mem, &g, 1, NULL), -ESTALE);
	must(g.error == -ESTALE && strstr(devio_errmsg(), name), "%s", devio_errmsg());
	devio_source_close(s);
	s = source_records(&name, 1, 4096, 0);
	rig_file(other, 8192, 1);
	must(!rename(other, name), "rename");
	must_fail(devio_source_read(e.ctx, s, e.mem, &g, 1, NULL), -ESTALE);
	devio_source_close(s);
	unlink(name);
	env_close(&e);
}

struct meanwhile {
	const char *name;
	int calls;
};

static int modify_once(void *arg)
{
	struct meanwhile *w = arg;

	if (!w->calls++)
		modify(w->name, 7);
	return 0;
}

/* Modified while it is read: no range is delivered as if its bytes were those of the index. */
static void test_modified_meanwhile(void **state)
{
	const struct itimerval soon = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	const char *name = rig_name("meanwhile");
	struct devio_load_range g[2] = { { .len = SIZE / 2 },
					 { .off = SIZE / 2, .len = SIZE / 2, .mem_off = SIZE / 2 } };
	struct devio_read_opts o = DEVIO_OPTS(o);
	struct meanwhile w = { .name = name };
	struct devio_source *s;
	struct env e;
	int rc = 0;

	(void)state;
	env_open(&e, 0);
	rig_file(name, SIZE, 1);
	s = source_records(&name, 1, 4096, 0);
	o.interrupt = modify_once;
	o.interrupt_arg = &w;
	o.max_read = 4096;
	o.depth = 1;
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (int i = 0; i < 1000 && !w.calls; i++)
		rc = devio_source_read(e.ctx, s, e.mem, g, 2, &o);
	setitimer(ITIMER_REAL, &off, NULL);
	devio_source_close(s);
	unlink(name);
	env_close(&e);
	if (!w.calls)
		must_skip("no signal has interrupted a wait (valgrind delivers them between system calls)");
	must(rc == -ESTALE && g[0].error == -ESTALE && g[1].error == -ESTALE, "%d, %d, %d", rc, g[0].error,
	     g[1].error);
}

/* Files that have data but no size. */
static void test_no_size(void **state)
{
	const char *name = "/proc/self/status";
	struct devio_records_opts o = DEVIO_OPTS(o);
	struct devio_source *s;

	(void)state;
	o.record_size = 1;
	must_tell(devio_source_open_records(&name, 1, &o, &s), -EINVAL, "no size");
	must_tell(devio_source_open_tar(&name, 1, &s), -EINVAL, "no size");
	must_tell(devio_source_open_safetensors(name, &s), -EINVAL, "no size");
}

/* However many files reads are in flight of, no more than max_files are open. */
static void test_max_files(void **state)
{
	enum { NR = 60, MAX = 3 };
	struct devio_loader_opts o = { .sz = sizeof(o), .batch = 10, .slots = 4, .depth = 64, .max_files = MAX,
				       .flags = DEVIO_LOADER_SHUFFLE };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 1 << 20);
	struct devio_batch b = DEVIO_OPTS(b);
	const char *names[NR];
	struct devio_loader *l;
	struct devio_source *s;
	int fds, n = 0, rc;

	(void)state;
	for (int i = 0; i < NR; i++) {
		char what[20];

		snprintf(what, sizeof(what), "file-%d", i);
		names[i] = strdup(rig_name(what));
		rig_file(names[i], 3 * 8192, 1);
	}
	s = source_records(names, NR, 8192, 0);
	must_zero(devio_loader_open(ctx, s, mem, &o, &l));
	devio_loader_close(l); /* what the context opens when it is first used */
	fds = rig_fds();
	must_zero(devio_loader_open(ctx, s, mem, &o, &l));
	while ((rc = devio_loader_next(l, &b, -1)) == 1) {
		must(!b.failed, "%s", devio_errmsg());
		must(rig_fds() - fds <= 2 * MAX + 2, "%d descriptors for %d files and a ring", rig_fds() - fds, MAX);
		n += b.nr;
		must_zero(devio_loader_release(l, b.slot));
	}
	must(!rc && n == 3 * NR, "%d items", n);
	devio_loader_close(l);
	must(rig_fds() == fds, "none is left open");
	devio_source_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	for (int i = 0; i < NR; i++) {
		unlink(names[i]);
		free((char *)names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_modified),
		cmocka_unit_test(test_modified_meanwhile),
		cmocka_unit_test(test_no_size),
		cmocka_unit_test(test_max_files),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
