/* SPDX-License-Identifier: MIT */
/* ze:N against the fake loader. */
#include "config.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "memtest.h"
#include "fake-kernel.h"
#include "mem/mem.h"
#include "mem/evpool.h"
#include "mem/sys.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY)

static const struct fake_ctl *ctl;
static struct devio_ctx *ctx;

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
	return 0;
}

static void one_life(void)
{
	int fds = mt_open_fds();
	struct devio_mem *m;

	mt_ok(devio_mem_alloc(ctx, "ze:1", 100000, NULL, &m));
	mt_info(m, "ze:1", 100000, CAPS | DEVIO_MEM_EXPORT, "0000:3a:02.0");
	mt_copies(m);
	mt_roundtrip(ctx, m, true);
	mt_copies(m);
	devio_mem_free(m);
	assert_int_equal(mt_open_fds(), fds);
}

static void test_life(void **state)
{
	(void)state;
	one_life();
}

static void test_new_fd(void **state)
{
	(void)state;
	setenv("FAKE_ZE_FD", "new", 1);
	one_life();
	unsetenv("FAKE_ZE_FD");
}

static void test_no_export(void **state)
{
	struct devio_mem *m;
	uint64_t off;
	int fd;

	(void)state;
	setenv("FAKE_ZE_NO_EXPORT", "1", 1);
	mt_ok(devio_mem_alloc(ctx, "ze:0", 5000, NULL, &m));
	mt_info(m, "ze:0", 5000, CAPS, "0000:3a:01.0");
	mt_copies(m);
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "exports no dma-buf");
	devio_mem_free(m);
	unsetenv("FAKE_ZE_NO_EXPORT");
}

static void test_bad(void **state)
{
	struct devio_mem *m = (void *)1;
	void *p;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "ze", 1, NULL, &m), -EINVAL, "ze:N");
	mt_fails(devio_mem_alloc(ctx, "ze:one", 1, NULL, &m), -EINVAL, "no device number");
	mt_fails(devio_mem_alloc(ctx, "ze:2", 1, NULL, &m), -ENODEV, "there are 2 Level Zero GPUs");
	mt_fails(devio_mem_alloc(ctx, "ze:0", INT64_MAX, NULL, &m), -ENOMEM, "zeMemAllocDevice");
	assert_ptr_equal(m, (void *)1);
	mt_ok(devio_mem_alloc(ctx, "ze:0", 1, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "devio_mem_copy_out");
	devio_mem_free(m);
}

static void test_import(void **state)
{
	/* Piece 1: the application allocated it for export; 2: it did not. */
	uint64_t a = ctl->mem(100000, FAKE_PLAIN, 1, NULL, 1), b = ctl->mem(4096, FAKE_PLAIN, 1, NULL, 2), off;
	struct devio_mem *m;
	int fd;

	(void)state;
	mt_ok(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)(a + 5001), 60000, &m));
	mt_copies(m);
	mt_roundtrip(ctx, m, true);
	devio_mem_free(m);
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)(a + 1), 100000, &m), -EFAULT, "ends after 99999");
	mt_fails(devio_mem_import_ptr(ctx, "ze:1", (void *)(uintptr_t)a, 1, &m), -EFAULT, "another device");
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", &m, 1, &m), -EFAULT, "does not know");
	ctl->mem_free(a);
	mt_ok(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)b, 4096, &m));
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "ze_external_memory_export_desc_t");
	devio_mem_free(m);
	ctl->mem_free(b);
	b = ctl->mem(4096, FAKE_MANAGED, 1, NULL, 0);
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)b, 1, &m), -EOPNOTSUPP, "shared memory");
	ctl->mem_free(b);
	b = ctl->mem(4096, FAKE_HOSTMEM, 1, NULL, 0);
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)b, 1, &m), -EFAULT, "import it as 'host'");
	ctl->mem_free(b);
}

static void test_between(void **state)
{
	(void)state;
	mt_engine(ctx, "ze:0", NULL);
}

