/* SPDX-License-Identifier: MIT */
/* Disks that are full, limits, files that shrink, and io_uring forbidden. */
#include "rig.h"
#include "forbid.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SIZE (4u << 20)

/* What runs in a child, as it cannot be undone: a failed check ends it. */
#define child_must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "# %s:%d: in the child: %s: %s\n", __FILE__, __LINE__, #cond, devio_errmsg()); \
			_exit(1); \
		} \
	} while (0)

static const int paths[] = { 0, DEVIO_PATH_FILE_HOST, DEVIO_PATH_FILE_BOUNCE, DEVIO_PATH_FILE_BUFFERED };
static const char *name;

static int setup(void **state)
{
	(void)state;
	name = rig_name("limits");
	rig_file(name, SIZE, 2);
	chmod(name, 0666);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(name);
}

static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (!pid) {
		alarm(30);
		fn();
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		must_skip("it is not permitted here");
	must(WIFEXITED(status) && !WEXITSTATUS(status), "the child ends well: 0x%x", status);
}

static int texts;
static char said[600];

static void say(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	if (level <= DEVIO_LOG_WARN) {
		texts++;
		snprintf(said, sizeof(said), "%s", text);
	}
}

static struct devio_ctx *child_ctx(void)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *ctx;

	o.log = say;
	o.log_level = DEVIO_LOG_DEBUG;
	child_must(!devio_ctx_open(&o, &ctx));
	return ctx;
}

/* Reads and writes by every path, checks the bytes, closes. */
static void everything_works(void)
{
	unsigned char *got = malloc(SIZE), *want = malloc(SIZE);
	int fds = rig_fds();

	for (int p = 0; p < 4; p++) {
		struct devio_ctx *ctx = child_ctx();
		struct devio_file_opts o = DEVIO_OPTS(o);
		struct devio_completion c[32];
		struct devio_file *f;
		struct devio_mem *m;
		struct devio_ring *r;
		ssize_t n;
		int have = 0;

		o.path = paths[p];
		child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m));
		child_must(!devio_file_open(ctx, name, O_RDWR, &o, &f));
		n = devio_file_read(f, m, 0, SIZE, 0, NULL);
		child_must(n == SIZE || (n == -EOPNOTSUPP && paths[p]));
		child_must(n < 0 || devio_file_write(f, m, 0, SIZE, 0, NULL) == SIZE);
		child_must(!devio_ring_open(ctx, NULL, &r));
		for (uint64_t i = 0; i < 32 && n > 0; i++)
			child_must(!devio_ring_read(r, f, m, i * 100000, 100000, i * 100000, i));
		while (have < 32 && n > 0) {
			int rc = devio_ring_wait(r, c, 1, 32, 10000000000LL);

			child_must(rc > 0);
			for (int i = 0; i < rc; i++)
				child_must(c[i].result == 100000);
			have += rc;
		}
		child_must(n < 0 || !devio_mem_copy_out(m, 0, got, SIZE));
		rig_fill(want, 2, 0, SIZE);
		child_must(n < 0 || !memcmp(got, want, SIZE));
		devio_ring_close(r);
		devio_file_close(f);
		devio_mem_free(m);
		devio_ctx_close(ctx);
	}
	free(got);
	free(want);
	child_must(rig_fds() == fds);
}

/* No locked memory for a user without privileges: slots are not registered, that is all. */
static void no_memlock(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_MEMLOCK, &none) || (!getuid() && setresuid(65534, 65534, 65534)))
		_exit(77);
	everything_works();
}

static void *nothing(void *arg)
{
	return arg;
}

static void no_threads(void)
{
	struct rlimit none = { 1, 1 };
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *ctx;
	struct devio_mem *m;
	struct devio_file *f;
	pthread_t t;

	if (setrlimit(RLIMIT_NPROC, &none) || (!getuid() && setresuid(65534, 65534, 65534)) ||
	    !pthread_create(&t, NULL, nothing, NULL))
		_exit(77);
	o.flags = DEVIO_CTX_NO_URING;
	child_must(!devio_ctx_open(&o, &ctx));
	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m));
	child_must(!devio_file_open(ctx, name, O_RDONLY, NULL, &f));
	child_must(devio_file_read(f, m, 0, SIZE, 0, NULL) == SIZE);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

