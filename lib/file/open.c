/* SPDX-License-Identifier: MIT */
/* Opening and closing files. */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/mount.h>
#include "core/ctx.h"
#include "core/err.h"
#include "file/file.h"

#define SMALL_FILE (64 << 10)
#define PAGE 4096u

static int check_type(const struct stat *st, const char *name)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return dv_err(-EISDIR, "file %s: is a directory: use a regular file or a block device", name);
	default:
		return dv_err(-ESPIPE, "file %s: not seekable: use a regular file or a block device", name);
	}
}

/* Sets the fields known from fstat(); the rest is determined when O_DIRECT is first used. */
static void describe(struct devio_file *f, const struct stat *st)
{
	uint32_t wr = st->st_blksize;

	f->is_block = S_ISBLK(st->st_mode);
	f->dev = f->is_block ? st->st_rdev : st->st_dev;
	if (f->is_block && ioctl(f->fd, BLKGETSIZE64, &f->capacity))
		f->capacity = 0;
	f->end = f->is_block ? UINT64_MAX : (uint64_t)st->st_size;
	/* Not for files opened for writing: those are often short only because they are new. */
	f->small = !f->is_block && f->access == O_RDONLY && st->st_size <= SMALL_FILE;
	if (!dv_is_power_of_two(wr) || wr > (64 << 10))
		wr = PAGE;
	f->write_align = wr > PAGE ? wr : PAGE;
}

/*
 * Replaces fd by a separate open file description for the page cache. The application's
 * may have O_DIRECT, which requires alignment, or O_NONBLOCK, for which io_uring assumes
 * that I/O never blocks, so that a submission may block. A duplicate would share these
 * flags with the application.
 */
static int reopen(int fd, int fl)
{
	char link[32];
	int own, rc;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, (fl & (O_ACCMODE | O_SYNC | O_NOATIME)) | O_CLOEXEC | O_NOCTTY);
	if (own < 0)
		return -errno;
	rc = dup3(own, fd, O_CLOEXEC) < 0 ? -errno : 0;
	close(own);
	return rc;
}

/* Takes ownership of fd on success. fl: the flags that it was opened with. */
static int file_new(struct devio_ctx *ctx, int fd, int fl, const char *name, const struct devio_file_opts *o,
		    struct devio_file **out)
{
	struct devio_file *f;
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return dv_err(-errno, "file %s: fstat() failed", name);
	rc = check_type(&st, name);
	if (rc)
		return rc;
	if (fl & O_APPEND)
		return dv_err(-EINVAL, "file %s: O_APPEND is not supported: open it without and write at the size "
			      "from devio_file_get_info()", name);
	if (fl & O_PATH)
		return dv_err(-EBADF, "file %s: O_PATH descriptors do not support I/O", name);
	f = calloc(1, sizeof(*f));
	if (!f)
		return dv_err(-ENOMEM, "file %s: cannot allocate the handle", name);
	f->base.ops = &dv_file_endpoint_ops;
	f->base.ctx = dv_ctx_get(ctx);
	f->base.refs = 1;
	f->id = dv_ctx_new_id();
	f->fd = fd;
	f->dfd = -1;
	f->access = fl & O_ACCMODE;
	/* The context's default may be a path for connections. */
	f->path = o->path || ctx->path >= DEVIO_PATH_FILE_MAX ? o->path : ctx->path;
	f->flags = o->flags | (ctx->flags & DEVIO_CTX_DIRECT_ONLY ? DEVIO_FILE_DIRECT_ONLY : 0);
	pthread_mutex_init(&f->lock, NULL);
	describe(f, &st);
	*out = f;
	return 0;
}

static int check_opts(struct devio_ctx *ctx, const struct devio_file_opts *opts, struct devio_file_opts *o,
		      struct devio_file **out)
{
	int rc = dv_opts_copy(o, sizeof(*o), opts, "devio_file_opts");

	if (!rc && (!ctx || !out))
		rc = dv_err(-EINVAL, "file: context or the pointer for the new file is NULL");
	if (!rc && (o->path < 0 || o->path >= DEVIO_PATH_FILE_MAX ||
		    o->flags & ~(DEVIO_FILE_DIRECT_ONLY | DEVIO_FILE_NO_CACHE)))
		rc = dv_err(-EINVAL, "file: unknown path %d or flags 0x%x", o->path, o->flags);
	return rc ? rc : dv_ctx_forked(ctx);
}

/*
 * The file of path for O_DIRECT, now rather than when it is first used: without /proc, as in a chroot, the name is
 * the only way to a second file description.
 */
static void open_direct_by_name(struct devio_file *f, const char *path)
{
	struct stat st, direct;

	f->dfd = open(path, f->access | O_DIRECT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->dfd < 0 || (!fstat(f->fd, &st) && !fstat(f->dfd, &direct) && st.st_dev == direct.st_dev &&
			   st.st_ino == direct.st_ino && !fcntl(f->dfd, F_SETFL, f->access | O_DIRECT)))
		return;
	close(f->dfd);
	f->dfd = -1;
}

DEVIO_API int devio_file_open(struct devio_ctx *ctx, const char *path, int flags,
			      const struct devio_file_opts *opts, struct devio_file **out)
{
	struct devio_file_opts o;
	int fd, rc = check_opts(ctx, opts, &o, out);

	if (rc)
		return rc;
	if (!path)
		return dv_err(-EINVAL, "file: path name is NULL");
	/* O_NONBLOCK: opening a pipe must not block. */
	flags &= ~(O_DIRECT | O_NONBLOCK);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, o.mode ? o.mode : 0666);
	if (fd < 0) {
		rc = -errno;
		return dv_err(rc == -ENXIO ? -ESPIPE : rc, "file %s: open() failed", path);
	}
	rc = file_new(ctx, fd, flags, path, &o, out);
	if (rc) {
		close(fd);
		return rc;
	}
	(*out)->nonblock = true;
	if (access("/proc/self/fd", X_OK))
		open_direct_by_name(*out, path);
	return 0;
}

DEVIO_API int devio_file_import(struct devio_ctx *ctx, int fd, const struct devio_file_opts *opts,
				struct devio_file **out)
{
	struct devio_file_opts o;
	char name[32];
	struct devio_file *f;
	int own, fl, rc = check_opts(ctx, opts, &o, out);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "(descriptor %d)", fd);
	fl = fcntl(fd, F_GETFL);
	own = fl < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return dv_err(-errno, "file %s: cannot duplicate it", name);
	rc = file_new(ctx, own, fl, name, &o, &f);
	if (rc) {
		close(own);
		return rc;
	}
	rc = fl & (O_DIRECT | O_NONBLOCK) ? reopen(own, fl) : 0;
	if (rc) {
		devio_file_close(f);
		return dv_err(rc, "file %s: cannot reopen it without O_DIRECT and O_NONBLOCK", name);
	}
	*out = f;
	return 0;
}

DEVIO_API void devio_file_close(struct devio_file *f)
{
	if (!f)
		return;
	/* No other references, in caches or operations. */
	if (atomic_load_explicit(&f->base.refs, memory_order_acquire) == 1) {
		dv_file_destroy(&f->base);
		return;
	}
	/* Set closed before reading registered: lib/file/regcache.c does it in reverse order. */
	f->closed = true;
	if (f->registered) {
		struct devio_ctx *ctx = dv_ctx_get(f->base.ctx);

		dv_ctx_count_close();
		dv_file_put(f);
		dv_ctx_sweep_idle(ctx);
		dv_ctx_put(ctx);
		return;
	}
	dv_file_put(f);
}
