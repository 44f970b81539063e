/* SPDX-License-Identifier: MIT */
/* devio-cp: the two sides. A new destination has a temporary name until it is whole. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cp.h"
#include "common/opts.h"
#include "common/outfile.h"

static int open_file(struct cp_job *job, struct cp_end *end, const char *path, int flags)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);

	fo.path = job->o.path;
	if (job->o.direct)
		fo.flags |= DEVIO_FILE_DIRECT_ONLY;
	if (job->o.no_cache)
		fo.flags |= DEVIO_FILE_NO_CACHE;
	if (devio_file_open(job->ctx, path, flags, &fo, &end->file))
		return cp_fail(job, CP_FAILED, "%s: %s", end->name, devio_errmsg());
	if (end->fd < 0)
		end->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (end->fd < 0 && job->o.verify)
		return cp_fail(job, CP_FAILED, "%s: --verify cannot read it: %s", end->name, strerror(errno));
	return 0;
}

static int file_size(struct cp_job *job, struct cp_end *end, uint64_t *size)
{
	struct devio_file_info info = DEVIO_OPTS(info);

	if (devio_file_get_info(end->file, &info))
		return cp_fail(job, CP_FAILED, "%s: %s", end->name, devio_errmsg());
	*size = info.size;
	return 0;
}

static int open_src_file(struct cp_job *job)
{
	struct cp_end *src = &job->src;

	if (open_file(job, src, src->name, O_RDONLY) || file_size(job, src, &src->size_before))
		return -1;
	if (src->start > src->size_before)
		return cp_fail(job, CP_FAILED, "%s: --offset is %llu, but it ends at byte %llu", src->name,
			       (unsigned long long)src->start, (unsigned long long)src->size_before);
	if (job->o.have_length && job->length > src->size_before - src->start)
		return cp_fail(job, CP_FAILED, "%s: --length is %llu, but from byte %llu on it has only %llu bytes",
			       src->name, (unsigned long long)job->length, (unsigned long long)src->start,
			       (unsigned long long)(src->size_before - src->start));
	if (!job->o.have_length)
		job->length = src->size_before - src->start;
	if (job->o.cold && src->fd >= 0) {
		fdatasync(src->fd);
		posix_fadvise(src->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	return 0;
}

/* Permissions of a new file: those of the source, or all that the umask allows. */
static unsigned int new_mode(const struct cp_job *job)
{
	unsigned int mode = 0666, mask = umask(0);
	struct stat st;

	umask((mode_t)mask);
	if (job->src.fd >= 0 && !fstat(job->src.fd, &st) && S_ISREG(st.st_mode))
		mode = st.st_mode & 0777;
	return mode & ~mask;
}

static int same_file(const struct cp_job *job, const struct stat *dst)
{
	struct stat src;

	if (job->src.fd < 0 || fstat(job->src.fd, &src))
		return 0;
	if (S_ISBLK(src.st_mode) && S_ISBLK(dst->st_mode))
		return src.st_rdev == dst->st_rdev;
	return src.st_dev == dst->st_dev && src.st_ino == dst->st_ino;
}

