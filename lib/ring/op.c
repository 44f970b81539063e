/* SPDX-License-Identifier: MIT */
/* Operations: from the caller's request to the completion. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "path/choose.h"
#include "file/regcache.h"

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

/* The path by which most bytes went. */
static enum devio_path carried_by(const struct dv_op *op)
{
	static const enum devio_path of_way[] = {
		[DV_WAY_STAGED] = DEVIO_PATH_FILE_BOUNCE,
		[DV_WAY_STAGED_CACHE] = DEVIO_PATH_FILE_BUFFERED,
		[DV_WAY_CACHE] = DEVIO_PATH_FILE_BUFFERED,
	};
	enum devio_path id = op->path ? op->path->id : DEVIO_PATH_AUTO;
	uint64_t best = 0;

	if (op->sock)
		return id;
	for (int w = DV_WAY_DIRECT; w <= DV_WAY_CACHE; w++) {
		if (op->by_way[w] <= best)
			continue;
		best = op->by_way[w];
		if (w != DV_WAY_DIRECT)
			id = of_way[w];
	}
	return id;
}

/* The bytes came in ordinary memory: what was hoped for did not happen. */
static void tell_unsteered(struct devio_completion *c)
{
	c->best_unused = c->path;
	c->path = DEVIO_PATH_SOCK_BOUNCE;
	if (c->result >= 0)
		c->reason = DEVIO_REASON_NET_STEER;
}

static void fill_completion(const struct dv_op *op, struct devio_completion *c)
{
	uint64_t end = min_u64(op->len, op->eof_x);
	uint64_t copied = op->by_way[DV_WAY_STAGED] + op->by_way[DV_WAY_STAGED_CACHE] + op->by_way[DV_WAY_CACHE];

	c->cookie = op->cookie;
	c->good = op->err ? min_u64(end, op->fail_x) : end;
	c->result = op->err && op->fail_x < end ? op->err : (int64_t)end;
	c->copied = min_u64(copied, c->good);
	c->path = carried_by(op);
	c->best_unused = op->best_unused;
	c->reason = c->result < 0 ? op->fail_reason : op->reason;
	c->flags = op->flags | (op->write ? DEVIO_DONE_WRITE : 0);
	if (copied && op->by_way[DV_WAY_DIRECT])
		c->flags |= DEVIO_DONE_MIXED;
	if (op->path && c->path != op->path->id && c->result >= 0) {
		/* The edges were longer than the middle. */
		c->best_unused = op->path->id;
		c->reason = DEVIO_REASON_ALIGN;
	}
	if ((c->path == DEVIO_PATH_SOCK_DEVMEM || c->path == DEVIO_PATH_SOCK_ZCRX) && !op->write && c->good && !op->landed)
		tell_unsteered(c);
	c->frags = op->nr_frags;
	c->resv0 = 0;
	memset(c->resv, 0, sizeof(c->resv));
}

static void count(struct devio_ring *r, const struct devio_completion *c, bool write)
{
	struct devio_path_stat *s = &r->stat.path[c->path];

	dv_stat_add(write ? &s->writes : &s->reads, 1);
	dv_stat_add(write ? &s->bytes_written : &s->bytes_read, c->good);
	dv_stat_add(&s->copied, c->copied);
	if (c->result < 0)
		dv_stat_add(&s->errors, 1);
}

static void release_buf(struct devio_ring *r, struct dv_op *op)
{
	if (op->buf >= 0)
		dv_regs_put(r, op->buf);
	op->buf = -1;
}

void dv_op_forget(struct dv_op *op)
{
	for (uint32_t i = 0; i < op->nr_ranges; i++)
		dv_mem_put(op->ranges[i].mem);
	if (op->ranges != op->few)
		free(op->ranges);
	if (op->sock)
		dv_sock_put(op->sock);
	else
		dv_file_put(op->file);
	op->active = false;
}

static void op_release(struct devio_ring *r, struct dv_op *op)
{
	release_buf(r, op);
	dv_op_forget(op);
	op->next = r->free_ops;
	r->free_ops = op;
}

void dv_op_finish(struct devio_ring *r, struct dv_op *op)
{
	struct devio_completion *c = dv_ring_done(r);

	fill_completion(op, c);
	count(r, c, op->write);
	if (op->path && !op->tried && c->result > 0)
		dv_path_worked(r, op);
	op_release(r, op);
}

/* Another path for the whole of it: what was transferred is transferred again. */
static void op_restart(struct devio_ring *r, struct dv_op *op)
{
	int rc;

	release_buf(r, op);
	op->restart = false;
	op->issued = 0;
	op->cur = 0;
	op->cur_x = 0;
	op->nr_edges = 0;
	op->eof_x = UINT64_MAX;
	op->err = 0;
	memset(op->by_way, 0, sizeof(op->by_way));
	op->flags |= DEVIO_DONE_FELL_BACK;
	rc = dv_path_choose(r, op, 0);
	if (rc)
		dv_op_fail(op, 0, rc, op->fail_reason);
}

