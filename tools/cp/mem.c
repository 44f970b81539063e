/* SPDX-License-Identifier: MIT */
/* devio-cp: the device memory that the bytes go to, come from or pass through. */
#include "config.h"
#include <stdlib.h>
#include "common/opts.h"
#include "cp.h"

static int alloc_mem(struct cp_job *job, const char *spec, uint64_t size, struct devio_mem **mem)
{
	return toolmem_alloc(&job->place, job->ctx, spec, size, mem, &job->error);
}

static int fill_src(struct cp_job *job)
{
	enum { CHUNK = 1 << 20 };
	uint64_t *buf = malloc(CHUNK), end = job->src.start + job->length, words = 0;
	int rc = 0;

	if (!buf)
		return tool_fail(&job->error, TOOL_FAILED, "out of memory");
	for (uint64_t at = 0; at < end && !rc; at += CHUNK) {
		for (unsigned int i = 0; i < CHUNK / 8; i++)
			buf[i] = toolmem_pattern(words++);
		if (tool_stop)
			rc = tool_fail(&job->error, TOOL_FAILED, "interrupted: %s was not written", job->dst.name);
		else if (devio_mem_copy_in(job->src.mem, at, buf, end - at < CHUNK ? end - at : CHUNK))
			rc = tool_fail(&job->error, TOOL_FAILED, "%s: %s", job->src.name, devio_errmsg());
	}
	free(buf);
	return rc;
}

int cp_alloc(struct cp_job *job)
{
	const struct cp_opts *o = &job->o;
	uint64_t blocks = (job->length + o->block - 1) / o->block;

	if (job->dst.is_mem)
		return alloc_mem(job, opt_mem_spec(o->dst), o->seek + job->length, &job->dst.mem);
	if (!job->src.is_mem)
		return alloc_mem(job, o->mem ? o->mem : "auto",
				 (blocks < o->depth ? blocks : o->depth) * o->block, &job->window);
	if (alloc_mem(job, opt_mem_spec(o->src), o->offset + job->length, &job->src.mem))
		return -1;
	return fill_src(job);
}
