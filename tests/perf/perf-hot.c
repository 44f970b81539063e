/* SPDX-License-Identifier: MIT */
/*
 * 4 KiB reads in batches of 32, by libdevio or by liburing alone: the program
 * behind the numbers of instructions, allocations and system calls an
 * operation. Two run lengths are compared, so that the set-up cancels out.
 *
 *   perf-hot uring|uring-cached|auto|file-host|file-bounce|file-buffered FILE OPERATIONS [FILES [MEMORIES]]
 *
 * FILES handles of the file, and MEMORIES, are used in turn; without a number, one.
 */
#include "config.h"
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "perf.h"

#define BLOCK 4096u
#define BATCH 32u

static unsigned long allocs, frees;
static unsigned long nr_files = 1, nr_mems = 1;
static bool uring_cached;

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

static void *table(unsigned long n)
{
	void *p = __libc_calloc(n, sizeof(void *));

	if (!p)
		die("memory");
	return p;
}

#define INLINE static inline __attribute__((always_inline))

/* The loop for one file and one memory must not pay for the choice between many: many is a constant. */
INLINE void uring_batches(struct io_uring *ring, const int *fd, char *buf, unsigned long blocks, unsigned long ops,
			  bool many)
{
	unsigned long at = 0, file = 0, mem = 0;
	struct io_uring_cqe *cqe;
	unsigned int head, n;

	for (unsigned long done = 0; done < ops; done += BATCH) {
		for (unsigned int i = 0; i < BATCH; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			io_uring_prep_read(sqe, fd[file], buf + (mem * BATCH + i) * BLOCK, BLOCK, at * BLOCK);
			io_uring_sqe_set_data64(sqe, i);
			at = at + 1 < blocks ? at + 1 : 0;
			if (!many)
				continue;
			mem = mem + 1 < nr_mems ? mem + 1 : 0;
			if (!mem)
				file = file + 1 < nr_files ? file + 1 : 0;
		}
		if (io_uring_submit_and_wait(ring, BATCH) < 0)
			die("submit");
		n = 0;
		io_uring_for_each_cqe(ring, head, cqe) {
			if (cqe->res != BLOCK)
				die("read");
			n++;
		}
		io_uring_cq_advance(ring, n);
	}
}

static void uring_one(struct io_uring *ring, int fd, char *buf, unsigned long blocks, unsigned long ops)
{
	uring_batches(ring, &fd, buf, blocks, ops, false);
}

/* What a program without us does: a ring, a buffer, READs, one enter a batch. */
static void by_uring(const char *name, unsigned long ops)
{
	unsigned long blocks = blocks_of(name);
	int *fd = table(nr_files);
	struct io_uring ring;
	char *buf;

	for (unsigned long i = 0; i < nr_files; i++) {
		fd[i] = open(name, O_RDONLY | O_CLOEXEC | (uring_cached ? 0 : O_DIRECT));
		if (fd[i] < 0)
			die(name);
	}
	if (posix_memalign((void **)&buf, 2 << 20, nr_mems * BATCH * BLOCK) ||
	    io_uring_queue_init(BATCH, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		die("set-up");
	if (nr_files * nr_mems == 1)
		uring_one(&ring, fd[0], buf, blocks, ops);
	else
		uring_batches(&ring, fd, buf, blocks, ops, true);
	io_uring_queue_exit(&ring);
	__libc_free(buf);
	for (unsigned long i = 0; i < nr_files; i++)
		close(fd[i]);
	__libc_free(fd);
}

INLINE void batches(struct devio_ring *ring, struct devio_file **f, struct devio_mem **m, unsigned long blocks,
		    unsigned long ops, bool many)
{
	struct devio_completion done[BATCH];
	unsigned long at = 0, file = 0, mem = 0;

	for (unsigned long n = 0; n < ops; n += BATCH) {
		for (unsigned int i = 0; i < BATCH; i++) {
			if (devio_ring_read(ring, f[file], m[mem], i * BLOCK, BLOCK, at * BLOCK, i))
				die("read");
			at = at + 1 < blocks ? at + 1 : 0;
			if (!many)
				continue;
			mem = mem + 1 < nr_mems ? mem + 1 : 0;
			if (!mem)
				file = file + 1 < nr_files ? file + 1 : 0;
		}
		if (devio_ring_wait(ring, done, BATCH, BATCH, -1) != BATCH)
			die("wait");
		for (unsigned int i = 0; i < BATCH; i++)
			if (done[i].result != BLOCK)
				die("result");
	}
}

static void one_pair(struct devio_ring *ring, struct devio_file *f, struct devio_mem *m, unsigned long blocks,
		     unsigned long ops)
{
	batches(ring, &f, &m, blocks, ops, false);
}

static void many_pairs(struct devio_ring *ring, struct devio_file **f, struct devio_mem **m, unsigned long blocks,
		       unsigned long ops)
{
	batches(ring, f, m, blocks, ops, true);
}

static void by_devio(const char *path, const char *name, unsigned long ops)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	unsigned long blocks = blocks_of(name), pairs = nr_files * nr_mems;
	struct devio_file **f = table(nr_files);
	struct devio_mem **m = table(nr_mems);
	struct devio_ring *ring = NULL;
	struct devio_ctx *ctx = NULL;

	fo.path = devio_path_parse(path);
	if (fo.path < 0 || devio_ctx_open(NULL, &ctx) || devio_ring_open(ctx, NULL, &ring))
		die("set-up");
	for (unsigned long i = 0; i < nr_mems; i++)
		if (devio_mem_alloc(ctx, "host", BATCH * BLOCK, NULL, &m[i]))
			die("memory");
	for (unsigned long i = 0; i < nr_files; i++)
		if (devio_file_open(ctx, name, O_RDONLY, &fo, &f[i]))
			die("file");
	many_pairs(ring, f, m, blocks, 2 * (pairs + BATCH) / BATCH * BATCH); /* the first ones learn */
	allocs = frees = 0;
	if (pairs == 1)
		one_pair(ring, f[0], m[0], blocks, ops);
	else
		many_pairs(ring, f, m, blocks, ops);
	printf("allocations %lu frees %lu\n", allocs, frees);
	devio_ring_close(ring);
	for (unsigned long i = 0; i < nr_files; i++)
		devio_file_close(f[i]);
	for (unsigned long i = 0; i < nr_mems; i++)
		devio_mem_free(m[i]);
	devio_ctx_close(ctx);
	__libc_free(f);
	__libc_free(m);
}

static void raise_limit(void)
{
	struct rlimit l;

	if (!getrlimit(RLIMIT_NOFILE, &l)) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
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
	if (argc < 4 || argc > 6) {
		fprintf(stderr, "usage: perf-hot optimized | perf-hot MODE FILE OPERATIONS [FILES [MEMORIES]]\n");
		return 2;
	}
	if (argc > 4)
		nr_files = strtoul(argv[4], NULL, 10);
	if (argc > 5)
		nr_mems = strtoul(argv[5], NULL, 10);
	raise_limit();
	ops = strtoul(argv[3], NULL, 10);
	uring_cached = !strcmp(argv[1], "uring-cached");
	if (!strcmp(argv[1], "uring") || uring_cached)
		by_uring(argv[2], ops);
	else
		by_devio(argv[1], argv[2], ops);
	return 0;
}
