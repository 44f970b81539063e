/* SPDX-License-Identifier: MIT */
/* Sets of registered memory. */
#ifndef DV_CUFILE_BUFFER_H
#define DV_CUFILE_BUFFER_H

#include "cufile/gds.h"

struct dv_ptr;

/* The number of registrations that begin at or before `at`. */
static inline size_t dv_regs_upto(const struct dv_regs *s, uint64_t at)
{
	size_t lo = 0, hi = s->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid]->base <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline struct dv_reg *dv_regs_exact(const struct dv_regs *s, uint64_t base)
{
	size_t i = dv_regs_upto(s, base);

	return i && s->v[i - 1]->base == base ? s->v[i - 1] : NULL;
}

/* Of several that contain [at, at + len), the one that begins last; or NULL. */
static inline struct dv_reg *dv_regs_find(const struct dv_regs *s, uint64_t at, uint64_t len)
{
	for (size_t i = dv_regs_upto(s, at); i && s->v[i - 1]->reach >= at + len; i--)
		if (s->v[i - 1]->base + s->v[i - 1]->len >= at + len)
			return s->v[i - 1];
	return NULL;
}

/* 0 or -ENOMEM. */
int dv_regs_add(struct dv_regs *s, struct dv_reg *r);
void dv_regs_remove(struct dv_regs *s, const struct dv_reg *r);

/*
 * Memory for [at, at + len), which is device memory that is not registered: *out is referenced. 0, or -errno with an
 * error message. Without the lock.
 */
int dv_reg_of_device(const struct dv_ptr *p, uint64_t at, uint64_t len, struct dv_reg **out);

#endif
