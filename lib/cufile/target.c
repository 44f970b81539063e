/* SPDX-License-Identifier: MIT */
/* Handle and memory of a transfer. */
#include "config.h"
#include <errno.h>
#include "cufile/target.h"
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

int dv_target_find(uint64_t at, size_t size, struct dv_target *t)
{
	int rc = unregistered(at, size, t);

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
