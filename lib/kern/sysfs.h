/* SPDX-License-Identifier: MIT */
/*
 * Reading sysfs and procfs files below a root directory that tests can replace.
 *
 * Missing attributes are normal, so these functions return -errno without setting
 * an error message; the caller decides whether it matters. Paths are printf
 * formats, relative to root.
 */
#ifndef DV_KERN_SYSFS_H
#define DV_KERN_SYSFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DV_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Up to size - 1 bytes, NUL-terminated, trailing white space removed. Returns the length. */
ssize_t dv_sysfs_read(const char *root, char *buf, size_t size, const char *fmt, ...) DV_PRINTF(4, 5);

/* Raw bytes, no NUL. Returns the count. */
ssize_t dv_sysfs_bytes(const char *root, void *buf, size_t size, const char *fmt, ...) DV_PRINTF(4, 5);

/* A whole file of at most max bytes, malloc()ed and NUL-terminated; -EFBIG if it is larger. */
ssize_t dv_sysfs_slurp(const char *root, char **buf, size_t max, const char *fmt, ...) DV_PRINTF(4, 5);

/* A number, decimal or 0x...; -EINVAL if the file contains anything else. *val is written on success only. */
int dv_sysfs_u64(const char *root, uint64_t *val, const char *fmt, ...) DV_PRINTF(3, 4);
int dv_sysfs_int(const char *root, int *val, const char *fmt, ...) DV_PRINTF(3, 4);

/* The last component of a symbolic link's target. */
int dv_sysfs_base(const char *root, char *buf, size_t size, const char *fmt, ...) DV_PRINTF(4, 5);

/* The path with links resolved, relative to root, no leading slash; -EXDEV if it leads out of root. */
int dv_sysfs_real(const char *root, char *buf, size_t size, const char *fmt, ...) DV_PRINTF(4, 5);

int dv_sysfs_exists(const char *root, const char *fmt, ...) DV_PRINTF(2, 3);

struct dv_names {
	char **name;
	size_t n;
};

/* The entries of a directory without dot files, in version order. Free with dv_names_free(). */
int dv_sysfs_list(const char *root, struct dv_names *names, const char *fmt, ...) DV_PRINTF(3, 4);
void dv_names_free(struct dv_names *names);

#endif
