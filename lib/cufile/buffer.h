/* SPDX-License-Identifier: MIT */
/* Sets of registered memory. */
#ifndef DV_CUFILE_BUFFER_H
#define DV_CUFILE_BUFFER_H

#include "cufile/gds.h"

struct dv_ptr;

/* The registration that begins at base; of several that contain [at, at + len), the one that begins last; or NULL. */
struct dv_reg *dv_regs_exact(const struct dv_regs *s, uint64_t base);
struct dv_reg *dv_regs_find(const struct dv_regs *s, uint64_t at, uint64_t len);
/* 0 or -ENOMEM. */
int dv_regs_add(struct dv_regs *s, struct dv_reg *r);
void dv_regs_remove(struct dv_regs *s, const struct dv_reg *r);

/*
 * Memory for [at, at + len), which is device memory that is not registered: *out is referenced. 0, or -errno with an
 * error message. Without the lock.
 */
int dv_reg_of_device(const struct dv_ptr *p, uint64_t at, uint64_t len, struct dv_reg **out);

#endif