static void child_forbid(int nr, int err)
{
	if (forbid(nr, err))
		_exit(77);
}

static void without_uring(int err, const char *word)
{
	struct devio_completion c;
	struct devio_ctx *ctx;
	struct devio_mem *m;
	struct devio_file *f;

	child_forbid(SYS_io_uring_setup, err);
	everything_works();
	child_must(texts > 0 && strstr(said, word) && strstr(said, "thread"));
	/* A path that needs it says so, or that the memory is not for it anyway. */
	ctx = child_ctx();
	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m));
	child_must(!devio_file_open(ctx, name, O_RDONLY, &(struct devio_file_opts){
		.sz = sizeof(struct devio_file_opts), .path = DEVIO_PATH_FILE_DMABUF }, &f));
	child_must(devio_file_read(f, m, 0, SIZE, 0, &c) == -EOPNOTSUPP);
	child_must(c.reason == DEVIO_REASON_NO_URING || c.reason == DEVIO_REASON_NO_EXPORT);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

static void uring_eperm(void)
{
	without_uring(EPERM, "EPERM");
}

static void uring_enosys(void)
{
	without_uring(ENOSYS, "ENOSYS");
}

/* Without io_uring_register a ring of one thread cannot start and reports it; its resources are released. */
static void uring_no_register(void)
{
	int fds = rig_fds();
	struct devio_ctx *ctx = child_ctx();
	struct devio_completion c;
	struct devio_mem *m;
	struct devio_file *f;
	struct devio_ring *r;

	child_forbid(SYS_io_uring_register, EPERM);
	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m));
	child_must(!devio_file_open(ctx, name, O_RDWR, NULL, &f));
	child_must(devio_file_read(f, m, 1, SIZE - 7, 5, NULL) == SIZE - 7);
	child_must(!devio_ring_open(ctx, NULL, &r));
	child_must(!devio_ring_read(r, f, m, 0, 65536, 0, 0));
	child_must(devio_ring_wait(r, &c, 1, 1, -1) == 1 || strstr(devio_errmsg(), "ENABLE_RINGS"));
	devio_ring_close(r);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
	child_must(rig_fds() == fds);
}

/* io_uring is taken away with rings open and operations queued: errors, no hang, no leak. */
static void uring_later(void)
{
	int fds = rig_fds(), rc;
	struct devio_ctx *ctx = child_ctx();
	struct devio_completion c[8];
	struct devio_mem *m;
	struct devio_file *f;
	struct devio_ring *r;

	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m));
	child_must(!devio_file_open(ctx, name, O_RDWR, NULL, &f));
	child_must(!devio_ring_open(ctx, NULL, &r));
	child_must(devio_file_read(f, m, 0, SIZE, 0, NULL) == SIZE);
	for (uint64_t i = 0; i < 8; i++)
		child_must(!devio_ring_read(r, f, m, i << 16, 65536, i << 16, i));
	rc = devio_ring_wait(r, c, 8, 8, 1000000000);
	child_must(rc == 8);
	for (uint64_t i = 0; i < 8; i++)
		child_must(!devio_ring_read(r, f, m, i << 16, 65536 - (i & 1), i << 16, i));
	child_forbid(SYS_io_uring_enter, EPERM);
	child_must(devio_ring_submit(r) == -EPERM && strstr(devio_errmsg(), "io_uring_enter"));
	child_must(devio_ring_wait(r, c, 1, 8, -1) == -EPERM);
	child_must(devio_file_read(f, m, 0, SIZE, 0, NULL) == -EPERM);
	child_must(devio_file_write(f, m, 0, SIZE, 0, NULL) == -EPERM);
	devio_ring_close(r);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
	child_must(rig_fds() == fds);
}

