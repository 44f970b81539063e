/* SPDX-License-Identifier: MIT */
/* The structures of DLPack's ABI, versions 0 and 1: https://dmlc.github.io/dlpack */
#ifndef DP_DLPACK_H
#define DP_DLPACK_H

#include <stddef.h>
#include <stdint.h>

enum {
	DL_CPU = 1,
	DL_CUDA = 2,
	DL_CUDA_HOST = 3,
	DL_ROCM = 10,
	DL_ROCM_HOST = 11,
	DL_CUDA_MANAGED = 13,
	DL_ONEAPI = 14
};

#define DL_READ_ONLY (1ULL << 0)
#define DL_IS_COPIED (1ULL << 1)

#define DL_PLAIN_NAME "dltensor"
#define DL_VERSIONED_NAME "dltensor_versioned"

struct dl_tensor {
	void *data;
	int32_t device_type, device_id;
	int32_t ndim;
	uint8_t code, bits;
	uint16_t lanes;
	int64_t *shape, *strides; /* strides may be NULL: contiguous */
	uint64_t byte_offset;
};

struct dl_managed {
	struct dl_tensor t;
	void *ctx;
	void (*deleter)(struct dl_managed *m);
};

struct dl_versioned {
	uint32_t major, minor;
	void *ctx;
	void (*deleter)(struct dl_versioned *m);
	uint64_t flags;
	struct dl_tensor t;
};

#if UINTPTR_MAX > 0xffffffffu
_Static_assert(sizeof(struct dl_tensor) == 48 && offsetof(struct dl_tensor, shape) == 24, "DLTensor of the ABI");
_Static_assert(sizeof(struct dl_managed) == 64, "DLManagedTensor of the ABI");
_Static_assert(sizeof(struct dl_versioned) == 80 && offsetof(struct dl_versioned, t) == 32, "DLManagedTensorVersioned");
#endif

#endif
