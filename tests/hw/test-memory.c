/* SPDX-License-Identifier: MIT */
/* Memory that libdevio allocates on a GPU: checked by the driver's own copies, freed to the last byte. */
#include "config.h"
#include <fcntl.h>
#include <unistd.h>
#include "app.h"
#include "mem/memtest.h"

static struct devio_ctx *ctx;
static void *primary;

static int setup(void **state)
{
	int dev;

	(void)state;
	if (cu.device(&dev, hw_device()) || cu.primary_retain(&primary, dev) || cu.ctx_set(primary))
		return -1;
	return devio_ctx_open(NULL, &ctx);
}

static int teardown(void **state)
{
	int dev, rc;

	(void)state;
	devio_ctx_close(ctx);
	rc = hw_current() == primary ? 0 : -1;
	cu.ctx_set(NULL);
	cu.device(&dev, hw_device());
	cu.primary_release(dev);
	return rc;
}

static uint64_t address(struct devio_mem *m)
{
	struct devio_mem_info info = DEVIO_OPTS(info);

	mt_ok(devio_mem_get_info(m, &info));
	return info.device_ptr;
}

/* libdevio reads what the application has written, and the reverse. */
static void test_same_bytes(void **state)
{
	static const size_t sizes[] = { 1, 3, 255, 4095, 4097, 65536, 1000003, 33u << 20 };
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct devio_mem *m;

	(void)state;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];
		unsigned char *want = malloc(n), *got = malloc(n);

		mt_ok(devio_mem_alloc(ctx, hw_spec(), n, NULL, &m));
		mt_ok(devio_mem_get_info(m, &info));
		assert_int_equal(info.size, n);
		assert_string_equal(info.spec, hw_spec());
		assert_int_equal(info.caps & ~DEVIO_MEM_EXPORT, DEVIO_MEM_DEVICE | DEVIO_MEM_ASYNC_COPY);
		assert_true(strlen(info.bdf) == 12);
		hw_pattern(want, n, i);
		mt_ok(devio_mem_copy_in(m, 0, want, n));
		assert_int_equal(cu.to_host(got, address(m), n), 0);
		assert_memory_equal(got, want, n);
		hw_pattern(want, n, i + 100);
		assert_int_equal(cu.to_device(address(m), want, n), 0);
		assert_int_equal(cu.ctx_sync(), 0);
		mt_ok(devio_mem_copy_out(m, 0, got, n));
		assert_memory_equal(got, want, n);
		devio_mem_free(m);
		free(want);
		free(got);
	}
	printf("# %s is at %s, caps 0x%x\n", hw_spec(), info.bdf, info.caps);
}

static void test_odd_places(void **state)
{
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, hw_spec(), 100000, NULL, &m));
	mt_copies(m);
	devio_mem_free(m);
}

/* Offsets beyond 32 bits. */
static void test_large(void **state)
{
	const uint64_t size = (4ULL << 30) + 12345, places[] = { 0, (4ULL << 30) - 5, size - 4096 };
	unsigned char want[4096], got[4096];
	struct devio_mem *m;

	(void)state;
	if (hw_unused() < 2 * size) {
		printf("# skipped: %zu bytes are free on the device\n", hw_unused());
		skip();
	}
	mt_ok(devio_mem_alloc(ctx, hw_spec(), size, NULL, &m));
	for (unsigned int i = 0; i < 3; i++) {
		hw_pattern(want, sizeof(want), i);
		mt_ok(devio_mem_copy_in(m, places[i], want, sizeof(want)));
		assert_int_equal(cu.to_host(got, address(m) + places[i], sizeof(got)), 0);
		assert_memory_equal(got, want, sizeof(want));
	}
	devio_mem_free(m);
}

