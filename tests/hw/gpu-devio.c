/* SPDX-License-Identifier: MIT */
/* A file into GPU memory by libdevio. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <devio.h>
#include "gpu-read.h"

static struct devio_ctx *ctx;
static struct devio_mem *mem;
static struct devio_file *file;

static void ok(int rc, const char *what)
{
	if (rc < 0)
		die("%s: %s", what, devio_errmsg());
}

static void prepare(struct job *j)
{
	ok(devio_ctx_open(NULL, &ctx), "devio_ctx_open");
	ok(devio_mem_import_ptr(ctx, hw_spec(), (void *)(uintptr_t)j->dest, j->nr * j->block, &mem),
	   "devio_mem_import_ptr");
}

static void part(struct job *j, uint64_t from, uint64_t to)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_completion *done = calloc(j->depth, sizeof(*done));
	struct devio_ring *ring;
	uint64_t flying = 0;

	ro.entries = j->depth;
	ok(devio_ring_open(ctx, &ro, &ring), "devio_ring_open");
	while (from < to || flying) {
		int n;

		for (; from < to && flying < j->depth; from++, flying++)
			ok(devio_ring_read(ring, file, mem, from * j->block, job_len(j, from), job_off(j, from), from),
			   "devio_ring_read");
		n = devio_ring_wait(ring, done, 1, j->depth, -1);
		ok(n, "devio_ring_wait");
		for (int i = 0; i < n; i++) {
			if (done[i].result != (int64_t)job_len(j, done[i].cookie))
				die("block %llu: %lld", (unsigned long long)done[i].cookie, (long long)done[i].result);
			j->path = devio_path_name(done[i].path);
		}
		flying -= n;
	}
	devio_ring_close(ring);
	free(done);
}

static void by_path(struct job *j, int path)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_stat st = DEVIO_OPTS(st);

	fo.path = path;
	fo.flags = j->direct && !path ? DEVIO_FILE_NO_CACHE : 0;
	ok(devio_file_open(ctx, j->file, O_RDONLY, &fo, &file), "devio_file_open");
	in_threads(j, part);
	devio_file_close(file);
	ok(devio_stat_get(ctx, &st), "devio_stat_get");
	j->staging = st.staging_peak;
}

static void run_auto(struct job *j)
{
	by_path(j, 0);
}

static void run_bounce(struct job *j)
{
	by_path(j, DEVIO_PATH_FILE_BOUNCE);
}

static void run_buffered(struct job *j)
{
	by_path(j, DEVIO_PATH_FILE_BUFFERED);
}

const struct method methods_devio[] = {
	{ "devio", prepare, run_auto, false },
	{ "devio-file-bounce", prepare, run_bounce, false },
	{ "devio-file-buffered", prepare, run_buffered, false },
	{ 0 },
};
