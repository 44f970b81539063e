/* SPDX-License-Identifier: MIT */
/* cuda:N against the fake driver library. */
#include "config.h"
#include <unistd.h>
#include "vendor.h"
#include "mem/cuda_api.h"
#include "mem/ptr.h"
#include "mem/sys.h"

#define CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY)

static int (*ctx_create)(void **ctx, unsigned int flags, int dev);
static int (*ctx_destroy)(void *ctx);
static int (*ctx_current)(void **ctx);

static void *current(void)
{
	void *c;

	ctx_current(&c);
	return c;
}

static void no_context(void)
{
	assert_null(current());
}

static const struct vendor_bad bad[] = {
	{ "cuda:", 1, -EINVAL, "cuda:N" },
	{ "cuda", 1, -EINVAL, "cuda:N" },
	{ "cuda:x", 1, -EINVAL, "invalid device number 'x'" },
	{ "cuda:-1", 1, -EINVAL, "invalid device number" },
	{ "cuda:0 ", 1, -EINVAL, "invalid device number" },
	{ "cuda:99999999999", 1, -EINVAL, "invalid device number" },
	{ "cuda:99", 1, -ENODEV, "there are 2 CUDA devices" },
	{ "cuda:0", 0, -EINVAL, "0 bytes" },
	{ "cuda:0", UINT64_MAX, -EINVAL, "invalid size" },
	{ "cuda:0", INT64_MAX, -ENOMEM, "cuMemAlloc" },
	{ NULL, 0, 0, NULL },
};

static const struct vendor cuda = {
	.spec = "cuda:0", .other = "cuda:1", .failing = "cuda:0", .delay = 200, .min_calls = 30, .max_calls = 900,
	.intact = no_context, .bad = bad,
};

static int teardown(void **state)
{
	int rc = vendor_teardown(state);

	return current() ? -1 : rc;
}

static void test_life(void **state)
{
	struct devio_mem *m;
	void *app;

	(void)state;
	ctx_create(&app, 0, 1);
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 100000, NULL, &m));
	assert_ptr_equal(current(), app);
	mt_info(m, "cuda:0", 100000, CAPS | DEVIO_MEM_EXPORT, "0000:c1:00.0");
	mt_copies(m);
	assert_ptr_equal(current(), app);
	mt_roundtrip(ctx, m, true);
	assert_ptr_equal(current(), app);
	assert_int_equal(fk.syncs, 0);
	devio_mem_free(m);
	assert_ptr_equal(current(), app);
	ctx_destroy(app);
}

static void test_no_cpu_map(void **state)
{
	struct devio_mem *m;
	void *p;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 4096, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "devio_mem_copy_out");
	devio_mem_free(m);
}

static void test_no_dmabuf(void **state)
{
	struct devio_mem *m;
	uint64_t off;
	int fd;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "cuda:1", 4096, NULL, &m));
	mt_info(m, "cuda:1", 4096, CAPS, "0000:c2:00.0");
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "open kernel modules");
	devio_mem_free(m);
}

static void test_old_driver_mapping(void **state)
{
	struct devio_mem *m;

	(void)state;
	setenv("FAKE_CUDA_NO_PCIE", "1", 1);
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 5000, NULL, &m));
	mt_roundtrip(ctx, m, true);
	devio_mem_free(m);
	unsetenv("FAKE_CUDA_NO_PCIE");
}

static void test_bad_specs(void **state)
{
	struct devio_mem *m = (void *)1;
	struct devio_mem_opts o = DEVIO_OPTS(o);

	vendor_bad(state);
	o.offset = 4096;
	mt_fails(devio_mem_alloc(ctx, "cuda:0", 1, &o, &m), -EINVAL, "offset");
	assert_ptr_equal(m, (void *)1);
}

static void import_and_check(uint64_t addr, size_t size)
{
	struct devio_mem *m;

	mt_ok(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)addr, size, &m));
	mt_info(m, "cuda:0", size, CAPS | DEVIO_MEM_EXPORT, "0000:c1:00.0");
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	assert_int_equal(*ctl->peek(addr + size - 1), ({
		unsigned char b;
		devio_mem_copy_out(m, size - 1, &b, 1);
		b;
	}));
	devio_mem_free(m);
}

static void test_import(void **state)
{
	struct devio_mem *m;
	uint64_t a;
	void *app;

	(void)state;
	ctx_create(&app, 0, 0); /* a context of the application's own, not the primary one */
	a = ctl->mem(300000, FAKE_PLAIN, 0, app, 0);
	import_and_check(a, 300000);
	import_and_check(a + 100, 20000);
	import_and_check(a + 70001, 229999);
	assert_ptr_equal(current(), app);
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)a, 300001, &m), -EFAULT, "exceed the");
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)(a + 299999), 2, &m), -EFAULT,
		 "ends after 1");
	mt_fails(devio_mem_import_ptr(ctx, "cuda:1", (void *)(uintptr_t)a, 1, &m), -EFAULT, "belongs to cuda:0");
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", &a, 1, &m), -EFAULT, "is unknown to CUDA");
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", NULL, 1, &m), -EFAULT, "invalid range");
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", (void *)UINTPTR_MAX, 2, &m), -EFAULT, "invalid range");
	ctl->mem_free(a);
	ctx_destroy(app);
}

