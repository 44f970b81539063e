/* SPDX-License-Identifier: MIT */
/* MSG_ZEROCOPY: what the kernel has let go of. */
#ifndef DV_KERN_ZEROCOPY_H
#define DV_KERN_ZEROCOPY_H

#include <stdint.h>

/* The next of it on the error queue of a socket: sends lo to hi, both included, by the kernel's count. 1, or 0: none. */
int dv_zerocopy_next(int fd, uint32_t *lo, uint32_t *hi);

#endif
