/* SPDX-License-Identifier: MIT */
/* Operations: the code common to files and connections, from the caller's ranges to the completion. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "ring/index.h"

#define MAX_RANGES 1024

struct devio_mem *dv_op_at(struct dv_op *op, uint64_t x, uint64_t *mem_off, uint64_t *left)
{
	const struct devio_range *g = op->ranges;
	uint64_t base = 0;
	uint32_t i = 0;

	if (op->nr_ranges == 1) {
		*mem_off = g->off + x;
		*left = g->len - x;
		return g->mem;
	}
	if (x >= op->cur_x) {
		i = op->cur;
		base = op->cur_x;
	}
	while (x - base >= g[i].len)
		base += g[i++].len;
	if (x == op->issued) {
		op->cur = i;
		op->cur_x = base;
	}
	*mem_off = g[i].off + (x - base);
	*left = g[i].len - (x - base);
	return g[i].mem;
}

void dv_op_fail(struct dv_op *op, uint64_t x, int err, enum devio_reason why)
{
	if (op->err && x >= op->fail_x)
		return;
	op->fail_x = x;
	op->err = err;
	op->fail_reason = why;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Fills all fields except the endpoint's: path, best_unused, reason and frags. */
static void fill_completion(const struct dv_op *op, struct devio_completion *c)
{
	uint64_t end = min_u64(op->len, op->eof_x);
	uint64_t copied = op->by_mode[DV_MODE_STAGED] + op->by_mode[DV_MODE_STAGED_CACHE] +
			  op->by_mode[DV_MODE_CACHE];

	memset(c, 0, sizeof(*c));
	c->cookie = op->cookie;
	c->good = op->err ? min_u64(end, op->fail_x) : end;
	c->result = op->err && op->fail_x < end ? op->err : (int64_t)end;
	c->copied = min_u64(copied, c->good);
	c->best_unused = op->best_unused;
	c->reason = c->result < 0 ? op->fail_reason : op->reason;
	c->flags = op->flags | (op->write ? DEVIO_DONE_WRITE : 0);
	if (copied && op->by_mode[DV_MODE_DIRECT])
		c->flags |= DEVIO_DONE_MIXED;
}

static void count(struct devio_ring *r, const struct devio_completion *c, bool write)
{
	struct devio_path_stat *s = &r->stat.sum.path[c->path];

	dv_stat_add(write ? &s->writes : &s->reads, 1);
	dv_stat_add(write ? &s->bytes_written : &s->bytes_read, c->good);
	dv_stat_add(&s->copied, c->copied);
	if (c->result < 0)
		dv_stat_add(&s->errors, 1);
}

void dv_op_forget(struct dv_op *op)
{
	for (uint32_t i = 0; i < op->nr_ranges; i++)
		dv_mem_put(op->ranges[i].mem);
	if (op->ranges != op->few)
		free(op->ranges);
	dv_endpoint_put(op->end);
	op->active = false;
}

void dv_op_finish(struct devio_ring *r, struct dv_op *op)
{
	struct devio_completion *c = dv_ring_done(r);

	fill_completion(op, c);
	op->end->ops->finish(r, op, c);
	count(r, c, op->write);
	if (r->index)
		dv_index_remove_op(r, op);
	dv_op_forget(op);
	op->next = r->free_ops;
	r->free_ops = op;
	r->nr_full--;
}

void dv_op_wait(struct devio_ring *r, struct dv_op *op)
{
	op->waiting = true;
	op->next = NULL;
	*r->wait_tail = op;
	r->wait_tail = &op->next;
}

bool dv_op_cancel_parts(struct devio_ring *r, struct dv_op *op)
{
	bool no_room = false;

	for (struct dv_part *p = op->first; p; p = p->op_next)
		no_room |= dv_queue_cancel(&r->q, p, dv_ring_tag(r, DV_TAG_CANCEL)) != 0;
	return no_room;
}

void dv_op_cancel(struct devio_ring *r, struct dv_op *op)
{
	op->canceled = true;
	op->end->ops->cancel(r, op, false);
}

