/* SPDX-License-Identifier: MIT */
/* What is counted for the statistics and for the report. */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cufile/usage.h"

#define PAGE_MASK 4095u

struct dv_counts dv_counts;
atomic_bool dv_counting;
static _Atomic(struct dv_file_usage *) files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t dv_usage_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void dv_usage_open(int level)
{
	if (!dv_counts.start_ns)
		dv_counts.start_ns = dv_usage_now();
	if (level || getenv("DEVIO_GDS_REPORT"))
		dv_counting = true;
}

static void name_file(struct dv_file_usage *f, int fd)
{
	char link[32], name[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	f->name = n > 0 ? strndup(name, (size_t)n) : strdup(link);
}

struct dv_usage *dv_usage_of(int fd, dev_t dev, ino_t ino)
{
	struct dv_file_usage *f;

	if (!dv_counting)
		return NULL;
	pthread_mutex_lock(&lock);
	for (f = files; f && (f->dev != dev || f->ino != ino); f = f->next)
		;
	if (!f)
		f = calloc(1, sizeof(*f));
	if (f && !f->name) {
		name_file(f, fd);
		f->dev = dev;
		f->ino = ino;
		f->next = files;
		files = f;
	}
	pthread_mutex_unlock(&lock);
	return f ? &f->u : NULL;
}

const struct dv_file_usage *dv_usage_files(void)
{
	return files;
}

void dv_usage_reset(void)
{
	uint64_t registered[GDS_GPUS];

	memcpy(registered, dv_counts.registered, sizeof(registered));
	memset(&dv_counts, 0, sizeof(dv_counts));
	memcpy(dv_counts.registered, registered, sizeof(registered));
	dv_counts.start_ns = dv_usage_now();
}

void dv_usage_forked(void)
{
	pthread_mutex_init(&lock, NULL);
}

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

void dv_usage_call(enum dv_call call, int err)
{
	if (atomic_load_explicit(&dv_counting, memory_order_relaxed))
		add(err ? &dv_counts.call[call].err : &dv_counts.call[call].ok, 1);
}

void dv_usage_registered(int gpu, int64_t bytes)
{
	if (gpu >= 0 && gpu < GDS_GPUS)
		add(&dv_counts.registered[gpu], (uint64_t)bytes);
}

static unsigned int bucket(uint64_t v, unsigned int max)
{
	unsigned int b = v ? 64 - (unsigned int)__builtin_clzll(v) : 0;

	return b < max ? b : max - 1;
}

static void count(struct dv_usage *u, const struct devio_completion *c, uint64_t len, uint64_t ns)
{
	int write = !!(c->flags & DEVIO_DONE_WRITE);
	unsigned int path = c->path < DEVIO_PATH_FILE_MAX ? c->path : 0;
	uint64_t slowest = __atomic_load_n(&u->slowest_ns, __ATOMIC_RELAXED);

	add(&u->ops[write], 1);
	add(&u->path_ops[write][path], 1);
	add(&u->ns[write], ns);
	add(&u->copied, c->copied);
	if (len & PAGE_MASK)
		add(&u->unaligned[write], 1);
	if (c->reason < DEVIO_REASON_MAX)
		add(&u->reason_ops[c->reason], 1);
	while (ns > slowest && !__atomic_compare_exchange_n(&u->slowest_ns, &slowest, ns, true, __ATOMIC_RELAXED,
							   __ATOMIC_RELAXED))
		;
	if (c->result < 0) {
		add(&u->errors[write], 1);
		return;
	}
	add(&u->bytes[write], (uint64_t)c->result);
	add(&u->path_bytes[write][path], (uint64_t)c->result);
}

void dv_usage_count(struct dv_usage *file, int gpu, const struct devio_completion *c, uint64_t len, uint64_t ns)
{
	count(&dv_counts.all, c, len, ns);
	if (file)
		count(file, c, len, ns);
	if (gpu >= 0 && gpu < GDS_GPUS)
		count(&dv_counts.gpu[gpu], c, len, ns);
	add(&dv_counts.hist[!!(c->flags & DEVIO_DONE_WRITE)][bucket(len >> 10, GDS_HIST)], 1);
	if (ns)
		add(&dv_counts.latency[bucket(ns / 1000, DV_LATENCIES)], 1);
}

void dv_usage_batch(const struct devio_completion *c)
{
	dv_usage_call(DV_CALL_BATCH_IO, c->result < 0);
	if (c->result > 0)
		add(&dv_counts.batch_bytes[!!(c->flags & DEVIO_DONE_WRITE)], (uint64_t)c->result);
}
