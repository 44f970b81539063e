/* SPDX-License-Identifier: MIT */
/* A CUDA runtime of six functions over the fake driver, which DEVIO_CUDA_LIBRARY names. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include "cuda_runtime.h"

typedef unsigned long long ptr;
static int (*init)(unsigned int flags);
static int (*retain)(void **ctx, int dev);
static int (*set)(void *ctx);
static int (*alloc)(ptr *p, size_t size);
static int (*release)(ptr p);
static int (*to_device)(ptr dst, const void *src, size_t len);
static int (*to_host)(void *dst, ptr src, size_t len);
static int (*fill)(ptr dst, unsigned char byte, size_t len);

static void *symbol(void *so, const char *name)
{
	void *f = so ? dlsym(so, name) : NULL;

	if (!f) {
		fprintf(stderr, "cudart: %s\n", dlerror());
		abort();
	}
	return f;
}

static void __attribute__((constructor)) load(void)
{
	const char *name = getenv("DEVIO_CUDA_LIBRARY");
	void *so = dlopen(name ? name : "libcuda.so.1", RTLD_NOW);

	init = symbol(so, "cuInit");
	retain = symbol(so, "cuDevicePrimaryCtxRetain");
	set = symbol(so, "cuCtxSetCurrent");
	alloc = symbol(so, "cuMemAlloc_v2");
	release = symbol(so, "cuMemFree_v2");
	to_device = symbol(so, "cuMemcpyHtoD_v2");
	to_host = symbol(so, "cuMemcpyDtoH_v2");
	fill = symbol(so, "cuMemsetD8_v2");
}

cudaError_t cudaSetDevice(int device)
{
	void *ctx;
	int rc = init(0);

	if (!rc)
		rc = retain(&ctx, device);
	return rc ? rc : set(ctx);
}

cudaError_t cudaMalloc(void **p, size_t size)
{
	ptr at;
	int rc = alloc(&at, size);

	if (!rc)
		*p = (void *)at;
	return rc;
}

cudaError_t cudaFree(void *p)
{
	return release((ptr)p);
}

cudaError_t cudaMemset(void *p, int byte, size_t size)
{
	return fill((ptr)p, (unsigned char)byte, size);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t size, enum cudaMemcpyKind kind)
{
	return kind == cudaMemcpyHostToDevice ? to_device((ptr)dst, src, size) : to_host(dst, (ptr)src, size);
}

const char *cudaGetErrorName(cudaError_t error)
{
	return error ? "an error of the fake driver" : "success";
}
