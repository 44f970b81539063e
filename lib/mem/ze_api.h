/* SPDX-License-Identifier: MIT */
/*
 * The part of Level Zero (libze_loader.so.1) that is used: declarations of the ABI
 * defined by its specification. Handles are pointers.
 */
#ifndef DV_MEM_ZE_API_H
#define DV_MEM_ZE_API_H

#include <stddef.h>
#include <stdint.h>

enum {
	ZE_SUCCESS = 0,
	ZE_NOT_READY = 1,
	ZE_DEVICE_LOST = 0x70000001,
	ZE_OUT_OF_HOST_MEMORY = 0x70000002,
	ZE_OUT_OF_DEVICE_MEMORY = 0x70000003,
	ZE_INSUFFICIENT_PERMISSIONS = 0x70010000,
	ZE_NOT_AVAILABLE = 0x70010001,
	ZE_UNINITIALIZED = 0x78000001,
	ZE_UNSUPPORTED_FEATURE = 0x78000003,
	ZE_INVALID_ARGUMENT = 0x78000004,
	ZE_UNSUPPORTED_SIZE = 0x78000008,
};

/* ze_structure_type_t */
enum {
	ZE_T_DEVICE_PROPERTIES = 3,
	ZE_T_CONTEXT_DESC = 13,
	ZE_T_QUEUE_DESC = 14,
	ZE_T_EVENT_POOL_DESC = 16,
	ZE_T_EVENT_DESC = 17,
	ZE_T_DEVICE_MEM_DESC = 21,
	ZE_T_MEM_PROPERTIES = 23,
	ZE_T_EXPORT_DESC = 24,
	ZE_T_EXPORT_FD = 26,
	ZE_T_PCI_PROPERTIES = 0x10008,
};

enum { ZE_DEVICE_IS_GPU = 1, ZE_QUEUE_ASYNC = 2, ZE_POOL_HOST_VISIBLE = 1, ZE_SCOPE_HOST = 4, ZE_EXPORT_DMA_BUF = 2 };
enum { ZE_MEM_UNKNOWN = 0, ZE_MEM_HOST = 1, ZE_MEM_DEVICE = 2, ZE_MEM_SHARED = 3 };

struct dv_ze_head {
	uint32_t stype;
	void *next;
};

/* Only the type is read; the rest is space for what the driver writes. */
struct dv_ze_device_properties {
	struct dv_ze_head h;
	uint32_t type;
	uint32_t vendor;
	uint64_t rest[64];
};

struct dv_ze_pci_properties {
	struct dv_ze_head h;
	uint32_t domain, bus, device, function;
	int32_t generation, width;
	int64_t bandwidth;
};

struct dv_ze_context_desc {
	struct dv_ze_head h;
	uint32_t flags;
};

struct dv_ze_queue_desc {
	struct dv_ze_head h;
	uint32_t ordinal, index, flags, mode, priority;
};

struct dv_ze_pool_desc {
	struct dv_ze_head h;
	uint32_t flags, count;
};

struct dv_ze_event_desc {
	struct dv_ze_head h;
	uint32_t index, signal, wait;
};

struct dv_ze_mem_desc {
	struct dv_ze_head h;
	uint32_t flags, ordinal;
};

struct dv_ze_export_desc {
	struct dv_ze_head h;
	uint32_t flags;
};

struct dv_ze_export_fd {
	struct dv_ze_head h;
	uint32_t flags;
	int32_t fd;
};

struct dv_ze_mem_properties {
	struct dv_ze_head h;
	uint32_t type;
	uint64_t id;
	uint64_t page_size;
};

struct dv_ze_api {
	int (*Init)(uint32_t flags);
	int (*DriverGet)(uint32_t *count, void **drivers);
	int (*DeviceGet)(void *driver, uint32_t *count, void **devices);
	int (*DeviceGetProperties)(void *device, struct dv_ze_device_properties *p);
	int (*ContextCreate)(void *driver, const struct dv_ze_context_desc *desc, void **ctx);
	int (*ContextDestroy)(void *ctx);
	int (*MemAllocDevice)(void *ctx, const struct dv_ze_mem_desc *desc, size_t size, size_t align, void *device,
			      void **ptr);
	int (*MemFree)(void *ctx, void *ptr);
	int (*MemGetAllocProperties)(void *ctx, const void *ptr, struct dv_ze_mem_properties *p, void **device);
	int (*MemGetAddressRange)(void *ctx, const void *ptr, void **base, size_t *size);
	int (*ListCreateImmediate)(void *ctx, void *device, const struct dv_ze_queue_desc *desc, void **list);
	int (*ListDestroy)(void *list);
	int (*ListAppendMemoryCopy)(void *list, void *dst, const void *src, size_t size, void *signal, uint32_t nr,
				    void **waits);
	int (*EventPoolCreate)(void *ctx, const struct dv_ze_pool_desc *desc, uint32_t nr, void **devices, void **pool);
	int (*EventPoolDestroy)(void *pool);
	int (*EventCreate)(void *pool, const struct dv_ze_event_desc *desc, void **event);
	int (*EventDestroy)(void *event);
	int (*EventHostReset)(void *event);
	int (*EventQueryStatus)(void *event);
	int (*EventHostSynchronize)(void *event, uint64_t timeout);
	/* 1.1; NULL with an older loader */
	int (*DevicePciGetProperties)(void *device, struct dv_ze_pci_properties *p);
};

extern struct dv_ze_api dv_ze;

/* A GPU and its driver. */
struct dv_ze_gpu {
	void *driver;
	void *device;
};

/*
 * Loads and initializes Level Zero and finds GPU number n of all drivers' devices. 0, or
 * -errno with an error message. Call with dv_share_lock() held.
 */
int dv_ze_find(const char *spec, int n, struct dv_ze_gpu *gpu);
int dv_ze_err(const char *spec, int result, const char *call);

#endif
