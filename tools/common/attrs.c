/* SPDX-License-Identifier: MIT */
/* The extended attributes of a file that is replaced. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include "attrs.h"

/* An attribute of the old contents would be wrong of the new ones, and capabilities would give them rights. */
static bool is_kept(const char *name, bool acls)
{
	static const char *const never[] = { "security.capability", "security.ima", "security.evm" };

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		if (!strcmp(name, never[i]))
			return false;
	return acls || strncmp(name, "system.posix_acl", strlen("system.posix_acl"));
}

/* 0, or -errno if the attribute could be set but for lack of space or memory. */
static int copy_one(int from, int to, const char *name)
{
	ssize_t n = fgetxattr(from, name, NULL, 0);
	char *value = n < 0 ? NULL : malloc((size_t)n + 1);
	int rc = 0;

	if (n >= 0 && !value)
		return -ENOMEM;
	n = value ? fgetxattr(from, name, value, (size_t)n) : -1;
	if (n >= 0 && fsetxattr(to, name, value, (size_t)n, 0) && (errno == ENOSPC || errno == EDQUOT))
		rc = -errno;
	free(value);
	return rc;
}

int attrs_copy(int from, int to, bool acls)
{
	ssize_t n = flistxattr(from, NULL, 0);
	char *names = n > 0 ? malloc((size_t)n) : NULL;
	int rc = 0;

	if (n <= 0)
		return 0;
	if (!names)
		return -ENOMEM;
	n = flistxattr(from, names, (size_t)n);
	for (const char *name = names; !rc && n > 0 && name < names + n; name += strlen(name) + 1)
		if (is_kept(name, acls))
			rc = copy_one(from, to, name);
	free(names);
	return rc;
}
