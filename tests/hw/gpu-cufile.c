/* SPDX-License-Identifier: MIT */
/*
 * A file into GPU memory by NVIDIA's cuFile, opened with dlopen: its documented
 * interface in declarations of our own. HW_CUFILE_LIBRARY names the library;
 * CUFILE_ENV_PATH_JSON, which is cuFile's own, its settings.
 */
#include "config.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cufile.h"
#include "gpu-read.h"

static struct {
	struct cf_error (*driver_open)(void);
	struct cf_error (*handle_register)(void **handle, struct cf_descr *descr);
	void (*handle_deregister)(void *handle);
	struct cf_error (*buf_register)(const void *base, size_t len, int flags);
	ssize_t (*read)(void *handle, void *base, size_t len, off_t file_off, off_t off);
	struct cf_error (*batch_set_up)(void **batch, unsigned int nr);
	struct cf_error (*batch_submit)(void *batch, unsigned int nr, struct cf_batch_io *io, unsigned int flags);
	struct cf_error (*batch_status)(void *batch, unsigned int min, unsigned int *nr, struct cf_event *events,
					struct timespec *timeout);
	void (*batch_destroy)(void *batch);
} cf;
static void *handle;

static void fine(struct cf_error e, const char *what)
{
	if (e.err)
		die("%s: cuFile's error %d, CUDA's %d", what, e.err, e.cu);
}

static void *symbol(void *so, const char *name)
{
	void *f = dlsym(so, name);

	if (!f)
		die("cuFile: %s", dlerror());
	return f;
}

static void prepare(struct job *j)
{
	const char *lib = getenv("HW_CUFILE_LIBRARY");
	void *so = dlopen(lib ? lib : "libcufile.so.0", RTLD_NOW | RTLD_LOCAL);

	(void)j;
	if (!so)
		die("cuFile: %s", dlerror());
	cf.driver_open = symbol(so, "cuFileDriverOpen");
	cf.handle_register = symbol(so, "cuFileHandleRegister");
	cf.handle_deregister = symbol(so, "cuFileHandleDeregister");
	cf.buf_register = symbol(so, "cuFileBufRegister");
	cf.read = symbol(so, "cuFileRead");
	cf.batch_set_up = symbol(so, "cuFileBatchIOSetUp");
	cf.batch_submit = symbol(so, "cuFileBatchIOSubmit");
	cf.batch_status = symbol(so, "cuFileBatchIOGetStatus");
	cf.batch_destroy = symbol(so, "cuFileBatchIODestroy");
	fine(cf.driver_open(), "cuFileDriverOpen");
}

/* The same with the whole destination registered, as its manual advises. */
static void prepare_registered(struct job *j)
{
	struct cf_error e;

	prepare(j);
	e = cf.buf_register((void *)(uintptr_t)j->dest, j->nr * j->block, 0);
	if (e.err)
		snprintf(j->note, sizeof(j->note), "cuFileBufRegister: error %d, CUDA's %d", e.err, e.cu);
}

static void with_file(struct job *j, void (*part)(struct job *j, uint64_t from, uint64_t to))
{
	struct cf_descr d = { .type = 1 };

	d.u.fd = job_open(j);
	fine(cf.handle_register(&handle, &d), "cuFileHandleRegister");
	in_threads(j, part);
	cf.handle_deregister(handle);
	close(d.u.fd);
}

static void read_part(struct job *j, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		ssize_t n = cf.read(handle, (void *)(uintptr_t)j->dest, job_len(j, from), job_off(j, from),
				    from * j->block);

		if (n != (ssize_t)job_len(j, from))
			die("cuFileRead of block %llu: %zd", (unsigned long long)from, n);
	}
}

static void run_read(struct job *j)
{
	with_file(j, read_part);
}

static void wait_batch(void *batch, unsigned int nr)
{
	struct cf_event *ev = calloc(nr, sizeof(*ev));

	for (unsigned int got = 0; got < nr;) {
		unsigned int n = nr - got;

		fine(cf.batch_status(batch, n, &n, ev, NULL), "cuFileBatchIOGetStatus");
		for (unsigned int i = 0; i < n; i++)
			if (ev[i].status != 0x10)
				die("cuFile's batch: status 0x%x, %zd", ev[i].status, (ssize_t)ev[i].ret);
		got += n;
	}
	free(ev);
}

static void batch_part(struct job *j, uint64_t from, uint64_t to)
{
	struct cf_batch_io *io = calloc(j->depth, sizeof(*io));
	void *batch;

	fine(cf.batch_set_up(&batch, j->depth), "cuFileBatchIOSetUp");
	while (from < to) {
		unsigned int n = 0;

		for (; from < to && n < j->depth; from++, n++) {
			io[n].mode = 1;
			io[n].at.base = (void *)(uintptr_t)j->dest;
			io[n].at.file_off = job_off(j, from);
			io[n].at.off = from * j->block;
			io[n].at.len = job_len(j, from);
			io[n].file = handle;
			io[n].cookie = (void *)(uintptr_t)from;
		}
		fine(cf.batch_submit(batch, n, io, 0), "cuFileBatchIOSubmit");
		wait_batch(batch, n);
	}
	cf.batch_destroy(batch);
	free(io);
}

static void run_batch(struct job *j)
{
	with_file(j, batch_part);
}

const struct method methods_cufile[] = {
	{ "cufile", prepare, run_read, false },
	{ "cufile-registered", prepare_registered, run_read, false },
	{ "cufile-batch", prepare, run_batch, false },
	{ 0 },
};
