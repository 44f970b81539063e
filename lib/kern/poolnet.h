/* SPDX-License-Identifier: MIT */
/*
 * The engine for connections where io_uring is forbidden: one thread that
 * polls them all. The pool's threads would be used up by silent peers.
 */
#ifndef DV_KERN_POOLNET_H
#define DV_KERN_POOLNET_H

#include <linux/time_types.h>
#include <stdint.h>

struct dv_poolnet;

/* A step on a connection: waits until it can go on unless MSG_DONTWAIT is among the flags. */
enum dv_net_what {
	DV_NET_RECV, DV_NET_SEND, DV_NET_POLL_IN, DV_NET_POLL_OUT,
	DV_NET_RECVMSG, DV_NET_SENDMSG, /* addr: a struct msghdr, which stays valid until the end; len is not used */
	DV_NET_POLL_ERR,                /* the error queue has something */
	DV_NET_PAUSE,                   /* nothing but the timeout; any result */
	DV_NET_RECV_ZC,                 /* addr: the number of the ring's queue; io_uring only: many answers, the last without more */
};
struct dv_net {
	enum dv_net_what what;
	int fd;
	int flags;                 /* MSG_* */
	uint32_t len;
	uint64_t addr;
	struct __kernel_timespec *timeout; /* -ECANCELED after this time; stays valid until submitted; NULL: for ever */
};

/* entries: steps at one time. result is called when one has ended, in any thread. Starts no thread yet. -ENOMEM. */
int dv_poolnet_open(unsigned int entries, void (*result)(void *arg, void *user_data, int res), void *arg,
		    struct dv_poolnet **net);
/* Nothing may be under way. Joins the thread. */
void dv_poolnet_close(struct dv_poolnet *net);
/* In a forked child, where the thread is not. */
void dv_poolnet_forget(struct dv_poolnet *net);

/* 0; -EAGAIN when full. */
int dv_poolnet_queue(struct dv_poolnet *net, const struct dv_net *n, void *user_data);
void dv_poolnet_cancel(struct dv_poolnet *net, void *user_data);

#endif
