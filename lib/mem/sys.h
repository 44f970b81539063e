/* SPDX-License-Identifier: MIT */
/* Helpers of several providers for specs, device nodes and sysfs. */
#ifndef DV_MEM_SYS_H
#define DV_MEM_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mem/mem.h"

/* The directory of device nodes: "/dev". Only tests change it. */
extern const char *dv_sys_dev;

/* size rounded up to whole pages, 0 if that does not fit in an off_t. */
uint64_t dv_sys_page_up(uint64_t size);
uint64_t dv_sys_page(void);

/* "7" -> 7; for anything else -EINVAL with m's syntax in the error message. */
int dv_sys_ordinal(struct devio_mem *m, const char *arg, int *n);

/*
 * Parses the PCI address at the start of s ("0000:04:00.0" or "04:00.0") and stores it
 * complete and in lower case in bdf. Returns a pointer to the rest, or NULL.
 */
const char *dv_sys_bdf(const char *s, char bdf[16]);

/* Formats a path below root. 0 or -ENAMETOOLONG. */
int dv_sys_path(char *out, size_t size, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Copies the last component of the symbolic link's target to out. 0 or -errno. */
int dv_sys_link_name(const char *path, char *out, size_t size);

/* Whether the path exists and this process may read and write it. */
bool dv_sys_may(const char *path);

/* The same for a node below dv_sys_dev. */
bool dv_sys_usable(const char *node);

/* Opens a node below dv_sys_dev for reading and writing. fd, or -errno without an error message. */
int dv_sys_open(const char *node);

/*
 * Finds DRM render node number n, in order of minors, among those whose kernel driver
 * is in names (NULL-terminated). Returns "dri/renderD128" and the PCI address; *nr is
 * the number of such nodes. 0 or -ENODEV.
 */
int dv_sys_render(const struct devio_ctx *ctx, const char *const *names, int n, char node[32], char bdf[16],
		  int *nr);

/* Calls fn with "NAME:0" ... for each of these render nodes that can be opened. */
int dv_sys_list_render(struct devio_ctx *ctx, const char *const *names, const char *name,
		       int (*fn)(void *arg, const char *spec), void *arg);

/* The entries of a directory in a stable order. Free with dv_sys_dir_free(). */
int dv_sys_dir(const char *path, char ***names);
void dv_sys_dir_free(char **names, int n);

#endif
