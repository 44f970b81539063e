/* SPDX-License-Identifier: MIT */
/* The cases that the vendors' memories have in common, each against the vendor's fake library. */
#ifndef VENDOR_H
#define VENDOR_H

#include "rig.h"
#include "mem/mem.h"

/* An allocation that is refused, and what the sentence must contain. */
struct vendor_bad {
	const char *spec;
	uint64_t size;
	int err;
	const char *word;
};

struct vendor {
	const char *spec;          /* the device of the common cases */
	const char *other;         /* a second device, to which no engine copies from spec; or NULL */
	const char *failing;       /* the device of vendor_every_failure, 0 or 1 */
	unsigned int delay;        /* of a copy at most, us */
	const struct vendor_bad *bad; /* up to one without a spec */
	int min_calls, max_calls;  /* of the library for all that vendor_every_failure does */
	void (*intact)(void); /* fails where the library's state of this thread is not the application's; or NULL */
};

extern const struct fake_ctl *ctl;

/* Setup and teardown of a case, whose state is its vendor. */
int vendor_setup(void **state);
int vendor_teardown(void **state);

/* What `bad` lists; and that there is no mapping for the CPU where the provider has none. */
void vendor_bad(void **state);
/* Copies between memories of the vendor. */
void vendor_between(void **state);
/* Each call of the library fails in turn: an error or success, the sentence names the memory, nothing is leaked. */
void vendor_every_failure(void **state);
/* More copies in flight than the pool has events. */
void vendor_pool_runs_dry(void **state);
/* Eight threads copy within one memory. */
void vendor_threads(void **state);
/* In a forked child copies are refused, and the library is never called. */
void vendor_fork(void **state);

/* Importing such memory of the application's is refused. */
void vendor_refuses(const char *spec, enum fake_flavour flavour, int device, int err, const char *word);

#endif