void dv_op_wait(struct devio_ring *r, struct dv_op *op)
{
	op->waiting = true;
	op->next = NULL;
	*r->wait_tail = op;
	r->wait_tail = &op->next;
}

/* What a write left to the page cache; after everything else. */
static int issue_edges(struct devio_ring *r, struct dv_op *op)
{
	while (op->nr_edges) {
		uint64_t took;
		int i = op->nr_edges - 1;
		int rc = dv_staged_issue(r, op, op->edge[i].x, op->edge[i].len, DV_WAY_STAGED_CACHE, &took);

		if (rc)
			return rc;
		op->edge[i].x += took;
		op->edge[i].len -= took;
		if (!op->edge[i].len)
			op->nr_edges--;
	}
	return 0;
}

static bool wants_more(const struct dv_op *op)
{
	return op->issued < op->len && op->issued < op->eof_x && !op->err && !op->restart && !op->canceled;
}

/* A failure stops what was put off to the end: what was not begun is not good. */
static void give_up_rest(struct dv_op *op)
{
	uint64_t x = op->restart ? 0 : op->nr_edges ? op->edge[0].x : op->issued;

	if (op->canceled && (op->restart || op->nr_edges || (op->issued < op->len && op->issued < op->eof_x)))
		dv_op_fail(op, x, -ECANCELED, DEVIO_REASON_CANCELED);
	if (op->err && op->nr_edges && x < op->fail_x)
		op->fail_x = x;
}

void dv_op_advance(struct devio_ring *r, struct dv_op *op)
{
	int rc = 0;

	if (op->sock) {
		dv_flow_go(r, op->sock, op->write);
		return;
	}
	for (;;) {
		/* One more, so that parts that end at once do not end the operation under our hands. */
		op->parts++;
		while (!rc && wants_more(op))
			rc = op->path->issue(r, op);
		if (!rc && op->parts == 1 && op->nr_edges && !op->err && !op->restart && !op->canceled)
			rc = issue_edges(r, op);
		op->parts--;
		if (rc == -EAGAIN) {
			dv_op_wait(r, op);
			return;
		}
		if (rc)
			dv_op_fail(op, op->issued, rc, DEVIO_REASON_NO_SLOT);
		if (op->parts)
			return;
		if (!op->restart || op->canceled)
			break;
		op_restart(r, op);
		rc = 0;
	}
	give_up_rest(op);
	dv_op_finish(r, op);
}

void dv_op_cancel(struct devio_ring *r, struct dv_op *op)
{
	op->canceled = true;
	/* Queue entries may be short: a file's I/O that is not reached ends by itself. */
	for (unsigned int i = 0; i < r->nr_parts; i++)
		if (r->parts[i].op == op && op->parts &&
		    dv_queue_cancel(&r->q, &r->parts[i], &r->parts[r->nr_parts]) && op->sock)
			r->owes_cancel = true;
	if (op->sock)
		dv_flow_canceled(r, op);
}

static int check_range(const struct devio_ctx *ctx, const struct devio_range *g, uint64_t *total)
{
	if (!g->mem)
		return dv_err(-EINVAL, "ring: the memory of a range is NULL");
	if (g->mem->ctx != ctx)
		return dv_err(-EINVAL, "ring: mem %s belongs to another context", g->mem->spec);
	if (g->off > g->mem->size || g->len > g->mem->size - g->off)
		return dv_err(-ERANGE, "ring: %llu bytes at %llu leave mem %s of %llu bytes",
			      (unsigned long long)g->len, (unsigned long long)g->off, g->mem->spec,
			      (unsigned long long)g->mem->size);
	*total += g->len; /* 1024 ranges of at most 2^63 - 1 could wrap: checked by the caller at each step */
	return *total > INT64_MAX ? dv_err(-EOVERFLOW, "ring: the ranges add up to more than 2^63 bytes") : 0;
}

int dv_op_check_ranges(const struct devio_ctx *ctx, const struct devio_range *ranges, uint32_t nr, uint64_t *len)
{
	int rc = 0;

	if (!ranges || !nr || nr > MAX_RANGES)
		return dv_err(-EINVAL, "ring: 1 to %d ranges are needed", MAX_RANGES);
	*len = 0;
	for (uint32_t i = 0; !rc && i < nr; i++)
		rc = check_range(ctx, &ranges[i], len);
	return rc;
}

int dv_op_check(const struct devio_ctx *ctx, const struct devio_io *io, uint64_t *total)
{
	static const unsigned int known = DEVIO_FILE_DIRECT_ONLY | DEVIO_FILE_NO_CACHE;
	int rc = 0;

	if (!io->file)
		return dv_err(-EINVAL, "ring: a file is needed");
	if (io->file->ctx != ctx)
		return dv_err(-EINVAL, "ring: the file belongs to another context");
	if (io->path < 0 || io->path >= DEVIO_PATH_FILE_MAX || io->flags & ~known)
		return dv_err(-EINVAL, "ring: unknown path %d or flags 0x%x", io->path, io->flags);
	if (io->file->access != O_RDWR && (io->file->access == O_WRONLY) != !!io->write)
		return dv_err(-EBADF, "file: it was not opened for %s", io->write ? "writing" : "reading");
	rc = dv_op_check_ranges(ctx, io->ranges, io->nr_ranges, total);
	if (!rc && (io->file_off > INT64_MAX || *total > INT64_MAX - io->file_off))
		rc = dv_err(-EOVERFLOW, "file: offset %llu and length %llu go past 2^63",
			    (unsigned long long)io->file_off, (unsigned long long)*total);
	return rc;
}

