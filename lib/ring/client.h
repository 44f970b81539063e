/* SPDX-License-Identifier: MIT */
/*
 * Objects attached to a ring that are not operations: the cache of registered dma-bufs,
 * a NIC set up for the ring.
 */
#ifndef DV_RING_CLIENT_H
#define DV_RING_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct devio_ring;
struct dv_ring_client;

struct dv_ring_client_ops {
	/*
	 * Called in the ring's thread after a memory or file was closed, and if a
	 * client has set r->client_due because it has work left to do.
	 */
	void (*progress)(struct devio_ring *r, struct dv_ring_client *c);
	/* Called before the ring's io_uring is closed. forked: the ring belongs to the parent process. May be NULL. */
	void (*detach)(struct devio_ring *r, struct dv_ring_client *c, bool forked);
	/* Called after the io_uring is closed; may free c. */
	void (*closed)(struct devio_ring *r, struct dv_ring_client *c, bool forked);
};

struct dv_ring_client {
	const struct dv_ring_client_ops *ops;
	struct dv_ring_client *next;
};

#define dv_client_of(c, type, member) ((type *)(void *)((char *)(c) - offsetof(type, member)))

void dv_ring_add_client(struct devio_ring *r, struct dv_ring_client *c);
/* The first client with these operations, or NULL. */
struct dv_ring_client *dv_ring_find_client(const struct devio_ring *r, const struct dv_ring_client_ops *ops);

#endif
