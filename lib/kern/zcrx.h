/* SPDX-License-Identifier: MIT */
/*
 * Zero-copy receive of io_uring: a receive queue of a NIC that fills a dma-buf
 * for one ring, and the refill ring by which buffers go back without a system
 * call. The queue is the ring's until the ring is closed: the kernel has no
 * other end of it.
 */
#ifndef DV_KERN_ZCRX_H
#define DV_KERN_ZCRX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kern/uapi/zcrx.h"

struct dv_queue;

struct dv_zcrx {
	uint32_t id;               /* of the queue in its ring; requests name it */
	int ring_fd;
	uint32_t entries;          /* of the refill ring, a power of two */
	uint32_t head, tail;       /* how far the kernel was when we looked; how far we are */
	uint32_t *khead, *ktail;   /* shared with the kernel */
	struct dv_zcrx_rqe *rqe;
	void *region;
	size_t region_size;
	struct dv_zcrx_rqe *kept;  /* buffers for which the refill ring has no room */
	uint32_t nr_kept, max_kept;
	bool no_flush;             /* the kernel does not empty it on demand */
};

/* Does this kernel know the request? Tried once per process. */
bool dv_zcrx_known(struct dv_queue *q);

/*
 * Gives a receive queue of the interface to q's ring, made with
 * DV_QUEUE_ZCRX; it fills the whole dma-buf fd of size bytes, by
 * buffers of so many bytes (0: a page). 0 or the kernel's -errno, which says
 * nothing more.
 */
int dv_zcrx_open(struct dv_zcrx *z, struct dv_queue *q, unsigned int ifindex, unsigned int queue, int fd, uint64_t size,
		 uint32_t buffer);

/* When the ring is closed; in a forked child the memory is not there. */
void dv_zcrx_close(struct dv_zcrx *z, bool forked);

/* Is a completion's piece inside the dma-buf of size bytes? There is one area, number 0: its offset is the dma-buf's. */
bool dv_zcrx_inside(uint64_t off, uint32_t len, uint64_t size);

/* Gives a buffer back by the offset that came with it. -ENOMEM: there is no place to keep it, it is lost. */
int dv_zcrx_back(struct dv_zcrx *z, uint64_t off, uint32_t len);
/* Shows the kernel what was given back. False: some are kept, try again soon. */
bool dv_zcrx_publish(struct dv_zcrx *z);

#endif
