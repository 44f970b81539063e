/* SPDX-License-Identifier: MIT */
/* Per-ring state for pairs of an endpoint and a memory. */
#include "config.h"
#include <string.h>
#include "ring/pair.h"

struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op)
{
	uint64_t key = dv_pair_key(op->end_id, op->mem);
	struct dv_pair *pair = dv_pair_slot(r, op->end_id, op->mem);

	if (pair->key != key) {
		memset(pair, 0, sizeof(*pair));
		pair->key = key;
	}
	return pair;
}
