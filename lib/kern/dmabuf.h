/* SPDX-License-Identifier: MIT */
/* A dma-buf as user space sees it: an fd with a size, a mapping and a fence for the CPU. */
#ifndef DV_KERN_DMABUF_H
#define DV_KERN_DMABUF_H

#include <stdbool.h>
#include <stdint.h>

/* 0, -EBADF, or -EINVAL if the fd is something else. Changes nothing. */
int dv_dmabuf_check(int fd);

/* Its size in bytes, or -errno. */
int64_t dv_dmabuf_size(int fd);

/* Maps bytes [off, off + len), off page aligned; writable if the exporter lets us. */
int dv_dmabuf_map(int fd, uint64_t off, uint64_t len, void **ptr);

/*
 * Brackets loads (write false) or stores of the CPU: caches are made right
 * where the machine needs it. 0 or -errno.
 */
int dv_dmabuf_cpu_begin(int fd, bool write);
int dv_dmabuf_cpu_end(int fd, bool write);

#endif
