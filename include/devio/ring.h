/* SPDX-License-Identifier: MIT */
/**
 * A ring: many operations in flight, completions as they come.
 *
 * A ring belongs to one thread, the first that submits on it (with
 * DEVIO_RING_SHARED threads may take turns, under a lock of the application);
 * files and memories may be shared freely.
 * The ring never blocks in a submission: where something is exhausted
 * (staging slots, queue entries) operations wait inside and go on by
 * themselves while the application waits or peeks.
 */
#ifndef DEVIO_RING_H
#define DEVIO_RING_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/file.h>
#include <devio/sock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_ring;

struct devio_ring_opts {
	size_t sz;
	unsigned int entries;    /* operations in flight at most; 128 if 0; at most 16384 */
	unsigned int flags;      /* DEVIO_RING_* */
	uint64_t staging;        /* bytes of staging memory at most; 32 MiB if 0. Taken when first needed */
	uint32_t slot;           /* bytes of one staging slot, a power of two >= 64 KiB; 1 MiB if 0 */
	uint32_t dmabuf_slots;   /* size of the cache of registered dma-bufs; 64 if 0 */
	/*
	 * How long a wait with nothing to submit looks at io_uring before it
	 * sleeps, at most, in ns: 1000 if 0, at most 1000000; < 0: not at all.
	 * Where not one look in eight sees anything they become rare: one for 32
	 * waits.
	 */
	int32_t spin_ns;
};

#define DEVIO_RING_SHARED (1u << 0) /* several threads use the ring, one at a time */
/*
 * The ring can receive by sock-zcrx (devio_nic_opts.ring): io_uring or
 * -EOPNOTSUPP, and one thread. Every completion of the kernel is twice as
 * large, so do not set it for nothing.
 */
#define DEVIO_RING_ZCRX (1u << 1)

/** Opens a ring. Errors: -EINVAL, -E2BIG, -ENOMEM, -EMFILE. Falls back to threads without io_uring. */
DEVIO_API int devio_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *opts,
			      struct devio_ring **ring);

/**
 * Cancels what is in flight, waits for it (the kernel may still be writing
 * into the memory until then), frees the ring. A NIC that was set up for it
 * and closed before is put back now; one that was not closed yet receives into
 * ordinary memory from here on. NULL is allowed.
 */
DEVIO_API void devio_ring_close(struct devio_ring *ring);

/**
 * Queues a read of the file into the memory (write: the other way). The
 * cookie comes back in the completion. Nothing is started for sure before
 * devio_ring_submit() or devio_ring_wait(). Returns 0, or -EAGAIN when
 * `entries` operations are in flight (wait for one), or an error of the
 * arguments as devio_file_read(); after an error nothing was queued.
 * file and mem may be closed at once: the operation holds them.
 */
DEVIO_API int devio_ring_read(struct devio_ring *ring, struct devio_file *file, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie);
DEVIO_API int devio_ring_write(struct devio_ring *ring, struct devio_file *file, struct devio_mem *mem,
			       uint64_t mem_off, uint64_t len, uint64_t file_off, uint64_t cookie);

/** The general form: several ranges of memory, one range of the file, a path of its own. */
struct devio_io {
	size_t sz;
	struct devio_file *file;
	const struct devio_range *ranges; /* borrowed during the call only */
	unsigned int nr_ranges;           /* 1..1024 */
	int write;                        /* 0: read */
	uint64_t file_off;
	uint64_t cookie;
	int path;                         /* enum devio_path, 0: the file's */
	unsigned int flags;               /* DEVIO_FILE_DIRECT_ONLY, DEVIO_FILE_NO_CACHE, added to the file's */
};
DEVIO_API int devio_ring_io(struct devio_ring *ring, const struct devio_io *io);

/**
 * Queues a receive of len bytes from the connection into byte mem_off of mem
 * (send: the other way), behind the earlier ones of the same stream. A
 * receive completes with len bytes, or fewer at the end of the stream: see
 * devio_sock_recv(); a send completes when the memory may be used again.
 * Returns 0, or -EAGAIN as devio_ring_read(), -EBUSY when the stream is in
 * use on another ring, or an error of the arguments. An operation that fails
 * half-way tells in `good` where the stream stands. sock and mem may be
 * closed at once: the operation holds them.
 */
DEVIO_API int devio_ring_recv(struct devio_ring *ring, struct devio_sock *sock, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t cookie);
DEVIO_API int devio_ring_send(struct devio_ring *ring, struct devio_sock *sock, struct devio_mem *mem,
			      uint64_t mem_off, uint64_t len, uint64_t cookie);

/** The general form: several ranges of memory, a path and flags of its own. */
struct devio_sock_io {
	size_t sz;
	struct devio_sock *sock;
	const struct devio_range *ranges; /* borrowed during the call only */
	unsigned int nr_ranges;           /* 1..1024 */
	int send;                         /* 0: receive */
	uint64_t cookie;
	int path;                         /* enum devio_path, 0: the connection's */
	unsigned int flags;               /* DEVIO_SOCK_DIRECT_ONLY, DEVIO_SOCK_PARTIAL, added to the connection's */
};
DEVIO_API int devio_ring_sock_io(struct devio_ring *ring, const struct devio_sock_io *io);

/** A receive of pieces where they lie: devio_sock_recv_frags() on a ring. */
struct devio_frag;
struct devio_frags_io {
	size_t sz;
	struct devio_sock *sock;
	struct devio_frag *frags; /* max of them, the caller's: borrowed until the completion ... */
	unsigned int max;
	void *host;               /* ... and `bytes` bytes for what arrives in ordinary memory */
	uint64_t bytes;
	uint64_t cookie;
};

/**
 * Queues a receive of pieces where they lie, behind the earlier receives of
 * the stream. It completes as soon as there are some: `result` is their bytes
 * (0 at the end of the stream), `frags` their number. Errors of the call as
 * devio_ring_recv() and devio_sock_recv_frags(); -ENOBUFS comes by the
 * completion, and those that were queued behind it end with -ECANCELED.
 */
DEVIO_API int devio_ring_recv_frags(struct devio_ring *ring, const struct devio_frags_io *io);

/** Hands queued operations to the kernel in one system call. Returns their number or -errno. */
DEVIO_API int devio_ring_submit(struct devio_ring *ring);

/**
 * Submits, then waits until at least min completions are there (of at most
 * what is in flight), takes up to max of them into done. timeout_ns: < 0
 * waits for ever, 0 only looks. Returns the number taken (fewer than min
 * after the timeout), or -EINTR, or -errno of the ring.
 */
DEVIO_API int devio_ring_wait(struct devio_ring *ring, struct devio_completion *done, unsigned int min,
			      unsigned int max, int64_t timeout_ns);

/** As devio_ring_wait() with min 0 and timeout 0. */
DEVIO_API int devio_ring_peek(struct devio_ring *ring, struct devio_completion *done, unsigned int max);

/**
 * Asks that every operation with this cookie end. Each still completes: with
 * -ECANCELED, or as usual if it was faster. Returns the number found, or -ENOENT.
 */
DEVIO_API int devio_ring_cancel(struct devio_ring *ring, uint64_t cookie);

/** Operations in flight, completions not yet taken included. */
DEVIO_API unsigned int devio_ring_inflight(const struct devio_ring *ring);

/**
 * A descriptor for poll/epoll, readable when devio_ring_peek() has something
 * to do (spurious wake-ups happen). The ring's: do not read or close it.
 * Peek until it returns 0 before polling again.
 */
DEVIO_API int devio_ring_fd(struct devio_ring *ring);

#ifdef __cplusplus
}
#endif
#endif
