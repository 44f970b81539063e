/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: option and info structures of any size and content: copied,
 * refused, never read or written past what the caller has.
 */
#include "config.h"
#include <devio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The structure as the library of `known` bytes sees it. */
static void copy(const unsigned char *in, size_t sz, size_t known)
{
	unsigned char *out = malloc(known);
	int rc = dv_opts_copy(out, known, in, "fuzz_opts");
	size_t same = sz < known ? sz : known;

	if (!rc && memcmp(out, in, same))
		abort();
	for (size_t i = same; !rc && i < known; i++)
		if (out[i])
			abort();
	for (size_t i = known; !rc && i < sz; i++)
		if (in[i])
			abort();
	if (rc && rc != -EINVAL && rc != -E2BIG)
		abort();
	free(out);
}

static void info(unsigned char *to, size_t sz, size_t known)
{
	unsigned char *have = malloc(known);

	memset(have, 0xa5, known);
	if (!dv_info_copy(to, have, known, "fuzz_info")) {
		for (size_t i = sizeof(size_t); i < sz; i++)
			if (to[i] != (i < known ? 0xa5 : 0))
				abort();
	}
	free(have);
}

static void calls(const unsigned char *in)
{
	struct devio_ctx *ctx;
	struct devio_ring *ring;

	if (!devio_ctx_open((const void *)in, &ctx)) /* no pointer in it but zeroes: see below */
		devio_ctx_close(ctx);
	if (devio_ctx_open(NULL, &ctx))
		abort();
	if (!devio_ring_open(ctx, (const void *)in, &ring))
		devio_ring_close(ring);
	devio_ctx_close(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *s;
	size_t sz, known;

	if (size < 2)
		return 0;
	known = sizeof(size_t) + data[0];
	sz = size - 1 < sizeof(size_t) ? sizeof(size_t) : size - 1;
	s = calloc(1, sz);
	memcpy(s, data + 1, size - 1);
	if (data[0] & 1) /* else the size is the fuzzer's own, if that is honest */
		memcpy(s, &sz, sizeof(sz));
	if (*(size_t *)s <= sz || *(size_t *)s > 65536) {
		copy(s, *(size_t *)s <= sz ? *(size_t *)s : 0, known);
		if (sz >= sizeof(struct devio_ctx_opts)) {
			struct devio_ctx_opts *o = (void *)s;

			o->log = NULL;
			o->log_arg = NULL;
			o->sysfs_root = NULL;
			calls(s);
		}
		info(s, *(size_t *)s <= sz ? *(size_t *)s : 0, known);
	}
	free(s);
	return 0;
}
