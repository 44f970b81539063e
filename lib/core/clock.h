/* SPDX-License-Identifier: MIT */
/* The clock for timeouts: monotonic, so setting the system time does not affect it. */
#ifndef DV_CORE_CLOCK_H
#define DV_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t dv_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* The deadline ns from now, saturated to INT64_MAX (never). */
static inline int64_t dv_end_ns(int64_t ns)
{
	int64_t begin = dv_now_ns();

	return ns > INT64_MAX - begin ? INT64_MAX : begin + ns;
}

#endif