/* What a pointer is, of which the caller knows nothing. */
static void test_find(void **state)
{
	uint64_t a = ctl->mem(300001, FAKE_PLAIN, 1, NULL, 0), b = ctl->mem(4096, FAKE_MANAGED, 0, NULL, 0);
	uint64_t h = ctl->mem(4096, FAKE_HOSTMEM, 0, NULL, 0);
	struct devio_mem *m;
	struct dv_ptr p, q;

	(void)state;
	assert_int_equal(dv_ptr_find((void *)(uintptr_t)(a + 300000), &p), 1);
	assert_int_equal(p.base, a);
	assert_int_equal(p.size, 300001);
	assert_int_equal(p.ordinal, 1);
	assert_false(p.managed);
	mt_ok(dv_ptr_import(ctx, &p, (void *)(uintptr_t)(a + 1), 300000, true, &m));
	mt_info(m, "cuda:1", 300000, CAPS, "0000:c2:00.0");
	mt_copies(m);
	devio_mem_free(m);
	mt_fails(dv_ptr_import(ctx, &p, (void *)(uintptr_t)(a + 1), 300001, true, &m), -EFAULT, "exceed the");
	assert_int_equal(dv_ptr_find((void *)(uintptr_t)b, &q), 1);
	assert_true(q.managed);
	assert_int_not_equal(q.id, p.id);
	assert_int_equal(dv_ptr_find((void *)(uintptr_t)h, &q), 0);
	assert_int_equal(dv_ptr_find(&a, &q), 0);
	assert_int_equal(dv_ptr_find(NULL, &q), 0);
	ctl->arm("cuPointerGetAttributes", 1);
	mt_fails(dv_ptr_find((void *)(uintptr_t)a, &q), -EIO, "cuPointerGetAttributes");
	ctl->mem_free(a);
	ctl->mem_free(b);
	ctl->mem_free(h);
}

static void test_import_kinds(void **state)
{
	struct devio_mem *m;
	uint64_t a;

	(void)state;
	/* Managed memory is copied by the driver and never exported. */
	a = ctl->mem(300000, FAKE_MANAGED, 0, NULL, 0);
	mt_ok(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)a, 300000, &m));
	mt_info(m, "cuda:0", 300000, CAPS, "0000:c1:00.0");
	mt_copies(m);
	devio_mem_free(m);
	ctl->mem_free(a);
	vendor_refuses("cuda:0", FAKE_HOSTMEM, 0, -EFAULT, "import it as 'host'");
	/* Grown in pieces with cuMemMap: a range over several of them is good. */
	a = ctl->mem(262144, FAKE_VMM, 0, NULL, 65536);
	import_and_check(a + 1000, 200000);
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)(a + 1000), 262144, &m), -EFAULT, "exceed the");
	ctl->mem_free(a);
}

/* Memory of a pool has no context either, and ends where it ends. */
static void test_import_pool(void **state)
{
	uint64_t a = ctl->mem(65536, FAKE_POOL, 0, NULL, 16384);
	struct devio_mem *m;

	(void)state;
	import_and_check(a + 100, 16000);
	mt_fails(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)(a + 1000), 20000, &m), -EFAULT, "exceed the");
	ctl->mem_free(a);
}

/* The application captures a stream meanwhile: nothing that we do may end that. */
static void test_capture(void **state)
{
	static char page[4096] __attribute__((aligned(4096)));
	int (*begin)(void *stream, int mode) = mt_sym("fakecuda", "cuStreamBeginCapture_v2");
	int (*end)(void *stream, void **graph) = mt_sym("fakecuda", "cuStreamEndCapture");
	struct devio_mem *m, *i;
	struct devio_mem_info info = DEVIO_OPTS(info);
	void *pin, *graph;
	uint64_t off;
	int fd;

	(void)state;
	assert_int_equal(begin(NULL, CU_CAPTURE_GLOBAL), 0);
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 20000, NULL, &m));
	mt_copies(m);
	mt_ok(m->ops->pin(m, page, sizeof(page), &pin));
	m->ops->unpin(pin, page, sizeof(page));
	mt_ok(devio_mem_get_info(m, &info));
	mt_ok(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)info.device_ptr, 100, &i));
	mt_ok(devio_mem_export(m, &fd, &off));
	close(fd);
	devio_mem_free(i);
	devio_mem_free(m);
	assert_int_equal(end(NULL, &graph), 0);
}

