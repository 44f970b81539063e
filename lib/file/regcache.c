/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include "core/ctx.h"
#include "core/err.h"
#include "file/regcache.h"

struct reg {
	struct devio_mem *mem;     /* NULL: free. The cache holds both alive */
	struct devio_file *file;   /* NULL: it serves all files of ... */
	dev_t dev;                 /* ... this device */
	uint64_t off;
	struct dv_use use;
	bool stale;                /* the kernel says that its mapping is gone */
};

struct dv_regs {
	uint32_t nr;               /* slots 1 .. nr of the table; slot 0 is the staging arena */
	struct reg reg[];
};

/*
 * Does the registration serve I/O on f? Linux 7.4 binds it to one open file
 * and says -EBADF to another; with the series in kernel/ it is bound to the
 * device, and ten thousand files need one slot.
 */
static bool serves(const struct reg *g, const struct devio_file *f, const struct devio_mem *m)
{
	return g->mem == m && !g->stale && (g->file ? g->file == f : g->dev == f->dev);
}

static void let_go(struct reg *g)
{
	dv_mem_put(g->mem);
	if (g->file)
		dv_file_put(g->file);
	g->mem = NULL;
}

static int make_cache(struct devio_ring *r)
{
	uint32_t nr = r->q.table_count > 1 ? r->q.table_count - 1 : 0;

	r->regs = calloc(1, sizeof(*r->regs) + nr * sizeof(struct reg));
	if (!r->regs)
		return -ENOMEM;
	r->regs->nr = nr;
	return 0;
}

static void drop(struct devio_ring *r, uint32_t i)
{
	struct reg *g = &r->regs->reg[i];

	(void)dv_queue_unregister(&r->q, i + 1);
	let_go(g);
	r->plan_gen++;
}

/* A free slot, or the one that was idle longest; -1 if all are in use. */
static int find_slot(struct devio_ring *r)
{
	struct dv_regs *c = r->regs;
	uint32_t now = dv_use_now(r);
	int best = -1;

	for (uint32_t i = 0; i < c->nr; i++) {
		if (!c->reg[i].mem)
			return i;
		/* The clock may wrap: compare ages. */
		if (!c->reg[i].use.users &&
		    (best < 0 || now - c->reg[i].use.last > now - c->reg[best].use.last))
			best = i;
	}
	if (best >= 0) {
		drop(r, best);
		dv_stat_add(&r->stat.dmabuf_evictions, 1);
	}
	return best;
}

static int add(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, uint8_t *why)
{
	bool any = dv_queue_has_any_file(&r->q);
	uint64_t off;
	int i, rc, fd;

	*why = DEVIO_REASON_NO_EXPORT;
	rc = dv_mem_dmabuf(m, &fd, &off);
	if (rc)
		return rc;
	*why = DEVIO_REASON_NO_SLOT;
	i = find_slot(r);
	if (i < 0)
		return dv_err(-EBUSY, "path file-dmabuf: all %u slots of the buffer table are in use", r->regs->nr);
	rc = dv_queue_register_dmabuf(&r->q, i + 1, fd, f->dfd, any);
	if (rc) {
		*why = rc == -EOPNOTSUPP || rc == -EBADF ? DEVIO_REASON_TARGET : DEVIO_REASON_MAP;
		return dv_err(rc == -EBUSY ? -EIO : rc, "path file-dmabuf: the kernel does not register mem %s for the file",
			      m->spec);
	}
	r->regs->reg[i] = (struct reg){ .mem = dv_mem_get(m), .dev = f->dev, .off = off };
	if (!any) {
		r->regs->reg[i].file = dv_file_get(f);
		f->registered = true;
	}
	/* Closed before it was registered: the closing counted for nobody. */
	if ((!any && f->closed) || m->closed)
		r->closings = dv_closings - 1;
	return i;
}

int dv_regs_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		uint64_t *off, uint8_t *why)
{
	struct dv_regs *c;
	int i = -1;

	if (!r->regs && make_cache(r)) {
		*why = DEVIO_REASON_NO_SLOT;
		return -ENOMEM;
	}
	c = r->regs;
	if (hint > 0 && (uint32_t)hint <= c->nr && serves(&c->reg[hint - 1], f, m))
		i = hint - 1;
	for (uint32_t k = 0; k < c->nr && i < 0; k++)
		if (serves(&c->reg[k], f, m))
			i = k;
	dv_stat_add(i < 0 ? &r->stat.dmabuf_misses : &r->stat.dmabuf_hits, 1);
	if (i < 0)
		i = add(r, f, m, why);
	if (i < 0)
		return i;
	c->reg[i].use.users++;
	c->reg[i].use.last = dv_use_now(r);
	*buf = i + 1;
	*off = c->reg[i].off;
	return 0;
}

struct dv_use *dv_regs_use(struct devio_ring *r, int buf)
{
	return &r->regs->reg[buf - 1].use;
}

int dv_regs_find(struct devio_ring *r, const struct dv_use *use, uint64_t *off)
{
	const struct reg *g = (const struct reg *)((const char *)use - offsetof(struct reg, use));

	*off = g->off;
	return g - r->regs->reg + 1;
}

void dv_regs_put(struct devio_ring *r, int buf)
{
	r->regs->reg[buf - 1].use.users--;
}

void dv_regs_stale(struct devio_ring *r, int buf)
{
	r->regs->reg[buf - 1].stale = true;
	r->plan_gen++;
	r->closings = dv_closings - 1;
}

void dv_regs_sweep(struct devio_ring *r)
{
	unsigned int now = dv_closings;
	bool again = false;

	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++) {
		const struct reg *g = &r->regs->reg[i];

		if (!g->mem || !(g->mem->closed || (g->file && g->file->closed) || g->stale))
			continue;
		if (g->use.users)
			again = true;
		else
			drop(r, i);
	}
	r->closings = again ? now - 1 : now;
}

void dv_regs_forget(struct devio_ring *r)
{
	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++)
		if (r->regs->reg[i].mem)
			let_go(&r->regs->reg[i]);
	free(r->regs);
}

void dv_regs_exit(struct devio_ring *r)
{
	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++)
		if (r->regs->reg[i].mem)
			drop(r, i);
	free(r->regs);
}