static void test_memlock(void **state)
{
	(void)state;
	in_child(no_memlock);
}

static void test_no_threads(void **state)
{
	(void)state;
	in_child(no_threads);
}

static void test_uring_eperm(void **state)
{
	(void)state;
	in_child(uring_eperm);
}

static void test_uring_enosys(void **state)
{
	(void)state;
	in_child(uring_enosys);
}

static void test_uring_no_register(void **state)
{
	(void)state;
	in_child(uring_no_register);
}

static void test_uring_later(void **state)
{
	(void)state;
	in_child(uring_later);
}

/* Writes past the limit of file sizes: what is good is there, the rest is an error. */
static void too_big(void)
{
	static const uint64_t limits[] = { 1 << 20, (1 << 20) + 1000, 4096, 0 };
	unsigned char *bytes = malloc(SIZE), *got = malloc(SIZE);
	const char *big = rig_name("big");
	struct devio_ctx *ctx = child_ctx();
	struct devio_mem *m;

	signal(SIGXFSZ, SIG_IGN);
	rig_fill(bytes, 5, 0, SIZE);
	child_must(!devio_mem_alloc(ctx, "host", SIZE, NULL, &m) && !devio_mem_copy_in(m, 0, bytes, SIZE));
	for (int l = 0; l < 4; l++) {
		struct rlimit lim = { limits[l], RLIM_INFINITY };

		child_must(!setrlimit(RLIMIT_FSIZE, &lim));
		for (int i = 0; i < 8; i++) {
			struct devio_file_opts o = { .sz = sizeof(o), .path = paths[i / 2], .mode = 0600 };
			uint64_t skip = i & 1 ? 777 : 0;
			struct devio_completion c;
			struct devio_file *f;
			ssize_t n;
			int fd;

			child_must(!devio_file_open(ctx, big, O_RDWR | O_CREAT | O_TRUNC, &o, &f));
			n = devio_file_write(f, m, skip, 2 << 20, skip, &c);
			if (n == -EOPNOTSUPP && c.reason != DEVIO_REASON_REFUSED) {
				devio_file_close(f);
				continue;
			}
			child_must(n == -EFBIG || (n == -EINVAL && paths[i / 2]));
			child_must(skip + c.good <= limits[l] || (!c.good && skip > limits[l]));
			fd = open(big, O_RDONLY);
			child_must(pread(fd, got, c.good, skip) == (ssize_t)c.good);
			child_must(!memcmp(got, bytes + skip, c.good));
			close(fd);
			devio_file_close(f);
		}
	}
	unlink(big);
	devio_mem_free(m);
	devio_ctx_close(ctx);
	free(bytes);
	free(got);
}

static void test_file_size(void **state)
{
	(void)state;
	in_child(too_big);
}

/* A disk with less room than the write needs: -ENOSPC, and what is called good is there. */
static void full_disk(const char *file)
{
	unsigned char *bytes = malloc(SIZE), *got = malloc(SIZE);
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *m = rig_mem(ctx, SIZE);

	rig_fill(bytes, 5, 0, SIZE);
	must_zero(devio_mem_copy_in(m, 0, bytes, SIZE));
	for (int i = 0; i < 8; i++) {
		struct devio_file *f = rig_open(ctx, file, O_RDWR | O_CREAT | O_TRUNC, paths[i / 2]);
		uint64_t skip = i & 1 ? 777 : 0;
		struct devio_completion c;
		ssize_t n = devio_file_write(f, m, skip, SIZE - skip, skip, &c);
		int fd = open(file, O_RDONLY);

		must(n == -ENOSPC || (n == -EOPNOTSUPP && paths[i / 2]), "%s: %zd %s", devio_path_name(paths[i / 2]), n,
		     devio_errmsg());
		must(c.good < SIZE - skip && pread(fd, got, c.good, skip) == (ssize_t)c.good &&
		     !memcmp(got, bytes + skip, c.good), "%llu good bytes", (unsigned long long)c.good);
		close(fd);
		devio_file_close(f);
		unlink(file);
	}
	devio_mem_free(m);
	devio_ctx_close(ctx);
	free(bytes);
	free(got);
}

