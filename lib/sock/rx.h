/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem: what a connection knows of payload in device memory. Received
 * (by sock-zcrx too): pieces of the NIC's memory with the kernel's tokens. Sent: the memory's
 * binding, and the kernel's count of the sends that it has to tell of.
 */
#ifndef DV_DEVMEM_H
#define DV_DEVMEM_H

#include <sys/socket.h>
#include "nic/nic.h"
#include "path/choose.h"
#include "kern/devmem.h"

#define DV_RX_PIECES 256           /* of one call */
#define DV_RX_BYTES (256u << 10)   /* of one call: as many may come in ordinary memory */

/* A piece of what one call received, in the order of the stream. */
struct dv_piece {
	bool linear;               /* in the call's buffer, behind the linear ones before it */
	uint32_t len;
	uint64_t off;              /* in the dma-buf */
	uint32_t token;
};

/* Tokens on their way back, in ranges of numbers that follow each other. */
struct dv_back {
	struct dv_dmabuf_token range[DV_DONTNEED_TOKENS];
	unsigned int nr, frags;    /* ranges, and how many tokens they are */
};

struct dv_rx {
	struct devio_nic *nic;
	struct msghdr msg;
	struct iovec iov;
	char *linear;              /* DV_RX_BYTES */
	char *bounce;              /* of as many: for memories that no engine copies between */
	char control[DV_RX_PIECES * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg)) + 128];
	struct dv_piece piece[DV_RX_PIECES];
	/* sock-zcrx: those that wait to be put where they belong, and their bytes. */
	unsigned int nr_piece;
	uint32_t piece_bytes;
	struct dv_back back;
	/* Pieces that the application has: tokens of ours, which never come again. */
	struct dv_lent *lent;
	uint32_t max_lent, next_lent;
	_Atomic uint32_t nr_lent;
};

/* Of a call that returned n > 0: the pieces' number; -EPROTO: not what the kernel promises; -ENOMSG: another binding's. */
int dv_rx_parse(struct msghdr *msg, uint32_t n, uint32_t binding, uint64_t size, struct dv_piece *out);
/* The connection's state, made if its interface has a NIC that was set up. 0, -EOPNOTSUPP or -ENOMEM. */
int dv_rx_open(struct devio_sock *s);
void dv_rx_free(struct dv_rx *rx);
/* No more than a share of a NIC's memory of size bytes waits in the kernel for the connection to receive it. */
#define DV_RX_SHARE 4
#define DV_RX_WAIT_MIN (32u << 10)
void dv_rx_limit(int fd, uint64_t size);
/* Prepares rx->msg for so many bytes and pieces; what comes in ordinary memory goes to host (NULL: rx->linear). */
void dv_rx_prepare(struct dv_rx *rx, void *host, uint32_t bytes, unsigned int pieces);
/* Gives back what was collected (lent.h): tokens the kernel did not know, or -errno. */
int dv_back_flush(struct dv_back *b, int fd);

/*
 * A place for a piece that is out. The stream's receiver fills it; whoever
 * releases the piece empties it, perhaps another thread at the same time.
 */
struct dv_lent {
	_Atomic uint32_t token;    /* the kernel's */
	_Atomic uint32_t gen;       /* odd while it is out */
};
#define DV_LENT_MIN 64u
#define DV_LENT_MAX 16384u
/* Makes the table: no connection may have more than half of the NIC's buffers. 0 or -ENOMEM. */
int dv_lent_init(struct dv_rx *rx, uint64_t buffers);

struct dv_frag_sum {
	uint64_t linear, frags, bytes;
};
/* The n bytes of the last call in the caller's terms, ordinary ones at host: their number, or -errno. */
int dv_frags_fill(struct dv_rx *rx, struct devio_frag *frags, const char *host, uint32_t n, struct dv_frag_sum *sum);

#define DV_TX_MEMS 4               /* memories that one connection may send from */

struct dv_txbind {
	struct dv_txbind *next;    /* in ctx->txbinds */
	unsigned int refs, ifindex;
	uint32_t mem;              /* devio_mem's id */
	uint64_t off;              /* of byte 0 of the memory in the dma-buf */
	struct dv_netbind bind;
};

struct dv_tx {
	struct msghdr msg;
	struct iovec iov;
	uint32_t next;             /* the kernel's number of the next send ... */
	bool early;                /* ... which is over already: its end was told before its beginning */
	struct dv_txbind *bind[DV_TX_MEMS];
	union {
		char buf[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control;                 /* at the end: a cmsghdr has no size of its own */
};

void dv_tx_free(struct devio_ctx *ctx, struct dv_tx *tx);
/* How many of the n sends from `first` on lie in what the kernel tells: lo to hi, both included; numbers wrap. */
uint32_t dv_tx_overlap(uint32_t first, uint32_t n, uint32_t lo, uint32_t hi);

/* lib/path/: the two sides of the path. */
int dv_rx_can(struct devio_ring *r, const struct dv_op *op, uint8_t *why);
int dv_rx_issue(struct devio_ring *r, struct dv_op *op);
void dv_rx_frame(struct dv_part *p);
/* The first nr of the connection's pieces to byte x of op and on, and the counting of it: how many bytes the CPU
 * copied, when they are there, or -errno. */
int dv_rx_place(struct devio_ring *r, struct dv_op *op, uint64_t x, int nr);
int dv_rx_landed(struct devio_ring *r, struct dv_part *p, uint32_t n);
int dv_tx_can(struct devio_ring *r, const struct dv_op *op, uint8_t *why);
int dv_tx_issue(struct devio_ring *r, struct dv_op *op);
void dv_tx_frame(struct dv_part *p, struct dv_net *n);

#endif
