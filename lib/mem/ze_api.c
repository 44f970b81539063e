/* SPDX-License-Identifier: MIT */
/* Loading Level Zero, finding its GPUs, and translating its errors. */
#include "config.h"
#include <stdbool.h>
#include "core/err.h"
#include "mem/dl.h"
#include "mem/ze_api.h"

#define MAX_DRIVERS 8
#define MAX_DEVICES 64

struct dv_ze_api dv_ze;

#define SYM(field) DV_DL_SYM(dv_ze_api, field, "ze" #field)
static const struct dv_dl_sym ze_syms[] = {
	SYM(Init),
	SYM(DriverGet),
	SYM(DeviceGet),
	SYM(DeviceGetProperties),
	SYM(ContextCreate),
	SYM(ContextDestroy),
	SYM(MemAllocDevice),
	SYM(MemFree),
	SYM(MemGetAllocProperties),
	SYM(MemGetAddressRange),
	DV_DL_SYM(dv_ze_api, ListCreateImmediate, "zeCommandListCreateImmediate"),
	DV_DL_SYM(dv_ze_api, ListDestroy, "zeCommandListDestroy"),
	DV_DL_SYM(dv_ze_api, ListAppendMemoryCopy, "zeCommandListAppendMemoryCopy"),
	SYM(EventPoolCreate),
	SYM(EventPoolDestroy),
	SYM(EventCreate),
	SYM(EventDestroy),
	SYM(EventHostReset),
	SYM(EventQueryStatus),
	SYM(EventHostSynchronize),
	DV_DL_OPT(dv_ze_api, DevicePciGetProperties, "zeDevicePciGetPropertiesExt"),
};

static const struct dv_dl_lib ze_lib = {
	.what = "ze",
	.env = "DEVIO_ZE_LIBRARY",
	.names = (const char *const[]){ "libze_loader.so.1", NULL },
	.hint = "install Level Zero (libze1) and Intel's GPU driver for it (libze-intel-gpu1)",
	.syms = ze_syms,
	.nr = sizeof(ze_syms) / sizeof(ze_syms[0]),
};

static int to_errno(int result)
{
	switch (result) {
	case ZE_OUT_OF_HOST_MEMORY:
	case ZE_OUT_OF_DEVICE_MEMORY:
	case ZE_UNSUPPORTED_SIZE:
		return -ENOMEM;
	case ZE_INSUFFICIENT_PERMISSIONS:
		return -EACCES;
	case ZE_DEVICE_LOST:
	case ZE_UNINITIALIZED:
		return -ENODEV;
	case ZE_NOT_AVAILABLE:
	case ZE_UNSUPPORTED_FEATURE:
		return -EOPNOTSUPP;
	case ZE_INVALID_ARGUMENT:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int dv_ze_err(const char *spec, int result, const char *call)
{
	return dv_err(to_errno(result), "mem %s: %s: Level Zero result 0x%x", spec, call, (unsigned int)result);
}

static int load(const char *spec)
{
	static bool loaded;
	int rc = loaded ? 0 : dv_dl_load(&ze_lib, &dv_ze);

	if (rc)
		return rc;
	loaded = true;
	rc = dv_ze.Init(0);
	if (rc == ZE_UNINITIALIZED)
		return dv_err(-ENODEV, "mem %s: Level Zero found no driver: install libze-intel-gpu1 and check access "
			      "to /dev/dri/renderD* (group render)", spec);
	return rc ? dv_ze_err(spec, rc, "zeInit") : 0;
}

static bool is_gpu(void *device)
{
	struct dv_ze_device_properties p = { .h.stype = ZE_T_DEVICE_PROPERTIES };

	return !dv_ze.DeviceGetProperties(device, &p) && p.type == ZE_DEVICE_IS_GPU;
}

/* Counts GPUs in *seen; true if GPU number n is among this driver's devices. */
static bool in_driver(void *driver, int n, int *seen, struct dv_ze_gpu *gpu)
{
	void *devices[MAX_DEVICES];
	uint32_t nr = MAX_DEVICES;

	if (dv_ze.DeviceGet(driver, &nr, devices))
		return false;
	for (uint32_t i = 0; i < nr; i++) {
		if (!is_gpu(devices[i]) || (*seen)++ != n)
			continue;
		gpu->driver = driver;
		gpu->device = devices[i];
		return true;
	}
	return false;
}

int dv_ze_find(const char *spec, int n, struct dv_ze_gpu *gpu)
{
	void *drivers[MAX_DRIVERS];
	uint32_t nr = MAX_DRIVERS;
	int seen = 0, rc = load(spec);

	if (rc)
		return rc;
	rc = dv_ze.DriverGet(&nr, drivers);
	if (rc)
		return dv_ze_err(spec, rc, "zeDriverGet");
	for (uint32_t i = 0; i < nr; i++)
		if (in_driver(drivers[i], n, &seen, gpu))
			return 0;
	return dv_err(-ENODEV, "mem %s: no such GPU: there are %d Level Zero GPUs, numbered from 0", spec, seen);
}
