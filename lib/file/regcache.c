/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include "core/ctx.h"
#include "core/err.h"
#include "file/file.h"
#include "file/regcache.h"
#include "ring/pair.h"

struct reg {
	struct devio_mem *mem;     /* NULL: free. The cache holds references to mem and file */
	struct devio_file *file;   /* NULL: valid for all files of ... */
	dev_t dev;                 /* ... this device */
	uint64_t off;
	struct dv_use use;
	bool stale;                /* the kernel reported that its mapping is gone */
};

struct dv_regcache {
	struct dv_ring_client client;
	uint32_t nr;               /* uses slots 1 to nr of the buffer table; slot 0 is the staging arena */
	struct reg reg[];
};

static const struct dv_ring_client_ops client_ops;

static struct dv_regcache *cache_of(const struct devio_ring *r)
{
	struct dv_ring_client *c = dv_ring_find_client(r, &client_ops);

	return c ? dv_client_of(c, struct dv_regcache, client) : NULL;
}

/*
 * Whether the registration can be used for I/O on f. Upstream's (v7) is bound to one open
 * file and returns -EBADF for others; with the patches in kernel/ it is bound to the device,
 * and ten thousand files need only one slot.
 */
static bool matches(const struct reg *g, const struct devio_file *f, const struct devio_mem *m)
{
	return g->mem == m && !g->stale && (g->file ? g->file == f : g->dev == f->dev);
}

static void put_refs(struct reg *g)
{
	dv_mem_put(g->mem);
	if (g->file)
		dv_file_put(g->file);
	g->mem = NULL;
}

static struct dv_regcache *make_cache(struct devio_ring *r)
{
	uint32_t nr = r->q.table_count > 1 ? r->q.table_count - 1 : 0;
	struct dv_regcache *c = calloc(1, sizeof(*c) + nr * sizeof(struct reg));

	if (!c)
		return NULL;
	c->nr = nr;
	c->client.ops = &client_ops;
	dv_ring_add_client(r, &c->client);
	return c;
}

static void unregister(struct devio_ring *r, struct dv_regcache *c, uint32_t i)
{
	struct reg *g = &c->reg[i];

	(void)dv_queue_unregister(&r->q, i + 1);
	put_refs(g);
	dv_plans_invalidate(r);
}

/* A free slot, or the least recently used idle one; -1 if all are in use. */
static int find_slot(struct devio_ring *r, struct dv_regcache *c)
{
	uint32_t now = dv_use_now(r);
	int best = -1;

	for (uint32_t i = 0; i < c->nr; i++) {
		if (!c->reg[i].mem)
			return i;
		/* Compare ages, since the clock may wrap. */
		if (!c->reg[i].use.users &&
		    (best < 0 || now - c->reg[i].use.last > now - c->reg[best].use.last))
			best = i;
	}
	if (best >= 0) {
		unregister(r, c, best);
		dv_stat_add(&r->stat.sum.dmabuf_evictions, 1);
	}
	return best;
}

static int add(struct devio_ring *r, struct dv_regcache *c, struct devio_file *f, struct devio_mem *m, uint8_t *why)
{
	bool any = dv_queue_has_any_file(&r->q);
	uint64_t off;
	int i, rc, fd;

	*why = DEVIO_REASON_NO_EXPORT;
	rc = dv_mem_dmabuf(m, &fd, &off);
	if (rc)
		return rc;
	*why = DEVIO_REASON_NO_SLOT;
	i = find_slot(r, c);
	if (i < 0)
		return dv_err(-EBUSY, "path file-dmabuf: all %u slots of the buffer table are in use", c->nr);
	rc = dv_queue_register_dmabuf(&r->q, i + 1, fd, f->dfd, any);
	if (rc) {
		*why = rc == -EOPNOTSUPP || rc == -EBADF ? DEVIO_REASON_TARGET : DEVIO_REASON_MAP;
		return dv_err(rc == -EBUSY ? -EIO : rc, "path file-dmabuf: cannot register mem %s for I/O on the file",
			      m->spec);
	}
	c->reg[i] = (struct reg){ .mem = dv_mem_get(m), .dev = f->dev, .off = off };
	if (!any) {
		c->reg[i].file = dv_file_get(f);
		f->registered = true;
	}
	/* If closed before it was registered, no sweep has seen it: request one. */
	if ((!any && f->closed) || m->closed)
		r->close_gen = dv_close_gen - 1;
	return i;
}

