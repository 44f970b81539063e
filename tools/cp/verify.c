/* SPDX-License-Identifier: MIT */
/* devio-cp --verify: both sides are read again, not by the path of the copy, and compared. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cp.h"

#define CHUNK (1u << 20)

/* Memory by the provider's own copy, a file by pread(2): neither is a path of the library. */
static int read_end(struct cp_job *job, struct cp_end *end, uint64_t at, unsigned char *buf, size_t len)
{
	at += end->start;
	if (end->is_mem) {
		if (devio_mem_copy_out(end->mem, at, buf, len))
			return tool_fail(&job->error, TOOL_FAILED, "%s: --verify: %s", end->name, devio_errmsg());
		return 0;
	}
	for (size_t got = 0; got < len;) {
		ssize_t n = pread(end->fd, buf + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tool_fail(&job->error, TOOL_FAILED, "%s: --verify: at byte %llu: %s", end->name,
					 (unsigned long long)(at + got), n ? strerror(errno) : "the file ended");
		got += (size_t)n;
	}
	return 0;
}

static int differs(struct cp_job *job, uint64_t at, const unsigned char *a, const unsigned char *b)
{
	size_t i = 0;

	while (a[i] == b[i])
		i++;
	return tool_fail(&job->error, TOOL_DIFFERS, "byte %llu of %s is 0x%02x, byte %llu of %s is 0x%02x",
			 (unsigned long long)(job->dst.start + at + i), job->dst.name, b[i],
			 (unsigned long long)(job->src.start + at + i), job->src.name, a[i]);
}

static int compare(struct cp_job *job, unsigned char *a, unsigned char *b)
{
	while (job->verified < job->length) {
		uint64_t left = job->length - job->verified;
		size_t len = left < CHUNK ? left : CHUNK;

		if (tool_stop)
			return tool_fail(&job->error, TOOL_FAILED, "interrupted while comparing");
		memset(a, 0x55, len);
		memset(b, 0xaa, len);
		if (read_end(job, &job->src, job->verified, a, len) ||
		    read_end(job, &job->dst, job->verified, b, len))
			return -1;
		if (memcmp(a, b, len))
			return differs(job, job->verified, a, b);
		job->verified += len;
	}
	return 0;
}

int cp_verify(struct cp_job *job)
{
	unsigned char *a = malloc(CHUNK), *b = malloc(CHUNK);
	int rc = -1;

	if (!a || !b) {
		tool_fail(&job->error, TOOL_FAILED, "out of memory");
	} else {
		if (job->dst.fd >= 0) {         /* read from the disk, not from the page cache */
			fdatasync(job->dst.fd);
			posix_fadvise(job->dst.fd, 0, 0, POSIX_FADV_DONTNEED);
		}
		rc = compare(job, a, b);
	}
	free(a);
	free(b);
	return rc;
}
