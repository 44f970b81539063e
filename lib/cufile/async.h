/* SPDX-License-Identifier: MIT */
/* Transfers in the order of streams, as the driver opens and closes them. */
#ifndef DV_CUFILE_ASYNC_H
#define DV_CUFILE_ASYNC_H

#include "cufile/gds.h"

struct dv_async;

/* Waits for the transfers when it was the last reference; without the lock. NULL is allowed. */
void dv_async_put(struct dv_async *d);

#endif
