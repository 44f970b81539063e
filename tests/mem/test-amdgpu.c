/* SPDX-License-Identifier: MIT */
/* amdgpu:N against the fake libdrm_amdgpu, with nodes and sysfs of our own. */
#include "config.h"
#include "vendor.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT)

static const struct vendor_bad bad[] = {
	{ "amdgpu:", 1, -EINVAL, "amdgpu:N" },
	{ "amdgpu:2", 1, -ENODEV, "2 GPUs use the amdgpu driver" },
	{ "amdgpu:1", 1, -ENODEV, "renderD130" },
	{ "amdgpu:0", INT64_MAX, -ENOMEM, "too large" },
	{ "amdgpu:0", 1ULL << 50, -ENOMEM, "1125899906842624 bytes of VRAM" },
	{ NULL, 0, 0, NULL },
};

static const struct vendor amdgpu = {
	.spec = "amdgpu:0", .failing = "amdgpu:0", .min_calls = 7, .max_calls = 50, .bad = bad,
};

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

	vendor_bad(state);
	mt_fails(devio_mem_import_ptr(ctx, "amdgpu:0", &m, 1, &m), -EOPNOTSUPP, "cannot import pointers");
	assert_ptr_equal(m, (void *)1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_prestate_setup_teardown(f, vendor_setup, vendor_teardown, (void *)&amdgpu)
#define SHARED(f) { "test_" #f, vendor_##f, vendor_setup, vendor_teardown, (void *)&amdgpu }
		T(test_life), T(test_small_bar), T(test_bad), SHARED(every_failure), SHARED(fork),
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
