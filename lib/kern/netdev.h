/* SPDX-License-Identifier: MIT */
/* What the kernel tells about the interface of a connection. Nothing here changes anything. */
#ifndef DV_KERN_NETDEV_H
#define DV_KERN_NETDEV_H

#include <stdbool.h>
#include <devio/base.h>

struct dv_netdev {
	unsigned int ifindex;      /* 0: not found */
	char name[16];
	char driver[32];           /* "" if it does not say */
	bool on_bus;               /* a device, not a construct of the kernel's */
	bool bind_rx, bind_tx;     /* the kernel's netdev family can bind dma-bufs */
	int split;                 /* headers apart from payload: 1 on, 0 off, -1 not known or not possible */
	bool right;                /* this process may bind queues */
	bool first_user_ns;        /* ... and this is the user namespace in which the kernel wants the right for a ring's */
};

/* The interface by which the peer of the connected socket fd is reached: name and ifindex alone. 0 or -errno. */
int dv_netdev_find(int fd, struct dv_netdev *d);

/* The rest of it; what cannot be asked counts as absent. */
void dv_netdev_ask(struct dv_netdev *d);

/* The first thing that stands in the way of payload in device memory; NET_SETUP if nothing does. */
enum devio_reason dv_netdev_why(const struct dv_netdev *d, bool send);

#endif
