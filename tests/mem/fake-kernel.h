/* SPDX-License-Identifier: MIT */
/*
 * The kernel's device nodes as plain files, their ioctls answered here: the
 * program is linked with --wrap for ioctl and fstatfs. A memfd passes as a
 * dma-buf.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <stdbool.h>

struct fake_kernel {
	unsigned long fail_cmd; /* this ioctl fails with fail_err; 0: none */
	int fail_err;
	int syncs;              /* DMA_BUF_IOCTL_SYNC: begins minus ends */
	int nr_syncs;
	long buffers;           /* dumb buffers alive */
	unsigned int bar_size;  /* what vfio says of each BAR */
	bool bar_mmap;
	bool not_viable;
	int last_bind;          /* iommufd of the last BIND, -2: none */
};

extern struct fake_kernel fk;
void fake_kernel_reset(void);

#endif
