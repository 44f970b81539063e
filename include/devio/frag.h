/* SPDX-License-Identifier: MIT */
/**
 * Fragments: received payload left in the NIC's memory, without a copy.
 *
 * With device memory TCP, the NIC writes payload to buffers of the memory passed to
 * devio_nic_open(). These calls return the fragments of the stream where they are; the
 * application releases them after use. Needs Linux 6.12 and a NIC set up without a ring
 * (sock-devmem). Included by <devio/nic.h> and <devio/ring.h>.
 */
#ifndef DEVIO_FRAG_H
#define DEVIO_FRAG_H

#include <devio/base.h>
#include <devio/sock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_ring;

/** A fragment of the stream. */
struct devio_frag {
	struct devio_mem *mem; /* the NIC's memory; NULL: bytes in host memory, at `host` */
	const void *host;      /* sock: valid until the connection's next receive; ring: in devio_frags_io.host */
	uint64_t off;          /* bytes, in mem */
	uint32_t len;          /* bytes */
	uint32_t resv;         /* 0 */
	uint64_t token;        /* for devio_sock_release(); 0: nothing to release */
};

/**
 * Receives up to `bytes` bytes of the stream as up to max fragments, at most 256, in the
 * order of the stream. Copies nothing except bytes that arrived in host memory. frags is
 * owned by the caller, timeout_ns in nanoseconds (< 0: no timeout). One thread may receive
 * while others send and release. Returns the number of fragments, 0 at the end of the
 * stream, or -errno. Errors: -EAGAIN (nothing within the timeout), -ENOBUFS (the connection
 * has as many outstanding fragments as it may: release some), -EBUSY (the stream is in
 * use), -EOPNOTSUPP (the interface is not set up in this context, or for a ring), -ENODEV
 * (the memory was revoked, including bytes of the stream), -EINVAL, -ENOTCONN, -ENOMEM.
 */
DEVIO_API int devio_sock_recv_frags(struct devio_sock *sock, struct devio_frag *frags, unsigned int max, uint64_t bytes,
				    int64_t timeout_ns);

/**
 * Returns n fragments to the NIC, in any order; those without a token are skipped. Thread
 * safe, also while others receive or release. Errors: -ESTALE (a token is not one of the
 * connection's outstanding fragments; the others were returned), -EINVAL.
 */
DEVIO_API int devio_sock_release(struct devio_sock *sock, const struct devio_frag *frags, unsigned int n);

/** A receive of fragments on a ring. */
struct devio_frags_io {
	size_t sz;
	struct devio_sock *sock;
	struct devio_frag *frags; /* array of max entries, borrowed until the completion */
	unsigned int max;
	void *host;               /* `bytes` bytes for data that arrives in host memory, borrowed likewise */
	uint64_t bytes;           /* to receive at most */
	uint64_t cookie;          /* returned in the completion */
};

/**
 * Queues a receive of fragments, after the earlier receives of the stream. It completes as
 * soon as there are any: `result` is the number of bytes (0 at the end of the stream),
 * `frags` the number of fragments. Errors of the call: those of devio_ring_recv() and
 * devio_sock_recv_frags(); -ENOBUFS is reported in the completion, and receives queued
 * after it then complete with -ECANCELED.
 */
DEVIO_API int devio_ring_recv_frags(struct devio_ring *ring, const struct devio_frags_io *io);

#ifdef __cplusplus
}
#endif
#endif
