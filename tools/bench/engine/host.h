/* SPDX-License-Identifier: MIT */
/* What the engines without the library have in common: a buffer in host memory, and descriptors. */
#ifndef TOOLS_BENCH_HOST_H
#define TOOLS_BENCH_HOST_H

#include "bench/run.h"

/* The first member of t->eng of liburing and pread. */
struct bench_host {
	uint8_t *buf;
	size_t size, mapped;
	void *map;
	int *fd;
};

int bench_host_open(struct bench_thread *t, struct bench_host *h, struct bench_err *err);
void bench_host_close(struct bench_thread *t, struct bench_host *h);
int bench_host_flush(struct bench_thread *t, unsigned int file);
int bench_host_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len);
int bench_host_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len);

#endif
