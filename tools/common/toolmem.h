/* SPDX-License-Identifier: MIT */
/* The device memory of a tool. */
#ifndef TOOLS_TOOLMEM_H
#define TOOLS_TOOLMEM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>
#include "tool.h"

struct toolmem {
	char spec[64], bdf[16];   /* of the memory that was allocated */
	bool device;              /* it is in a device */
};

/*
 * spec "auto": the first memory of this machine that has room; with --verbose
 * those that were skipped are printed. 0, or -1 with *e; a malformed spec is
 * TOOL_USAGE.
 */
int toolmem_alloc(struct toolmem *t, struct devio_ctx *ctx, const char *spec, uint64_t size, struct devio_mem **mem,
		  struct tool_error *e);

/* "memory: cuda:0 at 0000:01:00.0 (in a device)" */
void toolmem_print(const struct toolmem *t, FILE *out);

/* splitmix64: word n of a pattern in which no eight bytes are repeated. */
static inline uint64_t toolmem_pattern(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15u;
	n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
	n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
	return n ^ (n >> 31);
}

#endif
