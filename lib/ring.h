/* SPDX-License-Identifier: MIT */
#ifndef DV_RING_H
#define DV_RING_H
#include <devio/ring.h>
void dv_ring_free_idle(struct devio_ring *ring);
#endif
