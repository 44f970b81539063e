/* SPDX-License-Identifier: MIT */
/* hip:N against the fake runtime; test-hip-old: against one that is ROCm 5. */
#include "config.h"
#include "vendor.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY | DEVIO_MEM_EXPORT)

static int (*set_device)(int dev);
static int (*get_device)(int *dev);
static int (*peek_error)(void);
static int (*get_error)(void);

static int current(void)
{
	int d;

	get_device(&d);
	return d;
}

static void no_trace(void)
{
	assert_int_equal(current(), 0);
	assert_int_equal(peek_error(), 0);
}

static const struct vendor_bad bad[] = {
	{ "hip:", 1, -EINVAL, "hip:N" },
	{ "hip:0x1", 1, -EINVAL, "invalid device number" },
	{ "hip:2", 1, -ENODEV, "there are 2 HIP devices" },
	{ "hip:0", INT64_MAX, -ENOMEM, "hipMalloc" },
	{ NULL, 0, 0, NULL },
};

static const struct vendor hip = {
	.spec = "hip:0", .other = "hip:1", .failing = "hip:1", .delay = 100, .min_calls = 20, .max_calls = 900,
	.intact = no_trace, .bad = bad,
};

static int teardown(void **state)
{
	int rc = vendor_teardown(state);

	set_device(0);
	get_error();
	return rc;
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

/* An error that the application has not read yet is still there afterwards. */
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

static void test_import(void **state)
{
	uint64_t a = ctl->mem(100000, FAKE_PLAIN, 0, NULL, 0);
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)(a + 5001), 60000, &m));
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	devio_mem_free(m);
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", (void *)(uintptr_t)(a + 1), 100000, &m), -EFAULT,
		 "ends after 99999");
	mt_fails(devio_mem_import_ptr(ctx, "hip:1", (void *)(uintptr_t)a, 1, &m), -EFAULT, "belongs to hip:0");
	mt_fails(devio_mem_import_ptr(ctx, "hip:9", (void *)(uintptr_t)a, 1, &m), -ENODEV, "there are 2");
	mt_fails(devio_mem_import_ptr(ctx, "hip:0", &m, 1, &m), -EFAULT, "is unknown to HIP");
	ctl->mem_free(a);
	vendor_refuses("hip:0", FAKE_MANAGED, 0, -EOPNOTSUPP, "managed");
	vendor_refuses("hip:0", FAKE_HOSTMEM, 0, -EFAULT, "import it as 'host'");
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
			/* The second SetDevice restores the application's; a failure of that one is not reported. */
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

static void test_list(void **state)
{
	const char *classes = mt_dir(), *nodes = mt_dir();
	struct devio_ctx *c = rig_ctx_on(classes, nodes);

	(void)state;
	mt_file(classes, "class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
	mt_file(classes, "class/kfd/kfd/topology/nodes/1/gpu_id", "51110\n");
	mt_file(classes, "class/kfd/kfd/topology/nodes/2/gpu_id", "4711\n");
	assert_string_equal(mt_list(c), "host");
	mt_file(nodes, "kfd", "");
	assert_string_equal(mt_list(c), "hip:0 hip:1 host");
	devio_ctx_close(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_prestate_setup_teardown(f, vendor_setup, teardown, (void *)&hip)
#define SHARED(f) { "test_" #f, vendor_##f, vendor_setup, teardown, (void *)&hip }
		T(test_life), SHARED(between), T(test_last_error), SHARED(bad), T(test_import), SHARED(every_failure),
		T(test_no_device), SHARED(pool_runs_dry), SHARED(threads), SHARED(fork), T(test_list),
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
