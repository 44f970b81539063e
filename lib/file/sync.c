/* SPDX-License-Identifier: MIT */
/* Synchronous reads and writes of files. */
#include "config.h"
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "file/file.h"
#include "ring/idle.h"

#define SMALL_READ (64 << 10) /* maximum size for a single pread() */

static void count(struct devio_ctx *ctx, ssize_t n)
{
	struct devio_path_stat *s = &ctx->sync.path[DEVIO_PATH_FILE_BUFFERED];

	__atomic_fetch_add(&s->reads, 1, __ATOMIC_RELAXED);
	if (n < 0) {
		__atomic_fetch_add(&s->errors, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(&s->bytes_read, n, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->copied, n, __ATOMIC_RELAXED);
}

/*
 * Reads a short file into host memory with pread(), without a ring. 1 if done, 0 if a
 * ring must be used.
 */
static int read_small(struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
		      uint64_t file_off, struct devio_completion *c)
{
	uint64_t total = 0;
	ssize_t n;

	if (!dv_file_is_small_read(f, m, mem_off, len) || len > SMALL_READ || file_off > INT64_MAX - len)
		return 0;
	memset(c, 0, sizeof(*c));
	do {
		n = pread(f->fd, (char *)m->ptr + mem_off + total, len - total, file_off + total);
		if (n > 0)
			total += n;
	} while ((n > 0 && total < len) || (n < 0 && errno == EINTR));
	c->result = n < 0 ? -errno : (ssize_t)total;
	c->good = total;
	c->copied = total;
	c->path = DEVIO_PATH_FILE_BUFFERED;
	c->best_unused = DEVIO_PATH_FILE_HOST;
	c->reason = n < 0 ? DEVIO_REASON_IO : DEVIO_REASON_SMALL;
	count(f->base.ctx, c->result);
	return 1;
}

static ssize_t finish(const struct devio_completion *c, struct devio_completion *done)
{
	if (done)
		*done = *c;
	if (c->result >= 0)
		return c->result;
	return dv_err((int)c->result, "file: %s through %s failed after %llu bytes: %s",
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
		return dv_err(-EINVAL, "file: file or memory is NULL");
	rc = dv_ctx_forked(f->base.ctx);
	if (rc)
		return rc;
	if (!write && read_small(f, m, mem_off, len, file_off, &c))
		return finish(&c, done);
	rc = dv_idle_take(f->base.ctx, &r);
	if (rc)
		return rc;
	rc = dv_file_start(r, &io);
	if (!rc)
		rc = dv_idle_wait(r, &c);
	dv_idle_put(f->base.ctx, r);
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

DEVIO_API int devio_file_explain(struct devio_file *f, struct devio_mem *m, uint64_t mem_off, uint64_t len,
				 uint64_t file_off, int write, struct devio_completion *verdict, char *buf,
				 size_t size)
{
	struct devio_range range = { .mem = m, .off = mem_off, .len = len };
	const struct devio_io io = {
		.file = f, .ranges = &range, .nr_ranges = 1, .write = write, .file_off = file_off,
	};
	struct dv_op op = {
		.mem = m, .ranges = &range, .nr_ranges = 1, .len = len, .write = write, .eof_x = UINT64_MAX,
	};
	int rc;

	if (!f || !m || (size && !buf))
		return dv_err(-EINVAL, "file: file, memory or buffer is NULL");
	op.end = &f->base;
	dv_file_op_init(&op, f, file_off);
	rc = dv_ctx_forked(f->base.ctx);
	if (!rc)
		rc = dv_file_check(f->base.ctx, &io, &len);
	return rc ? rc : dv_path_explain(&op, f->path, verdict, buf, size);
}
