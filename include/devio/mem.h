/* SPDX-License-Identifier: MIT */
/**
 * Device memory, allocated by spec:
 *
 *   host                 anonymous memory of this process
 *   udmabuf              a memfd exported as a dma-buf (/dev/udmabuf)
 *   dmaheap[:NAME]       a dma-buf heap (/dev/dma_heap/NAME, default "system")
 *   p2pmem:BDF           P2PDMA pages of a PCI device, for example an NVMe CMB (Linux 6.2)
 *   vfio:BDF/BAR         a PCI BAR of a device bound to vfio-pci
 *   drm:NODE             a dumb buffer of a DRM card (/dev/dri/card0)
 *   amdgpu:N             VRAM through libdrm_amdgpu
 *   cuda:N hip:N ze:N    VRAM through the vendor's library, loaded with dlopen()
 *
 * A memory may be used by any number of threads and rings. If freed while
 * operations are in flight, it exists until they have completed.
 */
#ifndef DEVIO_MEM_H
#define DEVIO_MEM_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_mem_opts {
	size_t sz;
	unsigned int flags;  /* must be 0 */
	uint64_t offset;     /* vfio: start in the BAR in bytes, page aligned; 0: the first free offset */
};

/** devio_mem_info.caps */
#define DEVIO_MEM_HOST_PAGES (1u << 0) /* mapped, backed by ordinary host pages */
#define DEVIO_MEM_P2P_PAGES  (1u << 1) /* mapped, backed by P2PDMA pages */
#define DEVIO_MEM_CPU_MAP    (1u << 2) /* CPU accessible: devio_mem_map() works */
#define DEVIO_MEM_EXPORT     (1u << 3) /* devio_mem_export() may work */
#define DEVIO_MEM_ASYNC_COPY (1u << 4) /* copies run on the device's copy engine */
#define DEVIO_MEM_DEVICE     (1u << 5) /* located in a device, not in host memory */

struct devio_mem_info {
	size_t sz;
	uint64_t size;       /* bytes, as requested */
	uint64_t device_ptr; /* the vendor's device pointer or the host pointer to byte 0; 0 if none */
	unsigned int caps;   /* DEVIO_MEM_* */
	char spec[64];       /* as allocated: "cuda:0" */
	char bdf[16];        /* PCI address of the device, "" if unknown or none */
};

/**
 * Allocates size bytes (> 0) of the memory `spec`. The contents are undefined. *mem is
 * owned by the caller, to be freed with devio_mem_free(), and holds a reference to ctx.
 * opts may be NULL. Errors: -EINVAL (invalid spec, size or option), -ENODEV (no such
 * device or vendor library), -EACCES, -ENOMEM, -EOPNOTSUPP, -E2BIG; vfio: -EBUSY (the
 * device or the range is in use), -ENOSPC (no room in the BAR).
 */
DEVIO_API int devio_mem_alloc(struct devio_ctx *ctx, const char *spec, uint64_t size,
			      const struct devio_mem_opts *opts, struct devio_mem **mem);

/**
 * Imports memory of the application: a device pointer of cuda:N, hip:N or ze:N, which may
 * point inside an allocation, or any pointer of this process ("host"). The application
 * keeps ownership and must keep the memory, and the vendor context in which it was
 * allocated, until devio_mem_free() and the last completion. Transfers do not synchronize
 * with the application's streams: its own work on the bytes must have completed before.
 * Errors: as devio_mem_alloc(), and -EFAULT (the pointer is unknown to the vendor's
 * library, or the range exceeds the allocation).
 */
DEVIO_API int devio_mem_import_ptr(struct devio_ctx *ctx, const char *spec, void *ptr, uint64_t size,
				   struct devio_mem **mem);

/**
 * Imports bytes [offset, offset + size) of a dma-buf, of any alignment. fd is duplicated;
 * the caller keeps the original. Errors: -EBADF, -EINVAL (not a dma-buf), -ERANGE (the
 * range exceeds the dma-buf), -ENOMEM.
 */
DEVIO_API int devio_mem_import_dmabuf(struct devio_ctx *ctx, int fd, uint64_t offset, uint64_t size,
				      struct devio_mem **mem);

/**
 * Exports the memory as a dma-buf: *fd is owned by the caller, *offset is the offset of
 * byte 0 of mem in it. Vendors that support it are asked for the PCIe (BAR) mapping.
 * Needs Linux 6.19 for vfio. Errors: -EOPNOTSUPP, those of the exporter.
 */
DEVIO_API int devio_mem_export(struct devio_mem *mem, int *fd, uint64_t *offset);

/**
 * Returns a CPU pointer to byte 0 in *ptr, valid until devio_mem_free(). On machines
 * without cache-coherent devices, accesses to a dma-buf must be bracketed by
 * DMA_BUF_IOCTL_SYNC; devio_mem_copy_in() and devio_mem_copy_out() do that.
 * Errors: -EOPNOTSUPP (not CPU accessible), -ENOMEM.
 */
DEVIO_API int devio_mem_map(struct devio_mem *mem, void **ptr);

/**
 * Copies between host memory and bytes [off, off + len) of mem, of any alignment, with
 * the device's copy engine or the CPU, and waits for completion.
 * Errors: -ERANGE (the range exceeds the memory), -EIO, -EOPNOTSUPP (not accessible).
 */
DEVIO_API int devio_mem_copy_in(struct devio_mem *mem, uint64_t off, const void *src, size_t len);
DEVIO_API int devio_mem_copy_out(struct devio_mem *mem, uint64_t off, void *dst, size_t len);

/** Fills info (set info->sz first). Errors: -EINVAL (mem is NULL, or sz). */
DEVIO_API int devio_mem_get_info(const struct devio_mem *mem, struct devio_mem_info *info);

/** Frees the memory; NULL is allowed. Operations in flight hold a reference until they complete. */
DEVIO_API void devio_mem_free(struct devio_mem *mem);

/**
 * Calls fn with each spec that appears to be usable, best device memory first ("cuda:0",
 * ..., "host" last): the device, node or sysfs file exists and this process may open it.
 * Loads no vendor library and opens nothing, so devio_mem_alloc() may still fail. The
 * string is valid during the call only. If fn returns non-zero, stops and returns that.
 */
DEVIO_API int devio_mem_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg);

#ifdef __cplusplus
}
#endif
#endif
