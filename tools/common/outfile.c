/* SPDX-License-Identifier: MIT */
/* A destination file that has a temporary name until it is complete. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "outfile.h"

int outfile_find(struct outfile *f, const char *name, unsigned int mode, struct stat *st, struct tool_error *e)
{
	unsigned int mask = umask(0);

	umask((mode_t)mask);
	f->name = name;
	if (!stat(name, st)) {
		f->final = realpath(name, NULL);
		f->mode = st->st_mode & 07777;
		return 1;
	}
	if (errno != ENOENT)
		return tool_fail(e, TOOL_FAILED, "%s: cannot stat: %s", name, strerror(errno));
	if (!lstat(name, st))
		return tool_fail(e, TOOL_FAILED, "%s: dangling symbolic link", name);
	f->final = strdup(name);
	f->mode = mode & ~mask;
	return 0;
}

static char *temp_name(const char *final)
{
	char *dir = strdup(final), *base = strdup(final), *temp = NULL;

	if (dir && base &&
	    asprintf(&temp, "%s/.%.200s.%ld.%s", dirname(dir), basename(base), (long)getpid(), tool_name) < 0)
		temp = NULL;
	free(dir);
	free(base);
	return temp;
}

int outfile_create(struct outfile *f, uint64_t size, struct tool_error *e)
{
	f->temp = f->final ? temp_name(f->final) : NULL;
	if (!f->temp)
		return tool_fail(e, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	f->fd = open(f->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd < 0) {
		tool_fail(e, TOOL_FAILED, "%s: cannot create %s: %s", f->name, f->temp, strerror(errno));
		free(f->temp);
		f->temp = NULL;
		return -1;
	}
	if (ftruncate(f->fd, (off_t)size))
		return tool_fail(e, TOOL_FAILED, "%s: cannot extend to %llu bytes: %s", f->name,
				 (unsigned long long)size, strerror(errno));
	return 0;
}

static int give_name(const struct outfile *f, bool replace)
{
	if (replace)
		return rename(f->temp, f->final);
	if (!renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->final, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(f->temp, f->final))
		return -1;
	return unlink(f->temp);
}

int outfile_finish(struct outfile *f, bool replace, struct tool_error *e)
{
	if (chmod(f->temp, f->mode) || give_name(f, replace))
		return tool_fail(e, TOOL_FAILED, "%s: cannot rename %s: %s", f->name, f->temp, strerror(errno));
	free(f->temp);
	f->temp = NULL;
	return 0;
}

void outfile_close(struct outfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp)
		unlink(f->temp);
	free(f->temp);
	free(f->final);
	*f = (struct outfile){ .fd = -1 };
}
