/* SPDX-License-Identifier: MIT */
/* Batches, as the driver closes them. */
#ifndef DV_CUFILE_BATCH_H
#define DV_CUFILE_BATCH_H

#include "cufile/gds.h"

struct dv_batch;

/* All of them, out of the table: a list, to be put without the lock. With the lock held for writing. */
struct dv_batch *dv_batch_take_all(void);
void dv_batch_put_all(struct dv_batch *b);

#endif
