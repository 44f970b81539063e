/* SPDX-License-Identifier: MIT */
/* Handle and memory of a transfer. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include "cufile/buffer.h"
#include "mem/ptr.h"

static int device_error(int err, struct dv_target *t)
{
	dv_note(DV_ERROR, "transfer: %s", devio_errmsg());
	dv_handle_put(t->h);
	switch (err) {
	case -EFAULT:
		return GDS_POINTER_RANGE;
	case -ECHILD:
		return GDS_NOT_INITIALIZED;
	case -ENOMEM:
		return GDS_NO_MEMORY;
	}
	return GDS_CUDA_DRIVER;
}

/* Memory that is not registered: the driver knows whether it is a device's. */
static int unregistered(uint64_t at, size_t size, struct dv_target *t)
{
	struct dv_ptr p;
	int rc = dv_ptr_find((void *)(uintptr_t)at, &p);

	if (rc > 0)
		rc = dv_reg_of_device(&p, at, size, &t->r);
	else if (!rc)
		return 1;
	return rc ? device_error(rc, t) : 0;
}

int dv_target_peek(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off, struct dv_target *t)
{
	uint64_t at = (uintptr_t)base + (uint64_t)buf_off;

	if (!base || file_off < 0 || size > SSIZE_MAX)
		return GDS_INVALID_VALUE;
	if (buf_off < 0 || (uintptr_t)base < DV_HOST_BASE || at > INT64_MAX || size > INT64_MAX - at)
		return GDS_INTERNAL;
	if (!dv_gds.ctx)
		return GDS_NOT_INITIALIZED;
	t->h = dv_table_get(&dv_gds.handles, handle);
	if (!t->h)
		return GDS_HANDLE_UNKNOWN;
	t->r = dv_regs_find(&dv_gds.regs, at, size);
	if (!t->r)
		return dv_regs_exact(&dv_gds.regs, (uintptr_t)base) ? GDS_PAST_REGISTRATION : 1;
	t->off = at - t->r->base + t->r->mem_off;
	return 0;
}

static int find_host(struct dv_target *t)
{
	pthread_rwlock_rdlock(&dv_gds.lock);
	t->r = dv_gds.host ? dv_reg_get(dv_gds.host) : NULL;
	pthread_rwlock_unlock(&dv_gds.lock);
	if (t->r)
		return 0;
	dv_handle_put(t->h);
	return GDS_NOT_INITIALIZED;
}

int dv_target_get(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off, struct dv_target *t)
{
	uint64_t at = (uintptr_t)base + (uint64_t)buf_off;
	int rc;

	pthread_rwlock_rdlock(&dv_gds.lock);
	rc = dv_target_peek(handle, base, size, file_off, buf_off, t);
	if (rc <= 1)
		atomic_fetch_add_explicit(&t->h->refs, 1, memory_order_relaxed);
	if (!rc)
		dv_reg_get(t->r);
	pthread_rwlock_unlock(&dv_gds.lock);
	if (__builtin_expect(rc != 1, 1))
		return rc;
	rc = unregistered(at, size, t);
	if (rc == 1)
		rc = find_host(t);
	if (rc)
		return rc;
	/* The driver was closed and opened again meanwhile: the handle is one of the time before. */
	if (t->r->session != t->h->session) {
		dv_target_put(t);
		return GDS_HANDLE_UNKNOWN;
	}
	t->off = at - t->r->base + t->r->mem_off;
	return 0;
}

void dv_target_put(struct dv_target *t)
{
	dv_handle_put(t->h);
	dv_reg_put(t->r);
}
