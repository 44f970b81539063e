/* SPDX-License-Identifier: MIT */
/*
 * io_uring zero-copy receive (Linux 6.15, dma-bufs 6.16): definitions of
 * <linux/io_uring.h> that the headers of Debian 12 lack.
 */
#ifndef DV_UAPI_ZCRX_H
#define DV_UAPI_ZCRX_H

#include <stdint.h>

#define DV_IORING_OP_RECV_ZC 58
#define DV_IORING_REGISTER_ZCRX_IFQ 32
#define DV_IORING_REGISTER_ZCRX_CTRL 36

#define DV_REGION_TYPE_USER 1u
#define DV_ZCRX_AREA_DMABUF 1u
#define DV_ZCRX_AREA_SHIFT 48 /* the upper bits of an offset are the area number */
#define DV_ZCRX_CTRL_FLUSH_RQ 0u

struct dv_zcrx_region {
	uint64_t user_addr, size;
	uint32_t flags, id;
	uint64_t mmap_offset, resv[4];
};

struct dv_zcrx_area {
	uint64_t addr, len, token;
	uint32_t flags, dmabuf_fd;
	uint64_t resv[2];
};

struct dv_zcrx_reg {
	uint32_t if_idx, if_rxq, rq_entries, flags;
	uint64_t area_ptr, region_ptr;
	struct {
		uint32_t head, tail, rqes, resv2;
		uint64_t resv[2];
	} offsets;
	uint32_t zcrx_id, rx_buf_len;
	uint64_t event_desc, resv[2];
};

/* A refill ring entry: a returned buffer. */
struct dv_zcrx_rqe {
	uint64_t off;
	uint32_t len, pad;
};

struct dv_zcrx_ctrl {
	uint32_t zcrx_id, op;
	uint64_t resv[2], arg[6];
};

_Static_assert(sizeof(struct dv_zcrx_region) == 64 && sizeof(struct dv_zcrx_area) == 48 &&
	       sizeof(struct dv_zcrx_reg) == 96 && sizeof(struct dv_zcrx_rqe) == 16 &&
	       sizeof(struct dv_zcrx_ctrl) == 72, "kernel ABI");

#endif
