/* SPDX-License-Identifier: MIT */
/* Memory that an application has on a GPU, of every kind; and all of it as dma-bufs. */
#include "config.h"
#include <fcntl.h>
#include <unistd.h>
#include "app.h"
#include "mem/memtest.h"

/* Attributes of a device. */
enum { RDMA_WITH_VMM = 110, GPU_DIRECT_RDMA = 116, DMA_BUF = 124 };

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
	int dev, rc = hw_current() == primary ? 0 : -1;

	(void)state;
	devio_ctx_close(ctx);
	cu.ctx_set(NULL);
	cu.device(&dev, hw_device());
	cu.primary_release(dev);
	return rc;
}

static int import(cu_ptr a, size_t size, struct devio_mem **m)
{
	return devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)a, size, m);
}

/* [a + off, a + off + len) by libdevio; what lies around it stays. */
static void check_part(cu_ptr a, size_t size, size_t off, size_t len)
{
	unsigned char *want = malloc(size), *got = malloc(size), *buf = malloc(len);
	struct devio_mem *m;

	hw_pattern(want, size, 1);
	assert_int_equal(cu.to_device(a, want, size), 0);
	assert_int_equal(cu.ctx_sync(), 0);
	mt_ok(import(a + off, len, &m));
	mt_ok(devio_mem_copy_out(m, 0, buf, len));
	assert_memory_equal(buf, want + off, len);
	hw_pattern(buf, len, 2);
	memcpy(want + off, buf, len);
	mt_ok(devio_mem_copy_in(m, 0, buf, len));
	assert_int_equal(cu.to_host(got, a, size), 0);
	assert_memory_equal(got, want, size);
	devio_mem_free(m);
	assert_int_equal(cu.to_host(got, a, size), 0); /* still the application's */
	free(want);
	free(got);
	free(buf);
}

static void test_cumemalloc(void **state)
{
	struct devio_mem *m;
	cu_ptr a, b;

	(void)state;
	assert_int_equal(cu.alloc(&a, 3000001), 0);
	assert_int_equal(cu.alloc(&b, 4096), 0);
	check_part(a, 3000001, 0, 3000001);
	check_part(a, 3000001, 1, 3000000);
	check_part(a, 3000001, 1234567, 89);
	check_part(a, 3000001, 3000000, 1);
	check_part(b, 4096, 17, 4000);
	mt_fails(import(a, 3000002, &m), -EFAULT, "exceed the allocation");
	mt_fails(import(a + 3000000, 2, &m), -EFAULT, "ends after 1");
	assert_int_equal(cu.free(a), 0);
	assert_int_equal(cu.free(b), 0);
}

static void test_freed(void **state)
{
	struct devio_mem *m;
	cu_ptr a;

	(void)state;
	assert_int_equal(cu.alloc(&a, 8u << 20), 0);
	assert_int_equal(cu.free(a), 0);
	mt_fails(import(a, 4096, &m), -EFAULT, "is unknown to CUDA");
}

static void test_not_ours(void **state)
{
	char stack[64], *heap = malloc(1 << 20);
	struct devio_mem *m;
	void *pinned;
	cu_ptr a;

	(void)state;
	mt_fails(import((uintptr_t)stack, 64, &m), -EFAULT, "");
	mt_fails(import((uintptr_t)heap, 1 << 20, &m), -EFAULT, "");
	mt_fails(import(4096, 1, &m), -EFAULT, "");
	mt_fails(import(0, 1, &m), -EFAULT, "invalid range");
	assert_int_equal(cu.host_alloc(&pinned, 65536, 0), 0);
	mt_fails(import((uintptr_t)pinned, 65536, &m), -EFAULT, "import it as 'host'");
	assert_int_equal(cu.host_free(pinned), 0);
	assert_int_equal(cu.alloc_managed(&a, 65536, CU_ATTACH_GLOBAL), 0);
	mt_ok(import(a, 65536, &m));
	mt_copies(m);
	devio_mem_free(m);
	assert_int_equal(cu.free(a), 0);
	free(heap);
}

static void test_pool(void **state)
{
	struct devio_mem *m;
	void *stream;
	cu_ptr a;
	int rc;

	(void)state;
	assert_int_equal(cu.stream_create(&stream, CU_NON_BLOCKING), 0);
	rc = cu.alloc_async(&a, 200000, stream);
	if (rc) {
		printf("# skipped: cuMemAllocAsync: error %d\n", rc);
		skip();
	}
	assert_int_equal(cu.stream_sync(stream), 0);
	check_part(a, 200000, 0, 200000);
	check_part(a, 200000, 777, 100000);
	mt_fails(import(a, 1ULL << 32, &m), -EFAULT, "exceed the allocation");
	assert_int_equal(cu.free_async(a, stream), 0);
	assert_int_equal(cu.stream_sync(stream), 0);
	assert_int_equal(cu.stream_destroy(stream), 0);
}

/* Address space filled piece by piece, as PyTorch's expandable segments are. */
struct vmm {
	cu_ptr at;
	size_t piece, reserved;
	unsigned long long handle[4];
};

