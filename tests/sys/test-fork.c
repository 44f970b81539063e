/* SPDX-License-Identifier: MIT */
/* fork(): the child's calls are refused, it can close everything and open its own; the parent is not affected. */
#include "rig.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SIZE (4u << 20)
#define N 64

struct mode {
	unsigned int flags;
	int path;
};

static const char *name;

/* In the child: cmocka is the parent's. */
#define child_must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "# %s:%d: in the child: %s: %s\n", __FILE__, __LINE__, #cond, devio_errmsg()); \
			_exit(1); \
		} \
	} while (0)

static void env_open(struct rig_env *e, const struct mode *m)
{
	struct devio_file *f;

	e->name = name = rig_name("fork");
	rig_file(name, SIZE, 2);
	e->ctx = rig_ctx(m->flags);
	e->mem = rig_mem(e->ctx, SIZE);
	f = e->file = rig_open(e->ctx, name, O_RDWR, m->path);
	if (m->path == DEVIO_PATH_FILE_BOUNCE && !rig_direct(f)) {
		devio_file_close(f);
		e->file = rig_open(e->ctx, name, O_RDWR, DEVIO_PATH_FILE_BUFFERED);
	}
	e->ring = rig_ring(e->ctx, N + 8, 2 << 20, 64 << 10); /* room for more than are in flight at the fork() */
	/* An idle ring of the context, staging memory, threads. */
	must(devio_file_read(e->file, e->mem, 0, 100001, 3, NULL) == 100001, "read: %s", devio_errmsg());
}

static void child_close(struct rig_env *e, unsigned int order)
{
	for (unsigned int i = 0; i < 4; i++)
		rig_env_close_nth(e, i + order);
}

/* A thread of the parent's may hold the lock of ASan's allocator, which then stays locked in the child. */
static void skip_asan_threads(const struct mode *m)
{
	if (RIG_ASAN && (m->flags & DEVIO_CTX_NO_URING))
		must_skip("ASan's allocator does not survive fork() beside other threads");
}

static void queue(struct rig_env *e)
{
	for (uint64_t i = 0; i < N; i++)
		must_zero(devio_ring_read(e->ring, e->file, e->mem, i << 16, 65536, i << 16, i));
	must(devio_ring_submit(e->ring) >= 0, "submit");
}

/* Every public call on what the parent opened. */
static void child_is_refused(struct rig_env *e)
{
	struct devio_range g = { e->mem, 0, 512 };
	struct devio_io io = { .sz = sizeof(io), .file = e->file, .ranges = &g, .nr_ranges = 1 };
	struct devio_completion c;
	struct devio_file_info fi = DEVIO_OPTS(fi);
	struct devio_stat s = DEVIO_OPTS(s);
	void *p = (void *)1;
	uint64_t off;
	char b;
	int fd;

	child_must(devio_mem_alloc(e->ctx, "host", 1, NULL, (void *)&p) == -ECHILD);
	child_must(devio_mem_import_ptr(e->ctx, "host", &b, 1, (void *)&p) == -ECHILD);
	child_must(devio_mem_export(e->mem, &fd, &off) == -ECHILD);
	child_must(devio_mem_map(e->mem, &p) == -ECHILD);
	child_must(devio_mem_copy_in(e->mem, 0, &b, 1) == -ECHILD);
	child_must(devio_mem_copy_out(e->mem, 0, &b, 1) == -ECHILD);
	child_must(devio_file_open(e->ctx, name, O_RDONLY, NULL, (void *)&p) == -ECHILD);
	child_must(devio_file_import(e->ctx, 0, NULL, (void *)&p) == -ECHILD);
	child_must(devio_file_read(e->file, e->mem, 0, 1, 0, NULL) == -ECHILD);
	child_must(devio_file_write(e->file, e->mem, 0, 1, 0, NULL) == -ECHILD);
	child_must(devio_file_sync(e->file) == -ECHILD);
	child_must(devio_file_get_info(e->file, &fi) == -ECHILD);
	child_must(devio_file_explain(e->file, e->mem, 0, 1, 0, 0, NULL, NULL, 0) == -ECHILD);
	child_must(devio_ring_open(e->ctx, NULL, (void *)&p) == -ECHILD);
	for (int i = 0; i < 3; i++) {
		child_must(devio_ring_read(e->ring, e->file, e->mem, 0, 65536, 0, 0) == -ECHILD);
		child_must(devio_ring_write(e->ring, e->file, e->mem, 0, 65536, 0, 0) == -ECHILD);
	}
	child_must(devio_ring_io(e->ring, &io) == -ECHILD);
	child_must(devio_ring_submit(e->ring) == -ECHILD);
	child_must(devio_ring_wait(e->ring, &c, 1, 1, -1) == -ECHILD);
	child_must(devio_ring_peek(e->ring, &c, 1) == -ECHILD);
	child_must(devio_ring_cancel(e->ring, 0) == -ECHILD);
	child_must(devio_ring_fd(e->ring) == -ECHILD);
	child_must(devio_stat_get(e->ctx, &s) == -ECHILD);
	child_must(p == (void *)1);
}

