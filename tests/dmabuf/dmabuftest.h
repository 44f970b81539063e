/* SPDX-License-Identifier: MIT */
/* What the tests of file-dmabuf share: a file of known bytes, memories, checks of the bytes. */
#ifndef DMABUFTEST_H
#define DMABUFTEST_H

#include <devio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fake.h"
#include "test.h"

#define MIB (1u << 20)
#define BLOCK 4096u

struct bed {
	struct devio_ctx *ctx;
	struct devio_file *file;
	struct devio_ring *ring;
	uint64_t size;             /* of the file */
	char name[64];
};

static inline unsigned char byte_at(uint64_t off)
{
	return (off * 2654435761u) >> 13 ^ off;
}

static inline void make_file(const char *name, uint64_t size)
{
	unsigned char *b = malloc(size);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (uint64_t i = 0; i < size; i++)
		b[i] = byte_at(i);
	must(fd >= 0 && write(fd, b, size) == (ssize_t)size && !fsync(fd), "a file of %llu bytes",
	     (unsigned long long)size);
	close(fd);
	free(b);
}

/* A context, a file of `size` bytes by the path, and a ring with `slots` slots for dma-bufs. */
static inline void bed_open(struct bed *b, uint64_t size, int path, unsigned int slots)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);

	fake_reset(7);
	memset(b, 0, sizeof(*b));
	b->size = size;
	fo.path = path;
	fo.flags = DEVIO_FILE_NO_CACHE;
	ro.entries = 16;
	ro.dmabuf_slots = slots;
	snprintf(b->name, sizeof(b->name), "dmabuf-%d.tmp", (int)getpid());
	make_file(b->name, size);
	must_zero(devio_ctx_open(NULL, &b->ctx));
	must_zero(devio_file_open(b->ctx, b->name, O_RDWR, &fo, &b->file));
	must_zero(devio_ring_open(b->ctx, &ro, &b->ring));
}

/* Closes all; nothing may be left of registrations and memories. */
static inline void bed_close(struct bed *b)
{
	devio_ring_close(b->ring);
	devio_file_close(b->file);
	devio_ctx_close(b->ctx);
	unlink(b->name);
	must(!fake.live, "%u registrations are left", fake.live);
	must(!fake.mems, "%u memories are left", fake.mems);
	must(!fake.wrong, "%u I/Os broke a rule of the kernel", fake.wrong);
}

/* Bytes [off, off + len) of the memory are those of the file at `at`. */
static inline void must_hold(struct devio_mem *m, uint64_t off, uint64_t len, uint64_t at)
{
	unsigned char *got = malloc(len + 1);

	must_zero(devio_mem_copy_out(m, off, got, len));
	for (uint64_t i = 0; i < len; i++)
		if (got[i] != byte_at(at + i))
			fail_msg("byte %llu of the memory is not byte %llu of the file",
				 (unsigned long long)(off + i), (unsigned long long)(at + i));
	free(got);
}

static inline struct devio_completion wait_one(struct devio_ring *r)
{
	struct devio_completion c = { 0 };
	int n = devio_ring_wait(r, &c, 1, 1, 10000000000LL);

	must(n == 1, "one completion, not %d: %s", n, devio_errmsg());
	return c;
}

static inline struct devio_completion ring_read(struct bed *b, struct devio_mem *m, uint64_t mem_off, uint64_t len,
						uint64_t off)
{
	must_zero(devio_ring_read(b->ring, b->file, m, mem_off, len, off, 1));
	return wait_one(b->ring);
}

static inline struct devio_stat stats(struct devio_ctx *ctx)
{
	struct devio_stat s = DEVIO_OPTS(s);

	must_zero(devio_stat_get(ctx, &s));
	return s;
}

#endif
