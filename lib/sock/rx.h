/* SPDX-License-Identifier: MIT */
/*
 * What a connection keeps for payload in device memory. Received (by sock-zcrx
 * too): fragments of the NIC's memory with the kernel's tokens. Sent: the
 * memory's binding, and the kernel's count of the sends that it reports.
 */
#ifndef DV_SOCK_RX_H
#define DV_SOCK_RX_H

#include <sys/socket.h>
#include "kern/devmem.h"
#include "nic/nic.h"
#include "sock/frag_table.h"
#include "sock/sock.h"

#define DV_RX_FRAGS 256            /* of one call */
#define DV_RX_BYTES (256u << 10)   /* of one call: as many may arrive in ordinary memory */

/* A fragment that one call received, in the order of the stream. */
struct dv_rx_frag {
	bool linear;               /* in the call's buffer, behind the linear ones before it */
	uint32_t len;
	uint64_t off;              /* in the dma-buf */
	uint32_t token;
};

struct dv_rx {
	struct devio_nic *nic;
	struct msghdr msg;
	struct iovec iov;
	char *linear;              /* DV_RX_BYTES */
	char *bounce;              /* as many: for memories between which no engine copies */
	char control[DV_RX_FRAGS * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg)) + 128];
	struct dv_rx_frag frag[DV_RX_FRAGS];
	/* sock-zcrx: those that wait to be put where they belong, and their bytes. */
	unsigned int nr_frags;
	uint32_t frag_bytes;
	struct dv_token_batch back;
	struct dv_frag_table borrowed;
};

/* sock/rx.c */
/* Of a call that returned n > 0: the fragments' number; -EPROTO: not what the kernel promises; -ENOMSG: another binding's. */
int dv_rx_parse(struct msghdr *msg, uint32_t n, uint32_t binding, uint64_t size, struct dv_rx_frag *out);
/* The connection's state, made if its interface has a NIC that was set up. 0, -EOPNOTSUPP or -ENOMEM. */
int dv_rx_open(struct devio_sock *s);
void dv_rx_free(struct dv_rx *rx);
/* No more than a share of a NIC's memory of size bytes waits in the kernel for the connection to receive it. */
#define DV_RX_SHARE 4
#define DV_RX_WAIT_MIN (32u << 10)
void dv_rx_limit(int fd, uint64_t size);
/* Prepares rx->msg for so many bytes and fragments; what arrives in ordinary memory goes to host (NULL: rx->linear). */
void dv_rx_prepare(struct dv_rx *rx, void *host, uint32_t bytes, unsigned int frags);

struct dv_frag_sum {
	uint64_t linear, frags, bytes;
};
/*
 * sock/borrow.c: the n bytes of the last call in the caller's terms, ordinary
 * ones at host: their number, or -errno.
 */
int dv_borrow_fill(struct dv_rx *rx, struct devio_frag *frags, const char *host, uint32_t n, struct dv_frag_sum *sum);

/*
 * sock/gather.c: the first nr of the connection's fragments to byte x of op and
 * on, and the counting of it: how many bytes the CPU copied, when they are
 * there, or -errno.
 */
int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr);

#define DV_TX_MEMS 4               /* memories that one connection may send from */

struct dv_txbind {
	struct dv_txbind *next;    /* in ctx->txbinds */
	unsigned int refs, ifindex;
	uint64_t mem;              /* devio_mem's id */
	uint64_t off;              /* of byte 0 of the memory in the dma-buf */
	struct dv_netbind bind;
};

struct dv_tx {
	struct msghdr msg;
	struct iovec iov;
	uint32_t next;             /* the kernel's number of the next send ... */
	bool early;                /* ... which is complete already: its end was reported before its beginning */
	struct dv_txbind *bind[DV_TX_MEMS];
	union {
		char buf[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control;                 /* at the end: a cmsghdr has no size of its own */
};

/* sock/tx.c */
void dv_tx_free(struct devio_ctx *ctx, struct dv_tx *tx);
/* The binding of the memory for the connection, made if need be. 0 or -EOPNOTSUPP with *why. */
int dv_tx_open(struct devio_sock *s, struct devio_mem *m, uint8_t *why);
const struct dv_txbind *dv_tx_bind_of(const struct dv_tx *tx, const struct devio_mem *m);
/* How many of the n sends from `first` on lie in what the kernel reports: lo to hi, both included; numbers wrap. */
uint32_t dv_tx_overlap(uint32_t first, uint32_t n, uint32_t lo, uint32_t hi);

/* sock/devmem_rx.c, sock/devmem_tx.c: the two sides of the path. */
int dv_devmem_rx_can(const struct dv_op *op, uint8_t *why);
int dv_devmem_rx_issue(struct devio_ring *r, struct dv_op *op);
void dv_devmem_rx_frame(struct dv_part *p);
int dv_devmem_rx_deliver(struct devio_ring *r, struct dv_part *p, uint32_t n);
int dv_devmem_tx_issue(struct devio_ring *r, struct dv_op *op);
void dv_devmem_tx_frame(struct dv_part *p, struct dv_net *n);

#endif
