/* SPDX-License-Identifier: MIT */
/* A NIC that was set up: the binding, and what has to be put back; or the connection to devio-nicd, which has both. */
#ifndef DV_NIC_NIC_H
#define DV_NIC_NIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <devio/nic.h>
#include "kern/netbind.h"
#include "kern/zcrx.h"
#include "nic/journal.h"
#include "ring/client.h"

struct devio_nic;
struct dv_netdev;

/* To what a NIC's queues are bound: to memory for all connections, or to one ring. */
struct dv_nic_binding {
	bool per_ring;
	/* 0, or -errno with its sentence; daemon: the socket at which none listens, NULL: it was not tried. */
	int (*can)(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon);
	/* The queues become nic's and fill the dma-buf fd. 0 or -errno with its sentence. */
	int (*bind)(struct devio_nic *nic, int fd);
	/* devio_nic_close(): everything is put back, or what can be while a ring lives. */
	void (*leave)(struct devio_nic *nic);
};
extern const struct dv_nic_binding dv_nic_queues_binding, dv_nic_ring_binding;

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
	const struct dv_nic_binding *binding;
	/* Set up for one ring, which refers to it until it is closed. */
	_Atomic(struct devio_ring *) ring; /* NULL: closed, or none */
	struct dv_ring_client client;
	struct dv_zcrx zc;         /* the ring's thread alone */
	pthread_mutex_t undo;      /* guards `closed`; of nic's and ring's close the later one puts back */
	bool closed;
};

/* nic/handle.c */
int dv_nic_new(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem, const struct devio_nic_opts *o,
	       struct devio_nic **out);
/* The one that was opened for the interface, with a reference; NULL: none. */
struct devio_nic *dv_nic_find(struct devio_ctx *ctx, unsigned int ifindex);
void dv_nic_put(struct devio_nic *nic);
/* The dma-buf of nic->mem, which has to be all of it; the descriptor stays the memory's. 0 or -errno with its sentence. */
int dv_nic_dmabuf(struct devio_nic *nic, int *fd);

/* nic/queues.c: the highest queues that are free, in a row, never queue 0, to nic->first. 0 or -errno with its sentence. */
int dv_nic_find_queues(struct devio_nic *nic);

/*
 * nic/client.c: the same by devio-nicd. open: 1 if there is none. 0, or
 * -errno with its sentence. Nothing takes longer than dv_nicclient_wait_ms.
 */
extern int dv_nicclient_wait_ms;
const char *dv_nicclient_socket(void);
int dv_nicclient_open(struct devio_nic *nic);
int dv_nicclient_steer(struct devio_nic *nic, int sock);
int dv_nicclient_close(struct devio_nic *nic);

/*
 * nic/buffers.c: the size of receive buffers. The smallest that holds a packet's
 * payload, if a memory of size bytes has two for each descriptor, or a page.
 * check: 0, or -EINVAL with its sentence. bind_buffers calls bind with the size
 * (0: a page) that was requested, or with the one for the interface and, if
 * that fails, a page; nic->buffer is then what was taken. What bind returned last.
 */
uint32_t dv_nic_buffer_for(uint32_t payload, uint64_t size, uint32_t descriptors);
int dv_nic_buffer_check(uint32_t buffer);
int dv_nic_bind_buffers(struct devio_nic *nic, int fd, int (*bind)(struct devio_nic *nic, int fd, uint32_t buffer));

/* nic/ring.c: devio_nic_opts.ring. 0 or -errno with its sentence. */
int dv_nic_ring_check(const struct devio_ctx *ctx, const struct devio_nic_opts *o);
/* The nic becomes a client of the ring, which has a reference to it from then on. */
void dv_nic_ring_join(struct devio_nic *nic, struct devio_ring *r);

/* nic/rules.c */
/* Rules, where they are requested or nothing is. 0, or -EOPNOTSUPP with its sentence. */
int dv_nic_choose_steering(struct devio_nic *nic);
/* A rule for the listener or connection. 0, or -errno with its sentence. */
int dv_nic_steer(struct devio_nic *nic, int sock, bool listening);

/* nic/restore.c */
/* A line of the journal, before the change that it describes. 0 or -errno with its sentence. */
int dv_nic_write_down(const struct devio_nic *nic, const char *line);
/* As it was before. -errno: the first thing that could not be put back. */
int dv_nic_undo(const struct dv_nicstate *was);
/* Everything, as devio_nic_close() does. */
void dv_nic_put_back(struct devio_nic *nic);
/* What a dead process left, if anything: then the journal is open and empty. A descriptor or -errno with its sentence. */
int dv_nic_journal(const char *ifname, unsigned int ifindex);
/* Waits until the link is up again, if it was. */
void dv_nic_settle(const char *ifname, bool was_up);

#endif
