/* SPDX-License-Identifier: MIT */
/*
 * A libcuda.so.1 of host memory: two devices, contexts per thread as the real
 * one has them. Device 1 exports no dma-buf.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fake.h"
#include "mem/cuda_api.h"

/* The vendor's symbols: no header of ours declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define DEVICES 2
#define DEPTH 64

struct ctx {
	int dev;
	int refs;
	bool primary;
};

static struct ctx primary[DEVICES] = { { 0, 0, true }, { 1, 0, true } };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ready;
static __thread void *stack[DEPTH];
static __thread int top;
static _Atomic int capturing;
static _Atomic bool capture_broken;
static __thread int capture_mode;

#define CALL(name) \
	do { \
		if (fake_fails(name)) \
			return CU_INVALID_HANDLE; \
	} while (0)
/* What ends the capture of a stream, if this thread has not said that it has nothing to do with it. */
#define UNSAFE() \
	do { \
		if (capturing && capture_mode != CU_CAPTURE_RELAXED) { \
			capture_broken = true; \
			return CU_CAPTURE_UNSUPPORTED; \
		} \
	} while (0)
#define NEED_CTX() \
	do { \
		if (!top || !stack[top - 1]) \
			return CU_INVALID_CONTEXT; \
	} while (0)

/* How a call ends that did what it was to do. */
static int outcome(const char *name)
{
	return fake_fails(name) ? CU_INVALID_HANDLE : CU_SUCCESS;
}

int cuInit(unsigned int flags)
{
	CALL("cuInit");
	ready = true;
	return flags ? CU_INVALID_VALUE : CU_SUCCESS;
}

int cuGetErrorString(int err, const char **text)
{
	*text = err == CU_INVALID_HANDLE ? "injected failure" : "an error of the fake";
	return CU_SUCCESS;
}

int cuDeviceGetCount(int *n)
{
	CALL("cuDeviceGetCount");
	*n = DEVICES;
	return ready ? CU_SUCCESS : CU_NOT_INITIALIZED;
}

int cuDeviceGet(int *dev, int ordinal)
{
	CALL("cuDeviceGet");
	*dev = ordinal;
	return ordinal < DEVICES ? CU_SUCCESS : CU_INVALID_DEVICE;
}

int cuDeviceGetAttribute(int *value, int attr, int dev)
{
	CALL("cuDeviceGetAttribute");
	if (attr != CU_ATTR_DMA_BUF_SUPPORTED)
		return CU_INVALID_VALUE;
	*value = dev == 0;
	return CU_SUCCESS;
}

int cuDeviceGetPCIBusId(char *id, int len, int dev)
{
	CALL("cuDeviceGetPCIBusId");
	snprintf(id, (size_t)len, "0000:C%d:00.0", dev + 1);
	return CU_SUCCESS;
}

int cuDevicePrimaryCtxGetState(int dev, unsigned int *flags, int *active)
{
	CALL("cuDevicePrimaryCtxGetState");
	*flags = 0;
	*active = primary[dev].refs > 0;
	return CU_SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **ctx, int dev)
{
	CALL("cuDevicePrimaryCtxRetain");
	pthread_mutex_lock(&lock);
	primary[dev].refs++;
	pthread_mutex_unlock(&lock);
	fake_count(FAKE_CTX, 1);
	*ctx = &primary[dev];
	return CU_SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int dev)
{
	pthread_mutex_lock(&lock);
	if (!primary[dev].refs--)
		fake_die("the primary context is released once too often");
	pthread_mutex_unlock(&lock);
	fake_count(FAKE_CTX, -1);
	return outcome("cuDevicePrimaryCtxRelease");
}

int cuCtxPushCurrent_v2(void *ctx)
{
	struct ctx *c = ctx;

	if (fake_fails_by_name("cuCtxPushCurrent"))
		return CU_INVALID_CONTEXT;
	if (top == DEPTH)
		fake_die("contexts are pushed and not popped");
	if (!c || (c->primary && !c->refs))
		return CU_INVALID_CONTEXT;
	stack[top++] = c;
	return CU_SUCCESS;
}

/* Never fails on demand: the caller could not recover. */
int cuCtxPopCurrent_v2(void **ctx)
{
	if (!top)
		fake_die("a context is popped that was not pushed");
	*ctx = stack[--top];
	return CU_SUCCESS;
}

int cuCtxCreate_v2(void **ctx, unsigned int flags, int dev)
{
	struct ctx *c = calloc(1, sizeof(*c));

	(void)flags;
	c->dev = dev;
	stack[top++] = c;
	*ctx = c;
	fake_count(FAKE_CTX, 1);
	return CU_SUCCESS;
}

int cuCtxDestroy_v2(void *ctx)
{
	if (top && stack[top - 1] == ctx)
		top--;
	free(ctx);
	fake_count(FAKE_CTX, -1);
	return CU_SUCCESS;
}

int cuCtxGetCurrent(void **ctx)
{
	*ctx = top ? stack[top - 1] : NULL;
	return CU_SUCCESS;
}

