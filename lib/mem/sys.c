/* SPDX-License-Identifier: MIT */
/* Helpers of several providers for specs, device nodes and sysfs. */
#include "config.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "mem/sys.h"

const char *dv_sys_dev = "/dev";

uint64_t dv_sys_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t dv_sys_page_up(uint64_t size)
{
	uint64_t mask = dv_sys_page() - 1;

	return size > (uint64_t)INT64_MAX - mask ? 0 : (size + mask) & ~mask;
}

int dv_sys_ordinal(struct devio_mem *m, const char *arg, int *n)
{
	size_t len = strspn(arg, "0123456789");

	if (!len || len > 4 || arg[len])
		return dv_err(-EINVAL, "mem %s: invalid device number '%s': use %s, numbered from 0", m->spec, arg,
			      m->ops->syntax);
	*n = atoi(arg);
	return 0;
}

/* Skips exactly n hexadecimal digits and the character `end`. */
static const char *hex(const char *s, int n, char end)
{
	for (; n; n--, s++)
		if (!isxdigit((unsigned char)*s))
			return NULL;
	return !end || *s == end ? s + !!end : NULL;
}

const char *dv_sys_bdf(const char *s, char bdf[16])
{
	const char *start = s, *p = hex(s, 4, ':'), *domain = "";

	if (!p) {
		p = s;
		domain = "0000:";
	}
	p = hex(p, 2, ':');
	p = p ? hex(p, 2, '.') : NULL;
	p = p && *p >= '0' && *p <= '7' ? p + 1 : NULL;
	if (!p)
		return NULL;
	snprintf(bdf, 16, "%s%.*s", domain, (int)(p - start), start);
	for (char *c = bdf; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

int dv_sys_path(char *out, size_t size, const char *root, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(out, size, "%s/", root), k;

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	k = vsnprintf(out + n, size - (size_t)n, fmt, ap);
	va_end(ap);
	return k < 0 || (size_t)k >= size - (size_t)n ? -ENAMETOOLONG : 0;
}

int dv_sys_link_name(const char *path, char *out, size_t size)
{
	char to[PATH_MAX], *name;
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n < 0)
		return -errno;
	to[n] = 0;
	name = strrchr(to, '/');
	name = name ? name + 1 : to;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(out, name);
	return 0;
}

bool dv_sys_may(const char *path)
{
	/* Checks with the effective IDs, like open(). */
	return !faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS);
}

bool dv_sys_usable(const char *node)
{
	char path[PATH_MAX];

	return !dv_sys_path(path, sizeof(path), dv_sys_dev, "%s", node) && dv_sys_may(path);
}

int dv_sys_open(const char *node)
{
	char path[PATH_MAX];
	int fd, rc = dv_sys_path(path, sizeof(path), dv_sys_dev, "%s", node);

	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int dv_sys_dir(const char *path, char ***names)
{
	struct dirent **e;
	int n = scandir(path, &e, not_hidden, versionsort), i;
	char **out;

	if (n < 0)
		return -errno;
	out = calloc((size_t)n + 1, sizeof(*out));
	for (i = 0; i < n; i++) {
		if (out)
			out[i] = strdup(e[i]->d_name);
		free(e[i]);
	}
	free(e);
	for (i = 0; out && i < n; i++)
		if (!out[i]) {
			dv_sys_dir_free(out, n);
			out = NULL;
		}
	if (!out)
		return -ENOMEM;
	*names = out;
	return n;
}

void dv_sys_dir_free(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* Whether the DRM node's device is bound to one of the drivers; also returns its PCI address. */
static bool render_matches(const struct devio_ctx *ctx, const char *drm, const char *const *drivers, char bdf[16])
{
	char path[PATH_MAX], driver[64], dev[64];
	const char *root = dv_mem_sysfs(ctx), *end;

	if (strncmp(drm, "renderD", 7) || strlen(drm) > 16)
		return false;
	if (dv_sys_path(path, sizeof(path), root, "class/drm/%s/device/driver", drm) ||
	    dv_sys_link_name(path, driver, sizeof(driver)) || !is_one_of(driver, drivers))
		return false;
	bdf[0] = 0;
	if (!dv_sys_path(path, sizeof(path), root, "class/drm/%s/device", drm) &&
	    !dv_sys_link_name(path, dev, sizeof(dev))) {
		end = dv_sys_bdf(dev, bdf);
		if (!end || *end)
			bdf[0] = 0;
	}
	return true;
}

int dv_sys_render(const struct devio_ctx *ctx, const char *const *drivers, int n, char node[32], char bdf[16],
		  int *nr)
{
	char path[PATH_MAX], **names, found[16];
	int count, rc = -ENODEV;

	*nr = 0;
	if (dv_sys_path(path, sizeof(path), dv_mem_sysfs(ctx), "class/drm"))
		return -ENODEV;
	count = dv_sys_dir(path, &names);
	for (int i = 0; i < count; i++) {
		if (!render_matches(ctx, names[i], drivers, found))
			continue;
		if ((*nr)++ != n)
			continue;
		snprintf(node, 32, "dri/%.16s", names[i]);
		memcpy(bdf, found, sizeof(found));
		rc = 0;
	}
	if (count >= 0)
		dv_sys_dir_free(names, count);
	return rc;
}

int dv_sys_list_render(struct devio_ctx *ctx, const char *const *drivers, const char *name,
		       int (*fn)(void *arg, const char *spec), void *arg)
{
	char node[32], bdf[16], spec[32];
	int nr = 1, rc = 0;

	for (int i = 0; !rc && i < nr; i++) {
		if (dv_sys_render(ctx, drivers, i, node, bdf, &nr) || !dv_sys_usable(node))
			continue;
		snprintf(spec, sizeof(spec), "%s:%d", name, i);
		rc = fn(arg, spec);
	}
	return rc;
}
