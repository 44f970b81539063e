/* SPDX-License-Identifier: MIT */
/*
 * io_uring zero-copy receive: a NIC receive queue that fills a dma-buf for one ring,
 * and the refill ring that returns buffers without a system call. The queue belongs
 * to the ring until the ring is closed: the kernel has no other way to release it.
 */
#ifndef DV_KERN_ZCRX_H
#define DV_KERN_ZCRX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kern/uapi/zcrx.h"

struct dv_queue;

struct dv_zcrx {
	uint32_t id;               /* zcrx ID in the ring, named by requests */
	int ring_fd;
	uint32_t entries;          /* of the refill ring, a power of two */
	uint32_t head, tail;       /* the kernel's head as last read; our tail */
	uint32_t *khead, *ktail;   /* shared with the kernel */
	struct dv_zcrx_rqe *rqe;
	void *region;
	size_t region_size;
	struct dv_zcrx_rqe *kept;  /* returned buffers for which the refill ring had no room */
	uint32_t nr_kept, max_kept;
	bool no_flush;             /* the kernel does not flush the refill ring on request */
};

/* Does this kernel support zero-copy receive? Probed once per process. */
bool dv_zcrx_known(struct dv_queue *q);

/*
 * Registers a receive queue of the interface with q's ring, created with
 * DV_QUEUE_ZCRX; it fills the entire dma-buf fd of size bytes, split into buffers of
 * `buffer` bytes (0: one page). 0 or the kernel's -errno; there is no message.
 */
int dv_zcrx_open(struct dv_zcrx *z, struct dv_queue *q, unsigned int ifindex, unsigned int queue, int fd, uint64_t size,
		 uint32_t buffer);

/* Frees the refill ring after the io_uring is closed; in a forked child its memory is not mapped. */
void dv_zcrx_close(struct dv_zcrx *z, bool forked);

/* Is the fragment inside the dma-buf of size bytes? There is one area, number 0, so its offset is the dma-buf's. */
bool dv_zcrx_inside(uint64_t off, uint32_t len, uint64_t size);

/* Returns a buffer, by the offset from its completion. -ENOMEM: no memory to store it, the buffer is lost. */
int dv_zcrx_back(struct dv_zcrx *z, uint64_t off, uint32_t len);
/* Publishes the returned buffers to the kernel. False: some did not fit, retry soon. */
bool dv_zcrx_publish(struct dv_zcrx *z);

#endif