static void test_refusals(void **state)
{
	struct devio_mem *m = (void *)1;
	void *p;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, hw_spec(), 0, NULL, &m), -EINVAL, "0 bytes");
	mt_fails(devio_mem_alloc(ctx, hw_spec(), 1ULL << 46, NULL, &m), -ENOMEM, "cuMemAlloc");
	mt_fails(devio_mem_alloc(ctx, "cuda:63", 1, NULL, &m), -ENODEV, "CUDA devices");
	mt_fails(devio_mem_alloc(ctx, "cuda:x", 1, NULL, &m), -EINVAL, "invalid device number");
	assert_ptr_equal(m, (void *)1);
	mt_ok(devio_mem_alloc(ctx, hw_spec(), 4096, NULL, &m));
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "devio_mem_copy_out");
	mt_fails(devio_mem_copy_in(m, 4000, &m, 97), -ERANGE, "");
	devio_mem_free(m);
}

static void read_file(const char *name, uint64_t size)
{
	struct devio_mem *m;
	struct devio_file *f;

	mt_ok(devio_file_open(ctx, name, O_RDONLY, NULL, &f));
	mt_ok(devio_mem_alloc(ctx, hw_spec(), size, NULL, &m));
	assert_int_equal(devio_file_read(f, m, 0, size, 0, NULL), (int64_t)size);
	devio_mem_free(m);
	devio_file_close(f);
}

/* Each round would lose more than the driver's own stock grows by. */
static void test_no_leak(void **state)
{
	const char *name = hw_file(16u << 20, 7);
	size_t before, after;
	int fds;

	(void)state;
	for (int i = 0; i < 3; i++)
		read_file(name, 16u << 20);
	fds = mt_open_fds();
	before = hw_unused();
	for (int i = 0; i < 20; i++)
		read_file(name, 16u << 20);
	after = hw_unused();
	printf("# %zu bytes free before 20 rounds of 16 MiB, %zu after\n", before, after);
	assert_true(after + (4u << 20) > before);
	assert_int_equal(mt_open_fds(), fds);
}

/* Freed while reads are in flight: they end well, then the memory goes. */
static void test_free_in_flight(void **state)
{
	const char *name = hw_file(8u << 20, 9);
	struct devio_completion done[8];
	struct devio_ring *ring;
	struct devio_file *f;
	struct devio_mem *m;
	size_t before;
	int got = 0;

	(void)state;
	before = hw_unused();
	mt_ok(devio_ring_open(ctx, NULL, &ring));
	mt_ok(devio_file_open(ctx, name, O_RDONLY, NULL, &f));
	mt_ok(devio_mem_alloc(ctx, hw_spec(), 8u << 20, NULL, &m));
	for (uint64_t i = 0; i < 8; i++)
		mt_ok(devio_ring_read(ring, f, m, i << 20, 1u << 20, i << 20, i));
	devio_mem_free(m);
	devio_file_close(f);
	while (got < 8) {
		int n = devio_ring_wait(ring, done, 1, 8, -1);

		assert_true(n > 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(done[i].result, 1 << 20);
		got += n;
	}
	devio_ring_close(ring);
	assert_true(hw_unused() + (4u << 20) > before);
}

/* Sizes between which the driver shares pages out; freed in another order. */
static void test_many(void **state)
{
	enum { N = 300 };
	static struct devio_mem *m[N];
	unsigned char b[64];

	(void)state;
	for (int i = 0; i < N; i++) {
		mt_ok(devio_mem_alloc(ctx, hw_spec(), 64 + (size_t)i * 977, NULL, &m[i]));
		memset(b, i, sizeof(b));
		mt_ok(devio_mem_copy_in(m[i], (size_t)i * 977, b, sizeof(b)));
	}
	for (int k = 0; k < N; k++) {
		int i = k * 7 % N;

		mt_ok(devio_mem_copy_out(m[i], (size_t)i * 977, b, sizeof(b)));
		for (unsigned int j = 0; j < sizeof(b); j++)
			assert_int_equal(b[j], i & 0xff);
		devio_mem_free(m[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(test_same_bytes), T(test_odd_places), T(test_large), T(test_refusals), T(test_no_leak),
		T(test_free_in_flight), T(test_many),
	};
	const char *why = hw_load();

	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
