/* SPDX-License-Identifier: MIT */
/* The user-space view of a dma-buf: a descriptor with a size, a mapping and CPU access brackets. */
#ifndef DV_KERN_DMABUF_H
#define DV_KERN_DMABUF_H

#include <stdbool.h>
#include <stdint.h>

/* 0 if fd is a dma-buf, -EBADF, or -EINVAL if it is something else. No side effects. */
int dv_dmabuf_check(int fd);

/* The size in bytes, or -errno. */
int64_t dv_dmabuf_size(int fd);

/* Maps bytes [off, off + len) for reading and writing; off is page aligned. 0 or -errno. */
int dv_dmabuf_map(int fd, uint64_t off, uint64_t len, void **ptr);

/*
 * Brackets CPU loads (write false) or stores: maintains cache coherency on
 * machines that require it. 0 or -errno.
 */
int dv_dmabuf_cpu_begin(int fd, bool write);
int dv_dmabuf_cpu_end(int fd, bool write);

#endif
