/* SPDX-License-Identifier: MIT */
/* Memory represented by a dma-buf: udmabuf, dmaheap and imported dma-bufs. */
#ifndef DV_MEM_BUFMEM_H
#define DV_MEM_BUFMEM_H

#include <stdbool.h>
#include "mem/mem.h"

struct dv_bufmem {
	int fd;           /* the dma-buf, owned */
	uint64_t off;     /* offset of byte 0 of the memory in the dma-buf */
	void *map;        /* the mapping, NULL if there is none yet */
	uint64_t map_len;
};

/* Creates m->priv for the dma-buf fd and takes ownership of fd. 0 or -ENOMEM (fd is closed). */
int dv_bufmem_new(struct devio_mem *m, int fd, uint64_t off);

/* Operations for the providers' tables. */
int dv_bufmem_map(struct devio_mem *m);
int dv_bufmem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
int dv_bufmem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		      struct dv_copy *c);
int dv_bufmem_export(struct devio_mem *m, int *fd, uint64_t *off);
void dv_bufmem_free(struct devio_mem *m);

#endif
