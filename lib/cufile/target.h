/* SPDX-License-Identifier: MIT */
/* Handle and memory of a transfer. The usual case is inline: it is a part of every transfer. */
#ifndef DV_CUFILE_TARGET_H
#define DV_CUFILE_TARGET_H

#include <limits.h>
#include "cufile/buffer.h"

/* Where a transfer goes. */
struct dv_target {
	struct dv_handle *h;
	struct dv_reg *r;
	uint64_t off; /* in r->mem */
};

static inline void dv_target_put(struct dv_target *t)
{
	dv_handle_put(t->h);
	dv_reg_put(t->r);
}

/* Memory that is not registered, without the lock; t->h is referenced. As dv_target_get(). */
int dv_target_find(uint64_t at, size_t size, struct dv_target *t);

/*
 * With the lock held and without references, which last until it is released. 0, a cuFile code, or 1: the memory is not
 * registered.
 */
static inline int dv_target_peek(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off,
				 struct dv_target *t)
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

/* With references: 0, or a cuFile code with nothing referenced. */
static inline int dv_target_get(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off,
				struct dv_target *t)
{
	int rc;

	pthread_rwlock_rdlock(&dv_gds.lock);
	rc = dv_target_peek(handle, base, size, file_off, buf_off, t);
	if (rc <= 1)
		atomic_fetch_add_explicit(&t->h->refs, 1, memory_order_relaxed);
	if (!rc)
		dv_reg_get(t->r);
	pthread_rwlock_unlock(&dv_gds.lock);
	return __builtin_expect(rc == 1, 0) ? dv_target_find((uintptr_t)base + (uint64_t)buf_off, size, t) : rc;
}

#endif
