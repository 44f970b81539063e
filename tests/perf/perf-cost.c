/* SPDX-License-Identifier: MIT */
/*
 * CPU time of one operation, of the process and of the kernel for it, printed
 * in nanoseconds: in the lab with --icount a nanosecond is an instruction. Of
 * interrupts the kernel has CPU time to 10 ms only, so the run must be long.
 *
 *   perf-cost read|fixed|PATH FILE SPEC BLOCK OPERATIONS
 *
 * read and fixed are liburing alone, into host memory (SPEC is not used).
 */
#include "config.h"
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>
#include "perf.h"

#define DEPTH_BYTES (4u << 20)
#define MAX_DEPTH 32u
#define HUGE_PAGE \
	(2u << 20) /* memory is never less: it lies in a large page, or the path through its page table would be \
		      chance */

struct job {
	const char *how, *file, *spec;
	unsigned long block, ops, span;
	unsigned int depth;
};

static size_t memory_size(const struct job *j)
{
	size_t used = j->depth * j->block;

	return used > HUGE_PAGE ? used : HUGE_PAGE;
}

static _Noreturn void die(const char *what)
{
	perf_die("perf-cost", what);
}

/*
 * Of the process, and of the interrupts: whether those come while it runs or while
 * it sleeps is chance, so both are counted here (CONFIG_IRQ_TIME_ACCOUNTING).
 */
static unsigned long long cpu_ns(void)
{
	unsigned long long irq, softirq;
	FILE *stat = fopen("/proc/stat", "re");
	struct timespec ts;

	if (!stat || fscanf(stat, "cpu %*u %*u %*u %*u %*u %llu %llu", &irq, &softirq) != 2)
		die("/proc/stat");
	fclose(stat);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec + (irq + softirq) * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

/* Offsets that jump about, the same each time. */
static unsigned long next_block(const struct job *j, unsigned long n)
{
	return n * 2654435761UL % (j->span / j->block);
}

static void uring_batches(const struct job *j, struct io_uring *ring, int fd, char *buf, unsigned long ops)
{
	int fixed = !strcmp(j->how, "fixed");
	struct io_uring_cqe *cqe;
	unsigned int head, n;

	for (unsigned long done = 0; done < ops; done += j->depth) {
		for (unsigned int i = 0; i < j->depth; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
			unsigned long off = next_block(j, done + i) * j->block;

			if (fixed)
				io_uring_prep_read_fixed(sqe, fd, buf + i * j->block, j->block, off, 0);
			else
				io_uring_prep_read(sqe, fd, buf + i * j->block, j->block, off);
		}
		if (io_uring_submit_and_wait(ring, j->depth) < 0)
			die("submit");
		n = 0;
		io_uring_for_each_cqe(ring, head, cqe) {
			if (cqe->res != (int)j->block)
				die("read");
			n++;
		}
		io_uring_cq_advance(ring, n);
	}
}

static unsigned long long by_uring(const struct job *j)
{
	int fd = open(j->file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct iovec iov = { .iov_len = memory_size(j) };
	struct io_uring ring;
	unsigned long long t;

	/* As host memory of ours. */
	if (posix_memalign(&iov.iov_base, HUGE_PAGE, iov.iov_len))
		die("memory");
	(void)madvise(iov.iov_base, iov.iov_len, MADV_HUGEPAGE);
	memset(iov.iov_base, 1, iov.iov_len);
	if (fd < 0 ||
	    io_uring_queue_init(MAX_DEPTH, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) ||
	    io_uring_register_buffers(&ring, &iov, 1))
		die("set-up");
	uring_batches(j, &ring, fd, iov.iov_base, 2 * j->depth);
	t = cpu_ns();
	uring_batches(j, &ring, fd, iov.iov_base, j->ops);
	return cpu_ns() - t;
}

static void devio_batches(const struct job *j, struct devio_ring *ring, struct devio_file *f, struct devio_mem *m,
			  unsigned long ops)
{
	struct devio_completion done[MAX_DEPTH];

	for (unsigned long n = 0; n < ops; n += j->depth) {
		for (unsigned int i = 0; i < j->depth; i++)
			if (devio_ring_read(ring, f, m, i * j->block, j->block, next_block(j, n + i) * j->block, i))
				die("read");
		if (devio_ring_wait(ring, done, j->depth, j->depth, -1) != (int)j->depth)
			die("wait");
		for (unsigned int i = 0; i < j->depth; i++)
			if (done[i].result != (long)j->block || strcmp(devio_path_name(done[i].path), j->how))
				die(devio_path_name(done[i].path));
	}
}

static unsigned long long by_devio(const struct job *j)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_ring *ring;
	struct devio_file *f;
	struct devio_ctx *ctx;
	struct devio_mem *m;
	unsigned long long t;

	fo.path = devio_path_parse(j->how);
	if (fo.path < 0 || devio_ctx_open(NULL, &ctx) ||
	    devio_mem_alloc(ctx, j->spec, memory_size(j), NULL, &m) ||
	    devio_file_open(ctx, j->file, O_RDONLY, &fo, &f) || devio_ring_open(ctx, NULL, &ring))
		die("set-up");
	devio_batches(j, ring, f, m, 2 * j->depth); /* the first ones learn */
	t = cpu_ns();
	devio_batches(j, ring, f, m, j->ops);
	t = cpu_ns() - t;
	devio_ring_close(ring);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
	return t;
}

int main(int argc, char **argv)
{
	struct job j = { .span = 64 << 20 };

	if (argc != 6) {
		fprintf(stderr, "usage: perf-cost read|fixed|PATH FILE SPEC BLOCK OPERATIONS\n");
		return 2;
	}
	j.how = argv[1];
	j.file = argv[2];
	j.spec = argv[3];
	j.block = strtoul(argv[4], NULL, 10);
	j.depth = DEPTH_BYTES / j.block < MAX_DEPTH ? DEPTH_BYTES / j.block : MAX_DEPTH;
	j.ops = strtoul(argv[5], NULL, 10) / j.depth * j.depth;
	if (!j.depth || !j.ops)
		die("block or operations out of range");
	printf("%llu\n", (!strcmp(j.how, "read") || !strcmp(j.how, "fixed") ? by_uring(&j) : by_devio(&j)) / j.ops);
	return 0;
}
