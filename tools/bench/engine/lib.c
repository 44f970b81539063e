/* SPDX-License-Identifier: MIT */
/* What the engines that use the library have in common: ring and memory. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "common/toolmem.h"
#include "lib.h"

static int alloc_mem(struct bench_thread *t, struct devio_mem **mem, struct bench_err *err)
{
	struct tool_error e = { .status = 0 };
	struct toolmem place;

	if (toolmem_alloc(&place, t->run->ctx, t->job->mem, t->slot * t->depth, mem, &e))
		return bench_fail(err, e.status, "%.100s: %.900s", t->job->name, e.text);
	memcpy(t->res->mem, place.spec, sizeof(t->res->mem));
	return 0;
}

static int open_ring(struct bench_thread *t, struct devio_ring **ring, struct bench_err *err)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);

	o.entries = t->depth;
	o.staging = t->job->staging;
	o.slot = (uint32_t)t->job->slot;
	o.spin_ns = t->job->wait_spin ? (int32_t)t->job->wait_spin : -1;
	if (devio_ring_open(t->run->ctx, &o, ring))
		return bench_fail(err, TOOL_FAILED, "%s: %s", t->job->name, devio_errmsg());
	return 0;
}

int bench_lib_open(struct bench_thread *t, struct bench_lib *lib, struct bench_err *err)
{
	return open_ring(t, &lib->ring, err) || alloc_mem(t, &lib->mem, err) ? -1 : 0;
}

void bench_lib_close(struct bench_lib *lib)
{
	devio_ring_close(lib->ring);
	devio_mem_free(lib->mem);
}

int bench_lib_check_path(const struct bench_thread *t, unsigned int file, int rc,
			 const struct devio_completion *verdict, struct bench_err *err)
{
	const struct bench_job *job = t->job;

	if (rc != -EOPNOTSUPP)
		return 0;
	return bench_fail(err, TOOL_NO_PATH, "%s: %s: cannot use %s: %s", job->name, t->files[file].name,
			  job->path ? devio_path_name((unsigned int)job->path) : "a direct path",
			  devio_reason_text(verdict->reason));
}

int bench_lib_submit(struct bench_thread *t)
{
	int rc = devio_ring_submit(((struct bench_lib *)t->eng)->ring);

	return rc < 0 ? rc : 0;
}

int bench_lib_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len)
{
	return devio_mem_copy_in(((struct bench_lib *)t->eng)->mem, mem_off, src, len);
}

int bench_lib_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len)
{
	return devio_mem_copy_out(((struct bench_lib *)t->eng)->mem, mem_off, dst, len);
}
