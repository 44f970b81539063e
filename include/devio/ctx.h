/* SPDX-License-Identifier: MIT */
/**
 * The context: log, defaults and what memories, files and rings share.
 *
 * A program has one, as a rule. It may be used by any number of threads.
 * Objects opened from it hold it alive: everything closes in any order.
 *
 * fork(): a child inherits nothing. Calls on objects of the parent return
 * -ECHILD in the child, close and free release only what is the child's own.
 */
#ifndef DEVIO_CTX_H
#define DEVIO_CTX_H

#include <devio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_ctx;

enum devio_log_level { DEVIO_LOG_ERROR, DEVIO_LOG_WARN, DEVIO_LOG_INFO, DEVIO_LOG_DEBUG };

/** Called by the thread in which the event happened; must not call the library. */
typedef void (*devio_log_fn)(void *arg, enum devio_log_level level, const char *text);

struct devio_ctx_opts {
	size_t sz;
	devio_log_fn log;        /* NULL: silence. The library itself never prints */
	void *log_arg;
	int log_level;           /* the most talkative enum devio_log_level wanted */
	int path;                /* default of devio_file_opts.path, or of devio_sock_opts.path */
	unsigned int flags;      /* DEVIO_CTX_* */
	const char *sysfs_root;  /* "/sys" if NULL; copied. For tests and containers */
};
#define DEVIO_CTX_NO_URING (1u << 0)    /* behave as if io_uring were forbidden */
#define DEVIO_CTX_DIRECT_ONLY (1u << 1) /* default of DEVIO_FILE_DIRECT_ONLY and DEVIO_SOCK_DIRECT_ONLY */

/**
 * Opens a context. Loads no vendor library, touches no device and starts no
 * thread; under 5 ms. opts may be NULL. Errors: -ENOMEM, -EINVAL, -E2BIG.
 */
DEVIO_API int devio_ctx_open(const struct devio_ctx_opts *opts, struct devio_ctx **ctx);

/** Gives the caller's hold back; NULL is allowed. The last object frees it. */
DEVIO_API void devio_ctx_close(struct devio_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
