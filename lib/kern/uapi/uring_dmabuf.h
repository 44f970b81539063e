/* SPDX-License-Identifier: MIT */
/*
 * Additions to <linux/io_uring.h> for dma-bufs as fixed buffers, posted upstream (v7, expected
 * in Linux 7.4), declared here because distributions' headers lack them.
 */
#ifndef DV_UAPI_URING_DMABUF_H
#define DV_UAPI_URING_DMABUF_H

#include <stdint.h>

/* io_uring_rsrc_update2.flags (the second u32, formerly `resv`) */
#define DV_IORING_RSRC_UPDATE_EXTENDED (1u << 1)

enum { DV_REGBUF_EMPTY = 0, DV_REGBUF_UADDR = 1, DV_REGBUF_DMABUF = 2 };

/*
 * An opcode of io_uring_register(), only with the patches in kernel/ (others return -EINVAL):
 * as IORING_REGISTER_BUFFERS_UPDATE with DV_IORING_RSRC_UPDATE_EXTENDED, but the registration
 * serves every file on target_fd's disk, and target_fd is not needed afterwards.
 */
#define DV_IORING_REGISTER_DMABUF_ANY_FILE 0x44564601u

struct dv_uring_update2 {
	uint32_t offset;
	uint32_t flags;
	uint64_t data;
	uint64_t tags;
	uint32_t nr;
	uint32_t resv2;
};

struct dv_uring_regbuf_desc {
	uint32_t type;
	uint32_t flags;
	uint64_t size;
	uint64_t uaddr;
	int32_t dmabuf_fd;
	int32_t target_fd;
	uint64_t resv[6];
};

_Static_assert(sizeof(struct dv_uring_update2) == 32, "kernel ABI");
_Static_assert(sizeof(struct dv_uring_regbuf_desc) == 80, "kernel ABI");

#endif
