/* SPDX-License-Identifier: MIT */
/* A file into GPU memory by several methods: what they share. */
#ifndef HW_GPU_READ_H
#define HW_GPU_READ_H

#include "app.h"

struct job {
	const char *how, *file;
	uint64_t size;           /* of the file */
	uint64_t block, nr;      /* nr blocks are read; block i goes to dest + i * block */
	unsigned int depth, threads;
	bool random, direct;     /* direct: not by the page cache */
	cu_ptr dest;
	void *ctx;               /* the primary one, for threads to set */
	/* results */
	uint64_t staging;        /* bytes of host memory between, where we know them */
	const char *path;        /* by libdevio: the path that was taken */
	char note[200];
};

/* Where block i is in the file, and how long it is. */
uint64_t job_off(const struct job *j, uint64_t i);
uint64_t job_len(const struct job *j, uint64_t i);
uint64_t job_bytes(const struct job *j);
int job_open(const struct job *j);

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A driver's call must return 0. */
void need(int rc, const char *what);

/* part() for [from, to) in each of j->threads threads, each in j->ctx. */
void in_threads(struct job *j, void (*part)(struct job *j, uint64_t from, uint64_t to));

/* prepare: once for a process, not timed; run: timed, from the opening of the file on. */
struct method {
	const char *name;
	void (*prepare)(struct job *j);
	void (*run)(struct job *j);
	bool to_host;            /* a limit: nothing arrives on the device */
};
extern const struct method methods_devio[], methods_hand[], methods_limit[], methods_cufile[];

#endif
