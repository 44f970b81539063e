/* SPDX-License-Identifier: MIT */
/* What programs that measure share: the time, and the processor time of the process. */
#ifndef PERF_CLOCK_H
#define PERF_CLOCK_H

#include <time.h>
#include <sys/resource.h>

/* Seconds of a clock. */
static inline double perf_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline double perf_now(void)
{
	return perf_clock(CLOCK_MONOTONIC);
}

/* Seconds in user space and in the kernel, of all threads. */
static inline double perf_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

#endif
