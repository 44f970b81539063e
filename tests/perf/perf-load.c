/* SPDX-License-Identifier: MIT */
/*
 * Shuffled records of several files into host memory, and what it costs.
 *
 *   perf-load make FILES RECORDS DIRECTORY      FILES files of RECORDS records of 4 KiB
 *   perf-load HOW BLOCK WARM FILES RECORDS DIRECTORY [SERVER]
 *
 * HOW: loader          devio_loader, the path that the library chooses
 *      loader-direct   the same with DEVIO_FILE_NO_CACHE
 *      pread           a loop of pread(2), a record a time
 *      pread-direct    the same with O_DIRECT
 *      ranges          devio_source_read(), each file as one range into its own memory, as a model is
 * SERVER: tcp://HOST:PORT of a devio-serve of DIRECTORY, from which loader and ranges take the files.
 * BLOCK: records that stay together in the shuffle. WARM: 0: the files are
 * taken out of the page cache before, 1: read into it. Every record is summed
 * up, in both, and the sums must be right. Prints: records a second, CPU
 * seconds, reads, path.
 */
#include "config.h"
#include <devio.h>
#include <devio/load.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "perf.h"

#define RECORD 4096u
#define BATCH 256u
#define SLOTS 8u

struct job {
	const char *how, *dir, *server;
	unsigned int block, files;
	uint64_t records;        /* of a file */
	char **names, **sources; /* here, and as they are opened */
	uint64_t sum, reads;     /* results */
	unsigned int path;
};

static _Noreturn void die(const char *what)
{
	perf_die("perf-load", what);
}

static void name_files(struct job *j)
{
	j->names = calloc(j->files, sizeof(*j->names));
	j->sources = calloc(j->files, sizeof(*j->sources));
	for (unsigned int i = 0; i < j->files; i++)
		if (asprintf(&j->names[i], "%s/shard-%04u", j->dir, i) < 0 ||
		    asprintf(&j->sources[i], "%s/shard-%04u", j->server ? j->server : j->dir, i) < 0)
			die("names");
}

/* The first word of each record is its number: what both methods sum up. */
static void make(const struct job *j)
{
	static uint64_t buf[RECORD / 8];
	uint64_t n = 0;

	for (unsigned int i = 0; i < j->files; i++) {
		FILE *f = fopen(j->names[i], "w");

		if (!f)
			die(j->names[i]);
		for (uint64_t k = 0; k < j->records; k++) {
			for (unsigned int w = 0; w < RECORD / 8; w++)
				buf[w] = n * 0x9e3779b97f4a7c15ULL + w;
			buf[0] = n++;
			fwrite(buf, RECORD, 1, f);
		}
		if (fflush(f) || fsync(fileno(f)) || fclose(f))
			die("write");
	}
}