int cuCtxSetCurrent(void *ctx)
{
	if (top)
		top--;
	if (ctx)
		stack[top++] = ctx;
	return CU_SUCCESS;
}

int cuThreadExchangeStreamCaptureMode(int *mode)
{
	int old = capture_mode;

	capture_mode = *mode;
	*mode = old;
	return CU_SUCCESS;
}

int cuStreamBeginCapture_v2(void *stream, int mode)
{
	(void)stream;
	if (mode == CU_CAPTURE_GLOBAL)
		capturing++;
	capture_broken = false;
	return CU_SUCCESS;
}

int cuStreamEndCapture(void *stream, void **graph)
{
	(void)stream;
	capturing--;
	*graph = NULL;
	return capture_broken ? CU_CAPTURE_INVALIDATED : CU_SUCCESS;
}

int cuMemAlloc_v2(dv_cu_ptr *ptr, size_t size)
{
	struct ctx *c;

	UNSAFE();
	CALL("cuMemAlloc");
	NEED_CTX();
	if (size > 1UL << 40)
		return CU_OUT_OF_MEMORY;
	c = stack[top - 1];
	*ptr = fake_mem_new(size, FAKE_PLAIN, c->dev, c, 0)->addr;
	return CU_SUCCESS;
}

int cuMemFree_v2(dv_cu_ptr ptr)
{
	UNSAFE();
	NEED_CTX();
	if (!fake_mem_drop(ptr))
		fake_die("cuMemFree of what is not allocated");
	/* The real one may report an earlier copy's error here. */
	return outcome("cuMemFree");
}

int cuMemGetAddressRange_v2(dv_cu_ptr *base, size_t *size, dv_cu_ptr ptr)
{
	struct fake_mem *m;
	size_t piece;

	CALL("cuMemGetAddressRange");
	NEED_CTX();
	m = fake_mem_find(ptr, 0);
	if (!m)
		return CU_INVALID_VALUE;
	piece = (ptr - m->addr) / m->piece;
	*base = m->addr + piece * m->piece;
	*size = m->piece < m->size - piece * m->piece ? m->piece : m->size - piece * m->piece;
	return CU_SUCCESS;
}

static unsigned int memory_type(const struct fake_mem *m, dv_cu_ptr ptr)
{
	if (!m)
		return fake_host_find((void *)(uintptr_t)ptr) ? CU_TYPE_HOST : 0;
	return m->flavour == FAKE_HOSTMEM ? CU_TYPE_HOST : CU_TYPE_DEVICE;
}

int cuPointerGetAttributes(unsigned int n, int *attrs, void **data, dv_cu_ptr ptr)
{
	struct fake_mem *m = fake_mem_find(ptr, 0);

	CALL("cuPointerGetAttributes");
	if (!m && !top)
		return CU_INVALID_CONTEXT;
	for (unsigned int i = 0; i < n; i++) {
		if (attrs[i] == CU_PTR_CONTEXT)
			*(void **)data[i] = m && m->flavour != FAKE_VMM ? m->ctx : NULL;
		else if (attrs[i] == CU_PTR_MEMORY_TYPE)
			*(unsigned int *)data[i] = memory_type(m, ptr);
		else if (attrs[i] == CU_PTR_MEMPOOL_HANDLE)
			*(void **)data[i] = m && m->flavour == FAKE_POOL ? &primary : NULL;
		else if (attrs[i] == CU_PTR_IS_MANAGED)
			*(unsigned char *)data[i] = m && m->flavour == FAKE_MANAGED;
		else if (attrs[i] == CU_PTR_BUFFER_ID)
			*(unsigned long long *)data[i] = m ? m->id : 0;
		else if (attrs[i] == CU_PTR_RANGE_START)
			*(dv_cu_ptr *)data[i] = m ? m->addr : 0;
		else if (attrs[i] == CU_PTR_RANGE_SIZE)
			*(size_t *)data[i] = m ? m->size : 0;
		else if (attrs[i] == CU_PTR_DEVICE_ORDINAL)
			*(int *)data[i] = m ? m->dev : -2;
		else
			return CU_INVALID_VALUE;
	}
	return CU_SUCCESS;
}

static int copy(dv_cu_ptr dev, void *host, size_t len, void *stream, bool out)
{
	NEED_CTX();
	if (fake_stream_ctx(stream) != stack[top - 1])
		return CU_INVALID_CONTEXT;
	fake_stream_copy(stream, dev, host, len, out);
	return CU_SUCCESS;
}

int cuMemcpyHtoDAsync_v2(dv_cu_ptr dst, const void *src, size_t len, void *stream)
{
	CALL("cuMemcpyHtoDAsync");
	return copy(dst, (void *)src, len, stream, false);
}

int cuMemcpyDtoHAsync_v2(void *dst, dv_cu_ptr src, size_t len, void *stream)
{
	CALL("cuMemcpyDtoHAsync");
	return copy(src, dst, len, stream, true);
}

