/* SPDX-License-Identifier: MIT */
/* Synchronous calls: a ring from the context's idle ones, one operation, and back. */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/ctx.h"
#include "core/err.h"
#include "path/choose.h"
#include "ring/idle.h"

#define SYNC_ENTRIES 8

int dv_sync_take(struct devio_ctx *ctx, struct devio_ring **out)
{
	struct devio_ring_opts o = { .sz = sizeof(o), .entries = SYNC_ENTRIES, .flags = DEVIO_RING_SHARED };

	for (int i = 0; i < DV_SYNC_RINGS; i++) {
		struct devio_ring *r = NULL;

		if (atomic_load_explicit(&ctx->idle[i], memory_order_relaxed))
			r = atomic_exchange(&ctx->idle[i], NULL);
		if (r) {
			*out = r;
			return 0;
		}
	}
	return dv_ring_open(ctx, &o, NULL, 0, 0, out);
}

static void ring_put(struct devio_ctx *ctx, struct devio_ring *r)
{
	for (int i = 0; i < DV_SYNC_RINGS; i++) {
		struct devio_ring *none = NULL;

		if (atomic_compare_exchange_strong(&ctx->idle[i], &none, r))
			return;
	}
	dv_ring_free_idle(r);
}

/* A memory or a file closed while the ring was away was not let go of. */
void dv_sync_give(struct devio_ctx *ctx, struct devio_ring *r)
{
	unsigned int seen = r->closings;
	bool holds = r->regs;

	/* A ring that failed to wait may still have the operation in flight. */
	if (dv_ring_active(r)) {
		dv_ring_free_idle(r);
		return;
	}
	ring_put(ctx, r);
	if (holds && seen != dv_closings)
		dv_sync_sweep(ctx);
}

void dv_sync_sweep(struct devio_ctx *ctx)
{
	for (int i = 0; i < DV_SYNC_RINGS; i++) {
		struct devio_ring *r = NULL;

		if (atomic_load_explicit(&ctx->idle[i], memory_order_relaxed))
			r = atomic_exchange(&ctx->idle[i], NULL);
		if (!r)
			continue;
		if (ctx->fork_gen != dv_fork_gen) {
			dv_ring_free_idle(r);
			continue;
		}
		if (r->regs)
			dv_ring_progress(r);
		ring_put(ctx, r);
	}
}

