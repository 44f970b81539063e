/* SPDX-License-Identifier: MIT */
/* What several providers do with specs, nodes and sysfs. */
#ifndef DV_MEM_SYS_H
#define DV_MEM_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mem/mem.h"

/* Where device nodes are: "/dev". Only tests point it elsewhere. */
extern const char *dv_sys_dev;

/* size rounded up to a page, 0 if that does not fit an off_t. */
uint64_t dv_sys_page_up(uint64_t size);
uint64_t dv_sys_page(void);

/* "7" -> 7; -EINVAL with m's syntax in the sentence for anything else. */
int dv_sys_ordinal(struct devio_mem *m, const char *arg, int *n);

/*
 * The PCI address at the start of s ("0000:04:00.0" or "04:00.0"), made whole
 * and lower case in bdf. Returns what follows it, or NULL.
 */
const char *dv_sys_bdf(const char *s, char bdf[16]);

/* snprintf of a path below sysfs or /dev; -ENAMETOOLONG. */
int dv_sys_path(char *out, size_t size, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The last component of what the link at path points to, into out; 0 or -errno. */
int dv_sys_link_name(const char *path, char *out, size_t size);

/* The path exists and this process, as it is now, may read and write it. */
bool dv_sys_may(const char *path);

/* The node below dv_sys_dev exists and this process may read and write it. */
bool dv_sys_usable(const char *node);

/* Opens a node below dv_sys_dev read-write. fd or -errno with no sentence yet. */
int dv_sys_open(const char *node);

/*
 * The n-th DRM render node whose kernel driver is one of names (NULL at the
 * end), in the order of their minors. Writes "dri/renderD128" and the PCI
 * address. 0 or -ENODEV; *nr gets how many there are.
 */
int dv_sys_render(const struct devio_ctx *ctx, const char *const *names, int n, char node[32], char bdf[16],
		  int *nr);

/* Calls fn for "NAME:0" ... of those render nodes that can be opened. */
int dv_sys_list_render(struct devio_ctx *ctx, const char *const *names, const char *name,
		       int (*fn)(void *arg, const char *spec), void *arg);

/* Entries of a directory in a stable order; the caller frees with dv_sys_dir_free(). */
int dv_sys_dir(const char *path, char ***names);
void dv_sys_dir_free(char **names, int n);

#endif
