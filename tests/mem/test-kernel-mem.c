/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own memories, nothing faked. DEVIO_TEST_SPECS="udmabuf
 * p2pmem:0000:04:00.0 vfio:0000:05:00.0/2" names what must work here; without
 * it what every machine may have is tried and skipped with the reason. The
 * memory named is written to.
 */
#include "config.h"
#include <unistd.h>
#include "memtest.h"

#define SIZE 200001

static const char *const usual[] = { "host", "udmabuf", "dmaheap:system", "drm:/dev/dri/card0", NULL };

static struct devio_ctx *ctx;
static bool must;

static int setup(void **state)
{
	(void)state;
	return devio_ctx_open(NULL, &ctx);
}

static int teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	return 0;
}

static unsigned int caps_of(struct devio_mem *m)
{
	struct devio_mem_info info = DEVIO_OPTS(info);

	mt_ok(devio_mem_get_info(m, &info));
	return info.caps;
}

/* What was exported holds the same bytes; where the CPU cannot access them the error says so. */
static void check_export(struct devio_mem *m)
{
	struct devio_mem *again;
	uint64_t off;
	unsigned int caps;
	char b;
	int fd;

	mt_ok(devio_mem_export(m, &fd, &off));
	mt_ok(devio_mem_import_dmabuf(ctx, fd, off, SIZE, &again));
	caps = caps_of(again);
	if (!(caps & DEVIO_MEM_CPU_MAP))
		mt_fails(devio_mem_copy_out(again, 0, &b, 1), -EOPNOTSUPP, "rejects mmap");
	mt_fails(devio_mem_import_dmabuf(ctx, fd, 1ULL << 40, 1, &again), -ERANGE, "exceed the dma-buf");
	close(fd);
	devio_mem_free(again);
	if (caps & DEVIO_MEM_CPU_MAP)
		mt_roundtrip(ctx, m, true);
}

/* An application's pointer into the middle of a vendor's memory. */
static void check_pointer(struct devio_mem *m, const char *spec)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct devio_mem *inner;
	unsigned char b[2] = { 0 };

	mt_ok(devio_mem_get_info(m, &info));
	mt_ok(devio_mem_import_ptr(ctx, spec, (void *)(uintptr_t)(info.device_ptr + 4097), SIZE - 4097, &inner));
	mt_copies(inner);
	mt_ok(devio_mem_copy_in(inner, 1, "\x33", 1));
	mt_ok(devio_mem_copy_out(m, 4098, b, 1));
	assert_int_equal(b[0], 0x33);
	devio_mem_free(inner);
	mt_fails(devio_mem_import_ptr(ctx, spec, b, 1, &inner), -EFAULT, "is unknown to");
}

static bool is_vendor(const char *spec)
{
	return !strncmp(spec, "cuda:", 5) || !strncmp(spec, "hip:", 4) || !strncmp(spec, "ze:", 3);
}

static void check_map(struct devio_mem *m)
{
	unsigned char *p, b = 0;
	void *ptr;

	mt_ok(devio_mem_map(m, &ptr));
	p = ptr;
	mt_ok(devio_mem_copy_in(m, SIZE - 1, "\x42", 1));
	assert_int_equal(*(volatile unsigned char *)(p + SIZE - 1), 0x42);
	*(volatile unsigned char *)(p + 1) = 0x17;
	mt_ok(devio_mem_copy_out(m, 1, &b, 1));
	assert_int_equal(b, 0x17);
}

static void test_spec(void **state)
{
	const char *spec = *state;
	int fds = mt_open_fds(), rc;
	struct devio_mem *m, *second;
	char b[6];

	rc = devio_mem_alloc(ctx, spec, SIZE, NULL, &m);
	if (rc && !must) {
		print_message("# SKIP %s: %s\n", spec, devio_errmsg());
		skip();
	}
	mt_ok(rc);
	mt_copies(m);
	if (caps_of(m) & DEVIO_MEM_CPU_MAP)
		check_map(m);
	if (caps_of(m) & DEVIO_MEM_EXPORT)
		check_export(m);
	if (is_vendor(spec))
		check_pointer(m, spec);
	/* Two at a time do not overlap. */
	mt_ok(devio_mem_alloc(ctx, spec, 4096, NULL, &second));
	mt_ok(devio_mem_copy_in(m, 0, "first", 6));
	mt_copies(second);
	mt_ok(devio_mem_copy_out(m, 0, b, 6));
	assert_string_equal(b, "first");
	devio_mem_free(m);
	devio_mem_free(second);
	assert_int_equal(mt_open_fds(), fds);
}

static void test_no_dmabuf(void **state)
{
	struct devio_mem *m;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	mt_fails(devio_mem_import_dmabuf(ctx, pipes[0], 0, 1, &m), -EINVAL, "is not a dma-buf");
	close(pipes[0]);
	close(pipes[1]);
	mt_fails(devio_mem_import_dmabuf(ctx, pipes[0], 0, 1, &m), -EBADF, "cannot use fd");
}

static void test_list(void **state)
{
	const char *list;

	(void)state;
	list = mt_list(ctx);
	print_message("# this machine: %s\n", list);
	assert_true(strlen(list) >= 4 && !strcmp(list + strlen(list) - 4, "host"));
}

int main(void)
{
	struct CMUnitTest tests[34] = {
		cmocka_unit_test_setup_teardown(test_no_dmabuf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
	};
	char *specs = getenv("DEVIO_TEST_SPECS"), *copy = specs ? strdup(specs) : NULL, *rest = copy;
	int n = 2;

	must = specs;
	for (int i = 0; n < 34; i++) {
		const char *s = must ? strtok_r(rest, " ", &rest) : usual[i];

		if (!s)
			break;
		tests[n++] = (struct CMUnitTest){ s, test_spec, setup, teardown, (void *)s };
	}
	n = _cmocka_run_group_tests("kernel-mem", tests, (size_t)n, NULL, NULL);
	free(copy);
	return n;
}
