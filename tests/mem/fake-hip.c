/* SPDX-License-Identifier: MIT */
/*
 * A libamdhip64.so of host memory: two devices, a current device and a last
 * error per thread. FAKE_HIP_VERSION=5 behaves as ROCm 5 does. The HSA layer's
 * export is here too, for the test of what older versions have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fake.h"
#include "mem/hip_api.h"

/* The vendor's symbols: no header of ours declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define DEVICES 2

static __thread int current;
static __thread int last_error;

#define RETURN(err) return note(err)
#define CALL(name) \
	do { \
		if (fake_fails(name)) \
			RETURN(HIP_INVALID_HANDLE); \
	} while (0)

static int note(int err)
{
	if (err)
		last_error = err;
	return err;
}

/* How a call ends that did what it was to do. */
static int outcome(const char *name)
{
	return note(fake_fails(name) ? HIP_INVALID_HANDLE : HIP_SUCCESS);
}

static bool old(void)
{
	return getenv("FAKE_HIP_VERSION") && atoi(getenv("FAKE_HIP_VERSION")) < 6;
}

int hipInit(unsigned int flags)
{
	CALL("hipInit");
	return flags ? HIP_INVALID_VALUE : HIP_SUCCESS;
}

const char *hipGetErrorString(int err)
{
	return err == HIP_INVALID_HANDLE ? "injected failure" : "an error of the fake";
}

int hipPeekAtLastError(void)
{
	return last_error;
}

int hipGetLastError(void)
{
	int e = last_error;

	last_error = 0;
	return e;
}

int hipRuntimeGetVersion(int *version)
{
	CALL("hipRuntimeGetVersion");
	*version = old() ? 50731921 : 70125424;
	return HIP_SUCCESS;
}

int hipGetDeviceCount(int *n)
{
	CALL("hipGetDeviceCount");
	*n = DEVICES;
	return HIP_SUCCESS;
}

int hipGetDevice(int *dev)
{
	if (fake_fails_by_name("hipGetDevice"))
		RETURN(HIP_INVALID_DEVICE);
	*dev = current;
	return HIP_SUCCESS;
}

int hipSetDevice(int dev)
{
	if (fake_fails_by_name("hipSetDevice") || dev >= DEVICES)
		RETURN(HIP_INVALID_DEVICE);
	current = dev;
	return HIP_SUCCESS;
}

int hipDeviceGetPCIBusId(char *id, int len, int dev)
{
	CALL("hipDeviceGetPCIBusId");
	snprintf(id, (size_t)len, "0000:0%d:00.0", dev + 3);
	return HIP_SUCCESS;
}

int hipMalloc(void **ptr, size_t size)
{
	CALL("hipMalloc");
	if (size > 1UL << 40)
		RETURN(HIP_OUT_OF_MEMORY);
	*ptr = (void *)(uintptr_t)fake_mem_new(size, FAKE_PLAIN, current, NULL, 0)->addr;
	return HIP_SUCCESS;
}

int hipFree(void *ptr)
{
	if (!fake_mem_drop((uintptr_t)ptr))
		fake_die("hipFree of what is not allocated");
	return outcome("hipFree");
}

int hipMemGetAddressRange(void **base, size_t *size, void *ptr)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, 0);

	CALL("hipMemGetAddressRange");
	if (!m)
		RETURN(HIP_INVALID_VALUE);
	*base = (void *)(uintptr_t)m->addr;
	*size = m->size;
	return HIP_SUCCESS;
}

int hipPointerGetAttributes(struct dv_hip_pointer *p, const void *ptr)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, 0);
	int host = old() ? 0 : 1;

	CALL("hipPointerGetAttributes");
	if (!m && old())
		RETURN(HIP_INVALID_VALUE);
	memset(p, 0, offsetof(struct dv_hip_pointer, spare));
	if (!m)
		return HIP_SUCCESS; /* ROCm 6: unregistered */
	p->type = m->flavour == FAKE_HOSTMEM ? host : host + 1;
	p->device = m->dev;
	p->managed = m->flavour == FAKE_MANAGED;
	return HIP_SUCCESS;
}

