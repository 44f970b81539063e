/* SPDX-License-Identifier: MIT */
/* devio-cp: source and destination. A new destination has a temporary name until it is complete. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/opts.h"
#include "cp.h"

static void set_opts(const struct cp_job *job, struct devio_file_opts *fo)
{
	fo->path = job->o.path;
	if (job->o.direct_only)
		fo->flags |= DEVIO_FILE_DIRECT_ONLY;
	if (job->o.no_cache)
		fo->flags |= DEVIO_FILE_NO_CACHE;
}

/* The destination: its directory may belong to somebody else, who could put another file at its name. */
static int import_fd(struct cp_job *job, struct cp_end *end, int fd)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);

	set_opts(job, &fo);
	if (devio_file_import(job->ctx, fd, &fo, &end->file))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", end->name, devio_errmsg());
	return 0;
}

static int file_size(struct cp_job *job, struct cp_end *end, uint64_t *size)
{
	struct devio_file_info info = DEVIO_OPTS(info);

	if (devio_file_get_info(end->file, &info))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", end->name, devio_errmsg());
	*size = info.size;
	return 0;
}

static int open_src_file(struct cp_job *job)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct cp_end *src = &job->src;

	set_opts(job, &fo);
	if (devio_file_open(job->ctx, src->name, O_RDONLY, &fo, &src->file))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", src->name, devio_errmsg());
	src->fd = open(src->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (src->fd < 0)
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", src->name, strerror(errno));
	if (file_size(job, src, &src->size_before))
		return -1;
	if (tool_is_longer(src->fd, src->size_before))
		return tool_fail(&job->error, TOOL_FAILED, "%s: " TOOL_LONGER, src->name,
				 (unsigned long long)src->size_before);
	if (src->start > src->size_before)
		return tool_fail(&job->error, TOOL_FAILED, "%s: --offset is %llu, but the file ends at byte %llu",
				 src->name, (unsigned long long)src->start, (unsigned long long)src->size_before);
	if (job->o.have_length && job->length > src->size_before - src->start)
		return tool_fail(&job->error, TOOL_FAILED,
				 "%s: --length is %llu, but there are only %llu bytes after byte %llu", src->name,
				 (unsigned long long)job->length, (unsigned long long)(src->size_before - src->start),
				 (unsigned long long)src->start);
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
	struct stat st;

	return job->src.fd >= 0 && !fstat(job->src.fd, &st) && S_ISREG(st.st_mode) ? st.st_mode & 0777 : 0666;
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

/* What exists at the destination's name. 1: overwrite it in place. */
static int check_dst(struct cp_job *job, struct stat *st)
{
	struct cp_end *dst = &job->dst;
	int rc = outfile_find(&dst->out, dst->name, new_mode(job), st, &job->error);

	if (rc <= 0)
		return rc;
	if (S_ISDIR(st->st_mode))
		return tool_fail(&job->error, TOOL_FAILED, "%s: is a directory", dst->name);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return tool_fail(&job->error, TOOL_FAILED, "%s: neither a regular file nor a block device", dst->name);
	if (same_file(job, st))
		return tool_fail(&job->error, TOOL_FAILED, "%s and %s are the same file", job->src.name, dst->name);
	if (!job->o.force)
		return tool_fail(&job->error, TOOL_FAILED, "%s: exists (--force overwrites it)", dst->name);
	return S_ISBLK(st->st_mode) || job->o.have_seek;
}

/* It has its final length before the library opens it: the choice of the path depends on that. */
static int open_temp(struct cp_job *job)
{
	struct cp_end *dst = &job->dst;

	if (outfile_create(&dst->out, dst->start + job->length, &job->error))
		return -1;
	dst->fd = dup(dst->out.fd);
	if (dst->fd < 0)
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", dst->name, strerror(errno));
	return import_fd(job, dst, dst->out.fd);
}

/* A device that is mounted, or a part of another one, can be opened with O_EXCL by nobody else. */
static int open_in_place(struct cp_job *job, const struct stat *st)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	struct cp_end *dst = &job->dst;
	int only = S_ISBLK(st->st_mode) && !job->o.mounted ? O_EXCL : 0;

	dst->out.fd = outfile_open(&dst->out, O_WRONLY | only, st, &job->error);
	if (dst->out.fd < 0 || import_fd(job, dst, dst->out.fd))
		return -1;
	if (job->o.verify)
		dst->fd = outfile_open(&dst->out, O_RDONLY, st, &job->error);
	if (job->o.verify && dst->fd < 0)
		return -1;
	if (devio_file_get_info(dst->file, &info))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", dst->name, devio_errmsg());
	if (info.is_block && dst->start + job->length > info.size)
		return tool_fail(&job->error, TOOL_FAILED,
				 "%s: the device has %llu bytes, the copy would end at byte %llu", dst->name,
				 (unsigned long long)info.size, (unsigned long long)(dst->start + job->length));
	return 0;
}

int cp_open_ends(struct cp_job *job)
{
	const struct cp_opts *o = &job->o;
	struct stat st;
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
		return tool_fail(&job->error, TOOL_FAILED, "--offset or --seek plus --length exceeds 2^63 bytes");
	if (job->dst.is_mem)
		return 0;
	in_place = check_dst(job, &st);
	if (in_place < 0)
		return -1;
	return in_place ? open_in_place(job, &st) : open_temp(job);
}

/* The copy of a file whose size changed meanwhile is not a copy of anything. */
int cp_check_src(struct cp_job *job)
{
	struct cp_end *src = &job->src;
	uint64_t size, need = src->start + job->length;

	if (src->is_mem)
		return 0;
	if (file_size(job, src, &size))
		return -1;
	if (size < need || (!job->o.have_length && size != src->size_before))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s from %llu to %llu bytes during the copy", src->name,
				 size < src->size_before ? "shrank" : "grew", (unsigned long long)src->size_before,
				 (unsigned long long)size);
	return 0;
}

int cp_finish_dst(struct cp_job *job)
{
	struct cp_end *dst = &job->dst;

	if (!dst->out.temp)
		return 0;
	if (tool_stop)
		return tool_fail(&job->error, TOOL_FAILED, "interrupted: %s was not written", dst->name);
	if (outfile_finish(&dst->out, job->o.force, &job->error))
		return -1;
	if (job->o.sync)
		outfile_sync_dir(&dst->out);
	return 0;
}

static void close_end(struct cp_end *end)
{
	devio_file_close(end->file);
	devio_mem_free(end->mem);
	if (end->fd >= 0)
		close(end->fd);
	outfile_close(&end->out);
}

void cp_close_ends(struct cp_job *job)
{
	devio_mem_free(job->window);
	close_end(&job->src);
	close_end(&job->dst);
}
