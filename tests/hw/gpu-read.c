/* SPDX-License-Identifier: MIT */
/*
 * A file into GPU memory by one of several methods, timed, and every byte compared
 * at its destination.
 *
 *   gpu-read make FILE SIZE
 *   gpu-read METHOD FILE BLOCK DEPTH THREADS COUNT DIRECT
 *
 * COUNT blocks are read at random places, or all of the file in order if it is
 * 0. DIRECT 1: not by the page cache. `gpu-read methods` lists the methods. Prints
 * one line of JSON. Timed is from the opening of the file to the last byte on
 * the device; the context, the memory there and the opening of libraries are not.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "gpu-read.h"
#include "perf/clock.h"

#define CHUNK (32u << 20)

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("gpu-read: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	_exit(1);
}

void need(int rc, const char *what)
{
	if (rc)
		die("%s: error %d", what, rc);
}

/* All threads, the kernel's workers for this process too. */
/* The file's content: each word is its own offset. */
static uint64_t word(uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;

	return x ^ (x >> 29);
}

static void fill(uint64_t *p, uint64_t off, size_t len)
{
	for (size_t i = 0; i < len / 8; i++)
		p[i] = word(off / 8 + i);
}

static int make(const char *name, uint64_t size)
{
	uint64_t *buf = malloc(CHUNK);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || !buf)
		die("%s: %s", name, strerror(errno));
	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t len = size - at < CHUNK ? size - at : CHUNK;

		fill(buf, at, CHUNK);
		if (write(fd, buf, len) != (ssize_t)len)
			die("%s: %s", name, strerror(errno));
	}
	if (fsync(fd) || close(fd))
		die("%s: %s", name, strerror(errno));
	free(buf);
	return 0;
}

uint64_t job_off(const struct job *j, uint64_t i)
{
	uint64_t blocks = j->size / j->block;

	return (j->random ? (word(i) >> 7) % blocks : i) * j->block;
}

uint64_t job_len(const struct job *j, uint64_t i)
{
	uint64_t off = job_off(j, i);

	return j->size - off < j->block ? j->size - off : j->block;
}

uint64_t job_bytes(const struct job *j)
{
	return j->random ? j->nr * j->block : j->size;
}

int job_open(const struct job *j)
{
	int fd = open(j->file, O_RDONLY | O_CLOEXEC | (j->direct ? O_DIRECT : 0));

	if (fd < 0)
		die("%s: %s", j->file, strerror(errno));
	return fd;
}

struct part {
	pthread_t thread;
	struct job *j;
	uint64_t from, to;
	void (*fn)(struct job *j, uint64_t from, uint64_t to);
};

static void *run_part(void *arg)
{
	struct part *p = arg;

	need(cu.ctx_set(p->j->ctx), "cuCtxSetCurrent");
	p->fn(p->j, p->from, p->to);
	return NULL;
}

void in_threads(struct job *j, void (*fn)(struct job *j, uint64_t from, uint64_t to))
{
	struct part *p;

	if (j->threads == 1) {
		fn(j, 0, j->nr);
		return;
	}
	p = calloc(j->threads, sizeof(*p));
	for (unsigned int t = 0; t < j->threads; t++) {
		p[t] = (struct part){
			.j = j, .from = j->nr * t / j->threads, .to = j->nr * (t + 1) / j->threads, .fn = fn
		};
		need(pthread_create(&p[t].thread, NULL, run_part, &p[t]), "pthread_create");
	}
	for (unsigned int t = 0; t < j->threads; t++)
		pthread_join(p[t].thread, NULL);
	free(p);
}

/* Every byte at its destination. */
static void verify(const struct job *j)
{
	uint64_t per = CHUNK / j->block ? CHUNK / j->block : 1, *want = malloc(j->block);
	unsigned char *got;

	need(cu.host_alloc((void **)&got, per * j->block, 0), "cuMemHostAlloc");
	for (uint64_t i = 0; i < j->nr; i += per) {
		uint64_t n = j->nr - i < per ? j->nr - i : per;

		need(cu.to_host(got, j->dest + i * j->block, n * j->block), "cuMemcpyDtoH");
		for (uint64_t k = 0; k < n; k++) {
			fill(want, job_off(j, i + k), j->block);
			if (memcmp(got + k * j->block, want, job_len(j, i + k)))
				die("%s: block %llu is wrong", j->how, (unsigned long long)(i + k));
		}
	}
	cu.host_free(got);
	free(want);
}

