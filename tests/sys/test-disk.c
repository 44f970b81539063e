/* SPDX-License-Identifier: MIT */
/* A block device (a loop device, by root): read and written by every path, and the disk's own errors. */
#include "rig.h"

#include <errno.h>

#define SIZE (2u << 20)
#define HALF (SIZE / 2)

static const int paths[] = { 0, DEVIO_PATH_FILE_HOST, DEVIO_PATH_FILE_BOUNCE, DEVIO_PATH_FILE_BUFFERED };
static char dev[64];
static const char *image;

static int run(const char *fmt, const char *arg, char *out, size_t size)
{
	char cmd[300];
	FILE *f;
	int n;

	n = snprintf(cmd, sizeof(cmd), "PATH=$PATH:/sbin:/usr/sbin; ");
	snprintf(cmd + n, sizeof(cmd) - n, fmt, arg);
	f = popen(cmd, "r");
	if (!f)
		return -1;
	if (out && !fgets(out, size, f))
		out[0] = '\0';
	if (out)
		out[strcspn(out, "\n")] = '\0';
	return pclose(f);
}

static int setup(void **state)
{
	(void)state;
	image = rig_name("disk");
	rig_file(image, SIZE, 4);
	if (run("losetup --show -f %s 2>/dev/null", image, dev, sizeof(dev)) || access(dev, R_OK | W_OK))
		dev[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (dev[0])
		run("losetup -d %s", dev, NULL, 0);
	return unlink(image);
}

static struct devio_file *open_dev(struct devio_ctx *ctx, int path)
{
	return rig_open(ctx, dev, O_RDWR, path);
}

static void test_block_device(void **state)
{
	struct devio_ctx *ctx;
	struct devio_mem *m;

	(void)state;
	if (!dev[0])
		must_skip("no loop device can be made here");
	ctx = rig_ctx(0);
	m = rig_mem(ctx, SIZE + 4096);
	for (int p = 0; p < 4; p++) {
		struct devio_file_info i = DEVIO_OPTS(i);
		struct devio_file *f = open_dev(ctx, paths[p]);

		must_zero(devio_file_get_info(f, &i));
		must(i.is_block && i.size == SIZE && i.dio_off_align >= 512, "size %llu, alignment %u",
		     (unsigned long long)i.size, i.dio_off_align);
		must(devio_file_read(f, m, 0, SIZE, 0, NULL) == SIZE, "%s", devio_errmsg());
		rig_check(m, 0, SIZE, 4, 0);
		must(devio_file_read(f, m, 3, 100001, 777, NULL) == 100001, "%s", devio_errmsg());
		rig_check(m, 3, 100001, 4, 777);
		must(devio_file_write(f, m, 3, 100001, 777, NULL) == 100001, "%s", devio_errmsg());
		must(devio_file_read(f, m, 0, 8192, SIZE - 5000, NULL) == 5000, "the end: %s", devio_errmsg());
		rig_check(m, 0, 5000, 4, SIZE - 5000);
		must(devio_file_read(f, m, 0, 4096, SIZE, NULL) == 0, "behind the end: %s", devio_errmsg());
		must(devio_file_write(f, m, 0, 4096, SIZE, NULL) == -ENOSPC, "no room: %s", devio_errmsg());
		must_zero(devio_file_sync(f));
		devio_file_close(f);
	}
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

/* The disk has lost its second half: what is before is good, the rest an error with its cause. */
static void test_io_error(void **state)
{
	struct devio_completion c;
	struct devio_ctx *ctx;
	struct devio_mem *m;

	(void)state;
	if (!dev[0])
		must_skip("no loop device can be made here");
	ctx = rig_ctx(0);
	m = rig_mem(ctx, SIZE);
	for (int p = 0; p < 4; p++) {
		struct devio_file *f = open_dev(ctx, paths[p]);
		ssize_t n;

		rig_cache(dev, 0);
		must(!truncate(image, HALF), "truncate");
		n = devio_file_read(f, m, 1, SIZE - 1, 1, &c);
		must(n == -EIO && c.result == -EIO && c.reason == DEVIO_REASON_IO, "%s: %zd, reason %u",
		     devio_path_name(paths[p]), n, c.reason);
		must(c.good < HALF && strstr(devio_errmsg(), "EIO"), "%llu good: %s", (unsigned long long)c.good,
		     devio_errmsg());
		rig_check(m, 1, c.good, 4, 1);
		must(devio_file_read(f, m, 0, HALF, 0, &c) == HALF, "the first half: %s", devio_errmsg());
		rig_check(m, 0, HALF, 4, 0);
		devio_file_close(f);
		rig_file(image, SIZE, 4);
	}
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_block_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_io_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
