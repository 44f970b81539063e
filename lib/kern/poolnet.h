/* SPDX-License-Identifier: MIT */
/*
 * The fallback for connections where io_uring is not available: one thread that
 * polls them all. Idle peers would block every thread of the pool.
 */
#ifndef DV_KERN_POOLNET_H
#define DV_KERN_POOLNET_H

#include <linux/time_types.h>
#include <stdint.h>

struct dv_poolnet;

/* A step on a connection: waits for readiness unless flags contains MSG_DONTWAIT. */
enum dv_net_what {
	DV_NET_RECV, DV_NET_SEND, DV_NET_POLL_IN, DV_NET_POLL_OUT,
	DV_NET_RECVMSG, DV_NET_SENDMSG, /* addr: a struct msghdr, valid until completion; len is not used */
	DV_NET_POLL_ERR,                /* the error queue is not empty */
	DV_NET_PAUSE,                   /* waits for the timeout only; any result */
	DV_NET_RECV_ZC,                 /* addr: the ring's zcrx ID; io_uring only, multishot */
};
struct dv_net {
	enum dv_net_what what;
	int fd;
	int flags;                 /* MSG_* */
	uint32_t len;
	uint64_t addr;
	struct __kernel_timespec *timeout; /* -ECANCELED after this time; valid until submitted; NULL: none */
};

/*
 * entries: steps in flight at most. result() is called in any thread when a step has
 * ended. Starts no thread yet. 0 or -ENOMEM.
 */
int dv_poolnet_open(unsigned int entries, void (*result)(void *arg, void *user_data, int res), void *arg,
		    struct dv_poolnet **net);
/* No step may be in flight. Joins the thread. */
void dv_poolnet_close(struct dv_poolnet *net);
/* In a forked child, which has no copy of the thread. */
void dv_poolnet_forget(struct dv_poolnet *net);

/* 0, or -EAGAIN if the queue is full. */
int dv_poolnet_queue(struct dv_poolnet *net, const struct dv_net *n, void *user_data);
void dv_poolnet_cancel(struct dv_poolnet *net, void *user_data);

#endif
