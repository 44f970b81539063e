/* SPDX-License-Identifier: MIT */
/* ze:N against the fake loader. */
#include "config.h"
#include "vendor.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY)

static const struct vendor_bad bad[] = {
	{ "ze", 1, -EINVAL, "ze:N" },
	{ "ze:one", 1, -EINVAL, "invalid device number" },
	{ "ze:2", 1, -ENODEV, "there are 2 Level Zero GPUs" },
	{ "ze:0", INT64_MAX, -ENOMEM, "zeMemAllocDevice" },
	{ NULL, 0, 0, NULL },
};

static const struct vendor ze = {
	.spec = "ze:0", .failing = "ze:1", .delay = 100, .min_calls = 20, .max_calls = 900, .bad = bad,
};

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
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "cannot export dma-bufs");
	devio_mem_free(m);
	unsetenv("FAKE_ZE_NO_EXPORT");
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
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)(a + 1), 100000, &m), -EFAULT,
		 "ends after 99999");
	mt_fails(devio_mem_import_ptr(ctx, "ze:1", (void *)(uintptr_t)a, 1, &m), -EFAULT, "another device");
	mt_fails(devio_mem_import_ptr(ctx, "ze:0", &m, 1, &m), -EFAULT, "is unknown to Level Zero");
	ctl->mem_free(a);
	mt_ok(devio_mem_import_ptr(ctx, "ze:0", (void *)(uintptr_t)b, 4096, &m));
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "ze_external_memory_export_desc_t");
	devio_mem_free(m);
	ctl->mem_free(b);
	vendor_refuses("ze:0", FAKE_MANAGED, 1, -EOPNOTSUPP, "shared memory");
	vendor_refuses("ze:0", FAKE_HOSTMEM, 1, -EFAULT, "import it as 'host'");
}

static void test_list(void **state)
{
	const char *classes = mt_dir(), *nodes = mt_dir();
	struct devio_ctx *c = rig_ctx_on(classes, nodes);

	(void)state;
	mt_link(classes, "class/drm/renderD128/device/driver", "../../bus/pci/drivers/amdgpu");
	mt_link(classes, "class/drm/renderD129/device/driver", "../../bus/pci/drivers/xe");
	mt_link(classes, "class/drm/renderD130/device/driver", "../../bus/pci/drivers/i915");
	mt_link(classes, "class/drm/card0/device/driver", "../../bus/pci/drivers/i915");
	assert_string_equal(mt_list(c), "host");
	mt_file(nodes, "dri/renderD128", "");
	mt_file(nodes, "dri/renderD130", "");
	assert_string_equal(mt_list(c), "ze:1 amdgpu:0 host");
	devio_ctx_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_prestate_setup_teardown(f, vendor_setup, vendor_teardown, (void *)&ze)
#define SHARED(f) { "test_" #f, vendor_##f, vendor_setup, vendor_teardown, (void *)&ze }
		T(test_life), SHARED(between), T(test_new_fd), T(test_no_export), SHARED(bad), T(test_import),
		SHARED(every_failure), SHARED(pool_runs_dry), SHARED(threads), SHARED(fork), T(test_list),
	};

	ctl = mt_fake("fakeze", "DEVIO_ZE_LIBRARY");
	return cmocka_run_group_tests_name("ze", tests, NULL, NULL);
}
