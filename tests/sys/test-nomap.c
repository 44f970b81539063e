/* SPDX-License-Identifier: MIT */
/*
 * A file goes into memory that this process never maps: direct or fail. What
 * arrived is checked from outside (by the lab's host).
 *
 *   DEVIO_TEST_SPEC  memory     DEVIO_TEST_FILE  file, read whole to its start
 */
#include <devio.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

/* Any mapping of a device node or of a dma-buf by this process. */
static int device_is_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/dev/") || strstr(line, "dmabuf") || strstr(line, "vfio")) {
			print_message("# mapped: %s", line);
			found = 1;
		}
	must(maps && !fclose(maps), "/proc/self/maps");
	return found;
}

static void test_nomap(void **state)
{
	const char *spec = getenv("DEVIO_TEST_SPEC"), *name = getenv("DEVIO_TEST_FILE");
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_file_info fi = DEVIO_OPTS(fi);
	struct devio_stat stat = DEVIO_OPTS(stat);
	struct devio_completion c;
	struct devio_file *file;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	char text[300];

	(void)state;
	if (!spec || !name)
		must_skip("DEVIO_TEST_SPEC and DEVIO_TEST_FILE name no device memory and no file");
	fo.flags = DEVIO_FILE_DIRECT_ONLY;
	must_zero(devio_ctx_open(NULL, &ctx));
	must_zero(devio_file_open(ctx, name, O_RDONLY, &fo, &file));
	must_zero(devio_file_get_info(file, &fi));
	must_zero(devio_mem_alloc(ctx, spec, fi.size, NULL, &mem));
	must(devio_file_read(file, mem, 0, fi.size, 0, &c) == (ssize_t)fi.size, "read: %s", devio_errmsg());
	devio_completion_text(&c, text, sizeof(text));
	print_message("# %s, %llu copied\n", text, (unsigned long long)c.copied);
	must(!c.copied, "nothing is copied");
	must(!device_is_mapped(), "no mapping of the device's memory");
	must_zero(devio_stat_get(ctx, &stat));
	for (int p = 0; p < DEVIO_STAT_PATHS; p++)
		must(!stat.path[p].copied, "path %d copied", p);
	devio_file_close(file);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nomap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