/* Looks at what stands at the destination's name. 1: overwrite it in place. */
static int look_at_dst(struct cp_job *job)
{
	struct cp_end *dst = &job->dst;
	struct stat st;

	if (stat(dst->name, &st)) {
		if (errno != ENOENT)
			return cp_fail(job, CP_FAILED, "%s: %s", dst->name, strerror(errno));
		if (!lstat(dst->name, &st))
			return cp_fail(job, CP_FAILED, "%s: a symbolic link to nothing", dst->name);
		dst->final = strdup(dst->name);
		dst->mode = new_mode(job);
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return cp_fail(job, CP_FAILED, "%s: a directory: name the file in it", dst->name);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return cp_fail(job, CP_FAILED, "%s: neither a regular file nor a block device", dst->name);
	if (same_file(job, &st))
		return cp_fail(job, CP_FAILED, "%s and %s are the same file", job->src.name, dst->name);
	if (!job->o.force)
		return cp_fail(job, CP_FAILED, "%s: exists: --force overwrites it", dst->name);
	if (S_ISBLK(st.st_mode) || job->o.have_seek)
		return 1;
	dst->final = realpath(dst->name, NULL);
	dst->mode = st.st_mode & 07777;
	return 0;
}

/* As long as in the end before the library sees it: it chooses the path by that. */
static int open_temp(struct cp_job *job)
{
	struct cp_end *dst = &job->dst;

	dst->temp = dst->final ? outfile_temp_name(dst->final, "devio-cp") : NULL;
	if (!dst->temp)
		return cp_fail(job, CP_FAILED, "%s: %s", dst->name, strerror(errno));
	dst->fd = open(dst->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (dst->fd < 0) {
		cp_fail(job, CP_FAILED, "%s: cannot be made: %s: %s", dst->name, dst->temp, strerror(errno));
		free(dst->temp);
		dst->temp = NULL;
		return -1;
	}
	if (ftruncate(dst->fd, (off_t)(dst->start + job->length)))
		return cp_fail(job, CP_FAILED, "%s: cannot be made %llu bytes long: %s", dst->name,
			       (unsigned long long)(dst->start + job->length), strerror(errno));
	return open_file(job, dst, dst->temp, O_WRONLY);
}

static int open_in_place(struct cp_job *job)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	struct cp_end *dst = &job->dst;

	if (open_file(job, dst, dst->name, O_WRONLY))
		return -1;
	if (devio_file_get_info(dst->file, &info))
		return cp_fail(job, CP_FAILED, "%s: %s", dst->name, devio_errmsg());
	if (info.is_block && dst->start + job->length > info.size)
		return cp_fail(job, CP_FAILED, "%s: the device has %llu bytes, the copy would end at byte %llu",
			       dst->name, (unsigned long long)info.size,
			       (unsigned long long)(dst->start + job->length));
	return 0;
}

int cp_open_ends(struct cp_job *job)
{
	const struct cp_opts *o = &job->o;
	int in_place;

	job->src.name = o->src;
	job->src.start = o->offset;
	job->src.is_mem = opt_mem_spec(o->src);
	job->dst.name = o->dst;
	job->dst.start = o->seek;
	job->dst.is_mem = opt_mem_spec(o->dst);
	job->length = o->length;
	if (!job->src.is_mem && open_src_file(job))
		return -1;
	if (job->length > INT64_MAX - o->seek || job->length > INT64_MAX - o->offset)
		return cp_fail(job, CP_FAILED, "--length from --offset or --seek on leads past 2^63 bytes");
	if (job->dst.is_mem)
		return 0;
	in_place = look_at_dst(job);
	if (in_place < 0)
		return -1;
	return in_place ? open_in_place(job) : open_temp(job);
}

/* A file that changed its length during the copy is no whole copy of anything. */
int cp_check_src(struct cp_job *job)
{
	struct cp_end *src = &job->src;
	uint64_t size, need = src->start + job->length;

	if (src->is_mem)
		return 0;
	if (file_size(job, src, &size))
		return -1;
	if (size < need || (!job->o.have_length && size != src->size_before))
		return cp_fail(job, CP_FAILED, "%s: it %s from %llu to %llu bytes while it was copied", src->name,
			       size < src->size_before ? "shrank" : "grew", (unsigned long long)src->size_before,
			       (unsigned long long)size);
	return 0;
}

static void sync_dir(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

int cp_finish_dst(struct cp_job *job)
{
	struct cp_end *dst = &job->dst;
	int rc;

	if (!dst->temp)
		return 0;
	if (cp_stop)
		return cp_fail(job, CP_FAILED, "interrupted: %s was not written", dst->name);
	rc = chmod(dst->temp, dst->mode);
	if (!rc)
		rc = outfile_rename(dst->temp, dst->final, job->o.force);
	if (rc)
		return cp_fail(job, CP_FAILED, "%s: cannot be given its name: %s", dst->name, strerror(errno));
	if (job->o.sync)
		sync_dir(dst->final);
	free(dst->temp);
	dst->temp = NULL;
	return 0;
}

static void close_end(struct cp_end *end)
{
	devio_file_close(end->file);
	devio_mem_free(end->mem);
	if (end->fd >= 0)
		close(end->fd);
	if (end->temp)
		unlink(end->temp);
	free(end->temp);
	free(end->final);
}

void cp_close_ends(struct cp_job *job)
{
	devio_mem_free(job->window);
	close_end(&job->src);
	close_end(&job->dst);
}
