/* SPDX-License-Identifier: MIT */
/**
 * Using memories and paths on the application's own io_uring. Not included by
 * <devio.h>; requires liburing:
 * cc program.c $(pkg-config --cflags --libs devio liburing)
 *
 *   devio_ring_attach(ctx, &my_ring, NULL, &ring);
 *   devio_ring_read(ring, file, gpu, ...);     // SQEs into my_ring
 *   io_uring_submit(&my_ring);
 *   io_uring_wait_cqe(&my_ring, &cqe);
 *   if (devio_ring_handle(ring, cqe) == 0)     // 0: the application's CQE
 *           ...
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
	unsigned int entries;     /* operations in flight at most; 128 if 0; at most 16384 */
	uint64_t staging;         /* as in devio_ring_opts */
	uint32_t slot;            /* as in devio_ring_opts */
	uint32_t buf_first;       /* the library may use slots [buf_first, buf_first + buf_count) of the ring's */
	uint32_t buf_count;       /* registered buffer table; 0: none, so no fixed buffers */
};

/**
 * Creates a ring on the application's io_uring, which is borrowed until
 * devio_ring_close(). The application submits and reaps; the library only fills SQEs.
 * Their user_data are addresses of the library's own memory, so they cannot collide with
 * pointers or small integers of the application. devio_ring_submit(), devio_ring_wait()
 * and devio_ring_fd() return -EOPNOTSUPP; devio_ring_peek() makes no system call. The
 * thread rules are those of the io_uring. *ring is owned by the caller and holds a
 * reference to ctx. opts may be NULL. Errors: -EINVAL, -E2BIG, -ENOMEM.
 */
DEVIO_API int devio_ring_attach(struct devio_ctx *ctx, struct io_uring *uring,
				const struct devio_attach_opts *opts, struct devio_ring **ring);

/**
 * Passes a CQE to the library. Returns 1 if it was the library's, which may have filled
 * further SQEs (submit again), or 0 if it is the application's; or -ECHILD. The caller
 * marks the CQE as seen in both cases.
 */
DEVIO_API int devio_ring_handle(struct devio_ring *ring, const struct io_uring_cqe *cqe);

#ifdef __cplusplus
}
#endif
#endif
