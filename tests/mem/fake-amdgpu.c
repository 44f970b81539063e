/* SPDX-License-Identifier: MIT */
/* A libdrm_amdgpu.so.1 of host memory. FAKE_AMDGPU_VISIBLE=0: no VRAM for the CPU. */
#include <errno.h>
#include <stdlib.h>
#include <fcntl.h>
#include <amdgpu.h>
#include <amdgpu_drm.h>
#include "fake.h"

struct amdgpu_device {
	int live;
};

struct amdgpu_bo {
	struct fake_mem *m;
	int visible;
};

int amdgpu_device_initialize(int fd, uint32_t *major, uint32_t *minor, amdgpu_device_handle *dev)
{
	if (fake_fails("amdgpu_device_initialize"))
		return -EINVAL;
	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	*major = 3;
	*minor = 54;
	*dev = calloc(1, sizeof(**dev));
	fake_count(FAKE_DEV, 1);
	return 0;
}

int amdgpu_device_deinitialize(amdgpu_device_handle dev)
{
	if (dev->live)
		fake_die("the device is closed before its buffers are freed");
	free(dev);
	fake_count(FAKE_DEV, -1);
	return fake_fails("amdgpu_device_deinitialize") ? -EINVAL : 0;
}

int amdgpu_bo_alloc(amdgpu_device_handle dev, struct amdgpu_bo_alloc_request *req, amdgpu_bo_handle *bo)
{
	const char *visible = getenv("FAKE_AMDGPU_VISIBLE");

	if (fake_fails("amdgpu_bo_alloc") || req->preferred_heap != AMDGPU_GEM_DOMAIN_VRAM || req->alloc_size & 4095)
		return -EINVAL;
	if (req->alloc_size > 1UL << 40 ||
	    (visible && *visible == '0' && req->flags & AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED))
		return -ENOMEM;
	*bo = calloc(1, sizeof(**bo));
	(*bo)->m = fake_mem_new(req->alloc_size, FAKE_PLAIN, 0, dev, 0);
	(*bo)->visible = req->flags == AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED;
	dev->live++;
	return 0;
}

int amdgpu_bo_free(amdgpu_bo_handle bo)
{
	struct amdgpu_device *dev = bo->m->ctx;

	dev->live--;
	fake_mem_drop(bo->m->addr);
	free(bo);
	return fake_fails("amdgpu_bo_free") ? -EINVAL : 0;
}

int amdgpu_bo_export(amdgpu_bo_handle bo, enum amdgpu_bo_handle_type type, uint32_t *handle)
{
	if (fake_fails("amdgpu_bo_export") || type != amdgpu_bo_handle_type_dma_buf_fd)
		return -EINVAL;
	*handle = (uint32_t)fake_mem_fd(bo->m, 0);
	return 0;
}

int amdgpu_bo_cpu_map(amdgpu_bo_handle bo, void **cpu)
{
	if (fake_fails("amdgpu_bo_cpu_map") || !bo->visible)
		return -EINVAL;
	*cpu = bo->m->alias;
	fake_count(FAKE_HOST, 1);
	return 0;
}

int amdgpu_bo_cpu_unmap(amdgpu_bo_handle bo)
{
	(void)bo;
	fake_count(FAKE_HOST, -1);
	return fake_fails("amdgpu_bo_cpu_unmap") ? -EINVAL : 0;
}
