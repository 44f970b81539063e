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
	int trip;               /* the n-th call of the library to libc fails, 0: none */
	bool tripped;           /* it did */
};

extern struct fake_kernel fk;
void fake_kernel_reset(void);

/* A device bound to vfio-pci, with a character device or a group, in sysfs and /dev of the test. */
#define FK_BDF "0000:05:00.0"
void fk_vfio_tree(const char *sys, const char *dev, bool cdev, bool noiommu);
/* The node gets room for all BARs. */
void fk_size_node(const char *dev, const char *node);

#endif