/* A context of its own works. */
static void child_works(const struct mode *m)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	unsigned char *got = malloc(SIZE), *want = malloc(SIZE);
	struct devio_file *f;
	struct devio_mem *mem;
	struct devio_ctx *ctx;

	/* To ASan the stacks of the parent's threads are poison, TSan wants no threads after fork(). */
	o.flags = RIG_ASAN || RIG_TSAN ? 0 : m->flags;
	fo.path = m->path;
	child_must(!devio_ctx_open(&o, &ctx));
	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &mem));
	child_must(!devio_file_open(ctx, name, O_RDONLY, &fo, &f));
	if (m->path != DEVIO_PATH_FILE_BOUNCE)
		child_must(devio_file_read(f, mem, 0, SIZE, 0, NULL) == SIZE);
	else if (devio_file_read(f, mem, 0, SIZE, 0, NULL) != SIZE)
		_exit(0);
	child_must(!devio_mem_copy_out(mem, 0, got, SIZE));
	rig_fill(want, 2, 0, SIZE);
	child_must(!memcmp(got, want, SIZE));
	free(want);
	devio_file_close(f);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(got);
}

/*
 * Memory of the child's own, wherever there is a hole; closing must leave it alone. ASan
 * remembers what the parent's threads had there.
 */
__attribute__((no_sanitize("address"))) static void child_memory(struct rig_env *e, int order)
{
	enum { PIECES = 64, PIECE = 1 << 20 };
	unsigned char *p[PIECES];

	for (int i = 0; i < PIECES; i++) {
		p[i] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		child_must(p[i] != MAP_FAILED);
		for (int k = 0; k < PIECE; k += 512)
			p[i][k] = i + 1;
	}
	child_close(e, order);
	for (int i = 0; i < PIECES; i++)
		for (int k = 0; k < PIECE; k += 512)
			child_must(p[i][k] == i + 1);
}

static void in_child(struct rig_env *e, const struct mode *m, int what, int fds)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (!pid) {
		alarm(20);
		child_is_refused(e);
		if (what & 1)
			child_works(m);
		child_memory(e, what);
		child_must(rig_fds() == fds);
		child_works(m);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	must(WIFEXITED(status) && !WEXITSTATUS(status), "the child ends well: 0x%x", status);
}

static void test_fork(void **state)
{
	const struct mode *m = *state;
	struct devio_completion c[N];
	int fds = rig_fds();
	struct rig_env e;

	skip_asan_threads(m);
	env_open(&e, m);
	for (int what = 0; what < 4; what++) {
		queue(&e);
		if (what & 2)
			must(devio_ring_fd(e.ring) >= 0, "a descriptor");
		in_child(&e, m, what, fds);
		rig_wait(e.ring, c, N);
		for (int i = 0; i < N; i++)
			must(c[i].result == 65536, "the parent's go on: %lld", (long long)c[i].result);
		rig_check(e.mem, 0, SIZE, 2, 0);
	}
	must(devio_file_read(e.file, e.mem, 1, SIZE - 1, 0, NULL) == SIZE - 1, "and its synchronous calls");
	rig_check(e.mem, 1, SIZE - 1, 2, 0);
	rig_env_close(&e);
}

/* The child of a child; a context opened in the child is not its child's. */
static void test_grandchild(void **state)
{
	const struct mode *m = *state;
	struct rig_env e, own;
	int status;

	skip_asan_threads(m);
	env_open(&e, m);
	if (!fork()) {
		pid_t pid;

		child_close(&e, 0);
		child_must(!devio_ctx_open(NULL, &own.ctx));
		child_must(!devio_mem_alloc(own.ctx, "host", SIZE, NULL, &own.mem));
		child_must(!devio_file_open(own.ctx, name, O_RDWR, NULL, &own.file));
		child_must(!devio_ring_open(own.ctx, NULL, &own.ring));
		child_must(devio_file_read(own.file, own.mem, 0, SIZE, 0, NULL) == SIZE);
		pid = fork();
		if (!pid) {
			child_is_refused(&own);
			child_close(&own, 1);
			child_works(m);
			_exit(0);
		}
		child_must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
		child_must(devio_file_read(own.file, own.mem, 0, SIZE, 0, NULL) == SIZE);
		child_close(&own, 2);
		_exit(0);
	}
	must(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status), "the child ends well: 0x%x", status);
	rig_env_close(&e);
}

int main(void)
{
	static struct mode modes[] = {
		{ 0, 0 }, { 0, DEVIO_PATH_FILE_BOUNCE }, { DEVIO_CTX_NO_URING, 0 },
		{ DEVIO_CTX_NO_URING, DEVIO_PATH_FILE_BOUNCE },
	};
	const struct CMUnitTest tests[] = {
		{ "fork", test_fork, NULL, NULL, &modes[0] },
		{ "fork, file-bounce", test_fork, NULL, NULL, &modes[1] },
		{ "fork, threads", test_fork, NULL, NULL, &modes[2] },
		{ "fork, file-bounce, threads", test_fork, NULL, NULL, &modes[3] },
		{ "grandchild", test_grandchild, NULL, NULL, &modes[0] },
		{ "grandchild, threads", test_grandchild, NULL, NULL, &modes[2] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
