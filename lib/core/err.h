/* SPDX-License-Identifier: MIT */
/* Errors: the thread's last sentence, and the check of option structures. */
#ifndef DV_ERR_H
#define DV_ERR_H

#include <errno.h>
#include <stddef.h>

struct devio_ctx;

/* What libdevio-load shares with libdevio: exported, under DEVIO_PRIVATE, for it alone. */
#define DV_PRIVATE __attribute__((visibility("default")))

/*
 * Keeps the sentence for devio_errmsg() and returns err (negative), so that
 * "return dv_err(-EINVAL, ...)" reads well. The errno's own text is appended.
 * Write it as: station: what was tried: why it failed; what to do.
 */
DV_PRIVATE int dv_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error whose text is already kept: prefixes the sentence. */
int dv_err_in(int err, const char *where);

/* The same for a sentence that is complete: as quick as a copy. */
DV_PRIVATE int dv_err_plain(int err, const char *text);

/*
 * Copies the caller's options of size *(size_t *)in into out (outsz bytes,
 * zeroed first). NULL gives zeroes. -E2BIG if an unknown tail is not zero,
 * -EINVAL if the size is smaller than a size_t. Names the struct in the error.
 */
DV_PRIVATE int dv_opts_copy(void *out, size_t outsz, const void *in, const char *name);

/* Copies info of outsz bytes to the caller's structure of size *(size_t *)to. */
DV_PRIVATE int dv_info_copy(void *to, void *info, size_t infosz, const char *name);

/* "EIO" for -EIO or EIO; static or the number in a thread-local buffer. */
const char *dv_errno_name(int err);

#endif
