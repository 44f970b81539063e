/* SPDX-License-Identifier: MIT */
/*
 * A thread pool for pread and pwrite: the fallback where io_uring is not available
 * (seccomp, kernel.io_uring_disabled, old kernels).
 */
#ifndef DV_KERN_POOL_H
#define DV_KERN_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include "kern/poolnet.h"

struct dv_pool;

/* Starts no thread before the first submission. */
int dv_pool_open(unsigned int entries, struct dv_pool **pool);

/* Everything queued must have been reaped. Joins the threads. */
void dv_pool_close(struct dv_pool *pool);

/* In a forked child, which has no copy of the threads: frees memory and descriptor only. */
void dv_pool_forget(struct dv_pool *pool);

/* Queues one transfer, started by the next dv_pool_enter(). -EAGAIN if the queue is full. */
int dv_pool_queue(struct dv_pool *pool, bool write, int fd, void *addr, uint32_t len, uint64_t off,
		  void *user_data);

/* Starts a step on a connection immediately. -EAGAIN if the queue is full, -ENOMEM. */
int dv_pool_net(struct dv_pool *pool, const struct dv_net *n, void *user_data);

/* Submits the queued transfers and waits for wait_nr results: 0, -ETIME or -errno. */
int dv_pool_enter(struct dv_pool *pool, unsigned int wait_nr, int64_t timeout_ns);

/* The number of queued transfers not yet submitted. */
unsigned int dv_pool_ready(struct dv_pool *pool);

/* Takes one result. 1, or 0 if there is none. */
int dv_pool_reap(struct dv_pool *pool, void **user_data, int *res);

/* Cancels a transfer that no thread has taken yet; it completes with -ECANCELED. */
void dv_pool_cancel(struct dv_pool *pool, void *user_data);

/* An eventfd that becomes readable with each result, or -errno. */
int dv_pool_fd(struct dv_pool *pool);

#endif
