/* SPDX-License-Identifier: MIT */
/* hip:N against the fake runtime; test-hip-old: against one that is ROCm 5. */
#include "config.h"
#include <sys/wait.h>
#include <unistd.h>
#include "memtest.h"
#include "fake-kernel.h"
#include "mem/mem.h"
#include "mem/evpool.h"
#include "mem/sys.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY | DEVIO_MEM_EXPORT)

static const struct fake_ctl *ctl;
static int (*set_device)(int dev);
static int (*get_device)(int *dev);
static int (*peek_error)(void);
static int (*get_error)(void);
static struct devio_ctx *ctx;

static int current(void)
{
	int d;

	get_device(&d);
	return d;
}

static int setup(void **state)
{
	(void)state;
	fake_kernel_reset();
	ctl->arm("", 0);
	ctl->delay(100);
	return devio_ctx_open(NULL, &ctx);
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	ctl->arm("", 0);
	mt_no_leak(ctl);
	set_device(0);
	get_error();
	return 0;
}

static void test_life(void **state)
{
	struct devio_mem *m;

	(void)state;
	set_device(1);
	mt_ok(devio_mem_alloc(ctx, "hip:0", 100000, NULL, &m));
	mt_info(m, "hip:0", 100000, CAPS, "0000:03:00.0");
	mt_copies(m);
	mt_roundtrip(ctx, m, true);
	devio_mem_free(m);
	assert_int_equal(current(), 1);
	assert_int_equal(peek_error(), 0);
	mt_ok(devio_mem_alloc(ctx, "hip:1", 777, NULL, &m));
	mt_info(m, "hip:1", 777, CAPS, "0000:04:00.0");
	mt_copies(m);
	devio_mem_free(m);
}

/* An error that the application has not looked at yet is still there afterwards. */
static void test_last_error(void **state)
{
	struct devio_mem *m;
	struct dv_copy c = { 0 };
	char b[64];

	(void)state;
	set_device(7);
	assert_int_equal(peek_error(), 101);
	ctl->delay(20000);
	mt_ok(devio_mem_alloc(ctx, "hip:0", 4096, NULL, &m));
	assert_int_equal(dv_mem_copy(m, 0, b, 64, true, &c), 0);
	while (!dv_mem_copy_poll(m, &c, false))
		;
	assert_true(peek_error() != 0);
	get_error();
	assert_int_equal(dv_mem_copy(m, 0, b, 64, true, &c), 0);
	while (!dv_mem_copy_poll(m, &c, false))
		assert_int_equal(peek_error(), 0); /* "not ready" is ours alone */
	devio_mem_free(m);
}

static void test_bad(void **state)
{
	struct devio_mem *m = (void *)1;
	void *p;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "hip:", 1, NULL, &m), -EINVAL, "hip:N");
	mt_fails(devio_mem_alloc(ctx, "hip:0x1", 1, NULL, &m), -EINVAL, "no device number");
	mt_fails(devio_mem_alloc(ctx, "hip:2", 1, NULL, &m), -ENODEV, "there are 2 HIP devices");
	mt_fails(devio_mem_alloc(ctx, "hip:0", INT64_MAX, NULL, &m), -ENOMEM, "hipMalloc");
	assert_ptr_equal(m, (void *)1);
	mt_ok(devio_mem_alloc(ctx, "hip:0", 1, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "devio_mem_copy_out");
	devio_mem_free(m);
}

static void test_import(void **state)
{
	uint64_t a = ctl->mem(100000, FAKE_PLAIN, 0, NULL, 0), b;
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)(a + 5001), 60000, &m));
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	devio_mem_free(m);
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)(a + 1), 100000, &m), -EFAULT, "ends after 99999");
	mt_fails(devio_mem_import_ptr(ctx, "hip:1", (void *)(uintptr_t)a, 1, &m), -EFAULT, "lies on hip:0");
	mt_fails(devio_mem_import_ptr(ctx, "hip:9", (void *)(uintptr_t)a, 1, &m), -ENODEV, "there are 2");
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", &m, 1, &m), -EFAULT, "does not know");
	ctl->mem_free(a);
	b = ctl->mem(4096, FAKE_MANAGED, 0, NULL, 0);
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)b, 1, &m), -EOPNOTSUPP, "managed");
	ctl->mem_free(b);
	b = ctl->mem(4096, FAKE_HOSTMEM, 0, NULL, 0);
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)b, 1, &m), -EFAULT, "import it as 'host'");
	ctl->mem_free(b);
}

static void test_between(void **state)
{
	(void)state;
	mt_engine(ctx, "hip:0", "hip:1");
}