/* A context that cannot be made current: an error, and never a lost copy. */
static void test_no_context(void **state)
{
	struct devio_mem *m;
	struct dv_copy c = { 0 };
	char b[16];
	uint64_t off;
	void *pin;
	int fd;

	(void)state;
	for (int n = 1; n <= 2; n++) {
		ctl->arm("cuCtxPushCurrent", n);
		mt_fails(devio_mem_alloc(ctx, "cuda:0", 4096, NULL, &m), -EIO, "cuCtxPushCurrent");
		mt_no_leak(ctl);
	}
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 4096, NULL, &m));
	ctl->arm("cuCtxPushCurrent", 1);
	mt_fails(devio_mem_copy_in(m, 0, b, 16), -EIO, "cuCtxPushCurrent");
	ctl->arm("cuCtxPushCurrent", 1);
	mt_fails(devio_mem_export(m, &fd, &off), -EIO, "cuCtxPushCurrent");
	ctl->arm("cuCtxPushCurrent", 1);
	mt_fails(m->ops->pin(m, b, 16, &pin), -EIO, "cuCtxPushCurrent");
	ctl->arm("", 0);
	assert_int_equal(dv_mem_copy(m, 0, b, 16, true, &c), 0);
	ctl->arm("cuCtxPushCurrent", 1);
	assert_int_equal(dv_mem_copy_poll(m, &c, true), 1);
	devio_mem_free(m);
}

static void test_pin(void **state)
{
	static char page[8192] __attribute__((aligned(4096)));
	const struct dv_mem_ops *ops;
	struct devio_mem *m;
	void *pin, *none;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 4096, NULL, &m));
	ops = m->ops;
	mt_ok(ops->pin(m, page, sizeof(page), &pin));
	assert_int_equal(ctl->live(FAKE_HOST), 1);
	mt_fails(ops->pin(m, page, sizeof(page), &none), -EEXIST, "cuMemHostRegister");
	devio_mem_free(m);
	assert_int_equal(ctl->live(FAKE_HOST), 1); /* staging outlives the memory */
	ops->unpin(pin, page, sizeof(page));
}

/* Staging memory may outlive a context of the application's: it is registered with the primary one or not at all. */
static void test_pin_other_context(void **state)
{
	static char page[8192] __attribute__((aligned(4096)));
	struct devio_mem *m, *other;
	uint64_t a;
	void *pin, *app;

	(void)state;
	ctx_create(&app, 0, 0);
	a = ctl->mem(4096, FAKE_PLAIN, 0, app, 0);
	mt_ok(devio_mem_import_ptr(ctx, "cuda:0", (void *)(uintptr_t)a, 4096, &m));
	mt_fails(m->ops->pin(m, page, sizeof(page), &pin), -EOPNOTSUPP, "primary");
	mt_ok(devio_mem_alloc(ctx, "cuda:0", 4096, NULL, &other));
	mt_ok(m->ops->pin(m, page, sizeof(page), &pin));
	devio_mem_free(m);
	devio_mem_free(other);
	ctl->mem_free(a);
	ctx_destroy(app);
	assert_int_equal(ctl->live(FAKE_HOST), 1);
	dv_mem_cuda.unpin(pin, page, sizeof(page));
}

static void test_list(void **state)
{
	const char *nodes = mt_dir(), *old = dv_sys_dev;
	long before;

	(void)state;
	ctl->arm("", 0);
	before = ctl->calls();
	dv_sys_dev = nodes;
	assert_null(strstr(mt_list(ctx), "cuda"));
	mt_file(nodes, "nvidia0", "");
	assert_null(strstr(mt_list(ctx), "cuda"));
	mt_file(nodes, "nvidiactl", "");
	mt_file(nodes, "nvidia3", "");
	assert_ptr_equal(strstr(mt_list(ctx), "cuda:0 cuda:1"), mt_list(ctx));
	assert_int_equal(ctl->calls(), before);
	dv_sys_dev = old;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_prestate_setup_teardown(f, vendor_setup, teardown, (void *)&cuda)
#define SHARED(f) { "test_" #f, vendor_##f, vendor_setup, teardown, (void *)&cuda }
		T(test_life), SHARED(between), T(test_no_cpu_map), T(test_no_dmabuf), T(test_old_driver_mapping),
		T(test_bad_specs), T(test_import), T(test_find), T(test_import_kinds), T(test_import_pool),
		T(test_capture), SHARED(every_failure), T(test_no_context), T(test_pin), T(test_pin_other_context),
		SHARED(pool_runs_dry), SHARED(threads), SHARED(fork), T(test_list),
	};

	ctl = mt_fake("fakecuda", "DEVIO_CUDA_LIBRARY");
	ctx_create = mt_sym("fakecuda", "cuCtxCreate_v2");
	ctx_destroy = mt_sym("fakecuda", "cuCtxDestroy_v2");
	ctx_current = mt_sym("fakecuda", "cuCtxGetCurrent");
	return cmocka_run_group_tests_name("cuda", tests, NULL, NULL);
}
