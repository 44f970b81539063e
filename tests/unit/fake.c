/* SPDX-License-Identifier: MIT */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "fake.h"
#include "ring/engine.h"
#include "test.h"

struct fake_plan fake_plan;
unsigned long fake_copies, fake_failed, fake_running;

struct fake_copy {
	char *dev, *host;
	size_t len;
	bool out, fail;
	unsigned int polls;
};

static unsigned int rnd(void)
{
	static uint64_t s = 88172645463325252ULL;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s >> 16;
}

static void move(const struct fake_copy *f)
{
	if (f->out)
		memcpy(f->host, f->dev, f->len);
	else
		memcpy(f->dev, f->host, f->len);
}

static int copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	struct fake_copy f = { (char *)m->priv + off, host, len, out, rnd() % 1000 < fake_plan.fail, 0 };
	struct fake_copy *p;

	must(off + len <= m->size, "the copy stays in the memory");
	fake_copies++;
	if (f.fail)
		fake_failed++;
	if (f.fail && !fake_plan.fail_late)
		return dv_err(-EIO, "fake: the copy fails");
	if (fake_plan.polls)
		f.polls = rnd() % (fake_plan.polls + 1);
	if (!f.polls && !f.fail) {
		move(&f);
		return 1;
	}
	p = malloc(sizeof(*p));
	*p = f;
	c->tok = p;
	fake_running++;
	return 0;
}

static int copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	struct fake_copy *p = c->tok;
	bool fail = p->fail;

	(void)m;
	if (!wait && p->polls && p->polls--)
		return 0;
	if (!fail)
		move(p);
	free(p);
	c->tok = NULL;
	fake_running--;
	return fail ? dv_err(-EIO, "fake: the copy failed") : 1;
}

static void fake_free(struct devio_mem *m)
{
	free(m->priv);
}

static const struct dv_mem_ops ops = {
	.name = "fake", .syntax = "fake", .free = fake_free, .copy = copy, .copy_poll = copy_poll,
};

struct devio_mem *fake_mem(struct devio_ctx *ctx, uint64_t size, unsigned int caps)
{
	struct devio_mem *m = calloc(1, sizeof(*m));

	m->ops = &ops;
	m->ctx = dv_ctx_get(ctx);
	m->refs = 1;
	m->id = dv_ctx_new_id();
	m->size = size;
	m->caps = caps;
	m->dmabuf_fd = -1;
	m->priv = aligned_alloc(4096, (size + 4095) & ~4095ULL);
	memset(m->priv, 0, size);
	if (caps & DEVIO_MEM_P2P_PAGES)
		m->ptr = m->priv;
	strcpy(m->spec, "fake");
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void check_idle(struct devio_ring *r)
{
	unsigned int ops_free = 0, parts_free = 0, n = 0;
	struct dv_op *op;
	struct dv_part *p;

	for (op = r->free_ops; op && ops_free <= r->nr_ops; op = op->next)
		ops_free++;
	for (p = r->free_parts; p && parts_free <= r->nr_parts; p = p->next)
		parts_free++;
	for (unsigned int i = 0; i < r->nr_ops; i++)
		n += r->ops[i].active;
	must(ops_free == r->nr_ops && !n, "%u of %u operations are free, %u active", ops_free, r->nr_ops, n);
	must(parts_free == r->nr_parts, "%u of %u parts are free", parts_free, r->nr_parts);
	must(r->room == r->nr_ops && r->done_head == r->done_tail, "room for %u of %u", r->room, r->nr_ops);
	must(!r->nr_io && !r->nr_staged, "%u I/Os and %u copies are left", r->nr_io, r->nr_staged);
	must(!r->nr_full && !r->nr_held, "%u operations with %u parts are left", r->nr_full, r->nr_held);
	must(!r->copying && !r->stalled && !r->wait_head, "nothing waits");
	must(!r->staging.used, "%llu bytes of slots are taken", (unsigned long long)r->staging.used);
	must(!fake_running, "%lu copies are lost", fake_running);
}
