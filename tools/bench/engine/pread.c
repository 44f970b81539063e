/* SPDX-License-Identifier: MIT */
/* Engine pread: one system call per I/O, into host memory. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "host.h"

static int pread_open(struct bench_thread *t, struct bench_err *err)
{
	t->eng = calloc(1, sizeof(struct bench_host));
	if (!t->eng)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	return bench_host_open(t, t->eng, err);
}

static void pread_close(struct bench_thread *t)
{
	if (t->eng)
		bench_host_close(t, t->eng);
	free(t->eng);
	t->eng = NULL;
}

static int pread_queue(struct bench_thread *t, struct bench_io *io)
{
	struct bench_host *h = t->eng;
	struct devio_completion *c = &t->done[t->nr_ready++];
	uint8_t *buf = h->buf + io->mem_off;
	ssize_t n;

	if (io->dir == DIR_READ)
		n = pread(h->fd[io->file], buf, io->len, (off_t)io->off);
	else
		n = pwrite(h->fd[io->file], buf, io->len, (off_t)io->off);
	c->cookie = (uintptr_t)io;
	c->result = n < 0 ? -errno : n;
	return 0;
}

static int pread_submit(struct bench_thread *t)
{
	(void)t;
	return 0;
}

static int pread_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	int n = (int)t->nr_ready;

	(void)min;
	(void)max;
	(void)timeout_ns;
	t->nr_ready = 0;
	return n;
}

const struct bench_engine bench_pread = {
	.name = "pread", .alias = "psync", .sync = true, .host = true, .open = pread_open, .close = pread_close,
	.queue = pread_queue, .submit = pread_submit, .reap = pread_reap, .flush = bench_host_flush,
	.put = bench_host_put, .get = bench_host_get,
};
