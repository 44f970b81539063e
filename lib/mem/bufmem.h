/* SPDX-License-Identifier: MIT */
/* Memory that is a dma-buf descriptor: udmabuf, dmaheap and an imported one. */
#ifndef DV_MEM_BUFMEM_H
#define DV_MEM_BUFMEM_H

#include <stdbool.h>
#include "mem/mem.h"

struct dv_bufmem {
	int fd;           /* the dma-buf, ours */
	uint64_t off;     /* byte 0 of the memory in it */
	void *map;        /* what was mapped, NULL if nothing yet */
	uint64_t map_len;
};

/* Makes m->priv for the dma-buf fd, which it owns from then on. 0 or -ENOMEM (fd closed). */
int dv_bufmem_new(struct devio_mem *m, int fd, uint64_t off);

/* What the providers put into their table. */
int dv_bufmem_map(struct devio_mem *m);
int dv_bufmem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
int dv_bufmem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		      struct dv_copy *c);
int dv_bufmem_export(struct devio_mem *m, int *fd, uint64_t *off);
void dv_bufmem_free(struct devio_mem *m);

#endif
