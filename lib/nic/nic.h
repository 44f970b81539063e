/* SPDX-License-Identifier: MIT */
/* A NIC set up to receive: its binding and the settings to restore; or the connection to devio-nicd, which has them. */
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

/* What a NIC's queues are bound to: memory for all connections (queues.c), or one ring (ring.c). */
struct dv_nic_binding {
	bool per_ring;
	/* 0, or -errno with an error message. daemon: the socket on which no devio-nicd listens; NULL: not tried. */
	int (*can)(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon);
	/* Binds nic's queues to the dma-buf fd. 0, or -errno with an error message. */
	int (*bind)(struct devio_nic *nic, int fd);
	/* devio_nic_close(): restores everything, or as much as is possible while the ring is open. */
	void (*unbind)(struct devio_nic *nic);
};
extern const struct dv_nic_binding dv_nic_queues_binding, dv_nic_ring_binding;

struct devio_nic {
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	struct devio_nic *next;    /* in ctx->nics, guarded by ctx->lock */
	char ifname[16];
	unsigned int ifindex;
	unsigned int first, queues;
	uint32_t buffer;           /* bytes of a receive buffer; 0: not chosen yet */
	int steer;
	struct devio_mem *mem;
	uint64_t mem_off;          /* of byte 0 of mem in the dma-buf */
	struct dv_netbind bind;
	uint32_t id;               /* of the binding; valid after it is closed, too */
	int journal;               /* descriptor; -1: none */
	struct dv_nicstate saved;  /* settings to restore */
	int daemon;                /* connection to devio-nicd; -1: set up by this process */
	pthread_mutex_t request_lock; /* one request to the daemon, or one rule, at a time */
	const struct dv_nic_binding *binding;
	/* per_ring: the ring holds a reference until it is closed. */
	_Atomic(struct devio_ring *) ring; /* NULL: closed, or none */
	struct dv_ring_client client;
	struct dv_zcrx zc;         /* used by the ring's thread only */
	pthread_mutex_t undo;      /* guards `closed`; the later of the closes of nic and ring restores */
	bool closed;
};

/* nic/handle.c */
int dv_nic_new(struct devio_ctx *ctx, const char *ifname, struct devio_mem *mem, const struct devio_nic_opts *o,
	       struct devio_nic **out);
/* A new reference to the NIC that was opened for the interface, or NULL. */
struct devio_nic *dv_nic_find(struct devio_ctx *ctx, unsigned int ifindex);
void dv_nic_put(struct devio_nic *nic);
/* The dma-buf of nic->mem, which must span it; the memory owns the descriptor. 0, or -errno with an error message. */
int dv_nic_dmabuf(struct devio_nic *nic, int *fd);

/* nic/queues.c: nic->first = the highest free range of queues, never queue 0. 0, or -errno with an error message. */
int dv_nic_find_queues(struct devio_nic *nic);

/*
 * nic/client.c: the same through devio-nicd. 0, or -errno with an error message;
 * open returns 1 if no daemon is running. Each call is limited to
 * dv_nicclient_wait_ms.
 */
extern int dv_nicclient_wait_ms;
const char *dv_nicclient_socket(void);
int dv_nicclient_open(struct devio_nic *nic);
int dv_nicclient_steer(struct devio_nic *nic, int sock);
int dv_nicclient_close(struct devio_nic *nic);

/*
 * nic/buffers.c: the size of receive buffers. buffer_for: the smallest that holds
 * a packet's payload, if a memory of size bytes has two per descriptor, or else a
 * page. buffer_check: 0, or -EINVAL with an error message. bind_buffers calls bind
 * with the requested size (0: a page), or with the size that fits the interface
 * and, if that fails, a page; nic->buffer is then the size in use. Returns what
 * bind returned last; bind_hint is the fix for that error, or "".
 */
uint32_t dv_nic_buffer_for(uint32_t payload, uint64_t size, uint32_t descriptors);
int dv_nic_buffer_check(uint32_t buffer);
int dv_nic_bind_buffers(struct devio_nic *nic, int fd, int (*bind)(struct devio_nic *nic, int fd, uint32_t buffer));
const char *dv_nic_bind_hint(const struct devio_nic *nic, int rc);

/* nic/ring.c: checks devio_nic_opts.ring. 0, or -errno with an error message. */
int dv_nic_ring_check(const struct devio_ctx *ctx, const struct devio_nic_opts *o);
/* Makes nic a client of the ring, which takes over a reference. */
void dv_nic_ring_join(struct devio_nic *nic, struct devio_ring *r);

/* nic/rules.c */
/* Resolves DEVIO_STEER_AUTO to rules. 0, or -EOPNOTSUPP with an error message. */
int dv_nic_choose_steering(struct devio_nic *nic);
/* Adds a rule for the listener or connection. 0, or -errno with an error message. */
int dv_nic_steer(struct devio_nic *nic, int sock, bool listening);

/* nic/restore.c */
/* Appends a line to the journal, before the change that it describes. 0, or -errno with an error message. */
int dv_nic_record(const struct devio_nic *nic, const char *line);
/* Restores the settings. Continues after an error; returns the first one, with an error message. */
int dv_nic_restore_state(const struct dv_nicstate *saved);
/* Unbinds, restores and closes the journal: devio_nic_close() and failed set-ups. */
void dv_nic_restore(struct devio_nic *nic);
/* Opens the journal, restores what a dead process left, clears it. A descriptor, or -errno with an error message. */
int dv_nic_open_journal(const char *ifname, unsigned int ifindex);
/* If the link was up, waits until it is up again. */
void dv_nic_wait_link(const char *ifname, bool was_up);

#endif
