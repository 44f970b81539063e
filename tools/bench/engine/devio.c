/* SPDX-License-Identifier: MIT */
/* Engine devio: the library's ring, into the memory that mem= names. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "lib.h"

struct state {
	struct bench_lib lib;
	struct devio_file *file[];
};

/* A path that cannot be used is reported before anything runs. */
static int check_path(struct bench_thread *t, struct state *s, unsigned int i, struct bench_err *err)
{
	struct devio_completion verdict = { 0 };
	int rc;

	if (!t->job->path && !t->job->direct_only)
		return 0;
	rc = devio_file_explain(s->file[i], s->lib.mem, 0, t->job->bs_max, t->files[i].start, !(t->job->rw & RW_READ),
				&verdict, NULL, 0);
	return bench_lib_check_path(t, i, rc, &verdict, err);
}

static int open_files(struct bench_thread *t, struct state *s, struct bench_err *err)
{
	const struct bench_job *job = t->job;
	struct devio_file_opts o = DEVIO_OPTS(o);
	int flags = !(job->rw & RW_WRITE) ? O_RDONLY : job->rw & RW_READ || job->verify ? O_RDWR : O_WRONLY;

	o.path = (int)job->path;
	if (job->direct_only)
		o.flags |= DEVIO_FILE_DIRECT_ONLY;
	if (job->direct && !job->path)
		o.flags |= DEVIO_FILE_NO_CACHE;
	for (unsigned int i = 0; i < t->nr_files; i++) {
		if (devio_file_open(t->run->ctx, t->files[i].name, flags, &o, &s->file[i]))
			return bench_fail(err, TOOL_FAILED, "%s: %s", job->name, devio_errmsg());
		if (check_path(t, s, i, err))
			return -1;
	}
	return 0;
}

static void devio_close(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (!s)
		return;
	devio_ring_close(s->lib.ring);
	s->lib.ring = NULL;
	for (unsigned int i = 0; i < t->nr_files; i++)
		devio_file_close(s->file[i]);
	bench_lib_close(&s->lib);
	free(s);
	t->eng = NULL;
}

static int devio_open(struct bench_thread *t, struct bench_err *err)
{
	struct state *s = calloc(1, sizeof(*s) + t->nr_files * sizeof(*s->file));

	if (!s)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	t->eng = s;
	return bench_lib_open(t, &s->lib, err) || open_files(t, s, err) ? -1 : 0;
}

static int devio_queue(struct bench_thread *t, struct bench_io *io)
{
	struct state *s = t->eng;

	if (io->dir == DIR_READ)
		return devio_ring_read(s->lib.ring, s->file[io->file], s->lib.mem, io->mem_off, io->len, io->off,
				       (uintptr_t)io);
	return devio_ring_write(s->lib.ring, s->file[io->file], s->lib.mem, io->mem_off, io->len, io->off,
				(uintptr_t)io);
}

static int devio_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	return devio_ring_wait(((struct state *)t->eng)->lib.ring, t->done, min, max, timeout_ns);
}

static int devio_flush(struct bench_thread *t, unsigned int file)
{
	return devio_file_sync(((struct state *)t->eng)->file[file]);
}

const struct bench_engine bench_devio = {
	.name = "devio", .open = devio_open, .close = devio_close, .queue = devio_queue, .submit = bench_lib_submit,
	.reap = devio_reap, .flush = devio_flush, .put = bench_lib_put, .get = bench_lib_get,
};
