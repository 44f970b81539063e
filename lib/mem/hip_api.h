/* SPDX-License-Identifier: MIT */
/*
 * The part of the HIP runtime (libamdhip64.so) that is used: declarations of its
 * documented ABI, identical in ROCm 5 to 7 except as noted.
 */
#ifndef DV_MEM_HIP_API_H
#define DV_MEM_HIP_API_H

#include <stddef.h>
#include <stdint.h>
#include "mem/stream.h"

enum {
	HIP_SUCCESS = 0,
	HIP_INVALID_VALUE = 1,
	HIP_OUT_OF_MEMORY = 2,
	HIP_NOT_INITIALIZED = 3,
	HIP_INVALID_DEVICE_POINTER = 17,
	HIP_NO_DEVICE = 100,
	HIP_INVALID_DEVICE = 101,
	HIP_INVALID_HANDLE = 400,
	HIP_NOT_FOUND = 500,
	HIP_NOT_READY = DV_STREAM_NOT_READY,
	HIP_ALREADY_REGISTERED = 712,
	HIP_NOT_REGISTERED = 713,
	HIP_NOT_SUPPORTED = 801,
};

enum { HIP_HOST_TO_DEVICE = 1, HIP_DEVICE_TO_HOST = 2, HIP_DEVICE_TO_DEVICE = 3 };
enum { HIP_HOST_PORTABLE = 1 };
enum { HIP_RANGE_DMA_BUF_FD = 1 };

/* ROCm 6 renumbered the memory types: before, device memory was 1 and host memory 0. */
enum { HIP_VERSION_6 = 60000000, HIP_TYPE_HOST = 1, HIP_TYPE_DEVICE = 2 };

struct dv_hip_pointer {
	int type;
	int device;
	void *device_ptr;
	void *host_ptr;
	int managed;
	unsigned int flags;
	uint64_t spare[8]; /* in case a later version writes more */
};

struct dv_hip_api {
	int (*Init)(unsigned int flags);
	const char *(*GetErrorString)(int err);
	int (*PeekAtLastError)(void);
	int (*GetLastError)(void);
	int (*RuntimeGetVersion)(int *version);
	int (*GetDeviceCount)(int *n);
	int (*GetDevice)(int *dev);
	int (*SetDevice)(int dev);
	int (*DeviceGetPCIBusId)(char *id, int len, int dev);
	int (*Malloc)(void **ptr, size_t size);
	int (*Free)(void *ptr);
	int (*MemGetAddressRange)(void **base, size_t *size, void *ptr);
	int (*PointerGetAttributes)(struct dv_hip_pointer *p, const void *ptr);
	int (*MemcpyAsync)(void *dst, const void *src, size_t len, int kind, void *stream);
	struct dv_stream_api st;
	int (*HostRegister)(void *host, size_t len, unsigned int flags);
	int (*HostUnregister)(void *host);
	/* ROCm 7; NULL with older versions */
	int (*MemGetHandleForAddressRange)(void *handle, void *ptr, size_t size, int type, unsigned long long flags);
};

/* The HSA runtime, on which HIP is built, can export dma-bufs since ROCm 5.3. */
struct dv_hsa_api {
	int (*export_dmabuf)(const void *ptr, size_t size, int *fd, uint64_t *off);
};

extern struct dv_hip_api dv_hip;
extern struct dv_hsa_api dv_hsa; /* export_dmabuf is NULL if the library lacks it */

/* As dv_cu_load() and dv_cu_err(). */
int dv_hip_load(const char *spec, int *devices, int *version);
int dv_hip_err(const char *spec, int result, const char *call);

#endif