/* Copies the list without its empty ranges. */
static int take_ranges(struct dv_op *op, const struct devio_range *ranges, uint32_t nr)
{
	uint32_t n = 0;

	op->ranges = op->few;
	if (nr > DV_FEW_RANGES) {
		op->ranges = malloc(nr * sizeof(*op->ranges));
		if (!op->ranges)
			return dv_err(-ENOMEM, "ring: no memory for %u ranges", nr);
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

void dv_op_init(struct dv_op *op, uint64_t len, uint64_t cookie, bool write)
{
	op->file = NULL;
	op->sock = NULL;
	op->behind = NULL;
	op->mem = op->ranges[0].mem;
	op->path = NULL;
	op->cookie = cookie;
	op->file_off = 0;
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
	memset(op->by_way, 0, sizeof(op->by_way));
	op->landed = 0;
	op->frags = NULL;
	op->nr_frags = 0;
	op->nr_edges = 0;
	op->best_unused = op->reason = op->fail_reason = op->tried = 0;
	op->flags = 0;
	op->buf = -1;
	op->forced = op->canceled = op->waiting = op->restart = op->lacks_buf = false;
	op->active = true;
}

static void of_file(struct dv_op *op, const struct devio_io *io, uint64_t len)
{
	dv_op_init(op, len, io->cookie, io->write);
	op->file = io->file;
	op->file_off = io->file_off;
	op->want = io->flags | io->file->flags;
}

int dv_op_take(struct devio_ring *r, const struct devio_range *ranges, uint32_t nr, struct dv_op **out)
{
	struct dv_op *op = r->free_ops;
	int rc;

	if (!op || !r->room)
		return dv_err_plain(-EAGAIN, "ring: as many operations as it has entries are in flight: wait for one [EAGAIN]");
	rc = take_ranges(op, ranges, nr);
	if (rc)
		return rc;
	r->free_ops = op->next;
	r->room--;
	*out = op;
	return 0;
}

int dv_op_start(struct devio_ring *r, const struct devio_io *io)
{
	struct dv_op *op;
	uint64_t len = 0;
	bool usual;
	int rc = dv_op_check(r->ctx, io, &len);

	if (!rc)
		rc = dv_op_take(r, io->ranges, io->nr_ranges, &op);
	if (rc)
		return rc;
	dv_file_get(io->file);
	of_file(op, io, len);
	if (len) {
		rc = dv_path_choose(r, op, io->path ? io->path : io->file->path);
		if (rc)
			dv_op_fail(op, 0, rc, op->fail_reason);
	}
	usual = len && !rc && !io->path && !io->flags && op->nr_ranges == 1;
	dv_op_advance(r, op);
	/* The operation has completed at once only if it failed. */
	if (usual && op->active && op->parts == 1 && op->issued == len)
		dv_fast_learn(r, op);
	return 0;
}

/* What the plan said of the I/O, found again. */
static void locate(struct dv_op *op, struct dv_part *p)
{
	struct devio_mem *m = op->mem;

	p->way = op->path->direct ? DV_WAY_DIRECT : DV_WAY_CACHE;
	p->fd = op->path->direct ? op->file->dfd : op->file->fd;
	p->buf = op->buf;
	p->addr = (op->buf >= 0 ? op->dmabuf_off : (uintptr_t)m->ptr) + op->few[0].off;
}

void dv_op_promote(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_fast *f = &p->fast;
	struct dv_op *op = r->free_ops;
	struct devio_io io = { .file = f->file, .write = f->told.flags & DEVIO_DONE_WRITE, .file_off = p->file_off, .cookie = f->cookie };

	r->free_ops = op->next;
	op->ranges = op->few;
	op->few[0] = (struct devio_range){ .mem = f->mem, .off = f->mem_off, .len = p->len };
	op->nr_ranges = 1;
	of_file(op, &io, p->len);
	for (int i = 0; dv_path_table[i]; i++)
		if (dv_path_table[i]->id == f->told.path)
			op->path = dv_path_table[i];
	op->forced = f->file->path != 0;
	op->best_unused = f->told.best_unused;
	op->reason = f->told.reason;
	op->issued = p->len;
	op->parts = 1;
	if (f->use != &r->no_use)
		op->buf = op->hint = dv_regs_find(r, f->use, &op->dmabuf_off);
	locate(op, p);
	p->op = op;
	p->path = op->path;
	p->tries = 0;
	p->nr_copies = 0;
	p->done = 0;
	p->x = 0;
	p->skip = 0;
	p->take = p->len;
	p->slot.buf = NULL;
	p->fast.file = NULL;
}
