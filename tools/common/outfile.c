/* SPDX-License-Identifier: MIT */
/* A file that has another name until it is whole. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "outfile.h"

char *outfile_temp_name(const char *final, const char *tool)
{
	char *dir = strdup(final), *base = strdup(final), *temp = NULL;

	if (dir && base && asprintf(&temp, "%s/.%.200s.%ld.%s", dirname(dir), basename(base), (long)getpid(), tool) < 0)
		temp = NULL;
	free(dir);
	free(base);
	return temp;
}

int outfile_rename(const char *temp, const char *final, bool replace)
{
	if (replace)
		return rename(temp, final);
	if (!renameat2(AT_FDCWD, temp, AT_FDCWD, final, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(temp, final))
		return -1;
	return unlink(temp);
}
