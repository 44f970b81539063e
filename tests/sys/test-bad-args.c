/* SPDX-License-Identifier: MIT */
/* Arguments that cannot be: each has its errno and a sentence, and leaves the output alone. */
#include "rig.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SIZE 65536

static struct rig_env e;

static int setup(void **state)
{
	(void)state;
	rig_env_open(&e, "bad-args", SIZE, 1, 0, 0, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_env_close(&e);
	return 0;
}

static void open_fails(const char *path, int flags, int err)
{
	struct devio_file *f = (void *)1;

	must_fail(devio_file_open(e.ctx, path, flags, NULL, &f), err);
	must(f == (void *)1, "%s: nothing is written on failure", path);
}

static void test_kinds_of_files(void **state)
{
	const char *fifo = rig_name("fifo"), *sock = rig_name("sock");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), fds = rig_fds();

	(void)state;
	must_zero(mkfifo(fifo, 0600));
	strcpy(un.sun_path, sock);
	must_zero(bind(s, (struct sockaddr *)&un, sizeof(un)));
	open_fails("no-such-file", O_RDONLY, -ENOENT);
	open_fails("no-such-dir/file", O_RDWR | O_CREAT, -ENOENT);
	open_fails("", O_RDONLY, -ENOENT);
	open_fails(".", O_RDONLY, -EISDIR);
	open_fails(".", O_RDWR, -EISDIR);
	open_fails(fifo, O_RDONLY, -ESPIPE);
	open_fails(fifo, O_WRONLY, -ESPIPE);
	open_fails(fifo, O_RDWR, -ESPIPE);
	open_fails(sock, O_RDONLY, -ESPIPE);
	open_fails("/dev/zero", O_RDONLY, -ESPIPE);
	open_fails("/dev/null", O_RDWR, -ESPIPE);
	open_fails(e.name, O_RDONLY | O_PATH, -EBADF);
	open_fails(e.name, O_RDWR | O_APPEND, -EINVAL);
	open_fails(e.name, O_RDWR | O_CREAT | O_EXCL, -EEXIST);
	must(rig_fds() == fds, "no descriptor is left behind");
	close(s);
	unlink(fifo);
	unlink(sock);
}

static void import_fails(int fd, int err)
{
	struct devio_file *f = (void *)1;

	must_fail(devio_file_import(e.ctx, fd, NULL, &f), err);
	must(f == (void *)1, "nothing is written on failure");
}

static void test_import(void **state)
{
	int pipes[2], dir = open(".", O_RDONLY), path = open(e.name, O_PATH),
		      append = open(e.name, O_WRONLY | O_APPEND);
	int fds;

	(void)state;
	must_zero(pipe(pipes));
	fds = rig_fds();
	import_fails(-1, -EBADF);
	import_fails(-7, -EBADF);
	import_fails(1000, -EBADF);
	import_fails(pipes[0], -ESPIPE);
	import_fails(dir, -EISDIR);
	import_fails(path, -EBADF);
	import_fails(append, -EINVAL);
	must(rig_fds() == fds, "no descriptor is left behind");
	close(pipes[0]);
	close(pipes[1]);
	close(dir);
	close(path);
	close(append);
}

/* The application may close its own at once, and its flags do not matter. */
static void test_import_flags(void **state)
{
	static const int flags[] = { 0, O_DIRECT, O_NONBLOCK, O_DIRECT | O_NONBLOCK, O_SYNC };

	(void)state;
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = open(e.name, O_RDWR | flags[i]);
		struct devio_file *f;

		if (fd < 0 && flags[i] & O_DIRECT)
			continue;
		must_zero(devio_file_import(e.ctx, fd, NULL, &f));
		must(fcntl(fd, F_GETFL) & flags[i] || !flags[i], "the application's own keeps its flags");
		close(fd);
		must(devio_file_read(f, e.mem, 5, 1001, 3, NULL) == 1001, "flags 0x%x: %s", flags[i], devio_errmsg());
		rig_check(e.mem, 5, 1001, 1, 3);
		must_zero(devio_ring_read(e.ring, f, e.mem, 1, 30001, 7, 0));
		devio_file_close(f);
		struct devio_completion c;

		rig_wait(e.ring, &c, 1);
		must(c.result == 30001, "flags 0x%x by the ring: %lld", flags[i], (long long)c.result);
		rig_check(e.mem, 1, 30001, 1, 7);
	}
}

