/* SPDX-License-Identifier: MIT */
/**
 * Files and block devices, read and written in device memory.
 *
 * A file may be used by any number of threads and rings. Offsets and lengths
 * are bytes and may have any value: what the device wants aligned goes by the
 * best path, the head and the tail are copied.
 */
#ifndef DEVIO_FILE_H
#define DEVIO_FILE_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_file;

struct devio_file_opts {
	size_t sz;
	int path;           /* enum devio_path for operations that name none; 0: the context's */
	unsigned int flags; /* DEVIO_FILE_* */
	unsigned int mode;  /* permissions for O_CREAT */
};
#define DEVIO_FILE_DIRECT_ONLY (1u << 0) /* a direct path or -EOPNOTSUPP, never a copy */
#define DEVIO_FILE_NO_CACHE (1u << 1)    /* auto: never by the page cache where O_DIRECT works */

struct devio_file_info {
	size_t sz;
	uint64_t size;      /* bytes now; of a block device its capacity */
	uint32_t dio_mem_align; /* O_DIRECT alignment of memory, 0: no O_DIRECT here */
	uint32_t dio_off_align; /* O_DIRECT alignment of offset and length */
	unsigned int is_block;  /* 1: a block device */
};

/**
 * Opens path with flags of open(2) (O_RDONLY, O_WRONLY, O_RDWR, O_CREAT,
 * O_EXCL, O_TRUNC, O_CLOEXEC is added; O_DIRECT is accepted and chosen by the
 * library anyway). Regular files and block devices only: -EISDIR for a
 * directory, -ESPIPE for a pipe, socket or character device. opts may be NULL.
 */
DEVIO_API int devio_file_open(struct devio_ctx *ctx, const char *path, int flags,
			      const struct devio_file_opts *opts, struct devio_file **file);

/**
 * The same for a descriptor that the application has: duplicated, the caller
 * keeps its own. Its access mode counts.
 */
DEVIO_API int devio_file_import(struct devio_ctx *ctx, int fd, const struct devio_file_opts *opts,
				struct devio_file **file);

/** Closes; NULL is allowed. Operations in flight keep the file until they end. */
DEVIO_API void devio_file_close(struct devio_file *file);

/**
 * Reads or writes len bytes at file_off from/to byte mem_off of mem and waits.
 * Returns the bytes transferred; fewer than len only where the file ends, 0 at
 * its end; or -errno. A direct read that meets the end may overwrite the rest
 * of the range. done (may be NULL) gets path, reason and counts, also on
 * errors of the transfer. Never interrupted by signals.
 * Errors: -ERANGE (the range leaves the memory), -EOVERFLOW (offsets past
 * 2^63), -EBADF (not open for that), -EOPNOTSUPP (direct-or-fail, or the
 * forced path cannot), -ENODEV (the block device has gone), -EIO, -ENOSPC,
 * ... from the file.
 */
DEVIO_API ssize_t devio_file_read(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				  uint64_t len, uint64_t file_off, struct devio_completion *done);
DEVIO_API ssize_t devio_file_write(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				   uint64_t len, uint64_t file_off, struct devio_completion *done);

/** fdatasync(2). Writes that went by the page cache are durable after it. */
DEVIO_API int devio_file_sync(struct devio_file *file);

/** Fills info (set info->sz first). */
DEVIO_API int devio_file_get_info(struct devio_file *file, struct devio_file_info *info);

/**
 * Which path a transfer of len bytes would take and why no better one, tried
 * out as far as possible without touching data. Fills *verdict's path, best_unused
 * and reason, and writes one line per path of the table into buf. Returns 0
 * or -errno as the transfer would.
 */
DEVIO_API int devio_file_explain(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				 uint64_t len, uint64_t file_off, int write,
				 struct devio_completion *verdict, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
