/* SPDX-License-Identifier: MIT */
/* devio-nc: what is sent and where it goes. A new file has a temporary name until it is whole. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nc.h"
#include "common/outfile.h"

#define ROOM (64 << 20)  /* the library chooses its path by the length that a file has when it is opened */

static bool is_file(const char *name)
{
	return name && strcmp(name, "-") != 0;
}

static int open_in(struct nc_job *job)
{
	struct devio_file_info info = DEVIO_OPTS(info);

	if (devio_file_open(job->ctx, job->o.in, O_RDONLY, NULL, &job->in) || devio_file_get_info(job->in, &info))
		return nc_fail(job, NC_FAILED, "%s: %s", job->o.in, devio_errmsg());
	job->total = info.size;
	return 0;
}

static int look_at_out(struct nc_job *job)
{
	const char *name = job->o.out;
	struct stat st;

	if (stat(name, &st)) {
		unsigned int mask = umask(0);

		umask((mode_t)mask);
		if (errno != ENOENT)
			return nc_fail(job, NC_FAILED, "%s: %s", name, strerror(errno));
		if (!lstat(name, &st))
			return nc_fail(job, NC_FAILED, "%s: a symbolic link to nothing", name);
		job->final = strdup(name);
		job->mode = 0666 & ~mask;
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return nc_fail(job, NC_FAILED, "%s: not a regular file: --out=- writes to standard output", name);
	if (!job->o.force)
		return nc_fail(job, NC_FAILED, "%s: exists: --force overwrites it", name);
	job->final = realpath(name, NULL);
	job->mode = st.st_mode & 07777;
	return 0;
}

static int open_out(struct nc_job *job)
{
	if (look_at_out(job))
		return -1;
	job->temp = job->final ? outfile_temp_name(job->final, "devio-nc") : NULL;
	if (!job->temp)
		return nc_fail(job, NC_FAILED, "%s: %s", job->o.out, strerror(errno));
	job->out_fd = open(job->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (job->out_fd < 0) {
		nc_fail(job, NC_FAILED, "%s: cannot be made: %s: %s", job->o.out, job->temp, strerror(errno));
		free(job->temp);
		job->temp = NULL;
		return -1;
	}
	if (ftruncate(job->out_fd, ROOM) && errno != EFBIG)
		return nc_fail(job, NC_FAILED, "%s: %s", job->o.out, strerror(errno));
	if (devio_file_open(job->ctx, job->temp, O_WRONLY, NULL, &job->out))
		return nc_fail(job, NC_FAILED, "%s: %s", job->o.out, devio_errmsg());
	return 0;
}

int nc_open_ends(struct nc_job *job)
{
	job->total = job->o.has_pattern ? job->o.pattern : UINT64_MAX;
	if (is_file(job->o.in) && !job->o.has_pattern && open_in(job))
		return -1;
	if (is_file(job->o.out) && !job->o.nothing && open_out(job))
		return -1;
	job->buf = malloc(job->o.block);
	job->buf2 = malloc(job->o.block);
	if (!job->buf || !job->buf2)
		return nc_fail(job, NC_FAILED, "no memory for a block of %llu bytes", (unsigned long long)job->o.block);
	return 0;
}

static int check_in(struct nc_job *job)
{
	struct devio_file_info info = DEVIO_OPTS(info);

	if (!job->in)
		return 0;
	if (devio_file_get_info(job->in, &info))
		return nc_fail(job, NC_FAILED, "%s: %s", job->o.in, devio_errmsg());
	if (info.size != job->total)
		return nc_fail(job, NC_FAILED, "%s: it %s while it was sent", job->o.in,
			       info.size < job->total ? "shrank" : "grew");
	return 0;
}

int nc_finish_out(struct nc_job *job)
{
	if (check_in(job))
		return -1;
	if (!job->temp)
		return 0;
	if (nc_stop)
		return nc_fail(job, NC_FAILED, "interrupted: %s was not written", job->o.out);
	if (ftruncate(job->out_fd, (off_t)job->received) || fchmod(job->out_fd, job->mode) ||
	    outfile_rename(job->temp, job->final, job->o.force))
		return nc_fail(job, NC_FAILED, "%s: cannot be finished: %s", job->o.out, strerror(errno));
	free(job->temp);
	job->temp = NULL;
	return 0;
}

void nc_close_ends(struct nc_job *job)
{
	devio_file_close(job->in);
	devio_file_close(job->out);
	devio_mem_free(job->mem);
	if (job->out_fd >= 0)
		close(job->out_fd);
	if (job->temp)
		unlink(job->temp);
	free(job->temp);
	free(job->final);
	free(job->buf);
	free(job->buf2);
}

int nc_read_in(struct nc_job *job, int64_t *got)
{
	*got = read(STDIN_FILENO, job->buf, job->o.block);
	if (*got < 0 && errno != EINTR && errno != EAGAIN)
		return nc_fail(job, NC_FAILED, "standard input: %s", strerror(errno));
	return 0;
}

/* A pipe that poll(2) calls ready takes 4096 bytes without waiting, not more. */
int nc_write_out(struct nc_job *job)
{
	uint64_t left = job->out_have - job->out_done;
	struct stat st;
	ssize_t n;

	if (left > 4096 && (fstat(STDOUT_FILENO, &st) || !S_ISREG(st.st_mode)))
		left = 4096;
	n = write(STDOUT_FILENO, job->buf2 + job->out_done, left);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return nc_fail(job, NC_FAILED, "standard output: %s", strerror(errno));
	job->out_done += n > 0 ? (uint64_t)n : 0;
	return 0;
}
