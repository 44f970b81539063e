/* SPDX-License-Identifier: MIT */
/* A ring's cache of registered dma-bufs. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include "err.h"
#include "regs.h"

struct reg {
	struct devio_mem *mem;     /* NULL: free. The cache holds both alive */
	struct devio_file *file;
	uint64_t off;
	uint64_t used;             /* tick of the last use */
	uint32_t users;            /* operations in flight */
};

struct dv_regs {
	uint64_t tick;
	uint32_t nr;               /* slots 1 .. nr of the table; slot 0 is the staging arena */
	struct reg reg[];
};

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
	dv_mem_put(g->mem);
	dv_file_put(g->file);
	g->mem = NULL;
	r->plan_gen++;
}

/* A free slot, or the one that was idle longest; -1 if all are in use. */
static int find_slot(struct devio_ring *r)
{
	struct dv_regs *c = r->regs;
	int best = -1;

	for (uint32_t i = 0; i < c->nr; i++) {
		if (!c->reg[i].mem)
			return i;
		if (!c->reg[i].users && (best < 0 || c->reg[i].used < c->reg[best].used))
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
	uint64_t off;
	int i, rc, fd;

	*why = DEVIO_WHY_NO_EXPORT;
	rc = dv_mem_dmabuf(m, &fd, &off);
	if (rc)
		return rc;
	*why = DEVIO_WHY_NO_SLOT;
	i = find_slot(r);
	if (i < 0)
		return dv_err(-ENOSPC, "path file-dmabuf: all %u slots of the buffer table are in use", r->regs->nr);
	rc = dv_queue_register_dmabuf(&r->q, i + 1, fd, m->size, f->dfd);
	if (rc) {
		*why = rc == -EOPNOTSUPP || rc == -EBADF ? DEVIO_WHY_TARGET : DEVIO_WHY_MAP;
		return dv_err(rc, "path file-dmabuf: the kernel does not register mem %s for the file", m->spec);
	}
	atomic_store_explicit(&f->registered, true, memory_order_relaxed);
	r->regs->reg[i] = (struct reg){ .mem = dv_mem_get(m), .file = dv_file_get(f), .off = off };
	return i;
}

int dv_regs_get(struct devio_ring *r, struct devio_file *f, struct devio_mem *m, int hint, int *buf,
		uint64_t *off, uint8_t *why)
{
	struct dv_regs *c;
	int i = -1;

	if (!r->regs && make_cache(r)) {
		*why = DEVIO_WHY_NO_SLOT;
		return -ENOMEM;
	}
	c = r->regs;
	if (hint > 0 && (uint32_t)hint <= c->nr && c->reg[hint - 1].mem == m && c->reg[hint - 1].file == f)
		i = hint - 1;
	for (uint32_t k = 0; k < c->nr && i < 0; k++)
		if (c->reg[k].mem == m && c->reg[k].file == f)
			i = k;
	dv_stat_add(i < 0 ? &r->stat.dmabuf_misses : &r->stat.dmabuf_hits, 1);
	if (i < 0)
		i = add(r, f, m, why);
	if (i < 0)
		return i;
	c->reg[i].users++;
	c->reg[i].used = ++c->tick;
	*buf = i + 1;
	*off = c->reg[i].off;
	return 0;
}

uint32_t *dv_regs_users(struct devio_ring *r, int buf)
{
	return &r->regs->reg[buf - 1].users;
}

int dv_regs_find(struct devio_ring *r, const uint32_t *users, uint64_t *off)
{
	const struct reg *g = (const struct reg *)((const char *)users - offsetof(struct reg, users));

	*off = g->off;
	return g - r->regs->reg + 1;
}

void dv_regs_put(struct devio_ring *r, int buf)
{
	r->regs->reg[buf - 1].users--;
}

void dv_regs_sweep(struct devio_ring *r)
{
	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++) {
		const struct reg *g = &r->regs->reg[i];

		if (g->mem && !g->users && (g->mem->closed || g->file->closed))
			drop(r, i);
	}
}

void dv_regs_forget(struct devio_ring *r)
{
	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++) {
		if (!r->regs->reg[i].mem)
			continue;
		dv_mem_put(r->regs->reg[i].mem);
		dv_file_put(r->regs->reg[i].file);
	}
	free(r->regs);
}

void dv_regs_exit(struct devio_ring *r)
{
	for (uint32_t i = 0; r->regs && i < r->regs->nr; i++)
		if (r->regs->reg[i].mem)
			drop(r, i);
	free(r->regs);
}
