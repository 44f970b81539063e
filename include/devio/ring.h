/* SPDX-License-Identifier: MIT */
/**
 * A ring: asynchronous operations and their completions.
 *
 * A ring belongs to one thread, the first that submits on it. With
 * DEVIO_RING_SHARED, several threads may use it one at a time, serialized by the
 * application. Files and memories may be shared freely.
 * Submission never blocks: if a resource is exhausted (staging buffers, queue
 * entries), operations are queued internally and continue while the application
 * waits or peeks.
 */
#ifndef DEVIO_RING_H
#define DEVIO_RING_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/file.h>
#include <devio/sock.h>
#include <devio/frag.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_ring;

struct devio_ring_opts {
	size_t sz;
	unsigned int entries;    /* operations in flight at most; 128 if 0; up to 16384 */
	unsigned int flags;      /* DEVIO_RING_* */
	uint64_t staging;        /* bytes of staging memory, allocated on demand; 32 MiB if 0; up to 1 GiB */
	uint32_t slot;           /* bytes of a staging buffer, a power of two, 64 KiB to 64 MiB; 1 MiB if 0 */
	uint32_t dmabuf_slots;   /* entries of the cache of registered dma-bufs; 64 if 0; up to 4096 */
	/*
	 * How long a wait with nothing to submit polls before it sleeps, in ns: 1000 if
	 * 0, up to 1000000; < 0: not at all. If fewer than one poll in eight succeeds,
	 * polling backs off, down to one in 32 waits.
	 */
	int32_t spin_ns;
};
#define DEVIO_RING_SHARED (1u << 0) /* several threads use the ring, one at a time */
/*
 * The ring can receive on sock-zcrx (devio_nic_opts.ring). Needs Linux 6.16, io_uring, and
 * a single thread. CQEs are twice as large, so set it only if needed.
 */
#define DEVIO_RING_ZCRX (1u << 1)

/**
 * Opens a ring, with a thread pool if io_uring is not available. *ring is owned by the
 * caller and holds a reference to ctx. opts may be NULL. Errors: -EINVAL, -E2BIG, -ENOMEM,
 * -EMFILE, -EOPNOTSUPP (DEVIO_RING_ZCRX).
 */
DEVIO_API int devio_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *opts,
			      struct devio_ring **ring);

/**
 * Cancels the operations in flight, waits for them, since the kernel may still be writing
 * to their memory, and frees the ring. Restores a NIC that was set up for it, if already
 * closed; otherwise the NIC receives into host memory from now on. NULL is allowed.
 */
DEVIO_API void devio_ring_close(struct devio_ring *ring);

/**
 * Queues a read from the file into the memory (a write from the memory to the file).
 * cookie is returned in the completion. The operation may not start before
 * devio_ring_submit() or devio_ring_wait(). The operation holds references: file and mem
 * may be closed immediately. Returns 0 or -errno, with nothing queued. Errors: -EAGAIN
 * (`entries` operations are in flight: wait for one), -ENOMEM, and those for arguments of
 * devio_file_read().
 */
DEVIO_API int devio_ring_read(struct devio_ring *ring, struct devio_file *file, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie);
DEVIO_API int devio_ring_write(struct devio_ring *ring, struct devio_file *file, struct devio_mem *mem,
			       uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie);

/** The general form: several ranges of memory, path and flags per operation. */
struct devio_io {
	size_t sz;
	struct devio_file *file;
	const struct devio_range *ranges; /* in file order; borrowed during the call only */
	unsigned int nr_ranges;           /* 1 to 1024 */
	int write;                        /* 0: read, 1: write */
	uint64_t file_off;                /* bytes */
	uint64_t cookie;
	int path;                         /* enum devio_path, 0: the file's */
	unsigned int flags;               /* DEVIO_FILE_DIRECT_ONLY, DEVIO_FILE_NO_CACHE, in addition to the file's */
};
DEVIO_API int devio_ring_io(struct devio_ring *ring, const struct devio_io *io);

/**
 * Queues a receive of len bytes from the connection into byte mem_off of mem (a send from
 * there), after the earlier ones of the same stream. A receive completes with len bytes,
 * or fewer at the end of the stream, as devio_sock_recv(); a send completes when the memory
 * may be reused. After a failure `good` gives the position in the stream. The operation
 * holds references: sock and mem may be closed immediately. Returns 0 or -errno, with
 * nothing queued. Errors: -EAGAIN, -ENOMEM as devio_ring_read(); -EBUSY (the stream is in
 * use on another ring); those for arguments of devio_sock_recv().
 */
DEVIO_API int devio_ring_recv(struct devio_ring *ring, struct devio_sock *sock, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t cookie);
DEVIO_API int devio_ring_send(struct devio_ring *ring, struct devio_sock *sock, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t cookie);

/** The general form: several ranges of memory, path and flags per operation. */
struct devio_sock_io {
	size_t sz;
	struct devio_sock *sock;
	const struct devio_range *ranges; /* in stream order; borrowed during the call only */
	unsigned int nr_ranges;           /* 1 to 1024 */
	int send;                         /* 0: receive, 1: send */
	uint64_t cookie;
	int path;                         /* enum devio_path, 0: the connection's */
	unsigned int flags;               /* DEVIO_SOCK_DIRECT_ONLY, DEVIO_SOCK_PARTIAL, in addition to sock's */
};
DEVIO_API int devio_ring_sock_io(struct devio_ring *ring, const struct devio_sock_io *io);

/** Submits the queued operations in one system call. Returns the number of queue entries submitted, or -errno. */
DEVIO_API int devio_ring_submit(struct devio_ring *ring);

/**
 * Submits, waits until at least min completions are available (limited to the number in
 * flight), and stores up to max of them in done. timeout_ns in nanoseconds: < 0 no
 * timeout, 0 does not wait. Returns the number stored, fewer than min after the timeout,
 * or -errno if there are none. Errors: -EINTR (a signal), those of io_uring_enter(2).
 */
DEVIO_API int devio_ring_wait(struct devio_ring *ring, struct devio_completion *done, unsigned int min,
			      unsigned int max, int64_t timeout_ns);

/** devio_ring_wait() with min 0 and timeout_ns 0. */
DEVIO_API int devio_ring_peek(struct devio_ring *ring, struct devio_completion *done, unsigned int max);

/**
 * Requests cancellation of all operations with this cookie. Each still completes: with
 * -ECANCELED, or normally if it was faster. Returns their number, or -ENOENT.
 */
DEVIO_API int devio_ring_cancel(struct devio_ring *ring, uint64_t cookie);

/** The number of operations in flight, including completions not yet taken. */
DEVIO_API unsigned int devio_ring_inflight(const struct devio_ring *ring);

/**
 * A descriptor for poll(2) and epoll(7), readable when devio_ring_peek() has something to
 * do; spurious wakeups are possible. Call devio_ring_peek() until it returns 0 before
 * polling again. Owned by the ring: do not read or close it. Errors: -EMFILE,
 * -EOPNOTSUPP (an attached ring: poll the io_uring).
 */
DEVIO_API int devio_ring_fd(struct devio_ring *ring);

#ifdef __cplusplus
}
#endif
#endif
