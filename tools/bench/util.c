/* SPDX-License-Identifier: MIT */
/* devio-bench: errors, memory of jobs, the clock. */
#include "config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench.h"

/* Strings and tables of jobs, freed together at the end. */
static struct kept {
	struct kept *next;
	max_align_t data[];
} *kept;

void *bench_keep_bytes(size_t size)
{
	struct kept *k = calloc(1, sizeof(*k) + size);

	if (!k)
		return NULL;
	k->next = kept;
	kept = k;
	return k->data;
}

const char *bench_keep(const char *text)
{
	size_t len = strlen(text) + 1;
	void *copy = bench_keep_bytes(len);

	return copy ? memcpy(copy, text, len) : NULL;
}

void bench_keep_free(void)
{
	while (kept) {
		struct kept *k = kept;

		kept = k->next;
		free(k);
	}
}

int bench_fail(struct bench_err *err, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->status = status;
	return -1;
}

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