static void cache(const struct job *j, bool warm)
{
	static char buf[1 << 20];

	for (unsigned int i = 0; i < j->files; i++) {
		int fd = open(j->names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || posix_fadvise(fd, 0, 0, warm ? POSIX_FADV_NORMAL : POSIX_FADV_DONTNEED))
			die(j->names[i]);
		while (warm && read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
}

static uint64_t first_word(const void *record)
{
	uint64_t w;

	memcpy(&w, record, sizeof(w));
	return w;
}

/* Blocks in the order of Fisher and Yates. */
static uint64_t *shuffle(uint64_t n)
{
	uint64_t *order = malloc(n * sizeof(*order)), s = 88172645463325252ULL;

	if (!order)
		die("memory");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t k;

		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		k = s % (i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	return order;
}

static void by_pread(struct job *j)
{
	uint64_t items = j->files * j->records, blocks = (items + j->block - 1) / j->block, *order = shuffle(blocks);
	char *mem =
		mmap(NULL, BATCH * RECORD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int *fds = calloc(j->files, sizeof(*fds));

	if (mem == MAP_FAILED || !fds)
		die("memory");
	for (unsigned int i = 0; i < j->files; i++) {
		fds[i] = open(j->names[i], O_RDONLY | O_CLOEXEC | (strcmp(j->how, "pread") ? O_DIRECT : 0));
		if (fds[i] < 0)
			die(j->names[i]);
	}
	for (uint64_t b = 0; b < blocks; b++)
		for (uint64_t i = order[b] * j->block; i < (order[b] + 1) * j->block && i < items; i++, j->reads++) {
			char *to = mem + j->reads % BATCH * RECORD;

			if (pread(fds[i / j->records], to, RECORD, i % j->records * RECORD) != RECORD)
				die("pread");
			j->sum += first_word(to);
		}
	for (unsigned int i = 0; i < j->files; i++)
		close(fds[i]);
	free(fds);
	free(order);
}

static void take(struct job *j, struct devio_loader *l, const char *host)
{
	struct devio_batch b = DEVIO_OPTS(b);
	int rc;

	while ((rc = devio_loader_next(l, &b, -1)) == 1) {
		if (b.failed)
			die("batch");
		for (uint32_t i = 0; i < b.nr; i++)
			j->sum += first_word(host + b.items[i].mem_off);
		j->path = b.items[0].path;
		if (devio_loader_release(l, b.slot))
			die("release");
	}
	if (rc)
		die("next");
}

static struct devio_source *open_source(const struct job *j)
{
	struct devio_records_opts ro = DEVIO_OPTS(ro);
	struct devio_source *s;

	ro.record_size = RECORD;
	if (devio_source_open_records((const char *const *)j->sources, j->files, &ro, &s))
		die("open");
	return s;
}

static void by_ranges(struct job *j)
{
	uint64_t size = j->records * RECORD;
	struct devio_load_range *g = calloc(j->files, sizeof(*g));
	struct devio_source *s = open_source(j);
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	void *host;

	if (devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", j->files * size, NULL, &mem) ||
	    devio_mem_map(mem, &host))
		die("memory");
	for (unsigned int i = 0; i < j->files; i++)
		g[i] = (struct devio_load_range){ .len = size, .mem_off = i * size, .file = i };
	if (devio_source_read(ctx, s, mem, g, j->files, NULL))
		die("read");
	for (uint64_t i = 0; i < j->files * j->records; i++)
		j->sum += first_word((char *)host + i * RECORD);
	j->path = g[0].path;
	devio_source_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(g);
}

static void by_loader(struct job *j)
{
	struct devio_loader_opts o = DEVIO_OPTS(o);
	struct devio_loader_info info = DEVIO_OPTS(info);
	struct devio_source *s = open_source(j);
	struct devio_loader *l;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	void *host;

	o.batch = BATCH;
	o.slots = SLOTS;
	o.depth = 128;
	o.shuffle_block = j->block;
	o.max_files = j->files;
	o.flags = DEVIO_LOADER_SHUFFLE | (strcmp(j->how, "loader") ? DEVIO_FILE_NO_CACHE : 0);
	if (devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", BATCH * SLOTS * RECORD, NULL, &mem) ||
	    devio_mem_map(mem, &host) ||
	    devio_loader_open(ctx, s, mem, &o, &l))
		die("open");
	take(j, l, host);
	if (devio_loader_get_info(l, &info))
		die("info");
	j->reads = info.reads;
	devio_loader_close(l);
	devio_source_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

static void measure(struct job *j, bool warm)
{
	uint64_t items = j->files * j->records;
	double t, c;

	cache(j, warm);
	t = perf_now();
	c = perf_cpu();
	if (!strncmp(j->how, "loader", 6))
		by_loader(j);
	else if (!strcmp(j->how, "ranges"))
		by_ranges(j);
	else
		by_pread(j);
	t = perf_now() - t;
	c = perf_cpu() - c;
	if (j->sum != items * (items - 1) / 2)
		die("the sum of the records is wrong");
	printf("%.0f %.3f %llu %s\n", items / t, c, (unsigned long long)j->reads,
	       j->path ? devio_path_name(j->path) : "-");
}

int main(int argc, char **argv)
{
	bool making = argc == 5 && !strcmp(argv[1], "make");
	struct job j = { 0 };

	if (argc == 8)
		j.server = argv[--argc];
	if (argc != 7 && !making) {
		fprintf(stderr, "usage: perf-load make FILES RECORDS DIRECTORY\n"
				"       perf-load loader|loader-direct|ranges|pread|pread-direct BLOCK WARM FILES "
				"RECORDS DIRECTORY [SERVER]\n");
		return 2;
	}
	j.how = argv[1];
	j.files = atoi(argv[argc - 3]);
	j.records = strtoull(argv[argc - 2], NULL, 10);
	j.dir = argv[argc - 1];
	j.block = making ? 1 : atoi(argv[2]);
	if (!j.files || !j.records || !j.block)
		die("FILES, RECORDS and BLOCK are counts");
	name_files(&j);
	if (making)
		make(&j);
	else
		measure(&j, atoi(argv[3]));
	return 0;
}
