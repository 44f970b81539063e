/* SPDX-License-Identifier: MIT */
/* Checks pointers of the application with the CUDA driver. */
#include "config.h"
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include "core/err.h"
#include "mem/cuda_api.h"
#include "mem/ptr.h"
#include "mem/share.h"

/* Attributes of a pointer; all zero if the driver does not know it. */
struct cuda_ptr {
	void *ctx;
	unsigned int type;
	unsigned int managed;
	int ordinal;
};

static int load(struct devio_mem *m)
{
	int nr, rc;

	dv_share_lock();
	rc = dv_cu_load(m->spec, &nr);
	dv_share_unlock();
	return rc;
}

/* For an unknown pointer, the driver returns zeros, CU_INVALID_VALUE or CU_INVALID_CONTEXT. */
static int query_pointer(struct devio_mem *m, dv_cu_ptr ptr, struct cuda_ptr *p)
{
	int attrs[] = { CU_PTR_CONTEXT, CU_PTR_MEMORY_TYPE, CU_PTR_IS_MANAGED, CU_PTR_DEVICE_ORDINAL };
	void *data[] = { &p->ctx, &p->type, &p->managed, &p->ordinal };
	int rc;

	memset(p, 0, sizeof(*p));
	rc = dv_cu.PointerGetAttributes(4, attrs, data, ptr);
	if (rc && rc != CU_INVALID_VALUE && rc != CU_INVALID_CONTEXT)
		return dv_cu_err(m->spec, rc, "cuPointerGetAttributes");
	/* Drivers may write only one byte of the boolean. */
	p->managed &= 0xff;
	if (rc)
		p->type = 0;
	return 0;
}

/* Pool memory (cuMemAllocAsync) has no context either, but is one allocation. CUDA before 11.3 has no pools. */
static bool is_from_pool(dv_cu_ptr ptr)
{
	int attr = CU_PTR_MEMPOOL_HANDLE;
	void *pool = NULL, *data = &pool;

	return !dv_cu.PointerGetAttributes(1, &attr, &data, ptr) && pool;
}

static int check_pointer(struct devio_mem *m, const struct cuda_ptr *p, int n, dv_cu_ptr ptr)
{
	if (p->type == CU_TYPE_HOST)
		return dv_err(-EFAULT, "mem %s: 0x%llx is host memory: import it as 'host'", m->spec, ptr);
	if (p->type != CU_TYPE_DEVICE)
		return dv_err(-EFAULT, "mem %s: pointer 0x%llx is unknown to CUDA", m->spec, ptr);
	if (p->ordinal != n)
		return dv_err(-EFAULT, "mem %s: pointer 0x%llx belongs to cuda:%d", m->spec, ptr, p->ordinal);
	return 0;
}

int dv_cu_check_range(struct devio_mem *m, dv_cu_ptr ptr, bool pieces)
{
	dv_cu_ptr end = ptr + m->size, base, at = ptr;
	size_t size;
	int rc;

	do {
		rc = dv_cu.MemGetAddressRange(&base, &size, at);
		if (rc && rc != CU_INVALID_VALUE && rc != CU_INVALID_HANDLE)
			return dv_cu_err(m->spec, rc, "cuMemGetAddressRange");
		if (rc || base > at || base + size <= at)
			break;
		at = base + size;
	} while (pieces && at < end);
	if (at < end)
		return dv_err(-EFAULT, "mem %s: %llu bytes at 0x%llx exceed the allocation, which ends after %llu "
			      "bytes", m->spec, (unsigned long long)m->size, ptr, at - ptr);
	return 0;
}

int dv_cu_primary_state(const char *spec, int n, int *dev, bool *active)
{
	unsigned int flags;
	int on = 0, rc = dv_cu.DeviceGet(dev, n);

	if (rc)
		return dv_cu_err(spec, rc, "cuDeviceGet");
	rc = dv_cu.PrimaryCtxGetState(*dev, &flags, &on);
	*active = on;
	return rc ? dv_cu_err(spec, rc, "cuDevicePrimaryCtxGetState") : 0;
}

/*
 * Whether ctx is the device's primary context. An inactive one is not retained: that
 * would create it, at a cost of hundreds of megabytes.
 */
static int is_primary(struct devio_mem *m, int n, void *ctx, bool *yes)
{
	void *primary;
	bool active;
	int dev, rc = dv_cu_primary_state(m->spec, n, &dev, &active);

	*yes = false;
	if (rc || !active)
		return rc;
	rc = dv_cu.PrimaryCtxRetain(&primary, dev);
	if (rc)
		return dv_cu_err(m->spec, rc, "cuDevicePrimaryCtxRetain");
	*yes = primary == ctx;
	(void)dv_cu.PrimaryCtxRelease(dev);
	return 0;
}

int dv_cu_find(struct devio_mem *m, int n, dv_cu_ptr ptr, struct dv_cu_found *f)
{
	struct cuda_ptr p;
	bool primary = true;
	int rc = load(m);

	if (!rc)
		rc = query_pointer(m, ptr, &p);
	if (!rc)
		rc = check_pointer(m, &p, n, ptr);
	if (!rc && p.ctx)
		rc = is_primary(m, n, p.ctx, &primary);
	if (rc)
		return rc;
	f->ctx = primary ? NULL : p.ctx;
	f->managed = p.managed;
	f->pieces = !p.ctx && !is_from_pool(ptr);
	return 0;
}

/* How many libraries the process has loaded so far: cheaper than a search for one. */
static int count_loads(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = info->dlpi_adds;
	return 1;
}

/*
 * 1 if the driver library is in use. A process that has not loaded it has no pointers of it, so it is looked for again
 * only after another library was loaded.
 */
static int in_use(void)
{
	static _Atomic unsigned long long seen;
	static atomic_bool ready;
	unsigned long long adds = 0;
	int nr, rc;

	if (atomic_load_explicit(&ready, memory_order_acquire))
		return 1;
	(void)dl_iterate_phdr(count_loads, &adds);
	if (adds == seen)
		return 0;
	if (!dv_cu_loaded()) {
		seen = adds;
		return 0;
	}
	dv_share_lock();
	rc = dv_cu_load("cuda", &nr);
	dv_share_unlock();
	if (rc)
		return rc;
	ready = true;
	return 1;
}

int dv_cu_locate(const void *ptr, struct dv_ptr *p)
{
	int attrs[] = { CU_PTR_MEMORY_TYPE, CU_PTR_IS_MANAGED, CU_PTR_DEVICE_ORDINAL, CU_PTR_BUFFER_ID,
			CU_PTR_RANGE_START, CU_PTR_RANGE_SIZE };
	unsigned int type = 0, managed = 0;
	unsigned long long id = 0;
	dv_cu_ptr base = 0;
	size_t size = 0;
	int ordinal = 0, rc = in_use();
	void *data[] = { &type, &managed, &ordinal, &id, &base, &size };

	if (rc <= 0)
		return rc;
	rc = dv_cu.PointerGetAttributes(6, attrs, data, (uintptr_t)ptr);
	/* Unknown to the driver, or the driver has gone: in a forked child, or while the process exits. */
	if (rc == CU_INVALID_VALUE || rc == CU_INVALID_CONTEXT || rc == CU_NOT_INITIALIZED || rc == CU_DEINITIALIZED)
		return 0;
	if (rc)
		return dv_cu_err("cuda", rc, "cuPointerGetAttributes");
	if (type != CU_TYPE_DEVICE)
		return 0;
	*p = (struct dv_ptr){ base, size, id, ordinal, managed & 0xff };
	return 1;
}
