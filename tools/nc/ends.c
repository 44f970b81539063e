/* SPDX-License-Identifier: MIT */
/* devio-nc: what is sent and where it is written. A new file has a temporary name until it is complete. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nc.h"

#define INITIAL_SIZE (64 << 20)  /* the library chooses the path by the size of the file when it is opened */

static bool is_file(const char *name)
{
	return name && strcmp(name, "-") != 0;
}

static int open_in(struct nc_job *job)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	bool longer;
	int fd;

	if (devio_file_open(job->ctx, job->o.in, O_RDONLY, NULL, &job->in) || devio_file_get_info(job->in, &info))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", job->o.in, devio_errmsg());
	fd = open(job->o.in, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	longer = fd >= 0 && tool_is_longer(fd, info.size);
	if (fd >= 0)
		close(fd);
	if (longer)
		return tool_fail(&job->error, TOOL_FAILED, "%s: " TOOL_LONGER, job->o.in,
				 (unsigned long long)info.size);
	job->total = info.size;
	return 0;
}

static int open_out(struct nc_job *job)
{
	const char *name = job->o.out;
	struct stat st;
	int rc = outfile_find(&job->dst, name, 0666, &st, &job->error);

	if (rc < 0)
		return -1;
	if (rc && !S_ISREG(st.st_mode))
		return tool_fail(&job->error, TOOL_FAILED, "%s: not a regular file (--out=- writes to standard output)",
				 name);
	if (rc && !job->o.force)
		return tool_fail(&job->error, TOOL_FAILED, "%s: exists (--force overwrites it)", name);
	if (outfile_create(&job->dst, 0, &job->error))
		return -1;
	if (ftruncate(job->dst.fd, INITIAL_SIZE) && errno != EFBIG)
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", name, strerror(errno));
	if (devio_file_import(job->ctx, job->dst.fd, NULL, &job->out))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", name, devio_errmsg());
	return 0;
}

int nc_open_ends(struct nc_job *job)
{
	job->total = job->o.has_pattern ? job->o.pattern : UINT64_MAX;
	if (is_file(job->o.in) && !job->o.has_pattern && open_in(job))
		return -1;
	if (is_file(job->o.out) && !job->o.sink && open_out(job))
		return -1;
	job->buf = malloc(job->o.block);
	job->buf2 = malloc(job->o.block);
	if (!job->buf || !job->buf2)
		return tool_fail(&job->error, TOOL_FAILED, "out of memory");
	return 0;
}

static int check_in(struct nc_job *job)
{
	struct devio_file_info info = DEVIO_OPTS(info);

	if (!job->in)
		return 0;
	if (devio_file_get_info(job->in, &info))
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", job->o.in, devio_errmsg());
	if (info.size != job->total)
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s during the transfer", job->o.in,
				 info.size < job->total ? "shrank" : "grew");
	return 0;
}

int nc_finish_out(struct nc_job *job)
{
	if (check_in(job))
		return -1;
	if (!job->dst.temp)
		return 0;
	if (tool_stop)
		return tool_fail(&job->error, TOOL_FAILED, "interrupted: %s was not written", job->o.out);
	if (ftruncate(job->dst.fd, (off_t)job->received))
		return tool_fail(&job->error, TOOL_FAILED, "%s: cannot set its size: %s", job->o.out, strerror(errno));
	return outfile_finish(&job->dst, job->o.force, &job->error);
}

void nc_close_ends(struct nc_job *job)
{
	devio_file_close(job->in);
	devio_file_close(job->out);
	devio_mem_free(job->mem);
	outfile_close(&job->dst);
	free(job->buf);
	free(job->buf2);
}

int nc_read_in(struct nc_job *job, int64_t *got)
{
	*got = read(STDIN_FILENO, job->buf, job->o.block);
	if (*got < 0 && errno != EINTR && errno != EAGAIN)
		return tool_fail(&job->error, TOOL_FAILED, "standard input: %s", strerror(errno));
	return 0;
}

/* A pipe that poll(2) calls ready takes 4096 bytes without blocking, not more. */
int nc_write_out(struct nc_job *job)
{
	uint64_t left = job->out_have - job->out_done;
	struct stat st;
	ssize_t n;

	if (left > 4096 && (fstat(STDOUT_FILENO, &st) || !S_ISREG(st.st_mode)))
		left = 4096;
	n = write(STDOUT_FILENO, job->buf2 + job->out_done, left);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return tool_fail(&job->error, TOOL_FAILED, "standard output: %s", strerror(errno));
	job->out_done += n > 0 ? (uint64_t)n : 0;
	return 0;
}
