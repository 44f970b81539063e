/* SPDX-License-Identifier: MIT */
/*
 * A libze_loader.so.1 of host memory: a driver with a CPU device and two GPUs.
 * FAKE_ZE_FD=new gives a new descriptor at each export, otherwise it is the
 * allocation's own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fake.h"
#include "mem/ze_api.h"

/* The vendor's symbols: no header of ours declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define POOL 257

static int driver, devices[3];

#define CALL(name) \
	do { \
		if (fake_fails(name)) \
			return ZE_DEVICE_LOST; \
	} while (0)

struct list {
	struct fake_stream *s;
	int users;
};

struct pool {
	struct fake_event *ev[POOL];
};

struct event {
	struct fake_event *ev;
	struct pool *pool;
	uint32_t index;
};

/* How a call ends that did what it was to do. */
static int outcome(const char *name)
{
	return fake_fails(name) ? ZE_DEVICE_LOST : ZE_SUCCESS;
}

int zeInit(uint32_t flags)
{
	CALL("zeInit");
	return flags ? ZE_INVALID_ARGUMENT : ZE_SUCCESS;
}

int zeDriverGet(uint32_t *count, void **drivers)
{
	CALL("zeDriverGet");
	*count = 1;
	drivers[0] = &driver;
	return ZE_SUCCESS;
}

int zeDeviceGet(void *drv, uint32_t *count, void **devs)
{
	CALL("zeDeviceGet");
	*count = 3;
	for (int i = 0; i < 3; i++)
		devs[i] = &devices[i];
	return drv == &driver ? ZE_SUCCESS : ZE_INVALID_ARGUMENT;
}

int zeDeviceGetProperties(void *device, struct dv_ze_device_properties *p)
{
	CALL("zeDeviceGetProperties");
	if (p->h.stype != ZE_T_DEVICE_PROPERTIES)
		return ZE_INVALID_ARGUMENT;
	p->type = device == &devices[0] ? 2 : ZE_DEVICE_IS_GPU;
	/* The real structure is 368 bytes long. */
	memset(&p->vendor, 0x77, 368 - offsetof(struct dv_ze_device_properties, vendor));
	return ZE_SUCCESS;
}

int zeDevicePciGetPropertiesExt(void *device, struct dv_ze_pci_properties *p)
{
	CALL("zeDevicePciGetPropertiesExt");
	p->domain = 0;
	p->bus = 0x3a;
	p->device = device == &devices[1] ? 1 : 2;
	p->function = 0;
	return ZE_SUCCESS;
}

int zeContextCreate(void *drv, const struct dv_ze_context_desc *desc, void **ctx)
{
	CALL("zeContextCreate");
	(void)drv;
	if (desc->h.stype != ZE_T_CONTEXT_DESC)
		return ZE_INVALID_ARGUMENT;
	*ctx = malloc(1);
	fake_count(FAKE_CTX, 1);
	return ZE_SUCCESS;
}

int zeContextDestroy(void *ctx)
{
	free(ctx);
	fake_count(FAKE_CTX, -1);
	return outcome("zeContextDestroy");
}

int zeMemAllocDevice(void *ctx, const struct dv_ze_mem_desc *desc, size_t size, size_t align, void *device, void **ptr)
{
	const struct dv_ze_export_desc *e = desc->h.next;

	CALL("zeMemAllocDevice");
	if (!ctx || desc->h.stype != ZE_T_DEVICE_MEM_DESC || align & (align - 1))
		return ZE_INVALID_ARGUMENT;
	if (size > 1UL << 40)
		return ZE_OUT_OF_DEVICE_MEMORY;
	if (e && (e->h.stype != ZE_T_EXPORT_DESC || e->flags != ZE_EXPORT_DMA_BUF || getenv("FAKE_ZE_NO_EXPORT")))
		return ZE_UNSUPPORTED_FEATURE;
	*ptr = (void *)(uintptr_t)fake_mem_new(size, FAKE_PLAIN, (int)((int *)device - devices), NULL, e ? 1 : 2)->addr;
	return ZE_SUCCESS;
}

int zeMemFree(void *ctx, void *ptr)
{
	(void)ctx;
	if (!fake_mem_drop((uintptr_t)ptr))
		fake_die("zeMemFree of what is not allocated");
	return outcome("zeMemFree");
}

static int give_fd(struct fake_mem *m, struct dv_ze_export_fd *out)
{
	const char *how = getenv("FAKE_ZE_FD");

	/* The piece is this fake's mark: 2 means not allocated for export. */
	if (out->h.stype != ZE_T_EXPORT_FD || out->flags != ZE_EXPORT_DMA_BUF || m->piece == 2)
		return ZE_UNSUPPORTED_FEATURE;
	out->fd = how ? fake_mem_fd(m, 0) : m->fd;
	return ZE_SUCCESS;
}

