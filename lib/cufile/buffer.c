/* SPDX-License-Identifier: MIT */
/* Registered memory, and device memory that is found by a pointer. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cufile/buffer.h"
#include "mem/ptr.h"

#define MAX_FOUND 64 /* allocations that are remembered without being registered */

void dv_reg_free(struct dv_reg *r)
{
	if (r->host)
		dv_reg_put(r->host);
	else
		devio_mem_free(r->mem);
	free(r);
}

static void set_reach(struct dv_regs *s, size_t from)
{
	for (size_t i = from; i < s->nr; i++) {
		uint64_t end = s->v[i]->base + s->v[i]->len, before = i ? s->v[i - 1]->reach : 0;

		s->v[i]->reach = end > before ? end : before;
	}
}

int dv_regs_add(struct dv_regs *s, struct dv_reg *r)
{
	size_t i = dv_regs_upto(s, r->base);

	if (s->nr == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct dv_reg **v = realloc(s->v, room * sizeof(struct dv_reg *));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->room = room;
	}
	memmove(s->v + i + 1, s->v + i, (s->nr - i) * sizeof(struct dv_reg *));
	s->v[i] = r;
	s->nr++;
	set_reach(s, i);
	return 0;
}

void dv_regs_remove(struct dv_regs *s, const struct dv_reg *r)
{
	size_t i = dv_regs_upto(s, r->base);

	while (i && s->v[i - 1] != r)
		i--;
	if (!i)
		return;
	memmove(s->v + i - 1, s->v + i, (s->nr - i) * sizeof(struct dv_reg *));
	s->nr--;
	set_reach(s, i - 1);
}

/* For p NULL: host memory. *code is set where it fails. */
static struct dv_reg *new_reg(const struct dv_ptr *p, const void *base, uint64_t len, bool copies, int *rc)
{
	struct dv_reg *r = calloc(1, sizeof(*r));

	*rc = r ? 0 : -ENOMEM;
	if (r && !p) {
		r->host = dv_reg_get(dv_gds.host);
		r->mem = r->host->mem;
		r->mem_off = (uintptr_t)base - r->host->base;
	} else if (r) {
		*rc = dv_ptr_import(dv_gds.ctx, p, base, len, copies, &r->mem);
	}
	if (*rc) {
		free(r);
		return NULL;
	}
	r->refs = 1;
	r->base = (uintptr_t)base;
	r->len = len;
	r->session = dv_gds.session;
	r->gpu = p ? p->ordinal : -1;
	r->id = p ? p->id : 0;
	return r;
}

/* With the lock held for writing. */
static struct gds_error add_buffer(const struct dv_ptr *p, const void *base, size_t size)
{
	struct dv_reg *r;
	int rc;

	if (!dv_gds.ctx)
		return dv_status(GDS_NOT_INITIALIZED, "buf register: the driver is closed");
	if (dv_regs_exact(&dv_gds.regs, (uintptr_t)base))
		return dv_status(GDS_MEM_REGISTERED, "buf register: the pointer is registered already");
	r = new_reg(p, base, size, false, &rc);
	if (!r)
		return dv_status_errno(rc, rc == -EFAULT ? GDS_POINTER_RANGE : GDS_CUDA_DRIVER, "buf register");
	if (dv_regs_add(&dv_gds.regs, r)) {
		dv_reg_put(r);
		return dv_status(GDS_NO_MEMORY, "buf register: out of memory");
	}
	dv_usage_registered(r->gpu, (int64_t)size);
	return dv_ok();
}

static struct gds_error register_buffer(const void *base, size_t size, int flags)
{
	struct gds_error e;
	struct dv_ptr p;
	int rc;

	if (!base || !size || (uintptr_t)base < DV_HOST_BASE || size > INT64_MAX - (uintptr_t)base || flags & ~3)
		return dv_status(GDS_INVALID_VALUE, "buf register: invalid pointer, size or flags");
	rc = dv_ptr_find(base, &p);
	if (rc < 0)
		return dv_status_errno(rc, GDS_CUDA_DRIVER, "buf register");
	pthread_rwlock_wrlock(&dv_gds.lock);
	e = add_buffer(rc ? &p : NULL, base, size);
	pthread_rwlock_unlock(&dv_gds.lock);
	return e;
}