int cuMemcpyDtoDAsync_v2(dv_cu_ptr dst, dv_cu_ptr src, size_t len, void *stream)
{
	CALL("cuMemcpyDtoDAsync");
	NEED_CTX();
	if (fake_stream_ctx(stream) != stack[top - 1])
		return CU_INVALID_CONTEXT;
	fake_stream_between(stream, dst, src, len);
	return CU_SUCCESS;
}

int cuStreamCreate(void **stream, unsigned int flags)
{
	CALL("cuStreamCreate");
	NEED_CTX();
	if (flags != DV_STREAM_NON_BLOCKING)
		fake_die("the stream waits for the application's");
	*stream = fake_stream_new(stack[top - 1]);
	return CU_SUCCESS;
}

int cuStreamDestroy_v2(void *stream)
{
	NEED_CTX();
	fake_stream_free(stream);
	return outcome("cuStreamDestroy");
}

int cuStreamSynchronize(void *stream)
{
	UNSAFE();
	fake_stream_wait(stream);
	return outcome("cuStreamSynchronize");
}

int cuEventCreate(void **event, unsigned int flags)
{
	CALL("cuEventCreate");
	NEED_CTX();
	if (flags != DV_EVENT_NO_TIMING)
		fake_die("an event with timing is slow");
	*event = fake_event_new();
	return CU_SUCCESS;
}

int cuEventDestroy_v2(void *event)
{
	fake_event_free(event);
	return outcome("cuEventDestroy");
}

int cuEventRecord(void *event, void *stream)
{
	CALL("cuEventRecord");
	NEED_CTX();
	fake_event_record(event, stream);
	return CU_SUCCESS;
}

int cuEventQuery(void *event)
{
	bool done;

	UNSAFE();
	done = fake_event_done(event);
	/* A failure is that of the work before the event: it is over. */
	if (done)
		CALL("cuEventQuery");
	return done ? CU_SUCCESS : CU_NOT_READY;
}

int cuEventSynchronize(void *event)
{
	UNSAFE();
	fake_event_wait(event);
	return outcome("cuEventSynchronize");
}

int cuMemHostRegister_v2(void *host, size_t len, unsigned int flags)
{
	UNSAFE();
	CALL("cuMemHostRegister");
	NEED_CTX();
	if (flags & ~(CU_HOST_PORTABLE | CU_HOST_DEVICEMAP))
		return CU_INVALID_VALUE;
	return fake_host_add(host, len) ? CU_SUCCESS : CU_ALREADY_REGISTERED;
}

int cuMemHostUnregister(void *host)
{
	NEED_CTX();
	if (!fake_host_del(host))
		return CU_NOT_REGISTERED;
	return outcome("cuMemHostUnregister");
}

int cuMemGetHandleForAddressRange(void *handle, dv_cu_ptr ptr, size_t size, int type, unsigned long long flags)
{
	struct fake_mem *m = fake_mem_find(ptr, 0);
	size_t mask = (size_t)sysconf(_SC_PAGESIZE) - 1;

	CALL("cuMemGetHandleForAddressRange");
	NEED_CTX();
	if ((ptr & mask) || (size & mask) || type != CU_RANGE_DMA_BUF_FD || flags & ~1ULL || !m ||
	    ptr - m->addr + size > m->map_len)
		return CU_INVALID_VALUE;
	/* Like a driver before CUDA 12.8, when the test wants one. */
	if (flags && getenv("FAKE_CUDA_NO_PCIE"))
		return CU_INVALID_VALUE;
	*(int *)handle = fake_mem_fd(m, ptr - m->addr);
	return CU_SUCCESS;
}

int cuStreamGetCtx(void *stream, void **ctx)
{
	CALL("cuStreamGetCtx");
	if (!stream && (!top || !stack[top - 1]))
		return CU_INVALID_CONTEXT;
	*ctx = stream ? fake_stream_ctx(stream) : stack[top - 1];
	return CU_SUCCESS;
}

int cuLaunchHostFunc(void *stream, void (*fn)(void *arg), void *arg)
{
	CALL("cuLaunchHostFunc");
	NEED_CTX();
	if (!stream || fake_stream_ctx(stream) != stack[top - 1])
		return CU_INVALID_HANDLE;
	fake_stream_call(stream, fn, arg);
	return CU_SUCCESS;
}

/* flags 0: greater or equal. */
int cuStreamWaitValue32_v2(void *stream, dv_cu_ptr word, unsigned int value, unsigned int flags)
{
	CALL("cuStreamWaitValue32");
	NEED_CTX();
	if (getenv("FAKE_CUDA_NO_MEMOPS"))
		return CU_NOT_SUPPORTED;
	if (flags || !fake_host_find((void *)(uintptr_t)word))
		fake_die("the stream waits for what is not page-locked, or in another way");
	fake_stream_await(stream, (const uint32_t *)(uintptr_t)word, value);
	return CU_SUCCESS;
}

int cuMemHostGetDevicePointer_v2(dv_cu_ptr *dev, void *host, unsigned int flags)
{
	CALL("cuMemHostGetDevicePointer");
	NEED_CTX();
	*dev = (uintptr_t)host;
	return flags || !fake_host_find(host) ? CU_INVALID_VALUE : CU_SUCCESS;
}