static void test_tmpfs_full(void **state)
{
	char dir[] = "full-XXXXXX", file[64];

	(void)state;
	must(mkdtemp(dir) != NULL, "mkdtemp");
	if (mount("none", dir, "tmpfs", 0, "size=2m")) {
		rmdir(dir);
		must_skip("a tmpfs cannot be mounted here");
	}
	snprintf(file, sizeof(file), "%s/file", dir);
	full_disk(file);
	umount(dir);
	rmdir(dir);
}

static void test_ext4_full(void **state)
{
	char dir[] = "full-XXXXXX", cmd[400], file[64];
	const char *image = rig_name("image");

	(void)state;
	must(mkdtemp(dir) != NULL, "mkdtemp");
	snprintf(cmd, sizeof(cmd),
		 "(PATH=$PATH:/sbin:/usr/sbin; truncate -s 3M %s && mkfs.ext4 -qF -O ^has_journal %s && "
		 "mount -o loop %s %s) >/dev/null 2>&1",
		 image, image, image, dir);
	if (system(cmd)) {
		rmdir(dir);
		unlink(image);
		must_skip("an ext4 cannot be mounted by loop here");
	}
	snprintf(file, sizeof(file), "%s/file", dir);
	full_disk(file);
	umount(dir);
	rmdir(dir);
	unlink(image);
}

static atomic_int stop;

static void *shrink_and_grow(void *arg)
{
	unsigned char *bytes = malloc(SIZE);
	int fd = open(arg, O_RDWR);

	rig_fill(bytes, 2, 0, SIZE);
	for (unsigned int i = 0; !stop; i++) {
		if (ftruncate(fd, (i * 77777) % SIZE) || pwrite(fd, bytes, SIZE, 0) != SIZE)
			break;
		usleep(200);
	}
	close(fd);
	free(bytes);
	return NULL;
}

/*
 * Another thread cuts the file off and writes it anew: a read is short or
 * whole, and each byte that it calls good was in the file at some time (the
 * pattern's, or zero where the file was cut off and grew again).
 */
static void test_truncated(void **state)
{
	const char *file = rig_name("shrinks");
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *m = rig_mem(ctx, SIZE);
	unsigned char *got = malloc(SIZE);
	pthread_t t;

	(void)state;
	rig_file(file, SIZE, 2);
	for (int p = 0; p < 4; p++) {
		struct devio_file *f = rig_open(ctx, file, O_RDONLY, paths[p]);
		uint64_t until = rig_ns() + 400000000;

		stop = 0;
		must_zero(pthread_create(&t, NULL, shrink_and_grow, (void *)file));
		while (rig_ns() < until && (!paths[p] || p == 3 || rig_direct(f))) {
			struct devio_completion c;
			ssize_t n;

			memset(got, 0xaa, SIZE);
			must_zero(devio_mem_copy_in(m, 0, got, SIZE));
			n = devio_file_read(f, m, 0, SIZE, 0, &c);
			must(n >= 0 && n <= SIZE && c.good == (uint64_t)n, "read: %zd %s", n, devio_errmsg());
			must_zero(devio_mem_copy_out(m, 0, got, SIZE));
			for (ssize_t i = 0; i < n; i += 509)
				must(got[i] == rig_byte(2, i) || !got[i], "byte %zd of %zd was never in the file", i,
				     n);
		}
		stop = 1;
		pthread_join(t, NULL);
		devio_file_close(f);
	}
	unlink(file);
	devio_mem_free(m);
	devio_ctx_close(ctx);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memlock), cmocka_unit_test(test_no_threads), cmocka_unit_test(test_uring_eperm),
		cmocka_unit_test(test_uring_enosys), cmocka_unit_test(test_uring_no_register),
		cmocka_unit_test(test_uring_later), cmocka_unit_test(test_file_size), cmocka_unit_test(test_tmpfs_full),
		cmocka_unit_test(test_ext4_full), cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
