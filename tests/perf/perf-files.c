/* SPDX-License-Identifier: MIT */
/*
 * Many short files opened, read and closed, by libdevio or by liburing alone.
 *
 *   perf-files make DIR N                  N files of 4 KiB
 *   perf-files uring|devio sync|batch DIR N    seconds, and CPU seconds
 *   perf-files open DIR N                  devio_ctx_open() and close, N times
 */
#include "config.h"
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "perf.h"

#define BLOCK 4096u
#define BATCH 32u
#define SETUP (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static char *dir;

static _Noreturn void die(const char *what)
{
	perf_die("perf-files", what);
}

/* A thousand to a directory; without snprintf, which would be part of what is measured. */
static const char *name_of(unsigned long i)
{
	static char name[512];
	char *p = stpcpy(name, dir);

	*p++ = '/';
	for (unsigned long k = 100000000; k; k /= 10) {
		*p++ = '0' + i / k % 10;
		if (k == 1000)
			*p++ = '/';
	}
	*p = '\0';
	return name;
}

static void make(unsigned long n)
{
	char block[BLOCK], *slash;

	for (unsigned long i = 0; i < n; i++) {
		char name[512];
		int fd;

		strcpy(name, name_of(i));
		slash = strrchr(name, '/');
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
		memset(block, (int)i, sizeof(block));
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, block, BLOCK) != BLOCK)
			die(name);
		close(fd);
	}
}

static void uring_batch(unsigned long n, unsigned int batch)
{
	static char buf[BATCH * BLOCK];
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int fd[BATCH];

	if (io_uring_queue_init(BATCH, &ring, SETUP))
		die("io_uring");
	for (unsigned long i = 0; i < n; i += batch) {
		unsigned int head, got = 0;

		for (unsigned int k = 0; k < batch; k++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			fd[k] = open(name_of(i + k), O_RDONLY | O_CLOEXEC);
			if (fd[k] < 0)
				die("open");
			io_uring_prep_read(sqe, fd[k], buf + k * BLOCK, BLOCK, 0);
		}
		if (io_uring_submit_and_wait(&ring, batch) < 0)
			die("submit");
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != BLOCK)
				die("read");
			got++;
		}
		io_uring_cq_advance(&ring, got);
		for (unsigned int k = 0; k < batch; k++)
			close(fd[k]);
	}
	io_uring_queue_exit(&ring);
}

static void devio_batch(struct devio_ctx *ctx, struct devio_mem *m, unsigned long n)
{
	struct devio_completion done[BATCH];
	struct devio_file *f[BATCH];
	struct devio_ring *ring;

	if (devio_ring_open(ctx, NULL, &ring))
		die("ring");
	for (unsigned long i = 0; i < n; i += BATCH) {
		for (unsigned int k = 0; k < BATCH; k++)
			if (devio_file_open(ctx, name_of(i + k), O_RDONLY, NULL, &f[k]) ||
			    devio_ring_read(ring, f[k], m, k * BLOCK, BLOCK, 0, k))
				die("read");
		if (devio_ring_wait(ring, done, BATCH, BATCH, -1) != BATCH)
			die("wait");
		for (unsigned int k = 0; k < BATCH; k++) {
			if (done[k].result != BLOCK)
				die("result");
			devio_file_close(f[k]);
		}
	}
	devio_ring_close(ring);
}

static void devio_sync(struct devio_ctx *ctx, struct devio_mem *m, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		struct devio_file *f;

		if (devio_file_open(ctx, name_of(i), O_RDONLY, NULL, &f) ||
		    devio_file_read(f, m, 0, BLOCK, 0, NULL) != BLOCK)
			die("read");
		devio_file_close(f);
	}
}

static void by_devio(int batch, unsigned long n)
{
	struct devio_ctx *ctx;
	struct devio_mem *m;

	if (devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", BATCH * BLOCK, NULL, &m))
		die("set-up");
	if (batch)
		devio_batch(ctx, m, n);
	else
		devio_sync(ctx, m, n);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

static void contexts(unsigned long n)
{
	double worst = 0, sum = 0;

	for (unsigned long i = 0; i < n; i++) {
		struct devio_ctx *ctx;
		double t = perf_clock(CLOCK_MONOTONIC);

		if (devio_ctx_open(NULL, &ctx))
			die("context");
		t = perf_clock(CLOCK_MONOTONIC) - t;
		sum += t;
		worst = t > worst ? t : worst;
		devio_ctx_close(ctx);
	}
	printf("%.3f %.3f\n", sum / n * 1e6, worst * 1e6);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 3 ? strtoul(argv[argc - 1], NULL, 10) / BATCH * BATCH : 0;
	int batch = argc == 5 && !strcmp(argv[2], "batch");
	double t = perf_clock(CLOCK_MONOTONIC);

	if (argc < 4)
		return 2;
	dir = argv[argc - 2];
	if (!strcmp(argv[1], "make")) {
		make(n);
	} else if (!strcmp(argv[1], "open")) {
		contexts(n);
	} else {
		if (!strcmp(argv[1], "uring"))
			uring_batch(n, batch ? BATCH : 1);
		else
			by_devio(batch, n);
		printf("%.6f %.6f\n", perf_clock(CLOCK_MONOTONIC) - t, perf_clock(CLOCK_PROCESS_CPUTIME_ID));
	}
	return 0;
}
