/* SPDX-License-Identifier: MIT */
/**
 * TCP connections, received into and sent from device memory.
 *
 * A connection has two streams, what is received and what is sent. The
 * operations of a stream are carried out in the order in which they were
 * submitted and complete in that order; the streams do not wait for each
 * other. Offsets and lengths are bytes and may have any value.
 *
 * While operations of a stream are in flight, the stream belongs to their
 * ring: the same stream on another ring, or a synchronous call for it, gets
 * -EBUSY. One thread may receive while another sends.
 *
 * io_uring does the work; where it is not available a thread polls.
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
	int path;                  /* enum devio_path (sock-...) for operations that name none; 0: the context's */
	unsigned int flags;        /* DEVIO_SOCK_* */
	int backlog;               /* listen: connections that wait to be accepted; 128 if 0 */
	int buffer;                /* bytes of the kernel's socket buffers; 0: as the system tunes them */
	int64_t connect_ns;        /* connect, accept: nanoseconds until -ETIMEDOUT; 0: for ever */
	int64_t idle_ns;           /* operations: nanoseconds without a byte until -ETIMEDOUT; 0: for ever */
};
#define DEVIO_SOCK_DIRECT_ONLY (1u << 0) /* a path that copies nothing or -EOPNOTSUPP */
#define DEVIO_SOCK_PARTIAL (1u << 1)        /* a receive ends as soon as it has a byte, not with the last one */
#define DEVIO_SOCK_IPV4 (1u << 2)        /* only IPv4 */
#define DEVIO_SOCK_IPV6 (1u << 3)        /* only IPv6 */
#define DEVIO_SOCK_OWN_FD (1u << 4)        /* import: the descriptor becomes the library's */

struct devio_sock_info {
	size_t sz;
	int family;                /* AF_INET or AF_INET6 */
	unsigned int listening;    /* 1: it accepts */
	unsigned int ifindex;      /* of the interface by which the peer is reached, 0 if not known */
	char ifname[16];           /* its name, "" if not known */
	char local[64], peer[64];  /* addresses in digits, "" for the peer of a listener */
	uint16_t local_port, peer_port;
};

/**
 * Listens on host ("" or NULL: every address, IPv4 and IPv6) and service (a
 * port or its name; "0" lets the kernel choose: devio_sock_get_info() tells).
 * Only flags for the family, backlog, buffer and connect_ns count, and path,
 * flags and idle_ns are the defaults of what is accepted. -EADDRINUSE,
 * -EACCES, -EADDRNOTAVAIL, -ENOENT: host or service do not resolve.
 */
DEVIO_API int devio_sock_listen(struct devio_ctx *ctx, const char *host, const char *service,
				const struct devio_sock_opts *opts, struct devio_sock **sock);

/**
 * Waits for a connection, for connect_ns of the listener's options at most,
 * and takes it. Threads may accept from one listener at the same time.
 */
DEVIO_API int devio_sock_accept(struct devio_sock *listener, struct devio_sock **sock);

/**
 * Connects, trying every address that the name has. The look-up of the name
 * is the system's and takes its own time; connect_ns is for the rest.
 * -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -ENOENT: host or
 * service do not resolve, -EAGAIN: no name server answers. The kernel's delay of small segments is turned off
 * (TCP_NODELAY), for accepted connections too.
 */
DEVIO_API int devio_sock_connect(struct devio_ctx *ctx, const char *host, const char *service,
				 const struct devio_sock_opts *opts, struct devio_sock **sock);

/**
 * Takes a connected TCP socket, or a listening one, that the application has.
 * It is duplicated and the caller keeps its own (the connection then ends
 * when both are closed); with DEVIO_SOCK_OWN_FD it becomes the library's, on
 * success. -EBADF, -ENOTSOCK, -EPROTONOSUPPORT: no TCP over IPv4 or IPv6,
 * -ENOTCONN.
 */
DEVIO_API int devio_sock_import(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *opts,
				struct devio_sock **sock);

/**
 * Closes; NULL is allowed. Operations in flight keep the connection until
 * they end: cancel them, or shut it down before.
 */
DEVIO_API void devio_sock_close(struct devio_sock *sock);

#define DEVIO_SHUT_RECV (1u << 0)
#define DEVIO_SHUT_SEND (1u << 1)
/**
 * Ends one stream or both, at once. After DEVIO_SHUT_SEND the peer sees the
 * end of the stream behind what was sent; sends in flight fail with -EPIPE:
 * wait for them first. After DEVIO_SHUT_RECV receives see the end.
 */
DEVIO_API int devio_sock_shutdown(struct devio_sock *sock, unsigned int how);

/** Fills info (set info->sz first). */
DEVIO_API int devio_sock_get_info(struct devio_sock *sock, struct devio_sock_info *info);

/**
 * The descriptor, for poll and setsockopt: the library's, valid until
 * devio_sock_close(). Do not read, write or close it. Or -errno.
 */
DEVIO_API int devio_sock_fd(struct devio_sock *sock);

/**
 * Receives len bytes into byte mem_off of mem, or sends them from there, and
 * waits. Returns the bytes; fewer than len only at the end of the stream (0
 * behind it) or with DEVIO_SOCK_PARTIAL; or -errno. A send returns when the
 * memory may be used again: the bytes are in the kernel's hands, not yet with
 * the peer. done (may be NULL) as in devio_file_read(); its `good` counts the
 * bytes that were moved before an error. Signals do not interrupt it.
 * Errors: -ERANGE, -ENOTCONN, -EBUSY (the stream is in use), -ECONNRESET,
 * -EPIPE, -ETIMEDOUT (idle_ns, or the kernel gave the peer up), -EOPNOTSUPP,
 * -EIO: an earlier operation lost bytes of this stream.
 */
DEVIO_API ssize_t devio_sock_recv(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done);
DEVIO_API ssize_t devio_sock_send(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done);

/**
 * Which path a transfer would take and why no better one; as
 * devio_file_explain(). Asks the kernel about the interface, changes nothing.
 */
DEVIO_API int devio_sock_explain(struct devio_sock *sock, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				 int send, struct devio_completion *verdict, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
