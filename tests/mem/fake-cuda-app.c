/* SPDX-License-Identifier: MIT */
/* The fake libcuda.so.1, the part that only applications call. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "fake.h"
#include "mem/cuda_api.h"

/* The vendor's symbols: no header of ours declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define TOTAL (64ULL << 30)
#define GRANULARITY 65536
#define RESERVATIONS 16

static struct fake_mem *reserved[RESERVATIONS];

int cuCtxGetCurrent(void **ctx); /* in fake-cuda.c */

static void *current(void)
{
	void *ctx;

	cuCtxGetCurrent(&ctx);
	return ctx;
}

int cuDriverGetVersion(int *version)
{
	*version = 13000;
	return CU_SUCCESS;
}

int cuDeviceGetName(char *name, int len, int dev)
{
	snprintf(name, (size_t)len, "fake device %d", dev);
	return CU_SUCCESS;
}

int cuCtxSynchronize(void)
{
	return current() ? CU_SUCCESS : CU_INVALID_CONTEXT;
}

int cuMemGetInfo_v2(size_t *unused, size_t *total)
{
	*total = TOTAL;
	*unused = TOTAL - fake_mem_bytes();
	return current() ? CU_SUCCESS : CU_INVALID_CONTEXT;
}

int cuMemAllocManaged(dv_cu_ptr *ptr, size_t size, unsigned int flags)
{
	(void)flags;
	*ptr = fake_mem_new(size, FAKE_MANAGED, 0, current(), 0)->addr;
	return CU_SUCCESS;
}

int cuMemAllocAsync(dv_cu_ptr *ptr, size_t size, void *stream)
{
	(void)stream;
	*ptr = fake_mem_new(size, FAKE_POOL, 0, NULL, 0)->addr;
	return CU_SUCCESS;
}

int cuMemFreeAsync(dv_cu_ptr ptr, void *stream)
{
	(void)stream;
	return fake_mem_drop(ptr) ? CU_SUCCESS : CU_INVALID_VALUE;
}

int cuMemHostAlloc(void **host, size_t size, unsigned int flags)
{
	(void)flags;
	size = (size + 4095) & ~(size_t)4095;
	*host = aligned_alloc(4096, size);
	if (!*host)
		return CU_OUT_OF_MEMORY;
	fake_host_add(*host, size);
	return CU_SUCCESS;
}

int cuMemFreeHost(void *host)
{
	if (!fake_host_del(host))
		return CU_INVALID_VALUE;
	free(host);
	return CU_SUCCESS;
}

static unsigned char *bytes(dv_cu_ptr ptr, size_t len)
{
	struct fake_mem *m = fake_mem_find(ptr, len);

	return m && current() ? m->alias + (ptr - m->addr) : NULL;
}

int cuMemcpyHtoD_v2(dv_cu_ptr dst, const void *src, size_t len)
{
	unsigned char *p = bytes(dst, len);

	return p ? memcpy(p, src, len), CU_SUCCESS : CU_INVALID_VALUE;
}

int cuMemcpyDtoH_v2(void *dst, dv_cu_ptr src, size_t len)
{
	unsigned char *p = bytes(src, len);

	return p ? memcpy(dst, p, len), CU_SUCCESS : CU_INVALID_VALUE;
}

int cuMemsetD8_v2(dv_cu_ptr dst, unsigned char byte, size_t len)
{
	unsigned char *p = bytes(dst, len);

	return p ? memset(p, byte, len), CU_SUCCESS : CU_INVALID_VALUE;
}

int cuMemGetAllocationGranularity(size_t *size, const void *prop, int option)
{
	(void)prop;
	(void)option;
	*size = GRANULARITY;
	return CU_SUCCESS;
}

static struct fake_mem **reservation(dv_cu_ptr ptr)
{
	for (int i = 0; i < RESERVATIONS; i++)
		if (reserved[i] && ptr >= reserved[i]->addr && ptr < reserved[i]->addr + reserved[i]->map_len)
			return &reserved[i];
	fake_die("0x%llx is in no reservation", ptr);
}

int cuMemAddressReserve(dv_cu_ptr *ptr, size_t size, size_t align, dv_cu_ptr hint, unsigned long long flags)
{
	int i = 0;

	while (i < RESERVATIONS && reserved[i])
		i++;
	if (i == RESERVATIONS || size % GRANULARITY || align || hint || flags)
		return CU_INVALID_VALUE;
	reserved[i] = fake_mem_new(size, FAKE_VMM, 0, NULL, GRANULARITY);
	fake_mem_resize(reserved[i], 0, GRANULARITY);
	*ptr = reserved[i]->addr;
	return CU_SUCCESS;
}

int cuMemAddressFree(dv_cu_ptr ptr, size_t size)
{
	struct fake_mem **r = reservation(ptr);

	if ((*r)->map_len != size || (*r)->size)
		return CU_INVALID_VALUE;
	*r = NULL;
	return fake_mem_drop(ptr) ? CU_SUCCESS : CU_INVALID_VALUE;
}

/* A handle is its size. */
int cuMemCreate(unsigned long long *handle, size_t size, const void *prop, unsigned long long flags)
{
	(void)prop;
	*handle = size;
	fake_count(FAKE_DEV, 1);
	return size % GRANULARITY || flags ? CU_INVALID_VALUE : CU_SUCCESS;
}

int cuMemRelease(unsigned long long handle)
{
	(void)handle;
	fake_count(FAKE_DEV, -1);
	return CU_SUCCESS;
}

/* Only one behind the other. */
int cuMemMap(dv_cu_ptr ptr, size_t size, size_t off, unsigned long long handle, unsigned long long flags)
{
	struct fake_mem *m = *reservation(ptr);

	if (ptr != m->addr + m->size || off || flags || size > handle)
		return CU_INVALID_VALUE;
	fake_mem_resize(m, m->size + size, size);
	return CU_SUCCESS;
}

int cuMemUnmap(dv_cu_ptr ptr, size_t size)
{
	struct fake_mem *m = *reservation(ptr);

	(void)size;
	fake_mem_resize(m, 0, GRANULARITY);
	return CU_SUCCESS;
}

int cuMemSetAccess(dv_cu_ptr ptr, size_t size, const void *desc, size_t nr)
{
	(void)desc;
	return fake_mem_find(ptr, size) && nr == 1 ? CU_SUCCESS : CU_INVALID_VALUE;
}
