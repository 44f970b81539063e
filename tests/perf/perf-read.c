/* SPDX-License-Identifier: MIT */
/*
 * A file read into host memory, and what it costs.
 *
 *   perf-read PATH FILE BLOCK DEPTH MEMORY    by libdevio
 *   perf-read pread FILE BLOCK 1 MEMORY       pread(O_DIRECT) and a memcpy
 *
 * MEMORY bytes are used again from the start when they are full; 0 means the
 * file's size. Prints: seconds of the reads, seconds with the allocation of
 * the memory, CPU seconds of the reads, most bytes of staging, path taken.
 */
#include "config.h"
#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "perf.h"

#define MAX_DEPTH 64

struct job {
	const char *file;
	uint64_t size, block, memory;
	unsigned int depth;
	double alloc, reads, cpu;
};

static _Noreturn void die(const char *what)
{
	perf_die("perf-read", what);
}

/* Of the kernel's worker threads for this process too. */
static void by_pread(struct job *j)
{
	int fd = open(j->file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *mem = mmap(NULL, j->memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char *buf = mmap(NULL, j->block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	double t, c;

	if (fd < 0 || mem == MAP_FAILED || buf == MAP_FAILED)
		die(j->file);
	t = perf_now();
	c = perf_cpu();
	for (uint64_t at = 0; at < j->size; at += j->block) {
		ssize_t n = pread(fd, buf, j->block, at);

		if (n <= 0)
			die("pread");
		memcpy(mem + at % j->memory, buf, n);
	}
	j->reads = perf_now() - t;
	j->cpu = perf_cpu() - c;
	close(fd);
}

static void loop(struct job *j, struct devio_ring *ring, struct devio_file *f, struct devio_mem *m)
{
	struct devio_completion done[MAX_DEPTH];
	unsigned int flying = 0;
	uint64_t at = 0;

	while (at < j->size || flying) {
		int n;

		for (; at < j->size && flying < j->depth; at += j->block, flying++)
			if (devio_ring_read(ring, f, m, at % j->memory,
					    j->size - at < j->block ? j->size - at : j->block, at, at))
				die("read");
		n = devio_ring_wait(ring, done, 1, MAX_DEPTH, -1);
		if (n < 0)
			die("wait");
		for (int i = 0; i < n; i++)
			if (done[i].result <= 0)
				die("result");
		flying -= n;
	}
}

static void by_devio(struct job *j, const char *path)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_stat st = DEVIO_OPTS(st);
	struct devio_ring *ring = NULL;
	struct devio_file *f = NULL;
	struct devio_ctx *ctx = NULL;
	struct devio_mem *m = NULL;
	double t = perf_now(), c;
	int most = 0;

	fo.path = devio_path_parse(path);
	ro.entries = j->depth;
	if (fo.path < 0 || devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", j->memory, NULL, &m))
		die("set-up");
	j->alloc = perf_now() - t;
	t = perf_now();
	c = perf_cpu();
	if (devio_file_open(ctx, j->file, O_RDONLY, &fo, &f) || devio_ring_open(ctx, &ro, &ring))
		die("open");
	loop(j, ring, f, m);
	j->reads = perf_now() - t;
	j->cpu = perf_cpu() - c;
	devio_stat_get(ctx, &st);
	for (int p = 0; p < DEVIO_PATH_MAX; p++)
		if (st.path[p].bytes_read > st.path[most].bytes_read)
			most = p;
	printf("%.6f %.6f %.6f %llu %s\n", j->reads, j->reads + j->alloc, j->cpu, (unsigned long long)st.staging_peak,
	       devio_path_name(most));
	devio_ring_close(ring);
	devio_file_close(f);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

int main(int argc, char **argv)
{
	struct job j = { 0 };
	struct stat st;

	if (argc != 6) {
		fprintf(stderr, "usage: perf-read PATH|pread FILE BLOCK DEPTH MEMORY\n");
		return 2;
	}
	j.file = argv[2];
	j.block = strtoull(argv[3], NULL, 10);
	j.depth = strtoul(argv[4], NULL, 10);
	j.memory = strtoull(argv[5], NULL, 10);
	if (stat(j.file, &st) || !j.block || !j.depth || j.depth > MAX_DEPTH)
		die(j.file);
	j.size = st.st_size;
	if (!j.memory)
		j.memory = j.size;
	if (!strcmp(argv[1], "pread")) {
		by_pread(&j);
		printf("%.6f %.6f %.6f 0 pread\n", j.reads, j.reads, j.cpu);
	} else {
		by_devio(&j, argv[1]);
	}
	return 0;
}
