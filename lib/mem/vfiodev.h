/* SPDX-License-Identifier: MIT */
/* A PCI device opened through vfio, shared by the memories in its BARs. */
#ifndef DV_MEM_VFIODEV_H
#define DV_MEM_VFIODEV_H

#include <stdint.h>
#include "mem/mem.h"
#include "mem/share.h"

/* A range of a BAR, reserved by a memory. */
struct dv_vfio_range {
	struct dv_vfio_range *next;
	unsigned int bar;
	uint64_t off;
	uint64_t len;
};

struct dv_vfio {
	struct dv_shared s;
	int dev;                    /* the device */
	int iommu;                  /* iommufd or container, -1 if none */
	int group;                  /* -1 if opened through the character device */
	struct dv_vfio_range *used; /* protected by dv_share_lock() */
};

/* Opens the device m->bdf. 0, or -errno with an error message. */
int dv_vfio_get(struct devio_mem *m, struct dv_vfio **out);
void dv_vfio_put(struct dv_vfio *v);

/*
 * Reserves r->len bytes of BAR r->bar, which has bar_size bytes: at r->off if that is
 * not 0, otherwise at the first free offset, returned in r->off. -EBUSY (the range is
 * in use) or -ENOSPC, without an error message.
 */
int dv_vfio_reserve(struct dv_vfio *v, struct dv_vfio_range *r, uint64_t bar_size);
void dv_vfio_release(struct dv_vfio *v, struct dv_vfio_range *r);

#endif
