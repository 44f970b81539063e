/* SPDX-License-Identifier: MIT */
/*
 * Each call of the driver fails in turn, on the real driver, while files are
 * read into its memory: an error or the right bytes, and nothing left behind.
 * DEVIO_CUDA_LIBRARY is the shim (shim.c).
 */
#include "config.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
#include "app.h"
#include "mem/memtest.h"
#include "shim.h"

#define SIZE (1u << 20)
#define PARTS 8u

static void (*arm)(int nth);
static bool (*fired)(void);
static long (*live)(enum shim_kind kind);
static const char *name;
static unsigned char want[SIZE], got[SIZE];

static int take_all(struct devio_ring *ring, int flying)
{
	struct devio_completion done[PARTS];
	int bad = 0, n;

	while (flying > 0) {
		n = devio_ring_wait(ring, done, 1, PARTS, 20000000000LL);
		assert_true(n > 0); /* else an operation was lost */
		for (int i = 0; i < n; i++)
			if (done[i].result < 0)
				bad = (int)done[i].result;
		flying -= n;
	}
	return bad;
}

static int read_parts(struct devio_ring *ring, struct devio_file *f, struct devio_mem *m, int path)
{
	struct devio_io io = DEVIO_OPTS(io);
	struct devio_range range;
	int rc = 0, flying = 0;
	int bad;

	for (uint64_t i = 0; !rc && i < PARTS; i++) {
		range = (struct devio_range){ .mem = m, .off = i * (SIZE / PARTS), .len = SIZE / PARTS };
		io.file = f;
		io.ranges = &range;
		io.nr_ranges = 1;
		io.file_off = i * (SIZE / PARTS);
		io.path = path;
		rc = devio_ring_io(ring, &io);
		flying += !rc;
	}
	bad = take_all(ring, flying);
	return rc ? rc : bad;
}

static int check(struct devio_mem *m)
{
	int rc;

	memset(got, 0, SIZE);
	rc = devio_mem_copy_out(m, 0, got, SIZE);
	if (!rc)
		assert_memory_equal(got, want, SIZE);
	return rc;
}

static int with_ring(struct devio_ctx *ctx, struct devio_mem *m)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_file *f;
	struct devio_ring *ring;
	int rc;

	ro.staging = 512u << 10;
	ro.slot = 64u << 10;
	mt_ok(devio_file_open(ctx, name, O_RDONLY, NULL, &f));
	mt_ok(devio_ring_open(ctx, &ro, &ring));
	memset(got, 0, SIZE);
	rc = devio_mem_copy_in(m, 0, got, SIZE);
	if (!rc)
		rc = read_parts(ring, f, m, DEVIO_PATH_FILE_BUFFERED);
	if (!rc)
		rc = check(m);
	if (!rc)
		rc = read_parts(ring, f, m, 0);
	if (!rc)
		rc = check(m);
	devio_ring_close(ring);
	devio_file_close(f);
	return rc;
}

/* Everything once. */
static int scenario(void)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct devio_mem *m, *part;
	struct devio_ctx *ctx;
	uint64_t off;
	int rc, fd;

	mt_ok(devio_ctx_open(NULL, &ctx));
	rc = devio_mem_alloc(ctx, hw_spec(), SIZE, NULL, &m);
	if (!rc) {
		rc = with_ring(ctx, m);
		mt_ok(devio_mem_get_info(m, &info));
		if (!rc)
			rc = devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)(info.device_ptr + 1), SIZE - 1,
						  &part);
		if (!rc)
			devio_mem_free(part);
		if (!rc && info.caps & DEVIO_MEM_EXPORT)
			rc = devio_mem_export(m, &fd, &off);
		if (!rc && info.caps & DEVIO_MEM_EXPORT)
			close(fd);
		devio_mem_free(m);
	}
	devio_ctx_close(ctx);
	return rc;
}

static void nothing_left(int fds)
{
	static const char *const what[] = { "allocations", "contexts", "pushed contexts", "streams", "events",
					    "registered host ranges" };

	for (int i = 0; i < SHIM_CALLS; i++) {
		if (live(i))
			printf("# left behind: %ld %s\n", live(i), what[i]);
		assert_int_equal(live(i), 0);
	}
	assert_null(hw_current());
	assert_int_equal(mt_open_fds(), fds);
}

static void test_every_call(void **state)
{
	long survived = 0;
	int fds, n, rc;

	(void)state;
	mt_ok(scenario());
	fds = mt_open_fds();
	for (n = 1; n < 2000; n++) {
		arm(n);
		rc = scenario();
		if (!fired())
			break;
		assert_true(rc <= 0);
		survived += !rc;
		arm(0);
		nothing_left(fds);
	}
	mt_ok(rc);
	assert_true(n > 40);
	printf("# %d calls failed in turn, %ld of them without consequence\n", n - 1, survived);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_call) };
	const char *lib = getenv("DEVIO_CUDA_LIBRARY"), *why;
	void *so = lib ? dlopen(lib, RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!getenv("HW_CUDA_LIBRARY"))
		setenv("HW_CUDA_LIBRARY", "libcuda.so.1", 0);
	why = hw_load();
	if (!why && (!so || !dlsym(so, "shim_arm")))
		why = "DEVIO_CUDA_LIBRARY does not name the shim";
	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 77;
	}
	arm = dlsym(so, "shim_arm");
	fired = dlsym(so, "shim_fired");
	live = dlsym(so, "shim_live");
	name = hw_file(SIZE, 11);
	hw_pattern(want, SIZE, 11);
	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
