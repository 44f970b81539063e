/* SPDX-License-Identifier: MIT */
/* The path-related fields of a completion (path, best_unused, reason and flags), copied as a unit. */
#ifndef DV_CORE_OUTCOME_H
#define DV_CORE_OUTCOME_H

#include <stdint.h>

struct dv_outcome {
	uint16_t path, best_unused, reason, flags;
};

#endif
