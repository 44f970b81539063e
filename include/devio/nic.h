/* SPDX-License-Identifier: MIT */
/**
 * A NIC that puts the payload of TCP connections into device memory, and what
 * has to be set up for it: headers kept apart from payload, a dma-buf bound to
 * receive queues, and the connections steered to them. All of it is one
 * transaction. What is changed is written down in /run/devio (or
 * $XDG_RUNTIME_DIR/devio) before it is changed, and put back by
 * devio_nic_close(), by a failure on the way, and after a crash by the next
 * devio_nic_open() or by devio_nic_restore().
 *
 * Connections of the same context that go by the interface then receive by
 * the path sock-devmem, or, where a ring was named, on that ring by sock-zcrx.
 * Sending by sock-devmem needs none of this, and no right.
 */
#ifndef DEVIO_NIC_H
#define DEVIO_NIC_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/mem.h>
#include <devio/sock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_nic;
struct devio_ring;

/** How connections get to the bound queues. */
enum devio_steer {
	DEVIO_STEER_AUTO = 0,  /* by rules if the NIC has them, or -EOPNOTSUPP */
	DEVIO_STEER_RULES,     /* RSS stays away from the queues; a rule for each devio_nic_steer() */
	DEVIO_STEER_RSS,       /* all that RSS spreads, of every program: for an interface of its own */
	DEVIO_STEER_USER,      /* the caller steers */
};

struct devio_nic_opts {
	size_t sz;
	int steer;             /* enum devio_steer */
	unsigned int queues;   /* receive queues to bind; 1 if 0. Taken from the top, never queue 0 */
	unsigned int flags;    /* DEVIO_NIC_* */
	/*
	 * NULL: sock-devmem. Or a ring with DEVIO_RING_ZCRX, whose thread this
	 * is: receives on it go by sock-zcrx, and no others can take the payload.
	 * One queue. The kernel gives the queue back when the ring is closed.
	 */
	struct devio_ring *ring;
	/*
	 * Bytes of a receive buffer: a power of two, a page at least, or -EINVAL.
	 * Each piece that is received has one of its own. 0: large enough for a
	 * whole packet of the interface, if the memory has two for each
	 * descriptor, and driver and kernel can (Linux 7.3); or else a page.
	 */
	uint32_t buffer;
	uint32_t resv;
};
#define DEVIO_NIC_NO_DAEMON (1u << 0) /* by this process's own right, or not at all */

struct devio_nic_info {
	size_t sz;
	char ifname[16];
	unsigned int ifindex;
	int steer;                  /* enum devio_steer, as chosen */
	unsigned int queue, queues; /* the first bound one and their number */
	uint32_t binding;           /* the kernel's number of it */
	uint32_t rules;             /* of devio_nic_steer() */
	/* Of the queues, as the driver tells; UINT64_MAX where it does not. */
	uint64_t packets, bytes;
	uint64_t alloc_fail;        /* starved: no buffer was free, packets were dropped */
	uint64_t hw_drops;
	uint64_t inflight;          /* buffers of mem that are with the NIC, in sockets or with programs ... */
	uint64_t inflight_bytes;    /* ... and their bytes */
	uint32_t buffer;            /* bytes of a receive buffer, as chosen */
	uint32_t resv;
};

/**
 * Sets the interface up to receive into mem, all of whose dma-buf becomes the
 * NIC's until devio_nic_close(): transfers go to other memories, or use the
 * pieces where they lie (devio_sock_recv_frags()). mem is held meanwhile.
 * Needs CAP_NET_ADMIN (for a ring in the initial user namespace), or, but not
 * for a ring, a devio-nicd, which then does it: found at /run/devio/nic.sock or
 * $DEVIO_NICD_SOCKET. If that ends, it puts the interface back, and connections
 * go on in ordinary memory. May interrupt the interface's traffic for seconds.
 * Errors, each with its cure: -ENODEV (no such interface), -EOPNOTSUPP (a
 * virtual one, or its driver, the kernel or the steering cannot), -EPERM,
 * -EACCES (devio-nicd does not do this for you), -EBUSY (set up by another
 * process, or no queue is free), -EEXIST (XDP), -EINVAL, -ETIMEDOUT,
 * -ECONNRESET (devio-nicd). After an error nothing is left changed.
 */
DEVIO_API int devio_nic_open(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem,
			     const struct devio_nic_opts *opts, struct devio_nic **nic);

/**
 * Makes a rule by which a connection, or all that a listener accepts, gets to
 * the bound queues: before the peer sends. Does nothing where rules are not
 * how it is steered. Of several queues each rule leads to the next. It stays
 * until devio_nic_close(). Any thread may do so, also while others do.
 * Errors: -ENOSPC, -EOPNOTSUPP, -ECONNRESET.
 */
DEVIO_API int devio_nic_steer(struct devio_nic *nic, struct devio_sock *sock);

/** Fills info (set info->sz first). */
DEVIO_API int devio_nic_get_info(struct devio_nic *nic, struct devio_nic_info *info);

/**
 * Puts everything back; NULL is allowed. Connections go on in ordinary memory.
 * With a ring that is open, traffic leaves the queue now; the rest is put back
 * by devio_ring_close(). Either may come first.
 */
DEVIO_API void devio_nic_close(struct devio_nic *nic);

/**
 * Puts back what processes left that have died: of ifname, or of every
 * interface (NULL) of this network namespace. Returns their number, or the
 * first error; what failed can be tried again.
 */
DEVIO_API int devio_nic_restore(struct devio_ctx *ctx, const char *ifname);

/** A piece of the stream where it was received. */
struct devio_frag {
	struct devio_mem *mem; /* the NIC's; NULL: ordinary bytes at `host` */
	const void *host;      /* valid until the next receive of this connection; on a ring: as long as the caller likes */
	uint64_t off;          /* bytes */
	uint32_t len;
	uint32_t resv;
	uint64_t token;        /* for devio_sock_release(); 0: nothing to release */
};

/**
 * Receives up to `bytes` of a connection as up to max pieces, where they lie, in the
 * order of the stream; nothing is copied but what arrived in ordinary memory.
 * Returns the number of pieces, 0 at the end of the stream; -EAGAIN: none
 * within timeout_ns (< 0: for ever); -ENOBUFS: as many pieces of it are out as
 * one connection may have: release some; -EBUSY: the stream is in use;
 * -EOPNOTSUPP: no devio_nic_open() for its interface, or one for a ring;
 * -ENODEV: the memory was taken back by its owner, and bytes of the stream with it.
 */
DEVIO_API int devio_sock_recv_frags(struct devio_sock *sock, struct devio_frag *frags, unsigned int max, uint64_t bytes,
				    int64_t timeout_ns);

/**
 * Gives n pieces back to the NIC, in any order; those without a token are
 * skipped. Any thread may do so, also while others receive or release.
 * -ESTALE: a token is none of this connection's pieces that are out; the
 * others were given back.
 */
DEVIO_API int devio_sock_release(struct devio_sock *sock, const struct devio_frag *frags, unsigned int n);

#ifdef __cplusplus
}
#endif
#endif
