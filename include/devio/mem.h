/* SPDX-License-Identifier: MIT */
/**
 * Device memory, opened from a spec:
 *
 *   host                 anonymous memory of this process
 *   udmabuf              a memfd exported as a dma-buf (/dev/udmabuf)
 *   dmaheap[:NAME]       a dma-buf heap (/dev/dma_heap/NAME, "system")
 *   p2pmem:BDF           P2PDMA pages of a PCI device, an NVMe CMB for example
 *   vfio:BDF/BAR         a PCI BAR of a device bound to vfio-pci
 *   drm:NODE             a dumb buffer of a DRM card (/dev/dri/card0)
 *   amdgpu:N             VRAM through libdrm_amdgpu
 *   cuda:N hip:N ze:N    VRAM through the vendor's library, opened with dlopen
 *
 * A memory may be used by any number of threads and rings. Freed while
 * operations are in flight it lives until they have completed.
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
	uint64_t offset;     /* vfio: byte in the BAR at which the memory begins, page aligned; 0: the first free */
};

/** devio_mem_info.caps */
#define DEVIO_MEM_HOST_PAGES (1u << 0) /* ordinary pages of host memory behind a pointer */
#define DEVIO_MEM_P2P_PAGES  (1u << 1) /* P2PDMA pages behind a pointer */
#define DEVIO_MEM_CPU_MAP    (1u << 2) /* the CPU can load and store it: devio_mem_map() works */
#define DEVIO_MEM_EXPORT     (1u << 3) /* devio_mem_export() can be tried */
#define DEVIO_MEM_ASYNC_COPY (1u << 4) /* copies run on the device's own engine */
#define DEVIO_MEM_DEVICE     (1u << 5) /* the bytes lie in a device, not in host memory */

struct devio_mem_info {
	size_t sz;
	uint64_t size;       /* bytes */
	uint64_t device_ptr; /* the vendor's device pointer or the host pointer; 0 if none */
	unsigned int caps;   /* DEVIO_MEM_* */
	char spec[64];       /* as opened: "cuda:0" */
	char bdf[16];        /* PCI address of the device, "" if not known or none */
};

/**
 * Allocates size bytes (> 0; rounded up inside, not in info) in the memory
 * that spec names. Freed with devio_mem_free(). Contents are undefined.
 * Errors: -EINVAL (spec does not parse, size 0), -ENODEV (no such device or
 * vendor library), -EACCES, -ENOMEM, -EOPNOTSUPP; vfio: -EBUSY (somebody else
 * has the device or the place in the BAR), -ENOSPC (no room in the BAR).
 */
DEVIO_API int devio_mem_alloc(struct devio_ctx *ctx, const char *spec, uint64_t size,
			      const struct devio_mem_opts *opts, struct devio_mem **mem);

/**
 * Takes memory that the application owns: a pointer of the vendor that spec
 * names (cuda, hip, ze; interior pointers too; "host" for any pointer of this
 * process). The application keeps ownership and must keep it allocated, and the
 * context that it was allocated in, until devio_mem_free() and the last
 * completion. Transfers wait for no stream of the application: its own work on
 * the bytes must have ended before one begins. Errors as devio_mem_alloc();
 * -EFAULT if the vendor does not know the pointer or the range leaves it.
 */
DEVIO_API int devio_mem_import_ptr(struct devio_ctx *ctx, const char *spec, void *ptr, uint64_t size,
				   struct devio_mem **mem);

/**
 * Takes bytes [offset, offset + size) of any dma-buf. The fd is duplicated;
 * the caller keeps its own. Errors: -EBADF or -EINVAL (not a dma-buf),
 * -ERANGE (it is smaller than that).
 */
DEVIO_API int devio_mem_import_dmabuf(struct devio_ctx *ctx, int fd, uint64_t offset, uint64_t size,
				      struct devio_mem **mem);

/**
 * The memory as a dma-buf: *fd is the caller's to close, *offset is where
 * byte 0 of mem lies in it. For vendors that have it the PCIe (BAR) mapping is
 * asked for. Errors: -EOPNOTSUPP with the cause.
 */
DEVIO_API int devio_mem_export(struct devio_mem *mem, int *fd, uint64_t *offset);

/**
 * A CPU pointer to byte 0, valid until devio_mem_free(). -EOPNOTSUPP if there
 * is none. On machines whose devices do not see the CPU's caches, accesses to
 * a dma-buf need DMA_BUF_IOCTL_SYNC around them; devio_mem_copy_*() does that.
 */
DEVIO_API int devio_mem_map(struct devio_mem *mem, void **ptr);

/**
 * Synchronous copies between host memory and bytes [off, off + len) of mem, by
 * the device's engine or the CPU. Errors: -ERANGE, -EIO, -EOPNOTSUPP.
 */
DEVIO_API int devio_mem_copy_in(struct devio_mem *mem, uint64_t off, const void *src, size_t len);
DEVIO_API int devio_mem_copy_out(struct devio_mem *mem, uint64_t off, void *dst, size_t len);

/** Fills info (set info->sz first). Never fails for a live mem but for -EINVAL of sz. */
DEVIO_API int devio_mem_get_info(const struct devio_mem *mem, struct devio_mem_info *info);

/** Gives the memory back; NULL is allowed. Operations in flight keep it until they end. */
DEVIO_API void devio_mem_free(struct devio_mem *mem);

/**
 * Calls fn with each spec that looks usable on this machine now, best device
 * memory first ("cuda:0", ..., "host" last): the kernel's device, node or
 * sysfs file is there and this process may open it. Loads no vendor library
 * and opens nothing, so devio_mem_alloc() can still fail. Stops if fn returns
 * non-zero and returns that.
 */
DEVIO_API int devio_mem_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg);

#ifdef __cplusplus
}
#endif
#endif
