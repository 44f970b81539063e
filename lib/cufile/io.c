/* SPDX-License-Identifier: MIT */
/* Synchronous reads and writes. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include "cufile/gds.h"

static ssize_t fail(int code)
{
	dv_note(DV_ERROR, "transfer: refused [%d]", code);
	errno = code == GDS_NO_MEMORY ? ENOMEM : code == GDS_HANDLE_UNKNOWN ? EBADF : EINVAL;
	return -code;
}

/* The first transfer opens the driver. */
static int get(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off, struct dv_target *t)
{
	int rc = dv_target_get(handle, base, size, file_off, buf_off, t);

	for (int i = 0; __builtin_expect(rc == GDS_NOT_INITIALIZED, 0) && i < DV_TRIES; i++) {
		rc = dv_open_driver(false).err;
		if (!rc)
			rc = dv_target_get(handle, base, size, file_off, buf_off, t);
	}
	return rc;
}

static ssize_t transfer(struct dv_target *t, size_t size, off_t file_off, bool write)
{
	bool counting = atomic_load_explicit(&dv_counting, memory_order_relaxed);
	uint64_t start = counting ? dv_usage_now() : 0;
	struct devio_completion c = { .flags = write ? DEVIO_DONE_WRITE : 0 };
	ssize_t n;

	if (write)
		n = devio_file_write(t->h->file, t->r->mem, t->off, size, (uint64_t)file_off, &c);
	else
		n = devio_file_read(t->h->file, t->r->mem, t->off, size, (uint64_t)file_off, &c);
	if (__builtin_expect(counting, 0)) {
		/* Refused before it began. */
		if (n < 0 && !c.result)
			c.result = n;
		dv_usage_count(t->h->usage, t->r->gpu, &c, size, dv_usage_now() - start);
	}
	if (__builtin_expect(n < 0, 0)) {
		dv_note(DV_ERROR, "transfer: %s", devio_errmsg());
		n = dv_transfer_error((int)n, c.reason);
	}
	return n;
}

static inline __attribute__((always_inline)) ssize_t
one(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off, bool write)
{
	struct dv_target t;
	int rc = get(handle, base, size, file_off, buf_off, &t);
	ssize_t n;

	if (__builtin_expect(rc, 0))
		return fail(rc);
	n = transfer(&t, size, file_off, write);
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
