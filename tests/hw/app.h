/* SPDX-License-Identifier: MIT */
/*
 * The application's side of the tests on a GPU: NVIDIA's driver library as a
 * program that knows nothing of libdevio uses it. Opened with dlopen, so that
 * the programs build without CUDA; DEVIO_CUDA_LIBRARY names another one, as it
 * does for libdevio (or HW_CUDA_LIBRARY, where that is to see one in between).
 */
#ifndef HW_APP_H
#define HW_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long long cu_ptr;

enum { CU_GLOBAL_CAPTURE = 0, CU_NON_BLOCKING = 1, CU_NO_TIMING = 2, CU_ATTACH_GLOBAL = 1, CU_OOM = 2 };

/* cuMemCreate's properties and cuMemSetAccess's grant, as the driver's manual has them. */
struct cu_location {
	int type, id; /* 1: device */
};
struct cu_prop {
	int type, handles; /* 1: pinned */
	struct cu_location loc;
	void *win32;
	unsigned char compression, rdma;
	unsigned short usage;
	unsigned char reserved[4];
};
struct cu_access {
	struct cu_location loc;
	int flags; /* 3: read and write */
};

/* X(name here, name there, parameters) */
#define CU_CALLS(X) \
	X(init, cuInit, (unsigned int flags)) \
	X(version, cuDriverGetVersion, (int *version)) \
	X(device_name, cuDeviceGetName, (char *name, int len, int dev)) \
	X(device, cuDeviceGet, (int *dev, int n)) \
	X(devices, cuDeviceGetCount, (int *n)) \
	X(attribute, cuDeviceGetAttribute, (int *value, int attr, int dev)) \
	X(primary_state, cuDevicePrimaryCtxGetState, (int dev, unsigned int *flags, int *active)) \
	X(primary_retain, cuDevicePrimaryCtxRetain, (void **ctx, int dev)) \
	X(primary_release, cuDevicePrimaryCtxRelease_v2, (int dev)) \
	X(ctx_create, cuCtxCreate_v2, (void **ctx, unsigned int flags, int dev)) \
	X(ctx_destroy, cuCtxDestroy_v2, (void *ctx)) \
	X(ctx_get, cuCtxGetCurrent, (void **ctx)) \
	X(ctx_set, cuCtxSetCurrent, (void *ctx)) \
	X(ctx_sync, cuCtxSynchronize, (void)) \
	X(mem_info, cuMemGetInfo_v2, (size_t * unused, size_t * total)) \
	X(alloc, cuMemAlloc_v2, (cu_ptr * ptr, size_t size)) \
	X(free, cuMemFree_v2, (cu_ptr ptr)) \
	X(alloc_managed, cuMemAllocManaged, (cu_ptr * ptr, size_t size, unsigned int flags)) \
	X(alloc_async, cuMemAllocAsync, (cu_ptr * ptr, size_t size, void *stream)) \
	X(free_async, cuMemFreeAsync, (cu_ptr ptr, void *stream)) \
	X(host_alloc, cuMemHostAlloc, (void **host, size_t size, unsigned int flags)) \
	X(host_free, cuMemFreeHost, (void *host)) \
	X(to_device, cuMemcpyHtoD_v2, (cu_ptr dst, const void *src, size_t len)) \
	X(to_host, cuMemcpyDtoH_v2, (void *dst, cu_ptr src, size_t len)) \
	X(to_device_async, cuMemcpyHtoDAsync_v2, (cu_ptr dst, const void *src, size_t len, void *stream)) \
	X(fill, cuMemsetD8_v2, (cu_ptr dst, unsigned char byte, size_t len)) \
	X(granularity, cuMemGetAllocationGranularity, (size_t * size, const struct cu_prop *prop, int option)) \
	X(reserve, cuMemAddressReserve, \
	  (cu_ptr * ptr, size_t size, size_t align, cu_ptr hint, unsigned long long flags)) \
	X(unreserve, cuMemAddressFree, (cu_ptr ptr, size_t size)) \
	X(create, cuMemCreate, \
	  (unsigned long long *handle, size_t size, const struct cu_prop *prop, unsigned long long flags)) \
	X(release, cuMemRelease, (unsigned long long handle)) \
	X(map, cuMemMap, (cu_ptr ptr, size_t size, size_t off, unsigned long long handle, unsigned long long flags)) \
	X(unmap, cuMemUnmap, (cu_ptr ptr, size_t size)) \
	X(set_access, cuMemSetAccess, (cu_ptr ptr, size_t size, const struct cu_access *desc, size_t nr)) \
	X(stream_create, cuStreamCreate, (void **stream, unsigned int flags)) \
	X(stream_destroy, cuStreamDestroy_v2, (void *stream)) \
	X(stream_sync, cuStreamSynchronize, (void *stream)) \
	X(capture_begin, cuStreamBeginCapture_v2, (void *stream, int mode)) \
	X(capture_end, cuStreamEndCapture, (void *stream, void **graph)) \
	X(event_create, cuEventCreate, (void **event, unsigned int flags)) \
	X(event_destroy, cuEventDestroy_v2, (void *event)) \
	X(event_record, cuEventRecord, (void *event, void *stream)) \
	X(event_sync, cuEventSynchronize, (void *event))

struct hw_cu {
#define X(field, sym, params) int (*field) params;
	CU_CALLS(X)
#undef X
};
extern struct hw_cu cu;

/* NULL, or why there is no such library, driver or device here. */
const char *hw_load(void);

/* The memory that is tested: DEVIO_TEST_SPEC, or cuda:0. And its number. */
const char *hw_spec(void);
int hw_device(void);

/* The fake library is in use: its figures mean nothing. */
bool hw_fake(void);

/* What the calling thread has as its current context. */
void *hw_current(void);

/* Unallocated bytes of the device; in the current context. */
size_t hw_unused(void);

/* n bytes that repeat nowhere nearby. */
void hw_pattern(unsigned char *p, size_t n, unsigned int seed);

/* A file of n such bytes in HW_DIR, or the current directory; removed at the end. Its name. */
const char *hw_file(size_t n, unsigned int seed);

#endif
