/* SPDX-License-Identifier: MIT */
/**
 * TCP connections, received into and sent from device memory.
 *
 * A connection has two streams, one for receiving and one for sending. The
 * operations of a stream are executed, and complete, in the order of their
 * submission; the two streams are independent. Offsets and lengths are in bytes,
 * of any alignment.
 *
 * While operations of a stream are in flight, the stream belongs to their ring:
 * on another ring, or in a synchronous call, it fails with -EBUSY. One thread may
 * receive while another sends.
 *
 * Uses io_uring, or, if it is not available, a polling thread.
 */
#ifndef DEVIO_SOCK_H
#define DEVIO_SOCK_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_sock;

struct devio_sock_opts {
	size_t sz;
	int path;                  /* enum devio_path (SOCK_*), default for operations; 0: the context's */
	unsigned int flags;        /* DEVIO_SOCK_* */
	int backlog;               /* listen: maximum number of pending connections; 128 if 0 */
	int buffer;                /* bytes of the socket buffers (SO_RCVBUF, SO_SNDBUF); 0: autotuning */
	int64_t connect_ns;        /* timeout of connect and accept in ns; 0: none */
	int64_t idle_ns;           /* timeout of operations without progress in ns; 0: none */
};
#define DEVIO_SOCK_DIRECT_ONLY (1u << 0) /* only paths without a copy, otherwise -EOPNOTSUPP */
#define DEVIO_SOCK_PARTIAL (1u << 1)     /* a receive completes as soon as it has any bytes */
#define DEVIO_SOCK_IPV4 (1u << 2)        /* IPv4 only */
#define DEVIO_SOCK_IPV6 (1u << 3)        /* IPv6 only */
#define DEVIO_SOCK_OWN_FD (1u << 4)      /* import: the library takes ownership of the descriptor */

struct devio_sock_info {
	size_t sz;
	int family;                /* AF_INET or AF_INET6 */
	unsigned int listening;    /* 1: a listener */
	unsigned int ifindex;      /* of the interface that routes to the peer, 0 if unknown */
	char ifname[16];           /* its name, "" if unknown */
	char local[64], peer[64];  /* numeric addresses; peer is "" for a listener */
	uint16_t local_port, peer_port;
};

/**
 * Listens on host ("" or NULL: all addresses, IPv4 and IPv6) and service (a port number or
 * name; "0": chosen by the kernel, see devio_sock_get_info()). Of opts, which may be NULL,
 * the IP version flags, backlog, buffer and connect_ns apply to the listener; path, flags
 * and idle_ns are the defaults of accepted connections. *sock is owned by the caller and
 * holds a reference to ctx. Errors: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOENT (host or
 * service cannot be resolved), -EAGAIN (no name server replies), -EINVAL, -E2BIG, -ENOMEM,
 * those of socket(2).
 */
DEVIO_API int devio_sock_listen(struct devio_ctx *ctx, const char *host, const char *service,
				const struct devio_sock_opts *opts, struct devio_sock **sock);

/**
 * Waits for a connection, up to connect_ns of the listener's options, and accepts it.
 * Threads may accept on one listener concurrently. Errors: -ETIMEDOUT, -EINVAL (not a
 * listener), those of accept(2).
 */
DEVIO_API int devio_sock_accept(struct devio_sock *listener, struct devio_sock **sock);

/**
 * Connects to host, trying all its addresses. Name resolution is done by the system and
 * not limited by connect_ns. Sets TCP_NODELAY, also for accepted connections. opts may be
 * NULL. Errors: -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -ENOENT (host or
 * service cannot be resolved), -EAGAIN (no name server replies), -EINVAL, -E2BIG, -ENOMEM.
 */
DEVIO_API int devio_sock_connect(struct devio_ctx *ctx, const char *host, const char *service,
				 const struct devio_sock_opts *opts, struct devio_sock **sock);

/**
 * Imports a connected or listening TCP socket of the application. It is duplicated and the
 * caller keeps the original (the connection ends when both are closed); with
 * DEVIO_SOCK_OWN_FD the library takes ownership on success. opts may be NULL. Errors:
 * -EBADF, -ENOTSOCK, -EPROTONOSUPPORT (not TCP over IPv4 or IPv6), -ENOTCONN, -EINVAL.
 */
DEVIO_API int devio_sock_import(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *opts,
				struct devio_sock **sock);

/**
 * Closes the connection; NULL is allowed. Operations in flight hold a reference until they
 * complete: cancel them or shut down the connection first.
 */
DEVIO_API void devio_sock_close(struct devio_sock *sock);

#define DEVIO_SHUT_RECV (1u << 0)
#define DEVIO_SHUT_SEND (1u << 1)
/**
 * Shuts down one stream or both immediately; how: DEVIO_SHUT_*. After DEVIO_SHUT_SEND the
 * peer sees the end of the stream after what was sent; sends in flight fail with -EPIPE:
 * wait for them first. After DEVIO_SHUT_RECV, receives return the end of the stream.
 * Thread safe. Errors: -EINVAL, -ENOTCONN.
 */
DEVIO_API int devio_sock_shutdown(struct devio_sock *sock, unsigned int how);

/** Fills info (set info->sz first). Thread safe. Errors: -EINVAL (sz). */
DEVIO_API int devio_sock_get_info(struct devio_sock *sock, struct devio_sock_info *info);

/**
 * The descriptor, for poll(2) and setsockopt(2). Owned by the library, valid until
 * devio_sock_close(): do not read, write or close it. Or -errno.
 */
DEVIO_API int devio_sock_fd(struct devio_sock *sock);

/**
 * Receives len bytes into byte mem_off of mem (sends them from there), and waits. Returns
 * the number of bytes: fewer than len only at the end of the stream (0 after it) or with
 * DEVIO_SOCK_PARTIAL; or -errno. A send returns when the memory may be reused: the kernel
 * has the bytes, the peer may not. done (may be NULL) is as in devio_file_read(); `good`
 * counts the bytes transferred before an error. Not interrupted by signals.
 * Errors: -ERANGE (the range exceeds the memory), -ENOTCONN, -EBUSY (the stream is in use),
 * -ECONNRESET, -EPIPE, -ETIMEDOUT (idle_ns, or the kernel's retransmission timeout),
 * -EOPNOTSUPP (the forced path or a direct path is not available), -ENODEV (the memory was
 * revoked), -EIO (an earlier operation lost bytes of this stream), -EINVAL.
 */
DEVIO_API ssize_t devio_sock_recv(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done);
DEVIO_API ssize_t devio_sock_send(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done);

/**
 * Reports which path a transfer would take and why no better one, as devio_file_explain().
 * Queries the kernel about the interface without changing anything.
 */
DEVIO_API int devio_sock_explain(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				 int send, struct devio_completion *verdict, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
