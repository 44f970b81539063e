/* SPDX-License-Identifier: MIT */
/**
 * The context: log, defaults and state shared by memories, files and rings.
 *
 * A program usually has one. It may be used by any number of threads. Objects
 * opened from it hold a reference, so everything can be closed in any order.
 *
 * fork(): the child cannot use the parent's objects. Calls on them return -ECHILD;
 * close and free release only the child's own descriptors and mappings.
 */
#ifndef DEVIO_CTX_H
#define DEVIO_CTX_H

#include <devio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_ctx;

enum devio_log_level { DEVIO_LOG_ERROR, DEVIO_LOG_WARN, DEVIO_LOG_INFO, DEVIO_LOG_DEBUG };

/** Called in the thread in which the event occurred; must not call the library. text is valid during the call. */
typedef void (*devio_log_fn)(void *arg, enum devio_log_level level, const char *text);

struct devio_ctx_opts {
	size_t sz;
	devio_log_fn log;        /* NULL: no log. The library itself never prints */
	void *log_arg;           /* first argument of log() */
	int log_level;           /* the most verbose enum devio_log_level to log */
	int path;                /* enum devio_path, default of devio_file_opts.path or devio_sock_opts.path */
	unsigned int flags;      /* DEVIO_CTX_* */
	const char *sysfs_root;  /* "/sys" if NULL; copied. For tests and containers */
};
#define DEVIO_CTX_NO_URING (1u << 0)    /* behave as if io_uring were not available */
#define DEVIO_CTX_DIRECT_ONLY (1u << 1) /* default of DEVIO_FILE_DIRECT_ONLY and DEVIO_SOCK_DIRECT_ONLY */

/**
 * Opens a context. Loads no vendor library, accesses no device and starts no thread.
 * *ctx is owned by the caller. opts may be NULL. Errors: -ENOMEM, -EINVAL, -E2BIG.
 */
DEVIO_API int devio_ctx_open(const struct devio_ctx_opts *opts, struct devio_ctx **ctx);

/** Drops the caller's reference; NULL is allowed. The context is freed with the last object opened from it. */
DEVIO_API void devio_ctx_close(struct devio_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
