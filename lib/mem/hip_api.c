/* SPDX-License-Identifier: MIT */
/* Loading the HIP runtime, and translating its errors. */
#include "config.h"
#include <stdbool.h>
#include "core/err.h"
#include "mem/dl.h"
#include "mem/hip_api.h"

struct dv_hip_api dv_hip;
struct dv_hsa_api dv_hsa;

#define SYM(field, sym) DV_DL_SYM(dv_hip_api, field, sym)
static const struct dv_dl_sym hip_syms[] = {
	SYM(Init, "hipInit"),
	SYM(GetErrorString, "hipGetErrorString"),
	SYM(PeekAtLastError, "hipPeekAtLastError"),
	SYM(GetLastError, "hipGetLastError"),
	SYM(RuntimeGetVersion, "hipRuntimeGetVersion"),
	SYM(GetDeviceCount, "hipGetDeviceCount"),
	SYM(GetDevice, "hipGetDevice"),
	SYM(SetDevice, "hipSetDevice"),
	SYM(DeviceGetPCIBusId, "hipDeviceGetPCIBusId"),
	SYM(Malloc, "hipMalloc"),
	SYM(Free, "hipFree"),
	SYM(MemGetAddressRange, "hipMemGetAddressRange"),
	SYM(PointerGetAttributes, "hipPointerGetAttributes"),
	SYM(MemcpyAsync, "hipMemcpyAsync"),
	SYM(st.StreamCreate, "hipStreamCreateWithFlags"),
	SYM(st.StreamDestroy, "hipStreamDestroy"),
	SYM(st.StreamSynchronize, "hipStreamSynchronize"),
	SYM(st.EventCreate, "hipEventCreateWithFlags"),
	SYM(st.EventDestroy, "hipEventDestroy"),
	SYM(st.EventRecord, "hipEventRecord"),
	SYM(st.EventQuery, "hipEventQuery"),
	SYM(st.EventSynchronize, "hipEventSynchronize"),
	SYM(HostRegister, "hipHostRegister"),
	SYM(HostUnregister, "hipHostUnregister"),
	DV_DL_OPT(dv_hip_api, MemGetHandleForAddressRange, "hipMemGetHandleForAddressRange"),
};

static const struct dv_dl_lib hip_lib = {
	.what = "hip",
	.env = "DEVIO_HIP_LIBRARY",
	.names = (const char *const[]){ "libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5",
					NULL },
	.hint = "install ROCm's HIP runtime (libamdhip64), or use amdgpu:N",
	.syms = hip_syms,
	.nr = sizeof(hip_syms) / sizeof(hip_syms[0]),
};

static const struct dv_dl_sym hsa_syms[] = {
	DV_DL_OPT(dv_hsa_api, export_dmabuf, "hsa_amd_portable_export_dmabuf"),
};

static const struct dv_dl_lib hsa_lib = {
	.what = "hip",
	.env = "DEVIO_HSA_LIBRARY",
	.names = (const char *const[]){ "libhsa-runtime64.so.1", "libhsa-runtime64.so", NULL },
	.hint = "install ROCm's HSA runtime",
	.syms = hsa_syms,
	.nr = sizeof(hsa_syms) / sizeof(hsa_syms[0]),
};

static int to_errno(int result)
{
	switch (result) {
	case HIP_OUT_OF_MEMORY:
		return -ENOMEM;
	case HIP_INVALID_VALUE:
		return -EINVAL;
	case HIP_NO_DEVICE:
	case HIP_INVALID_DEVICE:
		return -ENODEV;
	case HIP_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case HIP_ALREADY_REGISTERED:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int dv_hip_err(const char *spec, int result, const char *call)
{
	const char *text = dv_hip.GetErrorString(result);

	return dv_err(to_errno(result), "mem %s: %s: HIP error %d, %s", spec, call, result,
		      text ? text : "unknown error");
}

static int load_libraries(void)
{
	static bool loaded;
	int rc = loaded ? 0 : dv_dl_load(&hip_lib, &dv_hip);

	if (rc || loaded)
		return rc;
	loaded = true;
	/* Only if HIP itself cannot export; if HSA cannot either, export reports what is missing. */
	if (!dv_hip.MemGetHandleForAddressRange)
		(void)dv_dl_load(&hsa_lib, &dv_hsa);
	return 0;
}

static int init_runtime(const char *spec, int *devices, int *version)
{
	int rc = dv_hip.Init(0);

	if (!rc)
		rc = dv_hip.GetDeviceCount(devices);
	if (rc == HIP_NO_DEVICE)
		return dv_err(-ENODEV, "mem %s: HIP found no device: check rocminfo, HIP_VISIBLE_DEVICES and access to "
			      "/dev/kfd (group render)", spec);
	if (rc)
		return dv_hip_err(spec, rc, "hipInit or hipGetDeviceCount");
	rc = dv_hip.RuntimeGetVersion(version);
	return rc ? dv_hip_err(spec, rc, "hipRuntimeGetVersion") : 0;
}

int dv_hip_load(const char *spec, int *devices, int *version)
{
	int rc = load_libraries(), last;

	if (rc)
		return rc;
	last = dv_hip.PeekAtLastError();
	rc = init_runtime(spec, devices, version);
	/* Hide our error from the application. */
	if (rc && !last)
		(void)dv_hip.GetLastError();
	return rc;
}
