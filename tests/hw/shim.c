/* SPDX-License-Identifier: MIT */
/*
 * Stands between libdevio and NVIDIA's driver library (DEVIO_CUDA_LIBRARY is
 * this one, HW_CUDA_LIBRARY the driver's if it is not the usual): counts what
 * lives, and fails the n-th call on demand. What a failing call would have
 * given back is given back, as the driver does it.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "shim.h"

#define INJECTED 400     /* CUDA_ERROR_INVALID_HANDLE */
#define NOT_READY 600

static _Atomic long live[SHIM_KINDS], calls;
static _Atomic int countdown;
static _Atomic bool hit;

static void *symbol(const char *name)
{
	static void *so;
	const char *lib = getenv("HW_CUDA_LIBRARY");
	void *f;

	if (!so)
		so = dlopen(lib ? lib : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	f = so ? dlsym(so, name) : NULL;
	if (!f) {
		fprintf(stderr, "shim: no %s: %s\n", name, dlerror());
		abort();
	}
	return f;
}

/* Whether this call is the one that fails. */
static bool fails(void)
{
	int n = countdown;

	calls++;
	while (n > 0 &&
	       !__atomic_compare_exchange_n((int *)&countdown, &n, n - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (n == 1)
		hit = true;
	return n == 1;
}

static int counted(int rc, enum shim_kind kind, long add)
{
	if (!rc || add < 0)
		live[kind] += add;
	return rc;
}

#define REAL(name, params) \
	static int (*real) params; \
	if (!real) \
		real = symbol(#name)
/* Fails before it has done anything. */
#define MAKES(name, params, args, kind, add) \
	int name params; \
	int name params \
	{ \
		REAL(name, params); \
		return fails() ? INJECTED : counted(real args, kind, add); \
	}
/* Does what it must, then fails. */
#define ENDS(name, params, args, kind, add) \
	int name params; \
	int name params \
	{ \
		REAL(name, params); \
		int rc = counted(real args, kind, add); \
		return rc != NOT_READY && fails() ? INJECTED : rc; \
	}
#define PASSES(name, params, args, kind, add) \
	int name params; \
	int name params \
	{ \
		REAL(name, params); \
		return counted(real args, kind, add); \
	}

PASSES(cuGetErrorString, (int err, const char **text), (err, text), SHIM_CALLS, 0)
MAKES(cuInit, (unsigned int flags), (flags), SHIM_CALLS, 0)
MAKES(cuDeviceGetCount, (int *n), (n), SHIM_CALLS, 0)
MAKES(cuDeviceGet, (int *dev, int n), (dev, n), SHIM_CALLS, 0)
MAKES(cuDeviceGetAttribute, (int *value, int attr, int dev), (value, attr, dev), SHIM_CALLS, 0)
MAKES(cuDeviceGetPCIBusId, (char *id, int len, int dev), (id, len, dev), SHIM_CALLS, 0)
MAKES(cuDevicePrimaryCtxGetState, (int dev, unsigned int *flags, int *active), (dev, flags, active), SHIM_CALLS, 0)
MAKES(cuDevicePrimaryCtxRetain, (void **ctx, int dev), (ctx, dev), SHIM_CONTEXTS, 1)
ENDS(cuDevicePrimaryCtxRelease_v2, (int dev), (dev), SHIM_CONTEXTS, -1)
/* Without these two nothing can be undone. */
PASSES(cuCtxPushCurrent_v2, (void *ctx), (ctx), SHIM_PUSHES, 1)
PASSES(cuCtxPopCurrent_v2, (void **ctx), (ctx), SHIM_PUSHES, -1)
PASSES(cuThreadExchangeStreamCaptureMode, (int *mode), (mode), SHIM_CALLS, 0)
MAKES(cuMemAlloc_v2, (unsigned long long *ptr, size_t size), (ptr, size), SHIM_ALLOCATIONS, 1)
ENDS(cuMemFree_v2, (unsigned long long ptr), (ptr), SHIM_ALLOCATIONS, -1)
MAKES(cuMemGetAddressRange_v2, (unsigned long long *base, size_t *size, unsigned long long ptr), (base, size, ptr),
      SHIM_CALLS, 0)
MAKES(cuPointerGetAttributes, (unsigned int n, int *attrs, void **data, unsigned long long ptr),
      (n, attrs, data, ptr), SHIM_CALLS, 0)
MAKES(cuMemcpyHtoDAsync_v2, (unsigned long long dst, const void *src, size_t len, void *stream),
      (dst, src, len, stream), SHIM_CALLS, 0)
MAKES(cuMemcpyDtoHAsync_v2, (void *dst, unsigned long long src, size_t len, void *stream), (dst, src, len, stream),
      SHIM_CALLS, 0)
MAKES(cuMemcpyDtoDAsync_v2, (unsigned long long dst, unsigned long long src, size_t len, void *stream),
      (dst, src, len, stream), SHIM_CALLS, 0)
MAKES(cuStreamCreate, (void **stream, unsigned int flags), (stream, flags), SHIM_STREAMS, 1)
ENDS(cuStreamDestroy_v2, (void *stream), (stream), SHIM_STREAMS, -1)
ENDS(cuStreamSynchronize, (void *stream), (stream), SHIM_CALLS, 0)
MAKES(cuEventCreate, (void **event, unsigned int flags), (event, flags), SHIM_EVENTS, 1)
ENDS(cuEventDestroy_v2, (void *event), (event), SHIM_EVENTS, -1)
MAKES(cuEventRecord, (void *event, void *stream), (event, stream), SHIM_CALLS, 0)
ENDS(cuEventQuery, (void *event), (event), SHIM_CALLS, 0)
ENDS(cuEventSynchronize, (void *event), (event), SHIM_CALLS, 0)
MAKES(cuMemHostRegister_v2, (void *host, size_t len, unsigned int flags), (host, len, flags), SHIM_HOST, 1)
ENDS(cuMemHostUnregister, (void *host), (host), SHIM_HOST, -1)
MAKES(cuMemGetHandleForAddressRange,
      (void *fd, unsigned long long ptr, size_t size, int type, unsigned long long flags), (fd, ptr, size, type, flags),
      SHIM_CALLS, 0)

void shim_arm(int nth)
{
	hit = false;
	calls = 0;
	countdown = nth;
}

bool shim_fired(void)
{
	return hit;
}

long shim_live(enum shim_kind kind)
{
	return kind == SHIM_CALLS ? calls : live[kind];
}
