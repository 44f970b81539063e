/* SPDX-License-Identifier: MIT */
/* The table of providers. */
#include "config.h"
#include "mem/mem.h"

/* Best device memory first: the order of devio_mem_list(). */
const struct dv_mem_ops *const dv_mem_table[] = {
	&dv_mem_cuda,
	&dv_mem_hip,
	&dv_mem_ze,
	&dv_mem_amdgpu,
	&dv_mem_vfio,
	&dv_mem_p2pmem,
	&dv_mem_drm, /* a dumb buffer may be in host memory */
	&dv_mem_dmaheap,
	&dv_mem_udmabuf,
	&dv_mem_host,
	NULL
};