GDS_API struct gds_error cuFileBufRegister(const void *base, size_t size, int flags)
{
	struct gds_error e = dv_open_driver(false);

	for (int i = 0; !e.err && i < DV_TRIES; i++) {
		e = register_buffer(base, size, flags);
		if (e.err != GDS_NOT_INITIALIZED)
			break;
		e = dv_open_driver(false);
	}
	dv_usage_call(DV_CALL_BUF_REGISTER, e.err);
	return e;
}

GDS_API struct gds_error cuFileBufDeregister(const void *base)
{
	struct dv_reg *r;

	pthread_rwlock_wrlock(&dv_gds.lock);
	r = dv_regs_exact(&dv_gds.regs, (uintptr_t)base);
	if (r)
		dv_regs_remove(&dv_gds.regs, r);
	pthread_rwlock_unlock(&dv_gds.lock);
	dv_usage_call(DV_CALL_BUF_DEREGISTER, r ? 0 : GDS_MEM_NOT_REGISTERED);
	if (!r)
		return dv_status(GDS_MEM_NOT_REGISTERED, "buf deregister: the pointer is not registered");
	dv_usage_registered(r->gpu, -(int64_t)r->len);
	dv_reg_put(r);
	return dv_ok();
}

/* One that was found before, if it is still the same allocation; otherwise removed. With the lock held for writing. */
static struct dv_reg *known(const struct dv_ptr *p, uint64_t at, uint64_t len, struct dv_reg **stale)
{
	struct dv_reg *r = dv_regs_find(&dv_gds.found, at, len);

	*stale = NULL;
	if (!r || r->id == p->id)
		return r;
	dv_regs_remove(&dv_gds.found, r);
	*stale = r;
	return NULL;
}

/*
 * The whole allocation is imported, so that the next pointer into it finds it; or just the bytes, where the driver's
 * range is of several allocations. It is never exported, for the application may free it: unless only direct paths are
 * wanted, then it is not kept.
 */
static struct dv_reg *import_found(const struct dv_ptr *p, uint64_t at, uint64_t len, bool *keep, int *rc)
{
	struct dv_reg *r = NULL;

	*keep = dv_conf.flag[CONF_COMPAT];
	if (*keep && p->base <= at && at + len <= p->base + p->size)
		r = new_reg(p, (void *)(uintptr_t)p->base, p->size, true, rc);
	return r ? r : new_reg(p, (void *)(uintptr_t)at, len, *keep, rc);
}

/* With the lock held for writing: another one is dropped where there is no room. */
static void keep_found(struct dv_reg *r, struct dv_reg **dropped)
{
	static size_t next;

	*dropped = NULL;
	if (dv_gds.found.nr >= MAX_FOUND) {
		*dropped = dv_gds.found.v[next++ % dv_gds.found.nr];
		dv_regs_remove(&dv_gds.found, *dropped);
	}
	if (!dv_regs_add(&dv_gds.found, r))
		dv_reg_get(r);
}

int dv_reg_of_device(const struct dv_ptr *p, uint64_t at, uint64_t len, struct dv_reg **out)
{
	struct dv_reg *r, *stale, *dropped = NULL;
	bool keep;
	int rc = 0;

	pthread_rwlock_rdlock(&dv_gds.lock);
	r = dv_regs_find(&dv_gds.found, at, len);
	if (r && r->id == p->id)
		dv_reg_get(r);
	else
		r = NULL;
	pthread_rwlock_unlock(&dv_gds.lock);
	if (r) {
		*out = r;
		return 0;
	}
	pthread_rwlock_wrlock(&dv_gds.lock);
	r = dv_gds.ctx ? known(p, at, len, &stale) : NULL;
	if (!dv_gds.ctx) {
		rc = -ECHILD;
		stale = NULL;
	} else if (r) {
		dv_reg_get(r);
	} else {
		r = import_found(p, at, len, &keep, &rc);
		if (r && keep)
			keep_found(r, &dropped);
	}
	pthread_rwlock_unlock(&dv_gds.lock);
	if (stale)
		dv_reg_put(stale);
	if (dropped)
		dv_reg_put(dropped);
	*out = r;
	return r ? 0 : rc;
}

void dv_reg_take_all(struct dv_regs *regs, struct dv_regs *found, struct dv_reg **host)
{
	*regs = dv_gds.regs;
	*found = dv_gds.found;
	*host = dv_gds.host;
	dv_gds.regs = dv_gds.found = (struct dv_regs){ 0 };
	dv_gds.host = NULL;
}

void dv_reg_put_all(struct dv_regs *s)
{
	for (size_t i = 0; i < s->nr; i++)
		dv_reg_put(s->v[i]);
	free(s->v);
}
