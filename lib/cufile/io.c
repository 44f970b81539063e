/* SPDX-License-Identifier: MIT */
/* Synchronous reads and writes. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include "cufile/target.h"

static ssize_t fail(int code)
{
	dv_note(DV_ERROR, "transfer: refused [%d]", code);
	errno = code == GDS_NO_MEMORY ? ENOMEM : code == GDS_HANDLE_UNKNOWN ? EBADF : EINVAL;
	return -code;
}

/* The first transfer opens the driver. */
static __attribute__((noinline)) int get(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off,
					 struct dv_target *t)
{
	int rc = dv_target_get(handle, base, size, file_off, buf_off, t);

	for (int i = 0; __builtin_expect(rc == GDS_NOT_INITIALIZED, 0) && i < DV_TRIES; i++) {
		rc = dv_open_driver(false).err;
		if (!rc)
			rc = dv_target_get(handle, base, size, file_off, buf_off, t);
	}
	return rc;
}

static __attribute__((noinline)) ssize_t failed(ssize_t n, unsigned int reason)
{
	dv_note(DV_ERROR, "transfer: %s", devio_errmsg());
	return dv_transfer_error((int)n, reason);
}

static inline __attribute__((always_inline)) ssize_t
transfer(struct dv_target *t, size_t size, off_t file_off, struct devio_completion *c, bool write)
{
	/* Of one that is refused before it begins. */
	c->reason = 0;
	c->result = 0;
	if (write)
		return devio_file_write(t->h->file, t->r->mem, t->off, size, (uint64_t)file_off, c);
	return devio_file_read(t->h->file, t->r->mem, t->off, size, (uint64_t)file_off, c);
}

static __attribute__((noinline)) ssize_t counted(struct dv_target *t, size_t size, off_t file_off, bool write)
{
	struct devio_completion c = { .flags = write ? DEVIO_DONE_WRITE : 0 };
	uint64_t start = dv_usage_now();
	ssize_t n = transfer(t, size, file_off, &c, write);

	if (n < 0 && !c.result)
		c.result = n;
	dv_usage_count(t->h->usage, t->r->gpu, &c, size, dv_usage_now() - start);
	return n < 0 ? failed(n, c.reason) : n;
}

static inline __attribute__((always_inline)) ssize_t
one(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off, bool write)
{
	struct dv_target t;
	struct devio_completion c;
	int rc = dv_target_get(handle, base, size, file_off, buf_off, &t);
	ssize_t n;

	if (__builtin_expect(rc == GDS_NOT_INITIALIZED, 0))
		rc = get(handle, base, size, file_off, buf_off, &t);
	if (__builtin_expect(rc, 0))
		return fail(rc);
	if (__builtin_expect(atomic_load_explicit(&dv_counting, memory_order_relaxed), 0)) {
		n = counted(&t, size, file_off, write);
	} else {
		n = transfer(&t, size, file_off, &c, write);
		if (__builtin_expect(n < 0, 0))
			n = failed(n, c.reason);
	}
	dv_target_put(&t);
	return n;
}

GDS_API ssize_t cuFileRead(void *handle, void *base, size_t size, off_t file_off, off_t buf_off)
{
	return one(handle, base, size, file_off, buf_off, false);
}

GDS_API ssize_t cuFileWrite(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off)
{
	return one(handle, base, size, file_off, buf_off, true);
}

/* Piece after piece; what was transferred before an error counts, as with preadv(2). */
static ssize_t vector(void *handle, const struct gds_iovec *iov, size_t nr, off_t file_off, unsigned int flags,
		      bool write)
{
	ssize_t total = 0, n;

	if (!iov || !nr || nr > IOV_MAX || flags || file_off < 0)
		return fail(GDS_INVALID_VALUE);
	for (size_t i = 0; i < nr; i++) {
		n = one(handle, iov[i].base, iov[i].size, file_off + total, 0, write);
		if (n < 0)
			return total ? total : n;
		total += n;
		if ((size_t)n < iov[i].size)
			break;
	}
	return total;
}

GDS_API ssize_t cuFileReadv(void *handle, const struct gds_iovec *iov, size_t nr, off_t file_off, unsigned int flags)
{
	return vector(handle, iov, nr, file_off, flags, false);
}

GDS_API ssize_t cuFileWritev(void *handle, const struct gds_iovec *iov, size_t nr, off_t file_off, unsigned int flags)
{
	return vector(handle, iov, nr, file_off, flags, true);
}
