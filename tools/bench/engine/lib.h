/* SPDX-License-Identifier: MIT */
/* What the engines that use the library have in common: ring and memory. */
#ifndef TOOLS_BENCH_LIB_H
#define TOOLS_BENCH_LIB_H

#include "bench/run.h"

/* The first member of t->eng of devio and net. */
struct bench_lib {
	struct devio_ring *ring;
	struct devio_mem *mem;
};

int bench_lib_open(struct bench_thread *t, struct bench_lib *lib, struct bench_err *err);
void bench_lib_close(struct bench_lib *lib);
/* rc and verdict are of devio_file_explain() or devio_sock_explain(). -1 with *err if the path cannot be used. */
int bench_lib_check_path(const struct bench_thread *t, unsigned int file, int rc,
			 const struct devio_completion *verdict, struct bench_err *err);
int bench_lib_submit(struct bench_thread *t);
int bench_lib_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len);
int bench_lib_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len);

#endif