static int scenario(void)
{
	char page[1000] = "page", buf[1000];
	struct devio_mem *m, *i;
	uint64_t off;
	int fd, rc;

	rc = devio_mem_alloc(ctx, "ze:1", 50000, NULL, &m);
	if (rc)
		return rc;
	rc = devio_mem_copy_in(m, 5, page, 1000);
	if (!rc)
		rc = devio_mem_copy_out(m, 5, buf, 1000);
	if (!rc)
		rc = devio_mem_copy_out(m, 5, buf, 1000);
	if (!rc)
		rc = memcmp(page, buf, 1000) ? 1 : 0;
	if (!rc)
		rc = devio_mem_import_ptr(ctx, "ze:1", (void *)(uintptr_t)(m->device_ptr + 10), 49990, &i);
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
		ctl->arm("", 0);
		mt_no_leak(ctl);
		assert_int_equal(mt_open_fds(), fds);
	}
	assert_int_equal(rc, 0);
	assert_in_range(n, 20, 900);
}

static void test_pool_runs_dry(void **state)
{
	enum { N = DV_EV_NR + 20 };
	static unsigned char src[N][16];
	static struct dv_copy c[N];
	unsigned char got[N][16];
	struct devio_mem *m;
	int rc, at_once = 0;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "ze:0", sizeof(src), NULL, &m));
	for (int i = 0; i < N; i++) {
		memset(src[i], i, 16);
		rc = dv_mem_copy(m, (uint64_t)i * 16, src[i], 16, false, &c[i]);
		assert_true(rc >= 0);
		at_once += rc;
		c[i].aux = rc ? UINT64_MAX : c[i].aux;
	}
	assert_int_equal(at_once, 20);
	for (int i = 0; i < N; i++)
		while (c[i].aux != UINT64_MAX && !dv_mem_copy_poll(m, &c[i], i & 1))
			;
	mt_ok(devio_mem_copy_out(m, 0, got, sizeof(got)));
	assert_memory_equal(got, src, sizeof(src));
	devio_mem_free(m);
}

static void *many_copies(void *arg)
{
	struct devio_mem *m = arg;
	unsigned char in[777], out[777];
	static _Atomic int nr;
	uint64_t off = (uint64_t)(nr++) * 1000;

	for (int i = 0; i < 200; i++) {
		memset(in, i + (int)off, sizeof(in));
		if (devio_mem_copy_in(m, off, in, sizeof(in)) || devio_mem_copy_out(m, off, out, sizeof(out)) ||
		    memcmp(in, out, sizeof(in)))
			return m;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[8];
	struct devio_mem *m;
	void *bad;

	(void)state;
	ctl->delay(5);
	mt_ok(devio_mem_alloc(ctx, "ze:0", 8000, NULL, &m));
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, many_copies, m);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	devio_mem_free(m);
}

static void test_fork(void **state)
{
	struct devio_mem *m;
	int status;
	char b;
	pid_t pid;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "ze:0", 4096, NULL, &m));
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
	mt_link(sys, "class/drm/renderD128/device/driver", "../../bus/pci/drivers/amdgpu");
	mt_link(sys, "class/drm/renderD129/device/driver", "../../bus/pci/drivers/xe");
	mt_link(sys, "class/drm/renderD130/device/driver", "../../bus/pci/drivers/i915");
	mt_link(sys, "class/drm/card0/device/driver", "../../bus/pci/drivers/i915");
	assert_string_equal(mt_list(c), "host");
	mt_file(dev, "dri/renderD128", "");
	mt_file(dev, "dri/renderD130", "");
	assert_string_equal(mt_list(c), "ze:1 amdgpu:0 host");
	dv_sys_dev = old;
	devio_ctx_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_life), T(test_between), T(test_new_fd), T(test_no_export), T(test_bad), T(test_import), T(test_every_failure),
		T(test_pool_runs_dry), T(test_threads), T(test_fork), T(test_list),
	};

	ctl = mt_fake("fakeze", "DEVIO_ZE_LIBRARY");
	return cmocka_run_group_tests_name("ze", tests, NULL, NULL);
}
