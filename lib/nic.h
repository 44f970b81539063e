/* SPDX-License-Identifier: MIT */
/* A NIC that was set up: the binding, and what has to be put back; or the connection to devio-nicd, which has both. */
#ifndef DV_NIC_H
#define DV_NIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <devio/nic.h>
#include "kern/netbind.h"
#include "nicjournal.h"

struct devio_nic {
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	struct devio_nic *next;    /* in ctx->nics, guarded by ctx->lock */
	char ifname[16];
	unsigned int ifindex;
	unsigned int first, queues;
	int steer;
	struct devio_mem *mem;
	uint64_t mem_off;          /* of byte 0 of mem in the dma-buf */
	struct dv_netbind bind;
	uint32_t id;               /* of the binding, also when it is closed */
	int journal;               /* -1: none */
	struct dv_nicstate was;
	int daemon;                /* -1: this process has set it up itself */
	pthread_mutex_t talk;      /* one request at a time */
};

/* The one that was opened for the interface, held; NULL: none. */
struct devio_nic *dv_nic_find(struct devio_ctx *ctx, unsigned int ifindex);
void dv_nic_put(struct devio_nic *nic);

/* The dma-buf of nic->mem, which has to be all of it; the descriptor stays the memory's. 0 or -errno with its sentence. */
int dv_nic_dmabuf(struct devio_nic *nic, int *fd);

/*
 * lib/nicclient.c: the same by devio-nicd. open: 1 if there is none. 0, or
 * -errno with its sentence. Nothing takes longer than dv_nicclient_wait_ms.
 */
extern int dv_nicclient_wait_ms;
const char *dv_nicclient_socket(void);
int dv_nicclient_open(struct devio_nic *nic);
int dv_nicclient_steer(struct devio_nic *nic, int sock);
int dv_nicclient_close(struct devio_nic *nic);

/* lib/nicundo.c: as it was before. -errno: the first thing that could not be put back. */
int dv_nic_undo(const struct dv_nicstate *was);
/* What a dead process left, if anything: then the journal is open and empty. A descriptor or -errno with its sentence. */
int dv_nic_journal(const char *ifname, unsigned int ifindex);
/* Waits until the link is up again, if it was. */
void dv_nic_settle(const char *ifname, bool was_up);
bool dv_nic_is_up(const char *ifname);

#endif
