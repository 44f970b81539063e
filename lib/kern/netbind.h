/* SPDX-License-Identifier: MIT */
/* Dma-bufs and the queues of NICs: bind, and ask how they are. */
#ifndef DV_KERN_NETBIND_H
#define DV_KERN_NETBIND_H

#include <stdbool.h>
#include <stdint.h>
#include "kern/genl.h"

struct dv_netbind {
	struct dv_genl nl;         /* the binding lives as long as this socket */
	uint32_t id;               /* the kernel's number of the binding */
};

/*
 * Binds the whole dma-buf fd to n receive queues from `first` on, which fill
 * it by buffers of so many bytes (0: a page), or (tx) to the interface for sending. 0 or the kernel's -errno, its words in b->nl.why;
 * on failure nothing is open.
 */
int dv_netbind_rx(struct dv_netbind *b, unsigned int ifindex, int fd, unsigned int first, unsigned int n,
		  uint32_t buffer);
int dv_netbind_tx(struct dv_netbind *b, unsigned int ifindex, int fd);
void dv_netbind_close(struct dv_netbind *b);

/* Who has a receive queue. */
struct dv_netqueue {
	bool known;                /* there is such a queue */
	uint32_t dmabuf;           /* binding, 0: none */
	bool other;                /* io_uring, AF_XDP or a lease */
};
int dv_netqueue_get(unsigned int ifindex, unsigned int queue, struct dv_netqueue *q);

/* Counters of one receive queue and of the page pool that a binding (0: the interface's rings) feeds; UINT64_MAX: the driver does not tell. */
struct dv_netcount {
	uint64_t packets, bytes, alloc_fail, hw_drops;
	uint64_t inflight, inflight_mem; /* buffers that are out, and their bytes */
};
int dv_netcount_get(unsigned int ifindex, unsigned int queue, uint32_t binding, struct dv_netcount *c);

/* The attributes of one answer, for the tests. */
void dv_netqueue_parse(const void *attrs, int len, struct dv_netqueue *q);

#endif