int dv_regcache_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		    uint64_t *off, uint8_t *why)
{
	struct dv_regcache *c = cache_of(r);
	int i = -1;

	if (!c)
		c = make_cache(r);
	if (!c) {
		*why = DEVIO_REASON_NO_SLOT;
		return -ENOMEM;
	}
	if (hint > 0 && (uint32_t)hint <= c->nr && matches(&c->reg[hint - 1], f, m))
		i = hint - 1;
	for (uint32_t k = 0; k < c->nr && i < 0; k++)
		if (matches(&c->reg[k], f, m))
			i = k;
	dv_stat_add(i < 0 ? &r->stat.sum.dmabuf_misses : &r->stat.sum.dmabuf_hits, 1);
	if (i < 0)
		i = add(r, c, f, m, why);
	if (i < 0)
		return i;
	c->reg[i].use.users++;
	c->reg[i].use.last = dv_use_now(r);
	*buf = i + 1;
	*off = c->reg[i].off;
	return 0;
}

struct dv_use *dv_regcache_use(struct devio_ring *r, int buf)
{
	return &cache_of(r)->reg[buf - 1].use;
}

int dv_regcache_find(struct devio_ring *r, const struct dv_use *use, uint64_t *off)
{
	const struct reg *g = (const struct reg *)((const char *)use - offsetof(struct reg, use));

	*off = g->off;
	return g - cache_of(r)->reg + 1;
}

void dv_regcache_put(struct devio_ring *r, int buf)
{
	cache_of(r)->reg[buf - 1].use.users--;
}

void dv_regcache_release(struct devio_ring *r, struct dv_op *op)
{
	if (op->file.dmabuf.buf >= 0)
		dv_regcache_put(r, op->file.dmabuf.buf);
	op->file.dmabuf.buf = -1;
}

void dv_regcache_stale(struct devio_ring *r, int buf)
{
	cache_of(r)->reg[buf - 1].stale = true;
	dv_plans_invalidate(r);
	r->close_gen = dv_close_gen - 1;
}

/* Drops closed and stale entries; if some are still in use, sets r->close_gen so that the ring calls again. */
static void sweep(struct devio_ring *r, struct dv_ring_client *client)
{
	struct dv_regcache *c = dv_client_of(client, struct dv_regcache, client);
	bool again = false;

	for (uint32_t i = 0; i < c->nr; i++) {
		const struct reg *g = &c->reg[i];

		if (!g->mem || !(g->mem->closed || (g->file && g->file->closed) || g->stale))
			continue;
		if (g->use.users)
			again = true;
		else
			unregister(r, c, i);
	}
	if (again)
		r->close_gen--;
}

/* In a forked child nothing is unregistered: the registrations belong to the parent. */
static void detach(struct devio_ring *r, struct dv_ring_client *client, bool forked)
{
	struct dv_regcache *c = dv_client_of(client, struct dv_regcache, client);

	for (uint32_t i = 0; i < c->nr; i++) {
		if (!c->reg[i].mem)
			continue;
		if (forked)
			put_refs(&c->reg[i]);
		else
			unregister(r, c, i);
	}
}

static void closed(struct devio_ring *r, struct dv_ring_client *client, bool forked)
{
	(void)r;
	(void)forked;
	free(dv_client_of(client, struct dv_regcache, client));
}

static const struct dv_ring_client_ops client_ops = { .progress = sweep, .detach = detach, .closed = closed };
