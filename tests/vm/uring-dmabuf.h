/* SPDX-License-Identifier: MIT */
/* What the parts of tests/vm/uring-dmabuf share. */
#ifndef URING_DMABUF_H
#define URING_DMABUF_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>

#define KIB 1024ul
#define MIB (1024 * KIB)
#define FEATURE_DMA_BUF 11

/* linux/io_uring.h as posted upstream (v7), and what the series adds: opcodes of io_uring_register() */
#define UPDATE_EXTENDED (1u << 1)
#define ONE_FILE 16u /* IORING_REGISTER_BUFFERS_UPDATE */
#define ANY_FILE 0x44564601u

struct update2 {
	uint32_t offset, flags;
	uint64_t data, tags;
	uint32_t nr, resv2;
};

struct regbuf_desc {
	uint32_t type, flags;
	uint64_t size, uaddr;
	int32_t dmabuf_fd, target_fd;
	uint64_t resv[6];
};

struct feature_dma_buf {
	uint32_t argsz, feature;    /* struct vfio_device_feature, which ends in an open array */
	uint32_t region_index, open_flags, flags, nr_ranges;
	uint64_t offset, length;
};

/* Memory as a dma-buf, and a mapping to look at it. */
struct mem {
	int fd, device;
	char *map;
	size_t size;
	off_t config;
};

/* uring-dmabuf-mem.c */
extern int tests, failures;
int ok(int good, const char *what, long detail);
int is(long got, long want, const char *what);
int finish(void);
void die(const char *what);
int must_open(const char *path, int flags);
void *host_memory(size_t len);
void fill(void *mem, size_t len, uint64_t seed);
struct mem mem_vfio(const char *bdf);
struct mem mem_open(const char *spec, size_t size);

/* uring-dmabuf-io.c */
void ring_open(struct io_uring *ring, unsigned int entries, unsigned int flags);
int update(struct io_uring *ring, unsigned int opcode, unsigned int slot, struct regbuf_desc *desc, unsigned int flags);
int reg(struct io_uring *ring, unsigned int slot, int dmabuf_fd, int target, unsigned int opcode);
void queue(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
		  off_t off, uint64_t data);
int reap(struct io_uring *ring, uint64_t *data);
int one(struct io_uring *ring, bool write, unsigned int slot, int fd, uint64_t mem_off, size_t len,
	       off_t off);
int data(const char *spec, const char *path);
int commands(const char *spec, const char *path, long want);

/* uring-dmabuf-files.c */
int files(const char *spec, const char *dir);
int refused(const char *spec, const char *path);
int errors(const char *spec, const char *path, const char *other_path);

/* uring-dmabuf-life.c */
int locked(const char *bdf, const char *slow);
int full(const char *spec, const char *path, const char *bdf);
int busy(const char *spec, const char *path);

/* uring-dmabuf-kinds.c */
int kinds_of_files(const char *spec, const char *dir, const char *name);

#endif