int hipMemcpyAsync(void *dst, const void *src, size_t len, int kind, void *stream)
{
	bool out = kind == HIP_DEVICE_TO_HOST;

	CALL("hipMemcpyAsync");
	if (kind != HIP_DEVICE_TO_HOST && kind != HIP_HOST_TO_DEVICE && kind != HIP_DEVICE_TO_DEVICE)
		RETURN(HIP_INVALID_VALUE);
	if ((intptr_t)fake_stream_ctx(stream) != current)
		fake_die("a stream of another device than the current one");
	if (kind == HIP_DEVICE_TO_DEVICE)
		fake_stream_between(stream, (uintptr_t)dst, (uintptr_t)src, len);
	else
		fake_stream_copy(stream, (uintptr_t)(out ? src : dst), out ? dst : (void *)src, len, out);
	return HIP_SUCCESS;
}

int hipStreamCreateWithFlags(void **stream, unsigned int flags)
{
	CALL("hipStreamCreateWithFlags");
	if (flags != DV_STREAM_NON_BLOCKING)
		fake_die("the stream waits for the application's");
	*stream = fake_stream_new((void *)(intptr_t)current);
	return HIP_SUCCESS;
}

int hipStreamDestroy(void *stream)
{
	fake_stream_free(stream);
	return outcome("hipStreamDestroy");
}

int hipStreamSynchronize(void *stream)
{
	fake_stream_wait(stream);
	return outcome("hipStreamSynchronize");
}

int hipEventCreateWithFlags(void **event, unsigned int flags)
{
	CALL("hipEventCreateWithFlags");
	if (flags != DV_EVENT_NO_TIMING)
		fake_die("an event with timing is slow");
	*event = fake_event_new();
	return HIP_SUCCESS;
}

int hipEventDestroy(void *event)
{
	fake_event_free(event);
	return outcome("hipEventDestroy");
}

int hipEventRecord(void *event, void *stream)
{
	CALL("hipEventRecord");
	fake_event_record(event, stream);
	return HIP_SUCCESS;
}

int hipEventQuery(void *event)
{
	if (!fake_event_done(event))
		RETURN(HIP_NOT_READY); /* the real one notes it as the last error too */
	return outcome("hipEventQuery");
}

int hipEventSynchronize(void *event)
{
	fake_event_wait(event);
	return outcome("hipEventSynchronize");
}

int hipHostRegister(void *host, size_t len, unsigned int flags)
{
	CALL("hipHostRegister");
	if (flags & ~HIP_HOST_PORTABLE)
		RETURN(HIP_INVALID_VALUE);
	return note(fake_host_add(host, len) ? HIP_SUCCESS : HIP_ALREADY_REGISTERED);
}

int hipHostUnregister(void *host)
{
	if (!fake_host_del(host))
		RETURN(HIP_NOT_REGISTERED);
	return outcome("hipHostUnregister");
}

#ifndef FAKE_HIP_OLD
int hipMemGetHandleForAddressRange(void *handle, void *ptr, size_t size, int type, unsigned long long flags)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, 0);
	size_t mask = (size_t)sysconf(_SC_PAGESIZE) - 1;

	CALL("hipMemGetHandleForAddressRange");
	if (((uintptr_t)ptr & mask) || (size & mask) || type != HIP_RANGE_DMA_BUF_FD || flags || !m ||
	    (uintptr_t)ptr - m->addr + size > m->map_len)
		RETURN(HIP_INVALID_VALUE);
	*(int *)handle = fake_mem_fd(m, (uintptr_t)ptr - m->addr);
	return HIP_SUCCESS;
}
#endif

/* Of the whole allocation, as the real one does, and the offset in it. */
int hsa_amd_portable_export_dmabuf(const void *ptr, size_t size, int *fd, uint64_t *off)
{
	struct fake_mem *m = fake_mem_find((uintptr_t)ptr, size);

	if (fake_fails("hsa_amd_portable_export_dmabuf") || !m)
		return 0x1001;
	*fd = fake_mem_fd(m, 0);
	*off = (uintptr_t)ptr - m->addr;
	return 0;
}
