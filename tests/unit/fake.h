/* SPDX-License-Identifier: MIT */
/*
 * A fake device memory: its bytes lie in malloc'ed memory, its copies
 * take as many polls as the test wants, happen at their end, and may fail.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdint.h>
#include "mem/mem.h"

struct fake_plan {
	unsigned int polls;        /* a copy is done after 0 to `polls` polls; 0: at once */
	unsigned int fail;         /* chances in 1000 that a copy fails */
	bool fail_late;            /* not at its start but at its end */
};

extern struct fake_plan fake_plan;
extern unsigned long fake_copies, fake_failed, fake_running;

/* A memory of the fake kind; freed with devio_mem_free(). */
struct devio_mem *fake_mem(struct devio_ctx *ctx, uint64_t size, unsigned int caps);

/* Every invariant of a ring with nothing in flight. */
struct devio_ring;
void check_idle(struct devio_ring *r);

#endif
