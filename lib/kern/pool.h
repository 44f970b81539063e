/* SPDX-License-Identifier: MIT */
/*
 * Threads that call pread and pwrite: the engine where io_uring is forbidden
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

/* In a forked child, where the threads are not: memory and descriptor alone. */
void dv_pool_forget(struct dv_pool *pool);

/* Queues one transfer; runs from dv_pool_submit() on. -EAGAIN when full. */
int dv_pool_queue(struct dv_pool *pool, bool write, int fd, void *addr, uint32_t len, uint64_t off,
		  void *user_data);

/* A step on a connection, which begins at once. -EAGAIN when full, -ENOMEM. */
int dv_pool_net(struct dv_pool *pool, const struct dv_net *n, void *user_data);

/* Hands over what is queued, waits for wait_nr results: 0, -ETIME or -errno. */
int dv_pool_enter(struct dv_pool *pool, unsigned int wait_nr, int64_t timeout_ns);

/* How many are queued and not handed over. */
unsigned int dv_pool_ready(struct dv_pool *pool);

/* Takes one result. 1: taken, 0: none. */
int dv_pool_reap(struct dv_pool *pool, void **user_data, int *res);

/* Drops a transfer that no thread has taken yet; it completes with -ECANCELED. */
void dv_pool_cancel(struct dv_pool *pool, void *user_data);

/* An eventfd that each result raises; -errno. */
int dv_pool_fd(struct dv_pool *pool);

#endif
