/* SPDX-License-Identifier: MIT */
/* amdgpu:N against the fake libdrm_amdgpu, with nodes and sysfs of our own. */
#include "config.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "memtest.h"
#include "fake-kernel.h"
#include "mem/mem.h"
#include "mem/sys.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT)

static const struct fake_ctl *ctl;
static struct devio_ctx *ctx;
static const char *dev, *sys;

static int setup(void **state)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);

	(void)state;
	fake_kernel_reset();
	ctl->arm("", 0);
	o.sysfs_root = sys;
	dv_sys_dev = dev;
	return devio_ctx_open(&o, &ctx);
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	ctl->arm("", 0);
	mt_no_leak(ctl);
	return 0;
}

static void test_life(void **state)
{
	int fds = mt_open_fds();
	struct devio_mem *m;
	void *p;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "amdgpu:0", 100000, NULL, &m));
	mt_info(m, "amdgpu:0", 100000, CAPS | DEVIO_MEM_CPU_MAP, "0000:0b:00.0");
	mt_copies(m);
	mt_ok(devio_mem_map(m, &p));
	mt_roundtrip(ctx, m, true);
	devio_mem_free(m);
	assert_int_equal(mt_open_fds(), fds);
}

static void test_small_bar(void **state)
{
	struct devio_mem *m;
	char b;

	(void)state;
	setenv("FAKE_AMDGPU_VISIBLE", "0", 1);
	mt_ok(devio_mem_alloc(ctx, "amdgpu:0", 100000, NULL, &m));
	mt_info(m, "amdgpu:0", 100000, CAPS, "0000:0b:00.0");
	mt_fails(devio_mem_copy_out(m, 0, &b, 1), -EOPNOTSUPP, "Resizable BAR");
	devio_mem_free(m);
	unsetenv("FAKE_AMDGPU_VISIBLE");
}

static void test_bad(void **state)
{
	struct devio_mem *m = (void *)1;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "amdgpu:", 1, NULL, &m), -EINVAL, "amdgpu:N");
	mt_fails(devio_mem_alloc(ctx, "amdgpu:2", 1, NULL, &m), -ENODEV, "2 GPUs have the amdgpu driver");
	mt_fails(devio_mem_alloc(ctx, "amdgpu:1", 1, NULL, &m), -ENODEV, "renderD130");
	mt_fails(devio_mem_alloc(ctx, "amdgpu:0", INT64_MAX, NULL, &m), -ENOMEM, "too many");
	mt_fails(devio_mem_alloc(ctx, "amdgpu:0", 1ULL << 50, NULL, &m), -ENOMEM, "no 1125899906842624 bytes of VRAM");
	mt_fails(devio_mem_import_ptr(ctx, "amdgpu:0", &m, 1, &m), -EOPNOTSUPP, "no pointers");
	assert_ptr_equal(m, (void *)1);
}

static int scenario(void)
{
	struct devio_mem *m;
	uint64_t off;
	char b[10];
	int fd, rc = devio_mem_alloc(ctx, "amdgpu:0", 50000, NULL, &m);

	if (rc)
		return rc;
	rc = devio_mem_copy_in(m, 5, "nine byte", 10);
	if (!rc)
		rc = devio_mem_copy_out(m, 5, b, 10);
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
	for (n = 1; n < 100; n++) {
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
	assert_in_range(n, 7, 50);
}

static void test_fork(void **state)
{
	struct devio_mem *m;
	void *p;
	int status;
	pid_t pid;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "amdgpu:0", 4096, NULL, &m));
	mt_ok(devio_mem_map(m, &p));
	pid = fork();
	if (!pid) {
		long before = ctl->calls();
		int rc = devio_mem_map(m, &p);

		devio_mem_free(m);
		mt_leave(rc == -ECHILD && ctl->calls() == before ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	devio_mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_life), T(test_small_bar), T(test_bad), T(test_every_failure), T(test_fork),
	};

	dev = mt_dir();
	sys = mt_dir();
	mt_file(dev, "dri/renderD129", "");
	/* class/drm/X/device is a link to the PCI device, whose name is the address */
	mt_link(sys, "devices/0000:0b:00.0/driver", "../../bus/pci/drivers/amdgpu");
	mt_link(sys, "devices/0000:0c:00.0/driver", "../../bus/pci/drivers/amdgpu");
	mt_link(sys, "class/drm/renderD129/device", "../../../devices/0000:0b:00.0");
	mt_link(sys, "class/drm/renderD130/device", "../../../devices/0000:0c:00.0");
	ctl = mt_fake("fakeamdgpu", "DEVIO_DRM_AMDGPU_LIBRARY");
	return cmocka_run_group_tests_name("amdgpu", tests, NULL, NULL);
}
