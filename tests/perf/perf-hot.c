/* SPDX-License-Identifier: MIT */
/*
 * 4 KiB reads in batches of 32, by libdevio or by liburing alone: the program
 * behind the numbers of instructions, allocations and system calls an
 * operation. Two run lengths are compared, so that the set-up cancels out.
 *
 *   perf-hot uring|auto|file-host|file-bounce|file-buffered FILE OPERATIONS
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
#include <unistd.h>
#include "perf.h"

#define BLOCK 4096u
#define BATCH 32u

static unsigned long allocs, frees;

/* glibc's own, counted: also those of the libraries, which bind to these. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
	allocs++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocs++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocs++;
	return __libc_realloc(p, n);
}

void free(void *p)
{
	frees++;
	__libc_free(p);
}

static _Noreturn void die(const char *what)
{
	perf_die("perf-hot", what);
}

static unsigned long blocks_of(const char *name)
{
	struct stat st;

	if (stat(name, &st) || st.st_size < BATCH * BLOCK)
		die(name);
	return st.st_size / BLOCK;
}

/* What a program without us does: a ring, a buffer, READs, one enter a batch. */
static void by_uring(const char *name, unsigned long ops)
{
	unsigned long blocks = blocks_of(name), at = 0;
	int fd = open(name, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	unsigned int head, n;
	char *buf;

	if (fd < 0 || posix_memalign((void **)&buf, 2 << 20, BATCH * BLOCK) ||
	    io_uring_queue_init(BATCH, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		die("set-up");
	for (unsigned long done = 0; done < ops; done += BATCH) {
		for (unsigned int i = 0; i < BATCH; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_read(sqe, fd, buf + i * BLOCK, BLOCK, at * BLOCK);
			io_uring_sqe_set_data64(sqe, i);
			at = at + 1 < blocks ? at + 1 : 0;
		}
		if (io_uring_submit_and_wait(&ring, BATCH) < 0)
			die("submit");
		n = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != BLOCK)
				die("read");
			n++;
		}
		io_uring_cq_advance(&ring, n);
	}
	io_uring_queue_exit(&ring);
	__libc_free(buf);
	close(fd);
}

static void batches(struct devio_ring *ring, struct devio_file *f, struct devio_mem *m, unsigned long blocks,
		    unsigned long ops)
{
	struct devio_completion done[BATCH];
	unsigned long at = 0;

	for (unsigned long n = 0; n < ops; n += BATCH) {
		for (unsigned int i = 0; i < BATCH; i++) {
			if (devio_ring_read(ring, f, m, i * BLOCK, BLOCK, at * BLOCK, i))
				die("read");
			at = at + 1 < blocks ? at + 1 : 0;
		}
		if (devio_ring_wait(ring, done, BATCH, BATCH, -1) != BATCH)
			die("wait");
		for (unsigned int i = 0; i < BATCH; i++)
			if (done[i].result != BLOCK)
				die("result");
	}
}

static void by_devio(const char *path, const char *name, unsigned long ops)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	unsigned long blocks = blocks_of(name);
	struct devio_ring *ring = NULL;
	struct devio_file *f = NULL;
	struct devio_ctx *ctx = NULL;
	struct devio_mem *m = NULL;

	fo.path = devio_path_parse(path);
	if (fo.path < 0 || devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", BATCH * BLOCK, NULL, &m) ||
	    devio_file_open(ctx, name, O_RDONLY, &fo, &f) || devio_ring_open(ctx, NULL, &ring))
		die("set-up");
	batches(ring, f, m, blocks, 2 * BATCH); /* the first ones learn */
	allocs = frees = 0;
	batches(ring, f, m, blocks, ops);
	printf("allocations %lu frees %lu\n", allocs, frees);
	devio_ring_close(ring);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

int main(int argc, char **argv)
{
	unsigned long ops;

	if (argc == 2 && !strcmp(argv[1], "optimized")) {
#ifdef __OPTIMIZE__
		return 0;
#else
		return 1;
#endif
	}
	if (argc != 4) {
		fprintf(stderr, "usage: perf-hot optimized | perf-hot uring|auto|PATH FILE OPERATIONS\n");
		return 2;
	}
	ops = strtoul(argv[3], NULL, 10);
	if (!strcmp(argv[1], "uring"))
		by_uring(argv[2], ops);
	else
		by_devio(argv[1], argv[2], ops);
	return 0;
}
