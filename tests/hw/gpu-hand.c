/* SPDX-License-Identifier: MIT */
/* What programs do without the library, and the limits: the drive alone, the copy alone. */
#include "config.h"
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gpu-read.h"

static void get(int fd, void *buf, uint64_t len, uint64_t off)
{
	len = (len + 4095) & ~4095ULL;    /* O_DIRECT's end of the file */
	for (uint64_t at = 0; at < len;) {
		ssize_t n = pread(fd, (char *)buf + at, len - at, off + at);

		if (n < 0)
			die("pread: %s", strerror(errno));
		if (!n)
			return;
		at += n;
	}
}

/* read(), then a copy, one after the other. */
static void read_part(struct job *j, uint64_t from, uint64_t to)
{
	void *buf = aligned_alloc(4096, j->block);
	int fd = job_open(j);

	for (uint64_t i = from; i < to; i++) {
		get(fd, buf, job_len(j, i), job_off(j, i));
		need(cu.to_device(j->dest + i * j->block, buf, job_len(j, i)), "cuMemcpyHtoD");
	}
	close(fd);
	free(buf);
}

static void run_read(struct job *j)
{
	in_threads(j, read_part);
	need(cu.ctx_sync(), "cuCtxSynchronize");
	j->staging = j->block * j->threads;
}

/* Two pinned buffers: one is filled while the other is copied. */
static void double_part(struct job *j, uint64_t from, uint64_t to)
{
	void *buf[2], *event[2], *stream;
	int fd = job_open(j);

	need(cu.stream_create(&stream, CU_NON_BLOCKING), "cuStreamCreate");
	for (int k = 0; k < 2; k++) {
		need(cu.host_alloc(&buf[k], j->block, 0), "cuMemHostAlloc");
		need(cu.event_create(&event[k], CU_NO_TIMING), "cuEventCreate");
	}
	for (uint64_t i = from; i < to; i++) {
		int k = i & 1;

		if (i >= from + 2)
			need(cu.event_sync(event[k]), "cuEventSynchronize");
		get(fd, buf[k], job_len(j, i), job_off(j, i));
		need(cu.to_device_async(j->dest + i * j->block, buf[k], job_len(j, i), stream), "cuMemcpyHtoDAsync");
		need(cu.event_record(event[k], stream), "cuEventRecord");
	}
	need(cu.stream_sync(stream), "cuStreamSynchronize");
	for (int k = 0; k < 2; k++) {
		cu.event_destroy(event[k]);
		cu.host_free(buf[k]);
	}
	cu.stream_destroy(stream);
	close(fd);
}

static void run_double(struct job *j)
{
	in_threads(j, double_part);
	j->staging = 2 * j->block * j->threads;
}

const struct method methods_hand[] = {
	{ "read-copy", NULL, run_read, false },
	{ "double-buffer", NULL, run_double, false },
	{ 0 },
};

/* The limits' buffers are there before, a slice for each thread. */
static char *arena;
static _Atomic unsigned int next_slice;

static void prepare_arena(struct job *j)
{
	size_t size = j->block * j->depth * j->threads;

	need(cu.host_alloc((void **)&arena, size, 0), "cuMemHostAlloc");
	memset(arena, 1, size);
	j->staging = size;
}

static char *slice(const struct job *j)
{
	return arena + j->block * j->depth * next_slice++;
}

/* The drive alone: io_uring into registered host memory, as fast as it goes. */
static void take(struct io_uring *ring, unsigned int *slots, unsigned int *nr_slots)
{
	struct io_uring_cqe *cqe;

	if (io_uring_wait_cqe(ring, &cqe) || cqe->res < 0)
		die("io_uring: %s", strerror(-cqe->res));
	do {
		if (cqe->res < 0)
			die("io_uring: %s", strerror(-cqe->res));
		slots[(*nr_slots)++] = (unsigned int)cqe->user_data;
		io_uring_cqe_seen(ring, cqe);
	} while (!io_uring_peek_cqe(ring, &cqe));
}

static void drive_part(struct job *j, uint64_t from, uint64_t to)
{
	unsigned int *slots = calloc(j->depth, sizeof(*slots)), nr = 0;
	struct iovec v = { .iov_base = slice(j), .iov_len = j->depth * j->block };
	struct io_uring ring;
	int fd = job_open(j), rc = io_uring_queue_init(j->depth, &ring, 0);

	need(rc, "io_uring_queue_init");
	rc = io_uring_register_buffers(&ring, &v, 1);
	if (rc)
		snprintf(j->note, sizeof(j->note), "buffers not registered: %s", strerror(-rc));
	while (nr < j->depth) {
		slots[nr] = nr;
		nr++;
	}
	while (from < to || nr < j->depth) {
		for (; from < to && nr; from++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			char *buf = (char *)v.iov_base + slots[--nr] * j->block;

			if (rc)
				io_uring_prep_read(sqe, fd, buf, j->block, job_off(j, from));
			else
				io_uring_prep_read_fixed(sqe, fd, buf, j->block, job_off(j, from), 0);
			io_uring_sqe_set_data64(sqe, slots[nr]);
		}
		io_uring_submit(&ring);
		take(&ring, slots, &nr);
	}
	io_uring_queue_exit(&ring);
	free(slots);
	close(fd);
}

static void run_drive(struct job *j)
{
	in_threads(j, drive_part);
}

/* The same by pread, into one buffer of each thread: the page cache's limit. */
static void pread_part(struct job *j, uint64_t from, uint64_t to)
{
	char *buf = slice(j);
	int fd = job_open(j);

	for (; from < to; from++)
		get(fd, buf, job_len(j, from), job_off(j, from));
	close(fd);
}

static void run_pread(struct job *j)
{
	in_threads(j, pread_part);
}

/* The copy alone: out of pinned memory, `depth` blocks of it, all in one stream. */
static void *copy_stream;

static void prepare_copy(struct job *j)
{
	prepare_arena(j);
	need(cu.stream_create(&copy_stream, CU_NON_BLOCKING), "cuStreamCreate");
	need(cu.to_device_async(j->dest, arena, j->block, copy_stream), "cuMemcpyHtoDAsync");
	need(cu.stream_sync(copy_stream), "cuStreamSynchronize");
}

static void run_copy(struct job *j)
{
	for (uint64_t i = 0; i < j->nr; i++)
		need(cu.to_device_async(j->dest + i * j->block, arena + i % j->depth * j->block, j->block,
					copy_stream), "cuMemcpyHtoDAsync");
	need(cu.stream_sync(copy_stream), "cuStreamSynchronize");
}

const struct method methods_limit[] = {
	{ "drive", prepare_arena, run_drive, true },
	{ "pread", prepare_arena, run_pread, true },
	{ "copy", prepare_copy, run_copy, true },
	{ 0 },
};
