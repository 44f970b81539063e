/* SPDX-License-Identifier: MIT */
/* The memory's side: a memfd that passes for a dma-buf. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include "core/ctx.h"
#include "mem/mem.h"
#include "fake.h"

#define PAGE 4096ULL

struct buf {
	int fd;
	uint64_t off, whole;
	char *map;
};

static void buf_free(struct devio_mem *m)
{
	struct buf *b = m->priv;

	munmap(b->map, b->whole);
	close(b->fd);
	free(b);
	__atomic_fetch_sub(&fake.mems, 1, __ATOMIC_RELAXED);
}

static int buf_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct buf *b = m->priv;

	*fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
	*off = b->off;
	return *fd < 0 ? -errno : 0;
}

static int buf_map(struct devio_mem *m)
{
	const struct buf *b = m->priv;

	m->ptr = b->map + b->off;
	return 0;
}

/* A device's copy: pending until the second poll. */
struct deferred {
	void *to, *from;
	size_t len;
	int polls;
};

static int buf_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	const struct buf *b = m->priv;
	char *mine = b->map + b->off + off;
	struct deferred *d = calloc(1, sizeof(*d));

	d->to = out ? host : mine;
	d->from = out ? mine : host;
	d->len = len;
	c->tok = d;
	return 0;
}

static int buf_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct deferred *d = c->tok;

	(void)m;
	if (!wait && !d->polls++)
		return 0;
	memcpy(d->to, d->from, d->len);
	free(d);
	return 1;
}

static int buf_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	(void)m;
	(void)arg;
	(void)opts;
	return -EOPNOTSUPP;
}

static const struct dv_mem_ops mapped = {
	.name = "fake", .syntax = "fake", .alloc = buf_alloc, .free = buf_free, .export = buf_export, .map = buf_map,
};

static const struct dv_mem_ops remote = {
	.name = "fake", .syntax = "fake", .alloc = buf_alloc, .free = buf_free, .export = buf_export,
	.copy = buf_copy, .copy_poll = buf_copy_poll,
};

static struct devio_mem *handle(struct devio_ctx *ctx, uint64_t size, struct buf *b, bool map)
{
	struct devio_mem *m = calloc(1, sizeof(*m));

	m->ops = map ? &mapped : &remote;
	m->ctx = dv_ctx_get(ctx);
	m->refs = 1;
	m->id = dv_ctx_new_id();
	m->size = size;
	m->dmabuf_fd = -1;
	m->caps = DEVIO_MEM_EXPORT | (map ? DEVIO_MEM_CPU_MAP : DEVIO_MEM_DEVICE);
	m->priv = b;
	snprintf(m->spec, sizeof(m->spec), "fake");
	pthread_mutex_init(&m->lock, NULL);
	__atomic_fetch_add(&fake.mems, 1, __ATOMIC_RELAXED);
	return m;
}

int fake_mem(struct devio_ctx *ctx, uint64_t size, uint64_t off, bool map, struct devio_mem **mem)
{
	struct buf *b = calloc(1, sizeof(*b));

	b->off = off;
	b->whole = (off + size + PAGE - 1) & ~(PAGE - 1);
	b->fd = memfd_create("fake-dmabuf", MFD_CLOEXEC);
	if (b->fd < 0 || ftruncate(b->fd, b->whole))
		return -errno;
	b->map = mmap(NULL, b->whole, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (b->map == MAP_FAILED)
		return -errno;
	*mem = handle(ctx, size, b, map);
	return 0;
}