static const struct method *find_method(const char *name)
{
	static const struct method *const all[] = { methods_devio, methods_hand, methods_limit, methods_cufile };

	for (unsigned int k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		for (const struct method *w = all[k]; w->name; w++) {
			if (!name)
				puts(w->name);
			else if (!strcmp(w->name, name))
				return w;
		}
	return NULL;
}

static void measure(struct job *j, const struct method *w)
{
	double t, c;
	struct rusage u;
	long rss;

	if (w->prepare)
		w->prepare(j);
	getrusage(RUSAGE_SELF, &u);
	rss = u.ru_maxrss;
	t = perf_now();
	c = perf_cpu();
	w->run(j);
	t = perf_now() - t;
	c = perf_cpu() - c;
	getrusage(RUSAGE_SELF, &u);
	if (!w->to_host)
		verify(j);
	printf("{\"method\": \"%s\", \"seconds\": %.6f, \"cpu\": %.6f, \"bytes\": %llu, \"ops\": %llu, \"staging\": "
	       "%llu, "
	       "\"rss_growth\": %ld, \"block\": %llu, \"depth\": %u, \"threads\": %u, \"direct\": %d, \"path\": "
	       "\"%s\", "
	       "\"verified\": %s, \"note\": \"%s\"}\n",
	       j->how, t, c, (unsigned long long)job_bytes(j), (unsigned long long)j->nr,
	       (unsigned long long)j->staging, (u.ru_maxrss - rss) * 1024, (unsigned long long)j->block, j->depth,
	       j->threads, j->direct, j->path ? j->path : "", w->to_host ? "false" : "true", j->note);
}

static void set_up(struct job *j, const struct method *w)
{
	const char *why = hw_load();
	struct stat st;
	int dev;

	if (why)
		die("%s", why);
	if (stat(j->file, &st))
		die("%s: %s", j->file, strerror(errno));
	j->size = st.st_size;
	if (!j->random)
		j->nr = (j->size + j->block - 1) / j->block;
	if (!j->block || j->block % 4096 || !j->nr || j->size < j->block || !j->depth || !j->threads)
		die("a block is a multiple of 4096 and no longer than the file; depth and threads are at least 1");
	need(cu.device(&dev, hw_device()), "cuDeviceGet");
	need(cu.primary_retain(&j->ctx, dev), "cuDevicePrimaryCtxRetain");
	need(cu.ctx_set(j->ctx), "cuCtxSetCurrent");
	need(cu.alloc(&j->dest, j->nr * j->block), "cuMemAlloc");
	if (!w->to_host)
		need(cu.fill(j->dest, 0xee, j->nr * j->block), "cuMemsetD8");
	need(cu.ctx_sync(), "cuCtxSynchronize");
}

int main(int argc, char **argv)
{
	struct job j = { 0 };
	const struct method *w;

	if (argc == 2 && !strcmp(argv[1], "methods"))
		return find_method(NULL) != NULL;
	if (argc == 4 && !strcmp(argv[1], "make"))
		return make(argv[2], strtoull(argv[3], NULL, 10));
	w = argc == 8 ? find_method(argv[1]) : NULL;
	if (!w) {
		fprintf(stderr,
			"usage: gpu-read make FILE SIZE | gpu-read METHOD FILE BLOCK DEPTH THREADS COUNT DIRECT\n");
		return 2;
	}
	j.how = argv[1];
	j.file = argv[2];
	j.block = strtoull(argv[3], NULL, 10);
	j.depth = strtoul(argv[4], NULL, 10);
	j.threads = strtoul(argv[5], NULL, 10);
	j.nr = strtoull(argv[6], NULL, 10);
	j.random = j.nr;
	j.direct = atoi(argv[7]);
	set_up(&j, w);
	measure(&j, w);
	fflush(stdout);
	_exit(0);	/* what others' libraries do at the end is not ours to wait for */
}
