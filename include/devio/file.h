/* SPDX-License-Identifier: MIT */
/**
 * Files and block devices, read into and written from device memory.
 *
 * A file may be used by any number of threads and rings. Offsets and lengths are in
 * bytes, of any alignment: the aligned middle of a transfer takes the best path, an
 * unaligned head and tail are copied.
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
	int path;           /* enum devio_path, default for operations; 0: the context's */
	unsigned int flags; /* DEVIO_FILE_* */
	unsigned int mode;  /* permissions for O_CREAT, less the umask; 0: 0666 */
};
#define DEVIO_FILE_DIRECT_ONLY (1u << 0) /* only paths without a copy, otherwise -EOPNOTSUPP */
#define DEVIO_FILE_NO_CACHE (1u << 1)    /* do not choose the page cache if O_DIRECT works */

struct devio_file_info {
	size_t sz;
	uint64_t size;      /* current size in bytes; of a block device, its capacity */
	uint32_t dio_mem_align; /* O_DIRECT alignment of memory in bytes, 0: O_DIRECT is not supported */
	uint32_t dio_off_align; /* O_DIRECT alignment of offset and length in bytes */
	unsigned int is_block;  /* 1: a block device */
};

/**
 * Opens path with the flags of open(2): O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL,
 * O_TRUNC, ... O_CLOEXEC is implied; O_DIRECT is ignored, since the library decides.
 * *file is owned by the caller and holds a reference to ctx. opts may be NULL.
 * Errors: -EISDIR (a directory), -ESPIPE (a pipe, socket or character device),
 * -EINVAL (O_APPEND, or options), -E2BIG, -ENOMEM, those of open(2).
 */
DEVIO_API int devio_file_open(struct devio_ctx *ctx, const char *path, int flags,
			      const struct devio_file_opts *opts, struct devio_file **file);

/**
 * The same for an existing descriptor, whose access mode applies. It is duplicated; the
 * caller keeps the original. Also -EBADF (invalid, or opened with O_PATH).
 */
DEVIO_API int devio_file_import(struct devio_ctx *ctx, int fd, const struct devio_file_opts *opts,
				struct devio_file **file);

/** Closes the file; NULL is allowed. Operations in flight hold a reference until they complete. */
DEVIO_API void devio_file_close(struct devio_file *file);

/**
 * Reads (writes) len bytes at file_off to (from) byte mem_off of mem, and waits.
 * Returns the number of bytes transferred: fewer than len only at the end of the file,
 * 0 at or past it; or -errno. A read that reaches the end leaves the rest of the range as
 * it was, unless the file was made shorter after it was opened; with
 * DEVIO_FILE_DIRECT_ONLY the rest of the file's last block may be overwritten. done (may
 * be NULL) receives path, reason and counts, also after a failed transfer. Not interrupted
 * by signals. Thread safe.
 * Errors: -ERANGE (the range exceeds the memory), -EOVERFLOW (file_off + len exceeds
 * 2^63 - 1), -EBADF (not opened for this access), -EOPNOTSUPP (the forced path or a
 * direct path is not available), -ENODEV (the block device was removed), -EINVAL, and
 * those of the file (-EIO, -ENOSPC, ...).
 */
DEVIO_API ssize_t devio_file_read(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				  uint64_t len, uint64_t file_off, struct devio_completion *done);
DEVIO_API ssize_t devio_file_write(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				   uint64_t len, uint64_t file_off, struct devio_completion *done);

/** Calls fdatasync(2), which makes completed writes durable. Errors: those of fdatasync(2). */
DEVIO_API int devio_file_sync(struct devio_file *file);

/** A descriptor of the file, for fstat(2) and the like. Owned by the file, valid until it is closed. */
DEVIO_API int devio_file_fd(const struct devio_file *file);

/** Fills info (set info->sz first). Errors: -EINVAL (sz), those of fstat(2). */
DEVIO_API int devio_file_get_info(struct devio_file *file, struct devio_file_info *info);

/**
 * Reports which path a transfer would take and why no better one, testing as much as
 * possible without accessing data. Fills path, best_unused and reason of *verdict (may be
 * NULL) and writes one line per path to buf, of size bytes. Returns 0, or -errno as the
 * transfer would.
 */
DEVIO_API int devio_file_explain(struct devio_file *file, struct devio_mem *mem, uint64_t mem_off,
				 uint64_t len, uint64_t file_off, int write,
				 struct devio_completion *verdict, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
