/* SPDX-License-Identifier: MIT */
/* What a completion says of the path: its fields path, best_unused, reason and flags, moved as one. */
#ifndef DV_CORE_OUTCOME_H
#define DV_CORE_OUTCOME_H

#include <stdint.h>

struct dv_outcome {
	uint16_t path, best_unused, reason, flags;
};

#endif
