/* SPDX-License-Identifier: MIT */
/*
 * A connection's state for payload in device memory. Receiving (also by sock-zcrx):
 * fragments of the NIC's memory with the kernel's tokens. Sending: the binding of
 * the memory, and the kernel's numbers of zero-copy sends.
 */
#ifndef DV_SOCK_RX_H
#define DV_SOCK_RX_H

#include <sys/socket.h>
#include "kern/devmem.h"
#include "nic/nic.h"
#include "sock/frag_table.h"
#include "sock/sock.h"

#define DV_RX_FRAGS 256            /* per call, at most */
#define DV_RX_BYTES (256u << 10)   /* per call, at most: all of it may arrive in ordinary memory */

/* A fragment received by one call, in stream order. */
struct dv_rx_frag {
	bool linear;               /* in the call's buffer, after the linear fragments before it */
	uint32_t len;
	uint64_t off;              /* in the dma-buf */
	uint32_t token;
};

struct dv_rx {
	struct devio_nic *nic;
	struct msghdr msg;
	struct iovec iov;
	char *linear;              /* DV_RX_BYTES */
	char *bounce;              /* DV_RX_BYTES, for memories between which no device copies */
	char control[DV_RX_FRAGS * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg)) + 128];
	struct dv_rx_frag frag[DV_RX_FRAGS];
	/* sock-zcrx: fragments in frag[] that are not delivered yet, and their bytes. */
	unsigned int nr_frags;
	uint32_t frag_bytes;
	struct dv_token_batch returned;
	struct dv_frag_table borrowed;
};

/* sock/rx.c */
/*
 * Decodes the control messages of a call that returned n > 0. The number of fragments; -EPROTO: they violate the
 * kernel's interface; -ENOMSG: they belong to another binding.
 */
int dv_rx_parse(struct msghdr *msg, uint32_t n, uint32_t binding, uint64_t size, struct dv_rx_frag *out);
/* Allocates s->rx if the connection's interface is set up. 0, -EOPNOTSUPP (it is not) or -ENOMEM. */
int dv_rx_open(struct devio_sock *s);
void dv_rx_free(struct dv_rx *rx);
/* Limits the receive buffer, so that at most a share of a NIC's memory of size bytes is queued in the socket. */
#define DV_RX_SHARE 4
#define DV_RX_WAIT_MIN (32u << 10)
void dv_rx_limit(int fd, uint64_t size);
/* Prepares rx->msg for a receive; payload in ordinary memory is written to host (NULL: rx->linear). */
void dv_rx_prepare(struct dv_rx *rx, void *host, uint32_t bytes, unsigned int frags);

struct dv_frag_sum {
	uint64_t linear, frags, bytes;
};
/*
 * sock/borrow.c: describes the n bytes of the last call as fragments for the
 * application, linear ones at host. Their number, or -errno.
 */
int dv_borrow_fill(struct dv_rx *rx, struct devio_frag *frags, const char *host, uint32_t n, struct dv_frag_sum *sum);

/*
 * sock/gather.c: copies rx->frag[0..nr) to byte x of op onward, waits for the
 * copies and updates the statistics. The number of bytes copied by the CPU, or -errno.
 */
int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr);

#define DV_TX_MEMS 4               /* memories that one connection can send from */

struct dv_txbind {
	struct dv_txbind *next;    /* in ctx->txbinds */
	unsigned int refs, ifindex;
	uint64_t mem;              /* devio_mem's id */
	uint64_t off;              /* offset of byte 0 of the memory in the dma-buf */
	struct dv_netbind bind;
};

struct dv_tx {
	struct msghdr msg;
	struct iovec iov;
	uint32_t next;             /* the kernel's number of the next send */
	bool early;                /* its completion was reported before the send itself */
	struct dv_txbind *bind[DV_TX_MEMS];
	union {
		char buf[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control;                 /* last: struct cmsghdr ends in a flexible array */
};

/* sock/tx.c */
void dv_tx_free(struct devio_ctx *ctx, struct dv_tx *tx);
/* Binds the memory to the connection's interface, unless it is bound already. 0 or -EOPNOTSUPP with *why. */
int dv_tx_open(struct devio_sock *s, struct devio_mem *m, uint8_t *why);
const struct dv_txbind *dv_tx_bind_of(const struct dv_tx *tx, const struct devio_mem *m);
/* How many of the n sends from number `first` are in the reported range lo to hi, inclusive; numbers wrap. */
uint32_t dv_tx_overlap(uint32_t first, uint32_t n, uint32_t lo, uint32_t hi);

/* sock/devmem_rx.c, sock/devmem_tx.c: the two directions of the path. */
int dv_devmem_rx_can(const struct dv_op *op, uint8_t *why);
int dv_devmem_rx_issue(struct devio_ring *r, struct dv_op *op);
void dv_devmem_rx_prep(struct dv_part *p);
int dv_devmem_rx_deliver(struct devio_ring *r, struct dv_part *p, uint32_t n);
int dv_devmem_tx_issue(struct devio_ring *r, struct dv_op *op);
void dv_devmem_tx_prep(struct dv_part *p, struct dv_net *n);

#endif
