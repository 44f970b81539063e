/* SPDX-License-Identifier: MIT */
/* What all memories share: specs, options, host memory, libraries that are not there. */
#include "config.h"
#include <dlfcn.h>
#include <unistd.h>
#include "memtest.h"
#include "mem/mem.h"

static struct devio_ctx *ctx;

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

static void test_host(void **state)
{
	static unsigned char own[5000];
	struct devio_mem *m;
	void *p;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "host", 3 << 20, NULL, &m));
	mt_info(m, "host", 3 << 20, DEVIO_MEM_HOST_PAGES | DEVIO_MEM_CPU_MAP, "");
	mt_copies(m);
	mt_ok(devio_mem_map(m, &p));
	mt_fails(devio_mem_export(m, &(int){ 0 }, &(uint64_t){ 0 }), -EOPNOTSUPP, "cannot be exported");
	devio_mem_free(m);
	mt_ok(devio_mem_import_ptr(ctx, "host", own + 1, 4999, &m));
	mt_copies(m);
	mt_ok(devio_mem_map(m, &p));
	assert_ptr_equal(p, own + 1);
	devio_mem_free(m);
	mt_fails_big(devio_mem_alloc(ctx, "host", 1ULL << 60, NULL, &m), "mmap() of 1152921504606846976 bytes failed");
	mt_fails(devio_mem_alloc(ctx, "host:0", 1, NULL, &m), -EINVAL, "takes no argument");
	devio_mem_free(NULL);
}

static void test_between(void **state)
{
	struct devio_mem *a, *b;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "host", 10000, NULL, &a));
	mt_ok(devio_mem_alloc(ctx, "host", 9000, NULL, &b));
	mt_between(a, b, MT_CPU);
	devio_mem_free(a);
	devio_mem_free(b);
}

static void test_specs(void **state)
{
	struct devio_mem *m = (void *)1;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	mt_fails(devio_mem_alloc(ctx, NULL, 1, NULL, &m), -EINVAL, "spec is NULL or too long");
	mt_fails(devio_mem_alloc(ctx, longer, 1, NULL, &m), -EINVAL, "too long");
	mt_fails(devio_mem_alloc(ctx, "", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(ctx, ":", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(ctx, "cud:0", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(ctx, "cudaa:0", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(ctx, "HOST", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(ctx, "import:0", 1, NULL, &m), -EINVAL, "unknown memory type");
	mt_fails(devio_mem_alloc(NULL, "host", 1, NULL, &m), -EINVAL, "context is NULL");
	mt_fails(devio_mem_import_ptr(ctx, "udmabuf", longer, 1, &m), -EOPNOTSUPP, "cannot import pointers");
	assert_ptr_equal(m, (void *)1);
}

static void test_options(void **state)
{
	struct { struct devio_mem_opts o; uint64_t later; } newer = { .o.sz = sizeof(newer) };
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "host", 1, &newer.o, &m));
	devio_mem_free(m);
	newer.later = 1;
	mt_fails(devio_mem_alloc(ctx, "host", 1, &newer.o, &m), -E2BIG, "devio_mem_opts");
	o.flags = 1;
	mt_fails(devio_mem_alloc(ctx, "host", 1, &o, &m), -EINVAL, "unknown flags");
	o.flags = 0;
	o.offset = 4096;
	mt_fails(devio_mem_alloc(ctx, "host", 1, &o, &m), -EINVAL, "offset not supported");
	o.sz = 0;
	mt_fails(devio_mem_alloc(ctx, "host", 1, &o, &m), -EINVAL, "sizeof");
}

/* A vendor's library that is missing, is something else, or is too old. */
static void test_libraries(void **state)
{
	static const struct { const char *spec, *env; } lib[] = {
		{ "cuda:0", "DEVIO_CUDA_LIBRARY" }, { "hip:0", "DEVIO_HIP_LIBRARY" }, { "ze:0", "DEVIO_ZE_LIBRARY" },
		{ "amdgpu:0", "DEVIO_DRM_AMDGPU_LIBRARY" },
	};
	struct devio_mem *m;

	(void)state;
	for (size_t i = 0; i < sizeof(lib) / sizeof(lib[0]); i++) {
		setenv(lib[i].env, "/nowhere/lib.so", 1);
		mt_fails(devio_mem_alloc(ctx, lib[i].spec, 1, NULL, &m), -ENODEV, "its library: /nowhere/lib.so");
		assert_non_null(strstr(devio_errmsg(), "install"));
		setenv(lib[i].env, "/dev/null", 1);
		mt_fails(devio_mem_alloc(ctx, lib[i].spec, 1, NULL, &m), -ENODEV, "cannot load its library");
		setenv(lib[i].env, "libc.so.6", 1);
		mt_fails(devio_mem_alloc(ctx, lib[i].spec, 1, NULL, &m), -ENODEV, "libc.so.6 is too old");
	}
}

/* Programs with host memory only load no vendor's library. */
static void test_lazy(void **state)
{
	static const char *const name[] = { "libcuda.so.1", "libamdhip64.so", "libze_loader.so.1",
					    "libdrm_amdgpu.so.1" };
	struct devio_mem *m;

	(void)state;
	mt_ok(devio_mem_alloc(ctx, "host", 1, NULL, &m));
	mt_list(ctx);
	devio_mem_free(m);
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		assert_null(dlopen(name[i], RTLD_NOW | RTLD_NOLOAD));
}

/* The table says what the specs in the header say, each once, and what an error text lists. */
static void test_table(void **state)
{
	static const char *const name[] = { "cuda", "hip",     "ze",	  "amdgpu", "vfio", "p2pmem",
					    "drm",  "dmaheap", "udmabuf", "host",   NULL };
	struct devio_mem *m;
	int i;

	(void)state;
	mt_fails(devio_mem_alloc(ctx, "nothing", 1, NULL, &m), -EINVAL, "unknown memory type");
	for (i = 0; dv_mem_table[i]; i++) {
		assert_string_equal(dv_mem_table[i]->name, name[i]);
		assert_non_null(strstr(devio_errmsg(), dv_mem_table[i]->syntax));
		assert_non_null(dv_mem_table[i]->alloc);
		assert_non_null(dv_mem_table[i]->free);
		assert_non_null(dv_mem_table[i]->list);
	}
	assert_null(name[i]);
}

static void test_closing_order(void **state)
{
	struct devio_ctx *c;
	struct devio_mem *m;
	char b;

	(void)state;
	mt_ok(devio_ctx_open(NULL, &c));
	mt_ok(devio_mem_alloc(c, "host", 1, NULL, &m));
	devio_ctx_close(c);
	mt_ok(devio_mem_copy_out(m, 0, &b, 1));
	devio_mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_lazy),	 T(test_host),	    T(test_between), T(test_specs),
		T(test_options), T(test_libraries), T(test_table),   T(test_closing_order),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
