/* SPDX-License-Identifier: MIT */
/*
 * The part of the CUDA driver API (libcuda.so.1) that is used: declarations of its
 * documented ABI, so that no SDK is needed. Handles are pointers, device pointers are
 * 64-bit integers, devices and results are ints.
 */
#ifndef DV_MEM_CUDA_API_H
#define DV_MEM_CUDA_API_H

#include <stdbool.h>
#include <stddef.h>
#include "mem/stream.h"

struct dv_ptr;

typedef unsigned long long dv_cu_ptr;

enum {
	CU_SUCCESS = 0,
	CU_INVALID_VALUE = 1,
	CU_OUT_OF_MEMORY = 2,
	CU_NOT_INITIALIZED = 3,
	CU_DEINITIALIZED = 4,
	CU_NO_DEVICE = 100,
	CU_INVALID_DEVICE = 101,
	CU_INVALID_CONTEXT = 201,
	CU_INVALID_HANDLE = 400,
	CU_NOT_READY = DV_STREAM_NOT_READY,
	CU_ALREADY_REGISTERED = 712,
	CU_NOT_REGISTERED = 713,
	CU_NOT_PERMITTED = 800,
	CU_NOT_SUPPORTED = 801,
	CU_NOT_READY_SYSTEM = 802,
	CU_DRIVER_MISMATCH = 803,
	CU_CAPTURE_UNSUPPORTED = 900,
	CU_CAPTURE_INVALIDATED = 901,
};

enum { CU_ATTR_DMA_BUF_SUPPORTED = 124 };
enum { CU_PTR_CONTEXT = 1, CU_PTR_MEMORY_TYPE = 2, CU_PTR_BUFFER_ID = 7, CU_PTR_IS_MANAGED = 8,
       CU_PTR_DEVICE_ORDINAL = 9, CU_PTR_RANGE_START = 11, CU_PTR_RANGE_SIZE = 12, CU_PTR_MEMPOOL_HANDLE = 17 };
enum { CU_TYPE_HOST = 1, CU_TYPE_DEVICE = 2 };
enum { CU_HOST_PORTABLE = 1, CU_HOST_DEVICEMAP = 2 };
enum { CU_WAIT_GEQ = 0 };
enum { CU_CAPTURE_GLOBAL = 0, CU_CAPTURE_RELAXED = 2 };
enum { CU_RANGE_DMA_BUF_FD = 1, CU_RANGE_MAPPING_PCIE = 1 };

struct dv_cu_api {
	int (*Init)(unsigned int flags);
	int (*GetErrorString)(int err, const char **text);
	int (*DeviceGetCount)(int *n);
	int (*DeviceGet)(int *dev, int ordinal);
	int (*DeviceGetAttribute)(int *value, int attr, int dev);
	int (*DeviceGetPCIBusId)(char *id, int len, int dev);
	int (*PrimaryCtxGetState)(int dev, unsigned int *flags, int *active);
	int (*PrimaryCtxRetain)(void **ctx, int dev);
	int (*PrimaryCtxRelease)(int dev);
	int (*CtxPush)(void *ctx);
	int (*CtxPop)(void **ctx);
	int (*MemAlloc)(dv_cu_ptr *ptr, size_t size);
	int (*MemFree)(dv_cu_ptr ptr);
	int (*MemGetAddressRange)(dv_cu_ptr *base, size_t *size, dv_cu_ptr ptr);
	int (*PointerGetAttributes)(unsigned int n, int *attrs, void **data, dv_cu_ptr ptr);
	int (*MemcpyHtoDAsync)(dv_cu_ptr dst, const void *src, size_t len, void *stream);
	int (*MemcpyDtoHAsync)(void *dst, dv_cu_ptr src, size_t len, void *stream);
	int (*MemcpyDtoDAsync)(dv_cu_ptr dst, dv_cu_ptr src, size_t len, void *stream);
	struct dv_stream_api st;
	int (*MemHostRegister)(void *host, size_t len, unsigned int flags);
	int (*MemHostUnregister)(void *host);
	/* CUDA 10.1; NULL with an older driver */
	int (*ThreadExchangeStreamCaptureMode)(int *mode);
	/* Ordering with the application's streams; NULL with an older driver */
	int (*StreamGetCtx)(void *stream, void **ctx);
	int (*LaunchHostFunc)(void *stream, void (*fn)(void *arg), void *arg);
	int (*StreamWaitValue32)(void *stream, dv_cu_ptr word, unsigned int value, unsigned int flags);
	int (*MemHostGetDevicePointer)(dv_cu_ptr *dev, void *host, unsigned int flags);
	/* CUDA 11.7; NULL with an older driver */
	int (*MemGetHandleForAddressRange)(void *handle, dv_cu_ptr ptr, size_t size, int type,
					   unsigned long long flags);
};

extern struct dv_cu_api dv_cu;

/*
 * Loads the library, initializes the driver and returns the number of devices in
 * *devices. 0, or -errno with an error message. Call with dv_share_lock() held.
 */
int dv_cu_load(const char *spec, int *devices);

/* Whether this process has loaded the library. */
bool dv_cu_loaded(void);

/* Translates a CUresult to -errno and sets the error message: "mem SPEC: CALL: text". */
int dv_cu_err(const char *spec, int result, const char *call);

/* Whether the primary context of cuda:n is active. 0, or -errno with an error message. */
int dv_cu_primary_state(const char *spec, int n, int *dev, bool *active);

/* Properties of a pointer of the application. */
struct dv_cu_found {
	void *ctx;    /* NULL: the primary context, or none */
	bool managed; /* migrates between host and device */
	bool pieces;  /* mapped with cuMemMap, possibly from several allocations */
};

/* 0, or -errno with an error message if ptr is not usable memory of cuda:n. Loads the driver. (cuda_ptr.c) */
int dv_cu_find(struct devio_mem *m, int n, dv_cu_ptr ptr, struct dv_cu_found *f);

/* As dv_ptr_find(). (cuda_ptr.c) */
int dv_cu_locate(const void *ptr, struct dv_ptr *p);

/*
 * Checks that [ptr, ptr + m->size) is inside one allocation; with `pieces`, adjacent
 * allocations count as one, since frameworks grow allocations that way. Needs a
 * current context.
 */
int dv_cu_check_range(struct devio_mem *m, dv_cu_ptr ptr, bool pieces);

#endif
