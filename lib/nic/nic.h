/* SPDX-License-Identifier: MIT */
/* A NIC that was set up: the binding, and what has to be put back; or the connection to devio-nicd, which has both. */
#ifndef DV_NIC_H
#define DV_NIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <devio/nic.h>
#include "kern/netbind.h"
#include "kern/zcrx.h"
#include "nic/journal.h"

struct devio_nic {
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	struct devio_nic *next;    /* in ctx->nics, guarded by ctx->lock */
	char ifname[16];
	unsigned int ifindex;
	unsigned int first, queues;
	uint32_t buffer;           /* bytes of a receive buffer; 0: to be chosen */
	int steer;
	struct devio_mem *mem;
	uint64_t mem_off;          /* of byte 0 of mem in the dma-buf */
	struct dv_netbind bind;
	uint32_t id;               /* of the binding, also when it is closed */
	int journal;               /* -1: none */
	struct dv_nicstate was;
	int daemon;                /* -1: this process has set it up itself */
	pthread_mutex_t talk;      /* one request to the daemon, or one rule, at a time */
	/* Set up for one ring, which has it in ring->nics and holds it until it is closed. */
	bool by_ring;
	_Atomic(struct devio_ring *) ring; /* NULL: closed */
	struct devio_nic *ring_next;
	struct dv_zcrx zc;         /* the ring's thread alone */
	pthread_mutex_t undo;      /* guards `closed`; of nic's and ring's close the later one puts back */
	bool closed;
};

/* The one that was opened for the interface, held; NULL: none. */
struct devio_nic *dv_nic_find(struct devio_ctx *ctx, unsigned int ifindex);
void dv_nic_put(struct devio_nic *nic);

/* The dma-buf of nic->mem, which has to be all of it; the descriptor stays the memory's. 0 or -errno with its sentence. */
int dv_nic_dmabuf(struct devio_nic *nic, int *fd);

/*
 * lib/nic/client.c: the same by devio-nicd. open: 1 if there is none. 0, or
 * -errno with its sentence. Nothing takes longer than dv_nicclient_wait_ms.
 */
extern int dv_nicclient_wait_ms;
const char *dv_nicclient_socket(void);
int dv_nicclient_open(struct devio_nic *nic);
int dv_nicclient_steer(struct devio_nic *nic, int sock);
int dv_nicclient_close(struct devio_nic *nic);
/* Everything, as devio_nic_close() does. */
void dv_nic_put_back(struct devio_nic *nic);

/*
 * lib/nic/buffers.c: the size of receive buffers. The smallest that holds a packet's
 * payload, if a memory of size bytes has two for each descriptor, or a page.
 * check: 0, or -EINVAL with its sentence. bind_buffers calls bind with the size
 * (0: a page) that was asked for, or with the one for the interface and, if
 * that fails, a page; nic->buffer is then what was taken. What bind returned last.
 */
uint32_t dv_nic_buffer_for(uint32_t payload, uint64_t size, uint32_t descriptors);
int dv_nic_buffer_check(uint32_t buffer);
int dv_nic_bind_buffers(struct devio_nic *nic, int fd, int (*bind)(struct devio_nic *nic, int fd, uint32_t buffer));

/* lib/nic/ring.c: a NIC for one ring */
int dv_nic_ring_check(const struct devio_ctx *ctx, const struct devio_nic_opts *o);
/* Does the kernel know it, and may this process? d tells the rights. */
int dv_nic_ring_can(const struct devio_nic *nic, bool right);
/* The queue becomes the ring's and fills the dma-buf fd. */
int dv_nic_ring_bind(struct devio_nic *nic, int fd);
/* devio_nic_close(): what can be put back while the ring lives, or all. */
void dv_nic_ring_leave(struct devio_nic *nic);
/* The ring has been closed; in a forked child its memory is let go of, and no more. */
void dv_nic_ring_closed(struct devio_ring *r, bool forked);
/* Buffers for which there was no room on their way to the NIC. */
void dv_nic_ring_refill(struct devio_ring *r);

/* lib/nic/rules.c: rules, where they are asked for or nothing is. 0, or -EOPNOTSUPP with its sentence. */
int dv_nic_choose_steering(struct devio_nic *nic);

/* lib/nic/restore.c: a line of the journal, before the change that it tells of. 0 or -errno with its sentence. */
int dv_nic_write_down(const struct devio_nic *nic, const char *line);

/* lib/nic/restore.c: as it was before. -errno: the first thing that could not be put back. */
int dv_nic_undo(const struct dv_nicstate *was);
/* What a dead process left, if anything: then the journal is open and empty. A descriptor or -errno with its sentence. */
int dv_nic_journal(const char *ifname, unsigned int ifindex);
/* Waits until the link is up again, if it was. */
void dv_nic_settle(const char *ifname, bool was_up);

#endif
