/* SPDX-License-Identifier: MIT */
/*
 * Definitions that <linux/vfio.h> of Linux 6.1 (Debian 12) lacks: the character
 * device per VFIO device (6.6) and BARs as dma-bufs (6.19).
 */
#ifndef DV_UAPI_VFIO_H
#define DV_UAPI_VFIO_H

#include <stdint.h>
#include <linux/vfio.h>

#define DV_VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

struct dv_vfio_bind_iommufd {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
};

#define DV_VFIO_FEATURE_DMA_BUF 11

struct dv_vfio_dma_range {
	uint64_t offset;
	uint64_t length;
};

/* struct vfio_device_feature, then the request with one range. */
struct dv_vfio_feature_dma_buf {
	uint32_t argsz;
	uint32_t feature_flags;
	uint32_t region_index;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	struct dv_vfio_dma_range range;
};
_Static_assert(sizeof(struct dv_vfio_feature_dma_buf) == 40, "the kernel reads 8 + 16 + 16 bytes");

#endif
