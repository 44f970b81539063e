/* SPDX-License-Identifier: MIT */
/* The interface of a connection and its capabilities. Read-only. */
#ifndef DV_KERN_NETDEV_H
#define DV_KERN_NETDEV_H

#include <stdbool.h>
#include <devio/base.h>

struct dv_netdev {
	unsigned int ifindex;      /* 0: not found */
	char name[16];
	char driver[32];           /* "" if not reported */
	bool on_bus;               /* a hardware device, not a virtual interface */
	bool bind_rx, bind_tx;     /* the kernel's netdev family can bind dma-bufs */
	int split;                 /* header-data split: 1 on, 0 off, -1 unknown or not supported */
	bool right;                /* CAP_NET_ADMIN is effective: this process may bind queues */
	bool first_user_ns;        /* in the initial user namespace, as binding to an io_uring requires */
};

/* The interface that routes to the peer of the connected socket fd: sets name and ifindex only. 0 or -errno. */
int dv_netdev_find(int fd, struct dv_netdev *d);

/* Fills the other fields; what cannot be queried counts as missing. */
void dv_netdev_ask(struct dv_netdev *d);

/* The first obstacle to placing payload in device memory; NET_SETUP if there is none. */
enum devio_reason dv_netdev_why(const struct dv_netdev *d, bool send);

#endif
