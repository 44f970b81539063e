/* SPDX-License-Identifier: MIT */
/* Errors: the thread's last error message, and validation of option structures. */
#ifndef DV_ERR_H
#define DV_ERR_H

#include <errno.h>
#include <stddef.h>

struct devio_ctx;

/* Exported under DEVIO_PRIVATE for use by libdevio-load only. */
#define DV_PRIVATE __attribute__((visibility("default")))

/*
 * Stores the message for devio_errmsg() and returns err (negative), so that
 * "return dv_err(-EINVAL, ...)" works. Appends the errno's name and description:
 * " [ENOSPC: No space left on device]". Message format: "stage: what was tried:
 * why it failed; what to do".
 */
DV_PRIVATE int dv_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prefixes the stored message with "where: ". */
int dv_err_in(int err, const char *where);

/*
 * Stores a message that already ends in "[ENAME: description]". A plain copy, for
 * errors that callers poll on, such as -EAGAIN.
 */
DV_PRIVATE int dv_err_plain(int err, const char *text);

/*
 * Copies the caller's options, *(size_t *)in bytes, to out (outsz bytes, zeroed
 * first); NULL gives all zeros. -E2BIG if an unknown tail is not zero, -EINVAL if
 * the size is less than sizeof(size_t) or more than 65536. name: of the struct, for
 * the error message.
 */
DV_PRIVATE int dv_opts_copy(void *out, size_t outsz, const void *in, const char *name);

/* Copies info (infosz bytes) to the caller's structure, whose size is *(size_t *)to. */
DV_PRIVATE int dv_info_copy(void *to, void *info, size_t infosz, const char *name);

/* "EIO" for -EIO or EIO; "unknown errno" for an unknown number. Static. */
const char *dv_errno_name(int err);

#endif
