/* SPDX-License-Identifier: MIT */
/* devio-cp: the device memory that the bytes go to, come from or pass through. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cp.h"
#include "opts.h"

struct choice {
	struct cp_job *job;
	uint64_t size;
	struct devio_mem *mem;
	char *specs[64];
	unsigned int count;
};

static int keep_spec(void *arg, const char *spec)
{
	struct choice *c = arg;

	if (c->count < sizeof(c->specs) / sizeof(*c->specs))
		c->specs[c->count] = strdup(spec);
	if (c->specs[c->count])
		c->count++;
	return 0;
}

/* The first of this machine's memories that has room. */
static int alloc_best(struct choice *c)
{
	struct cp_job *job = c->job;
	int rc = -ENODEV;

	if (devio_mem_list(job->ctx, keep_spec, c) < 0)
		return -1;
	for (unsigned int i = 0; i < c->count; i++) {
		if (!c->mem) {
			rc = devio_mem_alloc(job->ctx, c->specs[i], c->size, NULL, &c->mem);
			if (rc && job->o.verbose)
				fprintf(stderr, "devio-cp: not %s: %s\n", c->specs[i], devio_errmsg());
		}
		free(c->specs[i]);
	}
	return rc;
}

static int alloc_mem(struct cp_job *job, const char *spec, uint64_t size, struct devio_mem **mem)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct choice c = { .job = job, .size = size ? size : 1 };
	int rc;

	if (!strcmp(spec, "auto"))
		rc = alloc_best(&c);
	else
		rc = devio_mem_alloc(job->ctx, spec, c.size, NULL, &c.mem);
	if (rc)
		return cp_fail(job, CP_FAILED, "mem:%s: %s", spec, devio_errmsg());
	*mem = c.mem;
	if (devio_mem_get_info(c.mem, &info))
		return cp_fail(job, CP_FAILED, "mem:%s: %s", spec, devio_errmsg());
	snprintf(job->spec, sizeof(job->spec), "%s", info.spec);
	snprintf(job->bdf, sizeof(job->bdf), "%s", info.bdf);
	job->device = info.caps & DEVIO_MEM_DEVICE;
	return 0;
}

/* splitmix64: every eight bytes are others. */
static uint64_t pattern(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15u;
	n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
	n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
	return n ^ (n >> 31);
}

static int fill_src(struct cp_job *job)
{
	enum { CHUNK = 1 << 20 };
	uint64_t *buf = malloc(CHUNK), end = job->src.start + job->length, words = 0;
	int rc = 0;

	if (!buf)
		return cp_fail(job, CP_FAILED, "no memory for the pattern");
	for (uint64_t at = 0; at < end && !rc; at += CHUNK) {
		for (unsigned int i = 0; i < CHUNK / 8; i++)
			buf[i] = pattern(words++);
		if (cp_stop)
			rc = cp_fail(job, CP_FAILED, "interrupted: %s was not written", job->dst.name);
		else if (devio_mem_copy_in(job->src.mem, at, buf, end - at < CHUNK ? end - at : CHUNK))
			rc = cp_fail(job, CP_FAILED, "%s: %s", job->src.name, devio_errmsg());
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
