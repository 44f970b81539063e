/* SPDX-License-Identifier: MIT */
/* Reading sysfs and procfs files below a root directory that tests can replace. */
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
#include "kern/sysfs.h"

static int vpath(char *path, const char *root, const char *fmt, va_list ap)
{
	int n = snprintf(path, PATH_MAX, "%s/", root), m;

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	m = vsnprintf(path + n, PATH_MAX - n, fmt, ap);
	return m < 0 || m >= PATH_MAX - n ? -ENAMETOOLONG : 0;
}

/* Formats the path; the first statement of each entry point below. */
#define PATH_OR_RETURN(path, root, fmt) do {			\
		va_list ap_;					\
		int rc_;					\
		va_start(ap_, fmt);				\
		rc_ = vpath(path, root, fmt, ap_);		\
		va_end(ap_);					\
		if (rc_)					\
			return rc_;				\
	} while (0)

static ssize_t read_all(const char *path, void *buf, size_t size)
{
	/* O_NONBLOCK: a captured tree may contain a FIFO where a file is expected. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = 0;
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		done += n;
	}
	close(fd);
	return err && !done ? err : (ssize_t)done;
}

static size_t rtrim(char *s, size_t n)
{
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	s[n] = 0;
	return n;
}

ssize_t dv_sysfs_read(const char *root, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	ssize_t n;

	buf[0] = 0;
	PATH_OR_RETURN(path, root, fmt);
	n = read_all(path, buf, size - 1);
	return n < 0 ? n : (ssize_t)rtrim(buf, n);
}

ssize_t dv_sysfs_bytes(const char *root, void *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];

	PATH_OR_RETURN(path, root, fmt);
	return read_all(path, buf, size);
}

ssize_t dv_sysfs_slurp(const char *root, char **buf, size_t max, const char *fmt, ...)
{
	char path[PATH_MAX], *p = NULL;
	size_t room = 4096;
	ssize_t n;

	PATH_OR_RETURN(path, root, fmt);
	for (;; room *= 4) {
		char *q = realloc(p, room + 1);

		if (!q) {
			free(p);
			return -ENOMEM;
		}
		p = q;
		n = read_all(path, p, room);
		if (n < (ssize_t)room || room > max)
			break;
	}
	if (n < 0 || n > (ssize_t)max) {
		free(p);
		return n < 0 ? n : -EFBIG;
	}
	p[n] = 0;
	*buf = p;
	return n;
}

static int parse_u64(const char *text, uint64_t *val)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
	if (errno || *end)
		return -EINVAL;
	*val = v;
	return 0;
}

int dv_sysfs_u64(const char *root, uint64_t *val, const char *fmt, ...)
{
	char path[PATH_MAX], text[64];
	ssize_t n;

	PATH_OR_RETURN(path, root, fmt);
	n = read_all(path, text, sizeof(text) - 1);
	if (n < 0)
		return n;
	rtrim(text, n);
	return parse_u64(text, val);
}

int dv_sysfs_int(const char *root, int *val, const char *fmt, ...)
{
	char path[PATH_MAX], text[64];
	int neg;
	uint64_t v;
	ssize_t n;

	PATH_OR_RETURN(path, root, fmt);
	n = read_all(path, text, sizeof(text) - 1);
	if (n < 0)
		return n;
	rtrim(text, n);
	neg = text[0] == '-';
	if (parse_u64(text + neg, &v) || v > INT_MAX)
		return -EINVAL;
	*val = neg ? -(int)v : (int)v;
	return 0;
}

int dv_sysfs_base(const char *root, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *base;
	ssize_t n;

	buf[0] = 0;
	PATH_OR_RETURN(path, root, fmt);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, base);
	return 0;
}

int dv_sysfs_real(const char *root, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX], top[PATH_MAX], real[PATH_MAX];
	const char *rel;
	size_t n;

	PATH_OR_RETURN(path, root, fmt);
	if (!realpath(root, top) || !realpath(path, real))
		return -errno;
	n = strlen(top);
	if (strncmp(real, top, n) || (real[n] && real[n] != '/'))
		return -EXDEV;
	rel = real[n] ? real + n + 1 : "";
	if (strlen(rel) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, rel);
	return 0;
}

int dv_sysfs_exists(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = vpath(path, root, fmt, ap);
	va_end(ap);
	return !rc && !access(path, F_OK);
}

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct dv_names *names, const char *name)
{
	char **p = reallocarray(names->name, names->n + 1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	names->name = p;
	p[names->n] = strdup(name);
	if (!p[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

int dv_sysfs_list(const char *root, struct dv_names *names, const char *fmt, ...)
{
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	*names = (struct dv_names){ 0 };
	PATH_OR_RETURN(path, root, fmt);
	d = opendir(path);
	if (!d)
		return -errno;
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = add_name(names, e->d_name);
	closedir(d);
	if (rc)
		dv_names_free(names);
	else if (names->n)
		qsort(names->name, names->n, sizeof(*names->name), by_version);
	return rc;
}

void dv_names_free(struct dv_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct dv_names){ 0 };
}
