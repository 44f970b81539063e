/* SPDX-License-Identifier: MIT */
/* Binding dma-bufs to NIC queues, and querying the queues. */
#ifndef DV_KERN_NETBIND_H
#define DV_KERN_NETBIND_H

#include <stdbool.h>
#include <stdint.h>
#include "kern/genl.h"

struct dv_netbind {
	struct dv_genl nl;         /* the binding lives as long as this socket */
	uint32_t id;               /* the kernel's binding ID */
};

/*
 * Binds the entire dma-buf fd to receive queues [first, first + n), split into
 * buffers of `buffer` bytes (0: one page), or (tx) to the interface for sending.
 * 0, or the kernel's -errno with its message in b->nl.why; on failure nothing
 * remains open.
 */
int dv_netbind_rx(struct dv_netbind *b, unsigned int ifindex, int fd, unsigned int first, unsigned int n,
		  uint32_t buffer);
int dv_netbind_tx(struct dv_netbind *b, unsigned int ifindex, int fd);
void dv_netbind_close(struct dv_netbind *b);

/* The current user of a receive queue. */
struct dv_netqueue {
	bool known;                /* the queue exists */
	uint32_t dmabuf;           /* binding ID, 0: none */
	bool other;                /* in use by io_uring, AF_XDP or a lease */
};
int dv_netqueue_get(unsigned int ifindex, unsigned int queue, struct dv_netqueue *q);

/*
 * Counters of one receive queue and of the page pool that belongs to a binding
 * (0: to the interface's io_urings). UINT64_MAX: not reported by the driver.
 */
struct dv_netcount {
	uint64_t packets, bytes, alloc_fail, hw_drops;
	uint64_t inflight, inflight_mem; /* buffers in flight, and their bytes */
};
int dv_netcount_get(unsigned int ifindex, unsigned int queue, uint32_t binding, struct dv_netcount *c);

/* Parses the attributes of one reply; used by the tests, too. */
void dv_netqueue_parse(const void *attrs, int len, struct dv_netqueue *q);

#endif
