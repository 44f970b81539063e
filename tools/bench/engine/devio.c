/* SPDX-License-Identifier: MIT */
/* Engine devio: the library's ring, into the memory that mem= names. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "bench/run.h"

struct state {
	struct devio_ring *ring;
	struct devio_mem *mem;
	struct devio_file *file[];
};

struct choice {
	struct bench_thread *t;
	struct devio_mem **mem;
};

static int try_spec(void *arg, const char *spec)
{
	struct choice *c = arg;

	return !devio_mem_alloc(c->t->run->ctx, spec, c->t->slot * c->t->depth, NULL, c->mem);
}

int bench_mem_alloc(struct bench_thread *t, struct devio_mem **mem, struct bench_err *err)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct choice c = { t, mem };
	const char *spec = t->job->mem;
	int rc;

	if (strcmp(spec, "auto")) {
		rc = devio_mem_alloc(t->run->ctx, spec, t->slot * t->depth, NULL, mem);
		if (rc)
			return bench_fail(err, rc == -EINVAL ? BENCH_USAGE : BENCH_FAILED, "%s: mem=%s: %s", t->job->name, spec,
					  devio_errmsg());
	} else if (devio_mem_list(t->run->ctx, try_spec, &c) != 1) {
		return bench_fail(err, BENCH_FAILED, "%s: no memory of this machine has room for %llu bytes: %s", t->job->name,
				  (unsigned long long)(t->slot * t->depth), devio_errmsg());
	}
	devio_mem_get_info(*mem, &info);
	memcpy(t->res->mem, info.spec, sizeof(t->res->mem));
	return 0;
}

int bench_ring_open(struct bench_thread *t, struct devio_ring **ring, struct bench_err *err)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);

	o.entries = t->depth;
	o.staging = t->job->staging;
	o.slot = (uint32_t)t->job->slot;
	o.spin_ns = t->job->wait_spin ? (int32_t)t->job->wait_spin : -1;
	if (devio_ring_open(t->run->ctx, &o, ring))
		return bench_fail(err, BENCH_FAILED, "%s: %s", t->job->name, devio_errmsg());
	return 0;
}

/* A path that was asked for and cannot be had is told before anything runs. */
static int ask_path(struct bench_thread *t, struct state *s, unsigned int i, struct bench_err *err)
{
	struct devio_completion verdict = { 0 };
	char text[400], lines[2048];
	int rc;

	if (!t->job->path && !t->job->direct_only)
		return 0;
	rc = devio_file_explain(s->file[i], s->mem, 0, t->job->bs_max, t->files[i].start, !(t->job->rw & RW_READ),
				&verdict, lines, sizeof(lines));
	if (rc != -EOPNOTSUPP)
		return 0;
	verdict.result = rc;
	devio_completion_text(&verdict, text, sizeof(text));
	lines[strcspn(lines, "\n")] = 0;
	return bench_fail(err, BENCH_NO_PATH, "%s: %s: %s", t->job->name, t->files[i].name, text);
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
			return bench_fail(err, BENCH_FAILED, "%s: %s", job->name, devio_errmsg());
		if (ask_path(t, s, i, err))
			return -1;
	}
	return 0;
}

static void devio_close(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (!s)
		return;
	devio_ring_close(s->ring);
	for (unsigned int i = 0; i < t->nr_files; i++)
		devio_file_close(s->file[i]);
	devio_mem_free(s->mem);
	free(s);
	t->eng = NULL;
}

static int devio_open(struct bench_thread *t, struct bench_err *err)
{
	struct state *s = calloc(1, sizeof(*s) + t->nr_files * sizeof(*s->file));

	if (!s)
		return bench_fail(err, BENCH_FAILED, "no memory");
	t->eng = s;
	if (bench_ring_open(t, &s->ring, err) || bench_mem_alloc(t, &s->mem, err))
		return -1;
	return open_files(t, s, err);
}

static int devio_queue(struct bench_thread *t, struct bench_io *io)
{
	struct state *s = t->eng;

	if (io->dir == DIR_READ)
		return devio_ring_read(s->ring, s->file[io->file], s->mem, io->mem_off, io->len, io->off, (uintptr_t)io);
	return devio_ring_write(s->ring, s->file[io->file], s->mem, io->mem_off, io->len, io->off, (uintptr_t)io);
}

static int devio_submit(struct bench_thread *t)
{
	int rc = devio_ring_submit(((struct state *)t->eng)->ring);

	return rc < 0 ? rc : 0;
}

static int devio_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	return devio_ring_wait(((struct state *)t->eng)->ring, t->done, min, max, timeout_ns);
}

static int devio_flush(struct bench_thread *t, unsigned int file)
{
	return devio_file_sync(((struct state *)t->eng)->file[file]);
}

static int devio_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len)
{
	return devio_mem_copy_in(((struct state *)t->eng)->mem, mem_off, src, len);
}

static int devio_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len)
{
	return devio_mem_copy_out(((struct state *)t->eng)->mem, mem_off, dst, len);
}

const struct bench_engine bench_devio = {
	.name = "devio", .open = devio_open, .close = devio_close, .queue = devio_queue, .submit = devio_submit,
	.reap = devio_reap, .flush = devio_flush, .put = devio_put, .get = devio_get,
};
