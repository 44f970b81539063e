/* SPDX-License-Identifier: MIT */
/* Engine liburing: plain io_uring into host memory, like the io_uring engine of fio. */
#include "config.h"
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"
#include "kern/spin.h"

/*
 * The first that the kernel accepts is used, but not the very first with many small
 * requests in flight. IORING_SETUP_DEFER_TASKRUN (Linux 6.1) makes a single completion
 * cheaper, but small ones pile up unless each of them wakes the thread, which then does
 * not keep up if it shares its CPU with the kernel's workers: docs/measurements/devio-bench.md has the figures.
 */
#define SMALL 8192
static const unsigned int setup_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0,
};

struct state {
	struct bench_host host;
	struct io_uring ring;
	struct dv_spin spin;
	bool have_ring;
};

static int register_all(struct bench_thread *t, struct state *s, struct bench_err *err)
{
	struct iovec v = { s->host.buf, s->host.size };
	int rc = io_uring_register_buffers(&s->ring, &v, 1);

	if (!rc)
		rc = io_uring_register_files(&s->ring, s->host.fd, t->nr_files);
	return rc ? bench_fail(err, TOOL_FAILED, "%s: fixedbufs: %s", t->job->name, strerror(-rc)) : 0;
}

static int open_ring(struct bench_thread *t, struct io_uring *ring)
{
	bool gather = t->depth > 1 && t->job->bs_max <= SMALL;
	int rc = -EINVAL;

	for (unsigned int i = gather; rc == -EINVAL && i < sizeof(setup_flags) / sizeof(*setup_flags); i++) {
		struct io_uring_params p = { .flags = setup_flags[i] };

		rc = io_uring_queue_init_params(t->depth, ring, &p);
	}
	return rc;
}

static int uring_open(struct bench_thread *t, struct bench_err *err)
{
	struct state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	t->eng = s;
	if (bench_host_open(t, &s->host, err))
		return -1;
	rc = open_ring(t, &s->ring);
	if (rc)
		return bench_fail(err, TOOL_FAILED, "%s: io_uring: %s", t->job->name, strerror(-rc));
	s->have_ring = true;
	s->spin.ns = (uint32_t)t->job->wait_spin;
	return t->job->fixedbufs ? register_all(t, s, err) : 0;
}

static void uring_close(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (!s)
		return;
	if (s->have_ring)
		io_uring_queue_exit(&s->ring);
	bench_host_close(t, &s->host);
	free(s);
	t->eng = NULL;
}

static int uring_queue(struct bench_thread *t, struct bench_io *io)
{
	struct state *s = t->eng;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
	uint8_t *buf = s->host.buf + io->mem_off;

	if (!sqe)
		return -EAGAIN;
	if (t->job->fixedbufs) {
		if (io->dir == DIR_READ)
			io_uring_prep_read_fixed(sqe, (int)io->file, buf, io->len, io->off, 0);
		else
			io_uring_prep_write_fixed(sqe, (int)io->file, buf, io->len, io->off, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
	} else if (io->dir == DIR_READ) {
		io_uring_prep_read(sqe, s->host.fd[io->file], buf, io->len, io->off);
	} else {
		io_uring_prep_write(sqe, s->host.fd[io->file], buf, io->len, io->off);
	}
	io_uring_sqe_set_data(sqe, io);
	return 0;
}

/* Completions are delivered by the same call: with DEFER_TASKRUN they need one. */
static int uring_submit(struct bench_thread *t)
{
	int rc = io_uring_submit_and_get_events(&((struct state *)t->eng)->ring);

	return rc < 0 ? rc : 0;
}

static int wait_some(struct bench_thread *t, struct state *s, unsigned int min, int64_t timeout_ns)
{
	struct __kernel_timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
	struct io_uring_cqe *cqe;

	if (t->submit_wait && io_uring_sq_ready(&s->ring) && timeout_ns < 0)
		return io_uring_submit_and_wait(&s->ring, min);
	if (io_uring_sq_ready(&s->ring)) {
		int rc = io_uring_submit_and_get_events(&s->ring);

		if (rc < 0)
			return rc;
	}
	if (!min && !io_uring_cq_ready(&s->ring))
		return io_uring_get_events(&s->ring);
	if (io_uring_cq_ready(&s->ring) >= min)
		return 0;
	dv_spin(&s->spin, &s->ring, min, timeout_ns);
	return io_uring_wait_cqes(&s->ring, &cqe, min, timeout_ns < 0 ? NULL : &ts, NULL);
}

static int uring_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	struct state *s = t->eng;
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int rc = wait_some(t, s, min, timeout_ns);

	if (rc < 0 && rc != -ETIME)
		return rc;
	io_uring_for_each_cqe(&s->ring, head, cqe) {
		if (n == max)
			break;
		t->done[n].cookie = cqe->user_data;
		t->done[n++].result = cqe->res;
	}
	io_uring_cq_advance(&s->ring, n);
	return (int)n;
}

const struct bench_engine bench_liburing = {
	.name = "liburing", .alias = "io_uring", .host = true, .open = uring_open, .close = uring_close,
	.queue = uring_queue, .submit = uring_submit, .reap = uring_reap, .flush = bench_host_flush,
	.put = bench_host_put, .get = bench_host_get,
};
