/* SPDX-License-Identifier: MIT */
/* Copies between two memories, by the library's inner function. */
#include "config.h"
#include "mem/mem.h"
#include "memtest.h"

static void between_piece(struct devio_mem *dst, struct devio_mem *src, size_t off, size_t src_off, size_t len,
			  enum mt_how how)
{
	size_t size = dst->size;
	unsigned char *from = malloc(src->size), *want = malloc(size), *got = malloc(size);
	struct devio_mem *poll;
	struct dv_copy c = { 0 };
	int rc;

	mt_random(from, src->size);
	mt_random(want, size);
	mt_ok(devio_mem_copy_in(src, 0, from, src->size));
	mt_ok(devio_mem_copy_in(dst, 0, want, size));
	rc = dv_mem_between(dst, off, src, src_off, len, &c, &poll);
	assert_int_equal(rc, how == MT_ENGINE ? 0 : how == MT_CPU ? 1 : -EOPNOTSUPP);
	while (!rc)
		rc = dv_mem_copy_poll(poll, &c, true);
	if (how != MT_NOT)
		memcpy(want + off, from + src_off, len);
	mt_ok(devio_mem_copy_out(dst, 0, got, size));
	assert_memory_equal(got, want, size);
	free(from);
	free(want);
	free(got);
}

void mt_between(struct devio_mem *dst, struct devio_mem *src, enum mt_how how)
{
	static const struct { size_t off, src, len; } piece[] = {
		{ 0, 0, 4096 }, { 3, 11, 1 }, { 8, 16, 1448 }, { 1, 9, 4099 }, { 5, 13, 513 }, { 4095, 7, 1460 },
	};

	for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++)
		between_piece(dst, src, piece[i].off, piece[i].src, piece[i].len, how);
}

void mt_engine(struct devio_ctx *ctx, const char *spec, const char *other)
{
	struct devio_mem *a, *b;

	mt_ok(devio_mem_alloc(ctx, spec, 10000, NULL, &a));
	mt_ok(devio_mem_alloc(ctx, spec, 9000, NULL, &b));
	mt_between(a, b, MT_ENGINE);
	devio_mem_free(b);
	mt_ok(devio_mem_alloc(ctx, "host", 9000, NULL, &b));
	mt_between(a, b, MT_ENGINE);
	mt_between(b, a, MT_ENGINE);
	devio_mem_free(b);
	if (other) {
		mt_ok(devio_mem_alloc(ctx, other, 9000, NULL, &b));
		mt_between(a, b, MT_NOT);
		devio_mem_free(b);
	}
	devio_mem_free(a);
}