static void vmm_make(struct vmm *v)
{
	struct cu_prop prop = { .type = 1, .loc = { 1, hw_device() } };
	struct cu_access access = { .loc = { 1, hw_device() }, .flags = 3 };
	int rdma = 0, dev;

	assert_int_equal(cu.device(&dev, hw_device()), 0);
	if (!cu.attribute(&rdma, RDMA_WITH_VMM, dev))
		prop.rdma = rdma;
	assert_int_equal(cu.granularity(&v->piece, &prop, 0), 0);
	v->reserved = 8 * v->piece;
	assert_int_equal(cu.reserve(&v->at, v->reserved, 0, 0, 0), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(cu.create(&v->handle[i], v->piece, &prop, 0), 0);
		assert_int_equal(cu.map(v->at + i * v->piece, v->piece, 0, v->handle[i], 0), 0);
	}
	assert_int_equal(cu.set_access(v->at, 4 * v->piece, &access, 1), 0);
}

static void vmm_drop(struct vmm *v)
{
	assert_int_equal(cu.unmap(v->at, 4 * v->piece), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.release(v->handle[i]), 0);
	assert_int_equal(cu.unreserve(v->at, v->reserved), 0);
}

static void test_vmm(void **state)
{
	struct devio_mem *m;
	struct vmm v;

	(void)state;
	vmm_make(&v);
	printf("# pieces of %zu bytes\n", v.piece);
	check_part(v.at, 4 * v.piece, 0, 4 * v.piece);
	check_part(v.at, 4 * v.piece, v.piece - 1, 2 * v.piece + 2);
	mt_fails(import(v.at, 4 * v.piece + 1, &m), -EFAULT, "exceed the allocation");
	mt_fails(import(v.at + 4 * v.piece, 1, &m), -EFAULT, "");
	vmm_drop(&v);
}

/* A file into the middle of the application's memory, over the border of two pieces. */
static void test_file_into_vmm(void **state)
{
	enum { N = 100001 };
	const char *name = hw_file(N, 5);
	unsigned char *want = malloc(N), *got = malloc(N);
	struct devio_file *f;
	struct devio_mem *m;
	struct vmm v;

	(void)state;
	vmm_make(&v);
	hw_pattern(want, N, 5);
	mt_ok(devio_file_open(ctx, name, O_RDONLY, NULL, &f));
	mt_ok(import(v.at, 4 * v.piece, &m));
	assert_int_equal(devio_file_read(f, m, v.piece - 1000, N, 0, NULL), N);
	assert_int_equal(cu.to_host(got, v.at + v.piece - 1000, N), 0);
	assert_memory_equal(got, want, N);
	devio_mem_free(m);
	devio_file_close(f);
	vmm_drop(&v);
	free(want);
	free(got);
}

/* The dma-buf's own words: exporter, size. */
static void tell_fd(int fd)
{
	char path[64], line[200];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "exp_name", 8) || !strncmp(line, "size", 4) || !strncmp(line, "name", 4))
			printf("#   %s", line);
	if (f)
		fclose(f);
}

static void export_one(const char *what, cu_ptr a, size_t len, bool must)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = -1, again = -1, rc, fds = mt_open_fds();
	uint64_t off = 0, off2;
	struct devio_mem *m, *im;
	off_t size;

	mt_ok(import(a, len, &m));
	rc = devio_mem_export(m, &fd, &off);
	printf("# export of %s, %zu bytes at 0x%llx: %s\n", what, len, a, rc ? devio_errmsg() : "done");
	if (must || !rc) {
		mt_ok(rc);
		size = lseek(fd, 0, SEEK_END);
		printf("#   descriptor of %lld bytes, offset %llu\n", (long long)size, (unsigned long long)off);
		tell_fd(fd);
		assert_int_equal(off, a % page);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		if (size > 0)
			assert_true(off + len <= (uint64_t)size);
		mt_ok(devio_mem_export(m, &again, &off2));
		assert_int_equal(off, off2);
		assert_int_not_equal(fd, again);
		close(again);
		if (!hw_fake()) {
			mt_ok(devio_mem_import_dmabuf(ctx, fd, off, len, &im));
			devio_mem_free(im);
		}
		close(fd);
	}
	devio_mem_free(m);
	assert_int_equal(mt_open_fds(), fds);
}

static void test_export(void **state)
{
	int yes = 0, rdma = 0, dev;
	struct vmm v;
	cu_ptr big, small, tiny;

	(void)state;
	assert_int_equal(cu.device(&dev, hw_device()), 0);
	cu.attribute(&yes, DMA_BUF, dev);
	cu.attribute(&rdma, GPU_DIRECT_RDMA, dev);
	printf("# dma-buf supported: %d, GPUDirect RDMA: %d\n", yes, rdma);
	if (!yes) {
		printf("# skipped: this driver exports no dma-bufs\n");
		skip();
	}
	assert_int_equal(cu.alloc(&big, 16u << 20), 0);
	assert_int_equal(cu.alloc(&small, 65536), 0);
	assert_int_equal(cu.alloc(&tiny, 100), 0);
	vmm_make(&v);
	export_one("an allocation", big, 16u << 20, true);
	export_one("its inside", big + 4096 + 100, 1u << 20, true);
	export_one("its end", big + (16u << 20) - 1, 1, true);
	export_one("a small one", small, 65536, false);
	export_one("one of less than a page", tiny, 100, false);
	export_one("a mapped piece", v.at, v.piece, false);
	export_one("several mapped pieces", v.at + 100, 3 * v.piece, false);
	vmm_drop(&v);
	assert_int_equal(cu.free(big), 0);
	assert_int_equal(cu.free(small), 0);
	assert_int_equal(cu.free(tiny), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(test_cumemalloc), T(test_freed), T(test_not_ours), T(test_pool), T(test_vmm), T(test_file_into_vmm),
		T(test_export),
	};
	const char *why = hw_load();

	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests_name("pointers", tests, setup, teardown);
}
