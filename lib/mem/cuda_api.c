/* SPDX-License-Identifier: MIT */
/* Loading the CUDA driver library, and translating its errors. */
#include "config.h"
#include <stdbool.h>
#include "core/err.h"
#include "mem/cuda_api.h"
#include "mem/dl.h"

struct dv_cu_api dv_cu;

#define SYM(field, sym) DV_DL_SYM(dv_cu_api, field, sym)
static const struct dv_dl_sym cu_syms[] = {
	SYM(Init, "cuInit"),
	SYM(GetErrorString, "cuGetErrorString"),
	SYM(DeviceGetCount, "cuDeviceGetCount"),
	SYM(DeviceGet, "cuDeviceGet"),
	SYM(DeviceGetAttribute, "cuDeviceGetAttribute"),
	SYM(DeviceGetPCIBusId, "cuDeviceGetPCIBusId"),
	SYM(PrimaryCtxGetState, "cuDevicePrimaryCtxGetState"),
	SYM(PrimaryCtxRetain, "cuDevicePrimaryCtxRetain"),
	DV_DL_ALT(dv_cu_api, PrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxRelease"),
	SYM(CtxPush, "cuCtxPushCurrent_v2"),
	SYM(CtxPop, "cuCtxPopCurrent_v2"),
	SYM(MemAlloc, "cuMemAlloc_v2"),
	SYM(MemFree, "cuMemFree_v2"),
	SYM(MemGetAddressRange, "cuMemGetAddressRange_v2"),
	SYM(PointerGetAttributes, "cuPointerGetAttributes"),
	SYM(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2"),
	SYM(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2"),
	SYM(MemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2"),
	SYM(st.StreamCreate, "cuStreamCreate"),
	SYM(st.StreamDestroy, "cuStreamDestroy_v2"),
	SYM(st.StreamSynchronize, "cuStreamSynchronize"),
	SYM(st.EventCreate, "cuEventCreate"),
	SYM(st.EventDestroy, "cuEventDestroy_v2"),
	SYM(st.EventRecord, "cuEventRecord"),
	SYM(st.EventQuery, "cuEventQuery"),
	SYM(st.EventSynchronize, "cuEventSynchronize"),
	DV_DL_ALT(dv_cu_api, MemHostRegister, "cuMemHostRegister_v2", "cuMemHostRegister"),
	SYM(MemHostUnregister, "cuMemHostUnregister"),
	DV_DL_OPT(dv_cu_api, ThreadExchangeStreamCaptureMode, "cuThreadExchangeStreamCaptureMode"),
	DV_DL_OPT(dv_cu_api, StreamGetCtx, "cuStreamGetCtx"),
	DV_DL_OPT(dv_cu_api, LaunchHostFunc, "cuLaunchHostFunc"),
	DV_DL_OPT(dv_cu_api, StreamWaitValue32, "cuStreamWaitValue32_v2"),
	DV_DL_OPT(dv_cu_api, MemHostGetDevicePointer, "cuMemHostGetDevicePointer_v2"),
	DV_DL_OPT(dv_cu_api, MemGetHandleForAddressRange, "cuMemGetHandleForAddressRange"),
};

static const struct dv_dl_lib cu_lib = {
	.what = "cuda",
	.env = "DEVIO_CUDA_LIBRARY",
	.names = (const char *const[]){ "libcuda.so.1", NULL },
	.hint = "install the NVIDIA driver (libcuda1), or make it available in the container",
	.syms = cu_syms,
	.nr = sizeof(cu_syms) / sizeof(cu_syms[0]),
};

static int to_errno(int result)
{
	switch (result) {
	case CU_OUT_OF_MEMORY:
		return -ENOMEM;
	case CU_INVALID_VALUE:
		return -EINVAL;
	case CU_NO_DEVICE:
	case CU_INVALID_DEVICE:
	case CU_NOT_READY_SYSTEM:
	case CU_DRIVER_MISMATCH:
		return -ENODEV;
	case CU_NOT_PERMITTED:
		return -EACCES;
	case CU_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case CU_ALREADY_REGISTERED:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int dv_cu_err(const char *spec, int result, const char *call)
{
	const char *text = NULL;

	if (dv_cu.GetErrorString(result, &text) || !text)
		text = "unknown error";
	return dv_err(to_errno(result), "mem %s: %s: CUDA error %d, %s", spec, call, result, text);
}

static int init_driver(const char *spec, int *devices)
{
	int rc = dv_cu.Init(0);

	if (rc == CU_NO_DEVICE)
		return dv_err(-ENODEV, "mem %s: the CUDA driver found no device: check nvidia-smi and "
			      "CUDA_VISIBLE_DEVICES", spec);
	if (rc == CU_NOT_INITIALIZED)
		return dv_err(-ECHILD, "mem %s: CUDA was used before fork(): the driver does not work in the child",
			      spec);
	if (rc)
		return dv_cu_err(spec, rc, "cuInit");
	rc = dv_cu.DeviceGetCount(devices);
	return rc ? dv_cu_err(spec, rc, "cuDeviceGetCount") : 0;
}

bool dv_cu_loaded(void)
{
	return dv_dl_loaded(&cu_lib);
}

int dv_cu_load(const char *spec, int *devices)
{
	static bool loaded;
	int rc = loaded ? 0 : dv_dl_load(&cu_lib, &dv_cu);

	if (rc)
		return rc;
	loaded = true;
	return init_driver(spec, devices);
}