static int check_range(const struct devio_ctx *ctx, const struct devio_range *g, uint64_t *total)
{
	if (!g->mem)
		return dv_err(-EINVAL, "ring: memory of a range is NULL");
	if (g->mem->ctx != ctx)
		return dv_err(-EINVAL, "ring: mem %s belongs to another context", g->mem->spec);
	if (g->off > g->mem->size || g->len > g->mem->size - g->off)
		return dv_err(-ERANGE, "ring: %llu bytes at offset %llu exceed mem %s of %llu bytes",
			      (unsigned long long)g->len, (unsigned long long)g->off, g->mem->spec,
			      (unsigned long long)g->mem->size);
	*total += g->len; /* cannot wrap: at most INT64_MAX before, and the caller stops at an error */
	return *total > INT64_MAX ? dv_err(-EOVERFLOW, "ring: the ranges add up to 2^63 bytes or more") : 0;
}

int dv_op_check_ranges(const struct devio_ctx *ctx, const struct devio_range *ranges, uint32_t nr, uint64_t *len)
{
	int rc = 0;

	if (!ranges || !nr || nr > MAX_RANGES)
		return dv_err(-EINVAL, "ring: number of ranges must be 1 to %d, and the array not NULL", MAX_RANGES);
	*len = 0;
	for (uint32_t i = 0; !rc && i < nr; i++)
		rc = check_range(ctx, &ranges[i], len);
	return rc;
}

/* Copies the list, dropping empty ranges. */
static int take_ranges(struct dv_op *op, const struct devio_range *ranges, uint32_t nr)
{
	uint32_t n = 0;

	op->ranges = op->few;
	if (nr > DV_FEW_RANGES) {
		op->ranges = malloc(nr * sizeof(*op->ranges));
		if (!op->ranges)
			return dv_err(-ENOMEM, "ring: cannot allocate memory for %u ranges", nr);
	}
	for (uint32_t i = 0; i < nr; i++)
		if (ranges[i].len || nr == 1)
			op->ranges[n++] = ranges[i];
	if (!n)
		op->ranges[n++] = ranges[0];
	op->nr_ranges = n;
	for (uint32_t i = 0; i < n; i++)
		dv_mem_get(op->ranges[i].mem);
	return 0;
}

void dv_op_init(struct devio_ring *r, struct dv_op *op, struct dv_endpoint *end, uint64_t len, uint64_t cookie,
		bool write)
{
	op->end = end;
	op->mem = op->ranges[0].mem;
	op->path = NULL;
	op->cookie = cookie;
	op->len = len;
	op->write = write;
	op->want = 0;
	op->cur = 0;
	op->cur_x = 0;
	op->issued = 0;
	op->eof_x = UINT64_MAX;
	op->fail_x = 0;
	op->err = 0;
	op->parts = 0;
	op->first = NULL;
	memset(op->by_mode, 0, sizeof(op->by_mode));
	op->best_unused = op->reason = op->fail_reason = op->tried = 0;
	op->flags = 0;
	op->forced = op->canceled = op->waiting = op->restart = op->waits_alone = false;
	op->active = true;
	if (r->index)
		dv_index_add_op(r, op);
}

int dv_op_take(struct devio_ring *r, const struct devio_range *ranges, uint32_t nr, struct dv_op **out)
{
	struct dv_op *op = r->free_ops;
	int rc;

	if (!op || !r->room)
		return dv_err_plain(-EAGAIN, "ring: all entries are in flight: wait for a completion "
				    "[EAGAIN: Resource temporarily unavailable]");
	rc = take_ranges(op, ranges, nr);
	if (rc)
		return rc;
	r->free_ops = op->next;
	r->room--;
	r->nr_full++;
	*out = op;
	return 0;
}

struct dv_op *dv_op_take_promoted(struct devio_ring *r, const struct devio_range *range)
{
	struct dv_op *op = r->free_ops;

	r->free_ops = op->next;
	r->nr_full++;
	r->nr_held++;
	op->ranges = op->few;
	op->few[0] = *range;
	op->nr_ranges = 1;
	return op;
}
