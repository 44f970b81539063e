/* SPDX-License-Identifier: MIT */
/* devio-serve: files beneath the directory, and nothing else. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "serve.h"
#include "common/toolmem.h"

/* As openat2(2) takes it; the C library has no wrapper. */
struct how {
	uint64_t flags, mode, resolve;
};
#define NO_MAGICLINKS 0x02u
#define BENEATH 0x08u

static int open_beneath(const struct serve *s, const char *path, int flags)
{
	const struct how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = BENEATH | NO_MAGICLINKS };
	unsigned int tries = 0;
	long fd;

	do
		fd = syscall(SYS_openat2, s->dir_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < 100); /* EAGAIN: raced with a rename */
	return (int)fd;
}

int serve_file_check(const struct serve *s)
{
	int fd = open_beneath(s, ".", O_PATH | O_DIRECTORY);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static uint64_t version_of(const struct stat *st)
{
	const uint64_t words[] = { st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
				   (uint64_t)st->st_mtim.tv_nsec };
	uint64_t v = 1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		v = toolmem_pattern(v ^ words[i]);
	return v ? v : 1;
}

/* Its type is checked before it is opened: opening a device may have effects. */
static int open_regular(const struct serve *s, const char *path, struct stat *st)
{
	int fd = open_beneath(s, path, O_PATH), rc;

	if (fd < 0)
		return -(errno == EXDEV ? EACCES : errno);
	rc = fstat(fd, st) ? -errno : S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	close(fd);
	if (rc)
		return rc;
	fd = open_beneath(s, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -(errno == EXDEV ? EACCES : errno);
	rc = fstat(fd, st) ? -errno : S_ISREG(st->st_mode) ? 0 : -EINVAL;
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

int serve_file_open(const struct serve *s, const char *path, struct serve_file **out)
{
	struct serve_file *f = calloc(1, sizeof(*f));
	struct stat st;
	int rc = 0;

	if (!f)
		return ENOMEM;
	f->refs = 1;
	f->fd = open_regular(s, path, &st);
	if (f->fd < 0)
		rc = f->fd;
	else
		rc = devio_file_import(s->ctx, f->fd, NULL, &f->file);
	if (rc) {
		serve_file_put(f);
		return -rc;
	}
	f->size = (uint64_t)st.st_size;
	f->version = version_of(&st);
	*out = f;
	return 0;
}

void serve_file_put(struct serve_file *f)
{
	if (!f || --f->refs)
		return;
	devio_file_close(f->file);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

bool serve_file_same(const struct serve_file *f)
{
	struct stat st;

	return !fstat(f->fd, &st) && version_of(&st) == f->version;
}
