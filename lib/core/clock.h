/* SPDX-License-Identifier: MIT */
/* The clock by which the library waits: it does not jump when somebody sets the time. */
#ifndef DV_KERN_CLOCK_H
#define DV_KERN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t dv_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* When a wait of so many ns is over; a longer one than the clock can count is never over. */
static inline int64_t dv_end_ns(int64_t ns)
{
	int64_t begin = dv_now_ns();

	return ns > INT64_MAX - begin ? INT64_MAX : begin + ns;
}

#endif
