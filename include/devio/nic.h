/* SPDX-License-Identifier: MIT */
/**
 * Setting up a NIC to place the payload of TCP connections in device memory: header
 * split, a dma-buf bound to receive queues, and steering of connections to these
 * queues. The setup is a transaction. Each change is recorded in /run/devio (or
 * $XDG_RUNTIME_DIR/devio) before it is made, and undone by devio_nic_close(), after a
 * failure of devio_nic_open(), and after a crash by the next devio_nic_open() or by
 * devio_nic_restore().
 *
 * Connections of the same context through the interface then receive on the path
 * sock-devmem (Linux 6.12), or, with a ring, on that ring on sock-zcrx (Linux 6.16).
 * Sending on sock-devmem (Linux 6.16) needs no setup and no capability.
 */
#ifndef DEVIO_NIC_H
#define DEVIO_NIC_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/mem.h>
#include <devio/sock.h>
#include <devio/frag.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_nic;
struct devio_ring;

/** How connections are steered to the bound queues. */
enum devio_steer {
	DEVIO_STEER_AUTO = 0,  /* flow rules if the NIC supports them, otherwise -EOPNOTSUPP */
	DEVIO_STEER_RULES,     /* RSS excludes the queues; devio_nic_steer() adds flow rules */
	DEVIO_STEER_RSS,       /* RSS uses these queues only, for all programs: needs a dedicated interface */
	DEVIO_STEER_USER,      /* the caller steers */
};

struct devio_nic_opts {
	size_t sz;
	int steer;             /* enum devio_steer */
	unsigned int queues;   /* receive queues to bind, from the last one down, never queue 0; 1 if 0 */
	unsigned int flags;    /* DEVIO_NIC_* */
	/*
	 * NULL: sock-devmem. Otherwise a ring with DEVIO_RING_ZCRX of the calling thread:
	 * receives on it use sock-zcrx, and only it can receive the payload. One queue,
	 * which the kernel releases when the ring is closed.
	 */
	struct devio_ring *ring;
	/*
	 * Size of a receive buffer in bytes: a power of two, at least a page. Each
	 * received fragment uses one buffer. 0: large enough for a packet of the
	 * interface's MTU, if the memory has room for two per descriptor and driver
	 * and kernel support it (Linux 7.3); otherwise a page.
	 */
	uint32_t buffer;
	uint32_t resv;         /* must be 0 */
};
#define DEVIO_NIC_NO_DAEMON (1u << 0) /* do not use devio-nicd */

struct devio_nic_info {
	size_t sz;
	char ifname[16];
	unsigned int ifindex;
	int steer;                  /* enum devio_steer, as chosen */
	unsigned int queue, queues; /* the first bound queue and their number */
	uint32_t binding;           /* the kernel's binding ID, or the ring's zcrx ID */
	uint32_t rules;             /* flow rules added by devio_nic_steer() */
	/* Counters of the queues and their page pool; UINT64_MAX: not reported by the driver. */
	uint64_t packets, bytes;
	uint64_t alloc_fail;        /* packets dropped because no buffer was free */
	uint64_t hw_drops;          /* packets dropped by the hardware */
	uint64_t inflight;          /* buffers of mem in use by the NIC, sockets and programs ... */
	uint64_t inflight_bytes;    /* ... and their bytes */
	uint32_t buffer;            /* bytes of a receive buffer, as chosen */
	uint32_t resv;
};

/**
 * Sets up the interface to receive into mem, whose entire dma-buf is used by the NIC until
 * devio_nic_close(): transfer to other memories, or use the fragments in place (frag.h).
 * Holds a reference to mem. *nic is owned by the caller. Needs CAP_NET_ADMIN (with a ring,
 * in the initial user namespace), or, without a ring, a devio-nicd at /run/devio/nic.sock
 * or $DEVIO_NICD_SOCKET. If the daemon exits, it restores the interface, and connections
 * continue in host memory. May interrupt the interface's traffic for some seconds.
 * Errors: -ENODEV (no such interface), -EOPNOTSUPP (a virtual interface, or not supported
 * by driver, kernel, memory or steering), -EPERM, -EACCES (denied by devio-nicd), -EBUSY
 * (set up by another process, or no free queue), -EEXIST (XDP, or not the ring's thread),
 * -EINVAL, -E2BIG, -ENOMEM; from devio-nicd: -ETIMEDOUT, -ECONNRESET, -EPROTO,
 * -EPROTONOSUPPORT, -EXDEV. After an error no change remains.
 */
DEVIO_API int devio_nic_open(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem,
			     const struct devio_nic_opts *opts, struct devio_nic **nic);

/**
 * Adds a flow rule that steers a connection, or all connections that a listener accepts,
 * to the bound queues, round robin. Call it before the peer sends. No effect unless
 * steering uses rules. The rule remains until devio_nic_close(). Thread safe.
 * Errors: -ENOSPC (no room for a rule), -EOPNOTSUPP, -ECONNRESET (devio-nicd has exited).
 */
DEVIO_API int devio_nic_steer(struct devio_nic *nic, struct devio_sock *sock);

/** Fills info (set info->sz first). Thread safe. Errors: -EINVAL (sz). */
DEVIO_API int devio_nic_get_info(struct devio_nic *nic, struct devio_nic_info *info);

/**
 * Restores the interface; NULL is allowed. Connections continue in host memory. With a
 * ring that is still open, only the traffic is steered away now, and devio_ring_close()
 * restores the rest. Either may be closed first.
 */
DEVIO_API void devio_nic_close(struct devio_nic *nic);

/**
 * Restores what dead processes have left changed: on ifname, or, if NULL, on all
 * interfaces of this network namespace. Returns the number of interfaces restored, or the
 * first error; failed ones can be retried.
 */
DEVIO_API int devio_nic_restore(struct devio_ctx *ctx, const char *ifname);

#ifdef __cplusplus
}
#endif
#endif
