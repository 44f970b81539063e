/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "ring.h"
void dv_ring_free_idle(struct devio_ring *ring) { (void)ring; }
