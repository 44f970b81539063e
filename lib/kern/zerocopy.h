/* SPDX-License-Identifier: MIT */
/* MSG_ZEROCOPY completion notifications. */
#ifndef DV_KERN_ZEROCOPY_H
#define DV_KERN_ZEROCOPY_H

#include <stdint.h>

/*
 * Takes the next notification from the socket's error queue: sends [*lo, *hi], as the
 * kernel numbers them, are complete. 1, or 0 if there is none.
 */
int dv_zerocopy_next(int fd, uint32_t *lo, uint32_t *hi);

#endif