static void count_small(struct devio_ctx *ctx, bool write, ssize_t n)
{
	struct devio_path_stat *s = &ctx->sync.path[DEVIO_PATH_FILE_BUFFERED];

	__atomic_fetch_add(write ? &s->writes : &s->reads, 1, __ATOMIC_RELAXED);
	if (n < 0) {
		__atomic_fetch_add(&s->errors, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(write ? &s->bytes_written : &s->bytes_read, n, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->copied, n, __ATOMIC_RELAXED);
}

/*
 * A short file into host memory: one pread is all there is to it. 1 if that
 * is how it was done, 0 if the ring must do it.
 */
static int read_small(struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
		      uint64_t file_off, struct devio_completion *c)
{
	uint64_t got = 0;
	ssize_t n;

	if (!f->small || f->direct || f->path || f->flags || !(m->caps & DEVIO_MEM_HOST_PAGES) ||
	    f->access == O_WRONLY || f->ctx != m->ctx || mem_off > m->size || len > m->size - mem_off ||
	    len > (64 << 10) || file_off > INT64_MAX - len)
		return 0;
	memset(c, 0, sizeof(*c));
	do {
		n = pread(f->fd, (char *)m->ptr + mem_off + got, len - got, file_off + got);
		if (n > 0)
			got += n;
	} while ((n > 0 && got < len) || (n < 0 && errno == EINTR));
	c->result = n < 0 ? -errno : (ssize_t)got;
	c->good = got;
	c->copied = got;
	c->path = DEVIO_PATH_FILE_BUFFERED;
	c->best_unused = DEVIO_PATH_FILE_HOST;
	c->reason = n < 0 ? DEVIO_REASON_IO : DEVIO_REASON_SMALL;
	count_small(f->ctx, false, c->result);
	return 1;
}

int dv_sync_wait(struct devio_ring *r, struct devio_completion *c)
{
	int n;

	do {
		n = devio_ring_wait(r, c, 1, 1, -1);
	} while (n == -EINTR || n == 0);
	return n < 0 ? n : 0;
}

static ssize_t finish(const struct devio_completion *c, struct devio_completion *done)
{
	if (done)
		*done = *c;
	if (c->result >= 0)
		return c->result;
	return dv_err((int)c->result, "file: %s by %s failed after %llu bytes: %s",
		      c->flags & DEVIO_DONE_WRITE ? "write" : "read", devio_path_name(c->path),
		      (unsigned long long)c->good, devio_reason_text(c->reason));
}

static ssize_t transfer(struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
			uint64_t file_off, int write, struct devio_completion *done)
{
	struct devio_range range = { .mem = m, .off = mem_off, .len = len };
	struct devio_io io = {
		.sz = sizeof(io), .file = f, .ranges = &range, .nr_ranges = 1, .write = write, .file_off = file_off,
	};
	struct devio_completion c;
	struct devio_ring *r;
	int rc;

	if (!f || !m)
		return dv_err(-EINVAL, "file: the file or the memory is NULL");
	rc = dv_ctx_forked(f->ctx);
	if (rc)
		return rc;
	if (!write && read_small(f, m, mem_off, len, file_off, &c))
		return finish(&c, done);
	rc = dv_sync_take(f->ctx, &r);
	if (rc)
		return rc;
	rc = dv_op_start(r, &io);
	if (!rc)
		rc = dv_sync_wait(r, &c);
	dv_sync_give(f->ctx, r);
	return rc ? rc : finish(&c, done);
}

DEVIO_API ssize_t devio_file_read(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				  uint64_t len, uint64_t file_off, struct devio_completion *done)
{
	return transfer(file, mem, mem_off, len, file_off, 0, done);
}

DEVIO_API ssize_t devio_file_write(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				   uint64_t len, uint64_t file_off, struct devio_completion *done)
{
	return transfer(file, mem, mem_off, len, file_off, 1, done);
}

/* One line a path: can, or why not; told is what was chosen. */
static void describe(struct devio_ring *r, struct dv_op *op, const struct devio_completion *told, char *buf,
		     size_t size)
{
	struct dv_pair *pair = dv_pair_get(r, op);
	size_t n = 0;

	if (size)
		buf[0] = '\0';
	const struct dv_path *const *table = dv_paths_of(op);

	for (int i = 0; table[i]; i++) {
		const struct dv_path *p = table[i];
		bool can = dv_pair_can(r, pair, p, op);
		uint8_t why = can ? 0 : pair->why[p->id];

		op->path = p;
		op->dmabuf_off = pair->dmabuf_off;
		if (can && p->suits)
			why = p->suits(op);
		if (!why && p->id == told->best_unused)
			why = told->reason;
		n += snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0, "%-13s %s: %s\n", p->name,
			      why ? "no " : "yes", p->id == told->path ? "taken" : devio_reason_text(why));
	}
}

int dv_sync_explain(struct devio_ctx *ctx, struct dv_op *op, int path, struct devio_completion *verdict, char *buf,
		    size_t size)
{
	struct devio_completion told;
	struct devio_ring *r;
	int rc = dv_sync_take(ctx, &r);

	if (rc)
		return rc;
	rc = dv_path_choose(r, op, path);
	told = (struct devio_completion){
		.result = rc ? rc : (int64_t)op->len, .path = op->path && !rc ? op->path->id : 0, .best_unused = op->best_unused,
		.reason = rc ? op->fail_reason : op->reason, .flags = op->write ? DEVIO_DONE_WRITE : 0,
	};
	describe(r, op, &told, buf, size);
	if (verdict)
		*verdict = told;
	dv_sync_give(ctx, r);
	return rc ? dv_err(rc, "%s: no path: %s", op->sock ? "sock" : "file", devio_reason_text(told.reason)) : 0;
}

DEVIO_API int devio_file_explain(struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
				 uint64_t file_off, int write, struct devio_completion *verdict, char *buf,
				 size_t size)
{
	struct devio_range range = { .mem = m, .off = mem_off, .len = len };
	const struct devio_io io = {
		.file = f, .ranges = &range, .nr_ranges = 1, .write = write, .file_off = file_off,
	};
	struct dv_op op = {
		.file = f, .mem = m, .ranges = &range, .nr_ranges = 1, .len = len, .file_off = file_off,
		.write = write, .buf = -1, .eof_x = UINT64_MAX,
	};
	int rc;

	if (!f || !m || (size && !buf))
		return dv_err(-EINVAL, "file: the file, the memory or the buffer is NULL");
	op.want = f->flags;
	rc = dv_ctx_forked(f->ctx);
	if (!rc)
		rc = dv_op_check(f->ctx, &io, &len);
	return rc ? rc : dv_sync_explain(f->ctx, &op, f->path, verdict, buf, size);
}
