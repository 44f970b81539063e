/* SPDX-License-Identifier: MIT */
/* A destination file that has a temporary name until it is complete. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <limits.h>
#include "attrs.h"
#include "outfile.h"

#define LINKS 40                /* as many as the kernel follows */

/* ----------------------------------------------------------------------- the name */

/* Opens the directory part of path below *dir, in its place, and returns the rest: "" if that is a directory. */
static const char *enter(int *dir, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *head = strndup(slash ? path : ".", slash ? (size_t)(slash + 1 - path) : 1);
	int fd = head ? openat(*dir, head, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, err = errno;

	free(head);
	if (*dir >= 0)
		close(*dir);
	*dir = fd;
	errno = err;
	return strcmp(base, ".") && strcmp(base, "..") ? base : "";
}

/* As fs.protected_symlinks: in a directory such as /tmp anybody may have put a link before this program. */
static bool trusted_link(int dir, const struct stat *link)
{
	struct stat st;

	if (fstat(dir, &st))
		return false;
	return !(st.st_mode & S_ISVTX) || !(st.st_mode & S_IWOTH) || link->st_uid == geteuid() ||
	       link->st_uid == st.st_uid;
}

/* One symbolic link; on success *path is new memory with the rest of the name. 0 or -1 with errno. */
static int follow(int *dir, char **path, const struct stat *link)
{
	char target[PATH_MAX];
	ssize_t n = trusted_link(*dir, link) ? readlinkat(*dir, *path, target, sizeof(target) - 1) : -2;
	const char *base;
	char *next;

	if (n < 0) {
		errno = n == -2 ? EACCES : errno;
		return -1;
	}
	target[n] = '\0';
	base = enter(dir, target);
	next = *dir < 0 ? NULL : strdup(base);
	if (!next)
		return -1;
	free(*path);
	*path = next;
	return 0;
}

/* 1: it exists, 0: it does not, -1 with errno. */
static int resolve(struct outfile *f, struct stat *st)
{
	const char *base;

	f->dir = AT_FDCWD;
	base = enter(&f->dir, f->name);
	f->final = f->dir < 0 ? NULL : strdup(base);
	if (!f->final)
		return -1;
	for (int links = 0; links <= LINKS; links++) {
		if (fstatat(f->dir, f->final, st, *f->final ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH))
			return errno == ENOENT && !links ? 0 : -1;
		if (!S_ISLNK(st->st_mode))
			return 1;
		if (follow(&f->dir, &f->final, st))
			return -1;
	}
	errno = ELOOP;
	return -1;
}

int outfile_find(struct outfile *f, const char *name, unsigned int mode, struct stat *st, struct tool_error *e)
{
	struct stat link;
	int rc;

	f->name = name;
	f->mode = mode;
	rc = *name ? resolve(f, st) : (errno = ENOENT, -1);
	f->exists = rc > 0;
	if (rc >= 0)
		return rc;
	rc = errno;
	if (rc == ENOENT && !lstat(name, &link) && S_ISLNK(link.st_mode))
		return tool_fail(e, TOOL_FAILED, "%s: dangling symbolic link", name);
	return tool_fail(e, TOOL_FAILED, "%s: cannot stat: %s", name, strerror(rc));
}

int outfile_open(const struct outfile *f, int flags, const struct stat *st, struct tool_error *e)
{
	int fd = openat(f->dir, f->final, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK), fl;
	struct stat now;

	if (fd < 0 && errno == EBUSY && flags & O_EXCL)
		return tool_fail(e, TOOL_FAILED, "%s: in use (mounted, or part of another device): "
				 "--allow-mounted-write writes to it anyway, and destroys its contents", f->name);
	if (fd < 0)
		return tool_fail(e, TOOL_FAILED, "%s: cannot open: %s", f->name, strerror(errno));
	fl = fcntl(fd, F_GETFL);
	if (!fstat(fd, &now) && now.st_dev == st->st_dev && now.st_ino == st->st_ino && fl >= 0 &&
	    !fcntl(fd, F_SETFL, fl & ~O_NONBLOCK))
		return fd;
	close(fd);
	return tool_fail(e, TOOL_FAILED, "%s: was replaced while it was opened", f->name);
}

/* ------------------------------------------------------------------ the temporary file */

int outfile_create(struct outfile *f, uint64_t size, struct tool_error *e)
{
	struct stat st;

	if (asprintf(&f->temp, ".%.200s.%ld.%s", f->final, (long)getpid(), tool_name) < 0) {
		f->temp = NULL;
		return tool_fail(e, TOOL_FAILED, "%s: out of memory", f->name);
	}
	/* The kernel applies the umask, and the directory's default ACL. Nobody may open it before it is complete. */
	f->fd = openat(f->dir, f->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       f->exists ? 0600 : f->mode & 0777);
	if (f->fd < 0) {
		tool_fail(e, TOOL_FAILED, "%s: cannot create %s in its directory: %s", f->name, f->temp,
			  strerror(errno));
		free(f->temp);
		f->temp = NULL;
		return -1;
	}
	if (fstat(f->fd, &st) || fchmod(f->fd, 0600))
		return tool_fail(e, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	f->mode = st.st_mode & 0777;
	if (ftruncate(f->fd, (off_t)size))
		return tool_fail(e, TOOL_FAILED, "%s: cannot extend to %llu bytes: %s", f->name,
				 (unsigned long long)size, strerror(errno));
	return 0;
}

/* ------------------------------------------------------------------------- the end */

/* Who may do what with the file remains as it was, but a program of this process's user it never becomes. */
static int inherit(const struct outfile *f, const struct stat *old, struct tool_error *e)
{
	int fd = openat(f->dir, f->final, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), rc = 0;
	bool group = !fchown(f->fd, old->st_uid, old->st_gid) || !fchown(f->fd, (uid_t)-1, old->st_gid);
	unsigned int mode = old->st_mode & 0777;
	struct stat now;

	/* What members of the old group could do, members of another one may do only if everybody may. */
	if (!group)
		mode &= ~070u | (mode & 07) << 3;
	if (fchmod(f->fd, mode)) {
		rc = tool_fail(e, TOOL_FAILED, "%s: cannot set its permissions: %s", f->name, strerror(errno));
	} else if (fd >= 0 && !fstat(fd, &now) && now.st_dev == old->st_dev && now.st_ino == old->st_ino) {
		rc = attrs_copy(fd, f->fd, group);
		if (rc)
			rc = tool_fail(e, TOOL_FAILED, "%s: cannot keep its extended attributes: %s", f->name,
				       strerror(-rc));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int give_name(const struct outfile *f, bool replace)
{
	if (replace)
		return renameat(f->dir, f->temp, f->dir, f->final);
	if (!renameat2(f->dir, f->temp, f->dir, f->final, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(f->dir, f->temp, f->dir, f->final, 0))
		return -1;
	return unlinkat(f->dir, f->temp, 0);
}

/* Somebody may have removed the file, or made another one, or put their own in the place of the temporary one. */
static int check_names(const struct outfile *f, struct stat *old, bool *exists, struct tool_error *e)
{
	struct stat own, temp;

	if (fstat(f->fd, &own) || fstatat(f->dir, f->temp, &temp, AT_SYMLINK_NOFOLLOW) ||
	    own.st_dev != temp.st_dev || own.st_ino != temp.st_ino)
		return tool_fail(e, TOOL_FAILED, "%s: %s was removed or replaced in its directory", f->name, f->temp);
	*exists = !fstatat(f->dir, f->final, old, AT_SYMLINK_NOFOLLOW);
	if (*exists && !S_ISREG(old->st_mode))
		return tool_fail(e, TOOL_FAILED, "%s: is no longer a regular file", f->name);
	return 0;
}

int outfile_finish(struct outfile *f, bool replace, struct tool_error *e)
{
	struct stat old;
	bool exists;

	if (check_names(f, &old, &exists, e))
		return -1;
	if (replace && exists ? inherit(f, &old, e) : 0)
		return -1;
	if ((!(replace && exists) && fchmod(f->fd, f->mode)) || give_name(f, replace))
		return tool_fail(e, TOOL_FAILED, "%s: cannot rename %s: %s", f->name, f->temp, strerror(errno));
	free(f->temp);
	f->temp = NULL;
	return 0;
}

void outfile_sync_dir(const struct outfile *f)
{
	int fd = f->dir < 0 ? -1 : openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

void outfile_close(struct outfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp)
		unlinkat(f->dir, f->temp, 0);
	if (f->dir >= 0)
		close(f->dir);
	free(f->temp);
	free(f->final);
	*f = (struct outfile)OUTFILE_NONE;
}
