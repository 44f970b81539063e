/* SPDX-License-Identifier: MIT */
/**
 * For programs that have an io_uring of their own and want our memory and
 * paths on it. Not included by <devio.h>; needs liburing:
 * cc program.c $(pkg-config --cflags --libs devio liburing)
 *
 *   devio_ring_attach(ctx, &my_ring, NULL, &ring);
 *   devio_ring_read(ring, file, gpu, ...);     // SQEs into my_ring
 *   io_uring_submit(&my_ring);
 *   io_uring_wait_cqe(&my_ring, &cqe);
 *   if (devio_ring_handle(ring, cqe) == 0)     // 0: not one of ours
 *           ...the program's own...
 *   io_uring_cqe_seen(&my_ring, cqe);
 *   while (devio_ring_peek(ring, &done, 1) == 1) ...
 */
#ifndef DEVIO_URING_H
#define DEVIO_URING_H

#include <liburing.h>
#include <devio/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_attach_opts {
	size_t sz;
	unsigned int entries;     /* operations in flight at most; 128 if 0 */
	uint64_t staging;         /* as devio_ring_opts */
	uint32_t slot;
	uint32_t buf_first;       /* slots [buf_first, buf_first + buf_count) of the ring's registered */
	uint32_t buf_count;       /* buffer table are lent to the library; 0: none, no fixed buffers */
};

/**
 * Uses the application's ring, borrowed until devio_ring_close(). The
 * application submits and reaps; the library only fills SQEs (their user_data
 * are addresses inside the library's own memory, so they cannot collide with
 * pointers or small integers of the application). devio_ring_submit() and
 * devio_ring_wait() on it return -EOPNOTSUPP; devio_ring_peek() never enters
 * the kernel. Same thread rules as the ring itself.
 */
DEVIO_API int devio_ring_attach(struct devio_ctx *ctx, struct io_uring *uring,
				const struct devio_attach_opts *opts, struct devio_ring **ring);

/**
 * Gives the library a CQE. 1: it was ours (and may have filled further SQEs:
 * submit again), 0: it is the application's. The caller marks it seen.
 */
DEVIO_API int devio_ring_handle(struct devio_ring *ring, const struct io_uring_cqe *cqe);

#ifdef __cplusplus
}
#endif
#endif
