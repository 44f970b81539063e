/* SPDX-License-Identifier: MIT */
/* The device memory of a tool. */
#ifndef TOOLS_TOOLMEM_H
#define TOOLS_TOOLMEM_H

#include <stdbool.h>
#include <stdint.h>
#include <devio.h>

struct toolmem {
	const char *tool;         /* for what it says */
	bool verbose;             /* why a memory was not taken, on stderr */
	char spec[64], bdf[16];   /* of what was taken */
	bool device;              /* it lies in a device */
};

/* spec "auto": the first of this machine's memories that has room. 0, or -errno with devio_errmsg(). */
int toolmem_alloc(struct toolmem *t, struct devio_ctx *ctx, const char *spec, uint64_t size, struct devio_mem **mem);

/* splitmix64: word n of a pattern in which every eight bytes are others. */
static inline uint64_t toolmem_pattern(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15u;
	n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
	n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
	return n ^ (n >> 31);
}

#endif