static void test_access(void **state)
{
	struct devio_file *ro = rig_open(e.ctx, e.name, O_RDONLY, 0), *wo = rig_open(e.ctx, e.name, O_WRONLY, 0);
	struct devio_range g = { e.mem, 0, 512 };
	struct devio_io io = { .sz = sizeof(io), .file = wo, .ranges = &g, .nr_ranges = 1 };

	(void)state;
	must_fail(devio_file_write(ro, e.mem, 0, 512, 0, NULL), -EBADF);
	must_fail(devio_file_read(wo, e.mem, 0, 512, 0, NULL), -EBADF);
	must_fail(devio_ring_write(e.ring, ro, e.mem, 0, 512, 0, 0), -EBADF);
	must_fail(devio_ring_read(e.ring, wo, e.mem, 0, 512, 0, 0), -EBADF);
	must_fail(devio_ring_io(e.ring, &io), -EBADF);
	must_fail(devio_file_explain(ro, e.mem, 0, 512, 0, 1, NULL, NULL, 0), -EBADF);
	must(devio_ring_inflight(e.ring) == 0, "nothing was queued");
	must(devio_file_write(wo, e.mem, 0, 0, 0, NULL) == 0, "nothing to write");
	devio_file_close(ro);
	devio_file_close(wo);
}

static void test_ranges(void **state)
{
	static const struct { uint64_t off, len, file_off; int err; } bad[] = {
		{ 0, SIZE + 1, 0, -ERANGE }, { SIZE, 1, 0, -ERANGE }, { SIZE + 1, 0, 0, -ERANGE },
		{ 1, SIZE, 0, -ERANGE }, { UINT64_MAX, 1, 0, -ERANGE }, { UINT64_MAX, UINT64_MAX, 0, -ERANGE },
		{ 1, UINT64_MAX, 0, -ERANGE }, { SIZE / 2, UINT64_MAX - SIZE / 2 + 1, 0, -ERANGE },
		{ 0, 1, INT64_MAX, -EOVERFLOW }, { 0, 1, UINT64_MAX, -EOVERFLOW },
		{ 0, 4096, INT64_MAX - 4095, -EOVERFLOW }, { 0, 0, 1ULL << 63, -EOVERFLOW },
		{ 0, SIZE, UINT64_MAX - 100, -EOVERFLOW },
	};
	struct devio_completion c;

	(void)state;
	for (unsigned int warm = 0; warm < 2; warm++) {
		for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			must_fail(devio_file_read(e.file, e.mem, bad[i].off, bad[i].len, bad[i].file_off, NULL),
				  bad[i].err);
			must_fail(devio_file_write(e.file, e.mem, bad[i].off, bad[i].len, bad[i].file_off, NULL),
				  bad[i].err);
			must_fail(devio_ring_read(e.ring, e.file, e.mem, bad[i].off, bad[i].len, bad[i].file_off, 0),
				  bad[i].err);
			must_fail(devio_ring_write(e.ring, e.file, e.mem, bad[i].off, bad[i].len, bad[i].file_off, 0),
				  bad[i].err);
			must_fail(devio_file_explain(e.file, e.mem, bad[i].off, bad[i].len, bad[i].file_off, 0, &c,
						     NULL, 0),
				  bad[i].err);
			must(!devio_ring_inflight(e.ring), "nothing was queued");
		}
		/* The same with the plans of the hot path learnt. */
		must_zero(devio_ring_read(e.ring, e.file, e.mem, 0, 4096, 0, 0));
		must_zero(devio_ring_write(e.ring, e.file, e.mem, 8192, 4096, 8192, 0));
		rig_wait(e.ring, &c, 1);
		rig_wait(e.ring, &c, 1);
	}
}

static void test_far_offsets(void **state)
{
	struct devio_completion c;

	(void)state;
	must(devio_file_read(e.file, e.mem, 0, 1, INT64_MAX - 1, &c) <= 0, "nothing is there");
	must(c.result == 0 || c.result == -EINVAL, "%lld", (long long)c.result);
	must(devio_file_read(e.file, e.mem, 0, 4096, 1ULL << 62, &c) <= 0, "nothing is there");
	must(devio_file_write(e.file, e.mem, 0, 1, INT64_MAX - 1, &c) < 0, "no file is that long");
	must(c.result == -EFBIG || c.result == -EINVAL, "%lld", (long long)c.result);
}