static int scenario(void)
{
	static char page[8192] __attribute__((aligned(4096)));
	char buf[1000];
	struct devio_mem *m, *i;
	uint64_t off;
	void *pin;
	int fd, rc;

	rc = devio_mem_alloc(ctx, "hip:1", 50000, NULL, &m);
	if (rc)
		return rc;
	rc = devio_mem_copy_in(m, 5, page, 1000);
	if (!rc)
		rc = devio_mem_copy_out(m, 5, buf, 1000);
	if (!rc)
		rc = memcmp(page, buf, 1000) ? 1 : 0;
	if (!rc) {
		rc = m->ops->pin(m, page, sizeof(page), &pin);
		if (!rc)
			m->ops->unpin(pin, page, sizeof(page));
	}
	if (!rc)
		rc = devio_mem_import_ptr(ctx, "hip:1", (void *)(uintptr_t)(m->device_ptr + 10), 49990, &i);
	if (!rc)
		devio_mem_free(i);
	if (!rc)
		rc = devio_mem_export(m, &fd, &off);
	if (!rc)
		close(fd);
	devio_mem_free(m);
	return rc;
}

static void test_every_failure(void **state)
{
	int fds = mt_open_fds(), rc = 0, n;

	(void)state;
	ctl->delay(20);
	for (n = 1; n < 1000; n++) {
		ctl->arm("*", n);
		rc = scenario();
		if (!ctl->fired())
			break;
		assert_true(rc <= 0);
		assert_int_equal(current(), 0);
		assert_int_equal(peek_error(), 0);
		ctl->arm("", 0);
		mt_no_leak(ctl);
		assert_int_equal(mt_open_fds(), fds);
	}
	assert_int_equal(rc, 0);
	assert_in_range(n, 20, 900);
}

static void test_no_device(void **state)
{
	static const char *const call[] = { "hipGetDevice", "hipSetDevice" };
	struct devio_mem *m;
	struct dv_copy c = { 0 };
	char b[16];

	(void)state;
	for (int i = 0; i < 2; i++)
		for (int n = 1; n <= 2; n++) {
			/* The second SetDevice goes back to the application's: that one is not told. */
			ctl->arm(call[i], i && n == 2 ? 3 : n);
			mt_fails(devio_mem_alloc(ctx, "hip:1", 4096, NULL, &m), -ENODEV, call[i]);
			mt_no_leak(ctl);
		}
	ctl->arm("", 0);
	mt_ok(devio_mem_alloc(ctx, "hip:1", 4096, NULL, &m));
	ctl->arm("hipSetDevice", 1);
	mt_fails(devio_mem_copy_in(m, 0, b, 16), -ENODEV, "hipSetDevice");
	ctl->arm("", 0);
	assert_int_equal(dv_mem_copy(m, 0, b, 16, true, &c), 0);
	ctl->arm("hipGetDevice", 1);
	assert_int_equal(dv_mem_copy_poll(m, &c, true), 1);
	assert_int_equal(peek_error(), 0);
	devio_mem_free(m);
}

static void test_fork(void **state)
{
	struct devio_mem *m;
	int status;
	char b;
	pid_t pid;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "hip:0", 4096, NULL, &m));
	pid = fork();
	if (!pid) {
		long before = ctl->calls();
		int rc = devio_mem_copy_out(m, 0, &b, 1);

		devio_mem_free(m);
		mt_leave(rc == -ECHILD && ctl->calls() == before ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	devio_mem_free(m);
}

static void test_list(void **state)
{
	const char *dev = mt_dir(), *sys = mt_dir(), *old = dv_sys_dev;
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *c;

	(void)state;
	o.sysfs_root = sys;
	dv_sys_dev = dev;
	mt_ok(devio_ctx_open(&o, &c));
	mt_file(sys, "class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
	mt_file(sys, "class/kfd/kfd/topology/nodes/1/gpu_id", "51110\n");
	mt_file(sys, "class/kfd/kfd/topology/nodes/2/gpu_id", "4711\n");
	assert_string_equal(mt_list(c), "host");
	mt_file(dev, "kfd", "");
	assert_string_equal(mt_list(c), "hip:0 hip:1 host");
	dv_sys_dev = old;
	devio_ctx_close(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_life), T(test_between), T(test_last_error), T(test_bad), T(test_import), T(test_every_failure),
		T(test_no_device), T(test_fork), T(test_list),
	};
	bool old = argc && strstr(argv[0], "hip-old");
	const char *lib = old ? "fakehipold" : "fakehip";

	if (old)
		setenv("FAKE_HIP_VERSION", "5", 1);
	ctl = mt_fake(lib, "DEVIO_HSA_LIBRARY");
	ctl = mt_fake(lib, "DEVIO_HIP_LIBRARY");
	set_device = mt_sym(lib, "hipSetDevice");
	get_device = mt_sym(lib, "hipGetDevice");
	peek_error = mt_sym(lib, "hipPeekAtLastError");
	get_error = mt_sym(lib, "hipGetLastError");
	return cmocka_run_group_tests_name("hip", tests, NULL, NULL);
}
