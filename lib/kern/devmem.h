/* SPDX-License-Identifier: MIT */
/*
 * Device memory TCP: definitions of linux/netdev.h, linux/uio.h and
 * linux/ethtool_netlink.h that the headers of Debian 12 lack.
 */
#ifndef DV_KERN_DEVMEM_H
#define DV_KERN_DEVMEM_H

#include <stdint.h>
#include <sys/socket.h>

#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM 0x2000000
#endif
#ifndef SO_DEVMEM_LINEAR
#define SO_DEVMEM_LINEAR 78
#define SO_DEVMEM_DMABUF 79
#define SO_DEVMEM_DONTNEED 80
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#define DV_RCVBUF_LOCK 2
#define DV_SCM_DEVMEM_TX SO_DEVMEM_DMABUF

#define DV_DONTNEED_TOKENS 128  /* ranges per call; EINVAL for more */
#define DV_DONTNEED_FRAGS 1024  /* fragments per call; the kernel silently ignores the rest */

struct dv_dmabuf_cmsg {
	uint64_t frag_offset;
	uint32_t frag_size, frag_token, dmabuf_id, flags;
};

struct dv_dmabuf_token {
	uint32_t token_start, token_count;
};

enum { DV_NETDEV_PAGE_POOL_GET = 5, DV_NETDEV_QUEUE_GET = 10, DV_NETDEV_QSTATS_GET = 12, DV_NETDEV_BIND_RX = 13,
       DV_NETDEV_BIND_TX = 15 };
enum { DV_DMABUF_IFINDEX = 1, DV_DMABUF_QUEUES, DV_DMABUF_FD, DV_DMABUF_ID, DV_DMABUF_RX_PAGE_SIZE };
enum { DV_QUEUE_ID = 1, DV_QUEUE_IFINDEX, DV_QUEUE_TYPE, DV_QUEUE_NAPI_ID, DV_QUEUE_DMABUF, DV_QUEUE_IO_URING,
       DV_QUEUE_XSK, DV_QUEUE_LEASE };
enum { DV_QSTATS_IFINDEX = 1, DV_QSTATS_QUEUE_TYPE, DV_QSTATS_QUEUE_ID, DV_QSTATS_SCOPE, DV_QSTATS_RX_PACKETS = 8,
       DV_QSTATS_RX_BYTES, DV_QSTATS_RX_ALLOC_FAIL = 12, DV_QSTATS_RX_HW_DROPS };
enum { DV_POOL_ID = 1, DV_POOL_IFINDEX, DV_POOL_NAPI_ID, DV_POOL_INFLIGHT, DV_POOL_INFLIGHT_MEM, DV_POOL_DETACH_TIME,
       DV_POOL_DMABUF, DV_POOL_IO_URING };
enum { DV_RINGS_HDS_THRESH = 17 };

#endif