static void test_lists(void **state)
{
	struct devio_range g[1025] = { { 0 } };
	struct devio_io io = { .sz = sizeof(io), .file = e.file, .ranges = g, .nr_ranges = 1025 };
	struct devio_completion c;

	(void)state;
	for (int i = 0; i < 1025; i++)
		g[i] = (struct devio_range){ e.mem, i, 1 };
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	io.nr_ranges = 0;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	io.nr_ranges = 3;
	g[2].mem = NULL;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	g[2] = (struct devio_range){ e.mem, SIZE - 1, 2 };
	must_fail(devio_ring_io(e.ring, &io), -ERANGE);
	io.nr_ranges = 2;
	io.path = 99;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	io.path = -1;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	io.path = 0;
	io.flags = 1u << 30;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	io.flags = 0;
	io.ranges = NULL;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	must_fail(devio_ring_io(e.ring, NULL), -EINVAL);
	must_fail(devio_ring_read(NULL, e.file, e.mem, 0, 512, 0, 0), -EINVAL);
	must_fail(devio_ring_write(NULL, e.file, e.mem, 0, 512, 0, 0), -EINVAL);
	must_fail(devio_ring_read(e.ring, NULL, e.mem, 0, 512, 0, 0), -EINVAL);
	must_fail(devio_ring_read(e.ring, e.file, NULL, 0, 512, 0, 0), -EINVAL);
	io.ranges = g;
	io.sz = 4;
	must_fail(devio_ring_io(e.ring, &io), -EINVAL);
	must(!devio_ring_inflight(e.ring), "nothing was queued");
	io.sz = sizeof(io);
	io.nr_ranges = 1024;
	g[2] = (struct devio_range){ e.mem, 2, 1 };
	must_zero(devio_ring_io(e.ring, &io));
	rig_wait(e.ring, &c, 1);
	must(c.result == 1024, "1024 ranges: %lld", (long long)c.result);
}

static void test_ring_full(void **state)
{
	struct devio_completion c[8];

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 4096, 4096, 0, i));
	must_fail(devio_ring_read(e.ring, e.file, e.mem, 0, 4096, 0, 9), -EAGAIN);
	must(strstr(devio_errmsg(), "EAGAIN"), "the sentence is of this failure: %s", devio_errmsg());
	must(devio_ring_inflight(e.ring) == 4, "nothing more was queued");
	rig_wait(e.ring, c, 1);
	/* Finished but not taken counts as in flight. */
	must(devio_ring_inflight(e.ring) == 3, "one was taken");
	must_zero(devio_ring_read(e.ring, e.file, e.mem, 0, 4096, 0, 9));
	must_fail(devio_ring_write(e.ring, e.file, e.mem, 0, 4096, 0, 9), -EAGAIN);
	rig_wait(e.ring, c, 4);
	must(devio_ring_peek(e.ring, c, 8) == 0 && !devio_ring_inflight(e.ring), "none is left");
}

static void test_other_context(void **state)
{
	struct devio_ctx *other = rig_ctx(0);
	struct devio_mem *m = rig_mem(other, SIZE);
	struct devio_file *f = rig_open(other, e.name, O_RDWR, 0);

	(void)state;
	must_fail(devio_file_read(e.file, m, 0, 100, 0, NULL), -EINVAL);
	must_fail(devio_ring_read(e.ring, e.file, m, 0, 4096, 0, 0), -EINVAL);
	must_fail(devio_ring_read(e.ring, f, e.mem, 0, 4096, 0, 0), -EINVAL);
	must_fail(devio_file_explain(e.file, m, 0, 100, 0, 0, NULL, NULL, 0), -EINVAL);
	devio_mem_free(m);
	devio_file_close(f);
	devio_ctx_close(other);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_kinds_of_files), T(test_import), T(test_import_flags), T(test_access), T(test_ranges),
		T(test_far_offsets), T(test_lists), T(test_ring_full), T(test_other_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