int zeMemGetAllocProperties(void *ctx, const void *ptr, struct dv_ze_mem_properties *p, void **device)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, 0);
	static const unsigned int type[] = { ZE_MEM_DEVICE, ZE_MEM_SHARED, ZE_MEM_HOST, ZE_MEM_DEVICE };

	CALL("zeMemGetAllocProperties");
	if (!ctx || p->h.stype != ZE_T_MEM_PROPERTIES)
		return ZE_INVALID_ARGUMENT;
	p->type = m ? type[m->flavour] : ZE_MEM_UNKNOWN;
	*device = m ? &devices[m->dev] : NULL;
	return m && p->h.next ? give_fd(m, p->h.next) : ZE_SUCCESS;
}

int zeMemGetAddressRange(void *ctx, const void *ptr, void **base, size_t *size)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, 0);

	CALL("zeMemGetAddressRange");
	if (!ctx || !m)
		return ZE_NOT_AVAILABLE;
	*base = (void *)(uintptr_t)m->addr;
	*size = m->size;
	return ZE_SUCCESS;
}

int zeCommandListCreateImmediate(void *ctx, void *device, const struct dv_ze_queue_desc *desc, void **list)
{
	struct list *l;

	CALL("zeCommandListCreateImmediate");
	if (!ctx || !device || desc->h.stype != ZE_T_QUEUE_DESC || desc->mode != ZE_QUEUE_ASYNC)
		return ZE_INVALID_ARGUMENT;
	l = calloc(1, sizeof(*l));
	l->s = fake_stream_new(device);
	*list = l;
	return ZE_SUCCESS;
}

int zeCommandListDestroy(void *list)
{
	struct list *l = list;

	fake_stream_free(l->s);
	free(l);
	return outcome("zeCommandListDestroy");
}

int zeCommandListAppendMemoryCopy(void *list, void *dst, const void *src, size_t size, void *signal, uint32_t nr,
				  void **waits)
{
	struct list *l = list;
	struct event *e = signal;
	bool out = fake_mem_find((uintptr_t)src, 1);

	CALL("zeCommandListAppendMemoryCopy");
	(void)waits;
	if (nr)
		return ZE_INVALID_ARGUMENT;
	if (__atomic_fetch_add(&l->users, 1, __ATOMIC_SEQ_CST))
		fake_die("two threads use one command list");
	if (out && fake_mem_find((uintptr_t)dst, 1))
		fake_stream_between(l->s, (uintptr_t)dst, (uintptr_t)src, size);
	else
		fake_stream_copy(l->s, (uintptr_t)(out ? src : dst), out ? dst : (void *)src, size, out);
	fake_event_record(e->ev, l->s);
	__atomic_fetch_sub(&l->users, 1, __ATOMIC_SEQ_CST);
	return ZE_SUCCESS;
}

int zeEventPoolCreate(void *ctx, const struct dv_ze_pool_desc *desc, uint32_t nr, void **devs, void **pool)
{
	CALL("zeEventPoolCreate");
	if (!ctx || desc->h.stype != ZE_T_EVENT_POOL_DESC || desc->count != POOL || nr != 1 || !devs ||
	    desc->flags != ZE_POOL_HOST_VISIBLE)
		return ZE_INVALID_ARGUMENT;
	*pool = calloc(1, sizeof(struct pool));
	fake_count(FAKE_DEV, 1);
	return ZE_SUCCESS;
}

int zeEventPoolDestroy(void *pool)
{
	for (int i = 0; i < POOL; i++)
		if (((struct pool *)pool)->ev[i])
			fake_die("an event pool is destroyed before its events");
	free(pool);
	fake_count(FAKE_DEV, -1);
	return outcome("zeEventPoolDestroy");
}

int zeEventCreate(void *pool, const struct dv_ze_event_desc *desc, void **event)
{
	struct pool *p = pool;
	struct event *e;

	CALL("zeEventCreate");
	if (desc->h.stype != ZE_T_EVENT_DESC || desc->index >= POOL || p->ev[desc->index])
		return ZE_INVALID_ARGUMENT;
	e = calloc(1, sizeof(*e));
	e->ev = p->ev[desc->index] = fake_event_new();
	e->pool = p;
	e->index = desc->index;
	*event = e;
	return ZE_SUCCESS;
}

int zeEventDestroy(void *event)
{
	struct event *e = event;

	e->pool->ev[e->index] = NULL;
	fake_event_free(e->ev);
	free(e);
	return outcome("zeEventDestroy");
}

int zeEventHostReset(void *event)
{
	CALL("zeEventHostReset");
	if (!fake_event_done(((struct event *)event)->ev))
		fake_die("an event is reset before it happened");
	return ZE_SUCCESS;
}

int zeEventQueryStatus(void *event)
{
	if (!fake_event_done(((struct event *)event)->ev))
		return ZE_NOT_READY;
	return outcome("zeEventQueryStatus");
}

int zeEventHostSynchronize(void *event, uint64_t timeout)
{
	(void)timeout;
	fake_event_wait(((struct event *)event)->ev);
	return outcome("zeEventHostSynchronize");
}
