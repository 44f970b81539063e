/* SPDX-License-Identifier: MIT */
/* devio-cp: the copy itself, `depth` blocks in flight on one ring. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cp.h"

#define TICK_NS 100000000ll    /* how often progress and signals are polled */
#define REAP 64

struct slot {
	uint64_t pos, len;     /* the block: bytes [pos, pos + len) of the copy */
	uint64_t done;         /* bytes of it, in this direction */
	bool writing;
};

struct run {
	struct cp_job *job;
	struct devio_ring *ring;
	struct slot *slots;
	unsigned int *idle, nr_idle, inflight;
	uint64_t next;         /* the first byte that is in no block yet */
	uint64_t data_end;     /* there is no hole of the source in [next, data_end) */
	double start;
};

static struct devio_mem *slot_mem(const struct run *r, unsigned int i, uint64_t *off)
{
	const struct cp_job *job = r->job;
	const struct slot *s = &r->slots[i];

	if (job->window) {
		*off = i * job->o.block + s->done;
		return job->window;
	}
	*off = (job->dst.is_mem ? job->dst.start : job->src.start) + s->pos + s->done;
	return job->dst.is_mem ? job->dst.mem : job->src.mem;
}

static bool refused(const struct cp_job *job, int64_t err)
{
	return err == -EOPNOTSUPP && (job->o.direct_only || job->o.path);
}

/* Queues the rest of the slot's block. */
static int queue(struct run *r, unsigned int i)
{
	struct cp_job *job = r->job;
	struct slot *s = &r->slots[i];
	struct cp_end *end = s->writing ? &job->dst : &job->src;
	uint64_t off, at = end->start + s->pos + s->done;
	struct devio_mem *mem = slot_mem(r, i, &off);
	int rc;

	if (s->writing) {
		end->in_place_begun = !end->out.temp;
		rc = devio_ring_write(r->ring, end->file, mem, off, s->len - s->done, at, i);
	} else {
		rc = devio_ring_read(r->ring, end->file, mem, off, s->len - s->done, at, i);
	}
	if (rc)
		return tool_fail(&job->error, refused(job, rc) ? TOOL_NO_PATH : TOOL_FAILED, "%s: %s", end->name,
				 devio_errmsg());
	r->inflight++;
	return 0;
}

/*
 * The end of the data from r->next on, after holes of the source were skipped: a new file has holes everywhere until
 * it is written. File systems without holes report all as data.
 */
static uint64_t data_end(struct run *r)
{
	struct cp_job *job = r->job;
	off_t from = (off_t)(job->src.start + r->next), data, hole;
	uint64_t skip;

	if (r->next < r->data_end || !job->dst.out.temp || job->src.fd < 0)
		return job->dst.out.temp && job->src.fd >= 0 ? r->data_end : job->length;
	data = lseek(job->src.fd, from, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		data = from;
	skip = data < 0 || (uint64_t)(data - from) > job->length - r->next ? job->length - r->next :
	       (uint64_t)(data - from);
	r->next += skip;
	job->holes += skip;
	hole = data < 0 ? -1 : lseek(job->src.fd, data, SEEK_HOLE);
	r->data_end = hole <= data ? job->length : (uint64_t)hole - job->src.start;
	return r->data_end = r->data_end < job->length ? r->data_end : job->length;
}

static int fill(struct run *r)
{
	struct cp_job *job = r->job;

	while (r->nr_idle && r->next < job->length && !*job->error.text && !tool_stop) {
		uint64_t end = data_end(r), left = end - r->next;
		unsigned int i;
		struct slot *s;

		if (r->next == job->length)
			break;
		i = r->idle[--r->nr_idle];
		s = &r->slots[i];

		*s = (struct slot){ .pos = r->next, .len = left < job->o.block ? left : job->o.block,
				    .writing = job->src.is_mem };
		r->next += s->len;
		if (queue(r, i))
			return -1;
	}
	return 0;
}

static void failed(struct run *r, const struct slot *s, const struct devio_completion *c)
{
	struct cp_job *job = r->job;
	struct cp_end *end = s->writing ? &job->dst : &job->src;
	char text[512];

	devio_completion_text(c, text, sizeof(text));
	tool_fail(&job->error, refused(job, c->result) ? TOOL_NO_PATH : TOOL_FAILED, "%s: at byte %llu: %s", end->name,
		  (unsigned long long)(end->start + s->pos + s->done + c->good), text);
}

/* Bytes of a block are done: continue with its rest, with its write, or with the next block. */
static int advance(struct run *r, unsigned int i)
{
	struct slot *s = &r->slots[i];

	if (s->done < s->len)
		return queue(r, i);
	if (!s->writing && r->job->window) {
		s->writing = true;
		s->done = 0;
		return queue(r, i);
	}
	r->idle[r->nr_idle++] = i;
	return 0;
}

static void complete(struct run *r, const struct devio_completion *c)
{
	struct cp_job *job = r->job;
	unsigned int i = (unsigned int)c->cookie;
	struct slot *s = &r->slots[i];

	r->inflight--;
	summary_add(&job->summary, c);
	if (c->result < 0) {
		failed(r, s, c);
		return;
	}
	s->done += (uint64_t)c->result;
	if (s->writing == !job->dst.is_mem)
		job->moved += (uint64_t)c->result;
	if (!c->result && s->writing)
		tool_fail(&job->error, TOOL_FAILED, "%s: cannot write more bytes at %llu", job->dst.name,
			  (unsigned long long)(job->dst.start + s->pos + s->done));
	else if (!c->result)
		tool_fail(&job->error, TOOL_FAILED, "%s: ends at byte %llu: it shrank during the copy", job->src.name,
			  (unsigned long long)(job->src.start + s->pos + s->done));
	if (!*job->error.text && !tool_stop)
		advance(r, i);
}

static void reap(struct run *r)
{
	struct devio_completion done[REAP];
	int n = devio_ring_wait(r->ring, done, 1, REAP, TICK_NS);

	if (n < 0 && n != -EINTR) {
		tool_fail(&r->job->error, TOOL_FAILED, "ring: %s", devio_errmsg());
		r->inflight = 0;        /* devio_ring_close() waits for them */
	}
	for (int i = 0; i < n; i++)
		complete(r, &done[i]);
}

/* After an error or a signal: nothing in flight may write any more. */
static void drain(struct run *r)
{
	if (tool_stop)
		tool_fail(&r->job->error, TOOL_FAILED, "interrupted after %llu of %llu bytes: %s",
			  (unsigned long long)r->job->moved, (unsigned long long)r->job->length,
			  r->job->dst.in_place_begun ? "the destination is partly overwritten" : "no file was written");
	for (unsigned int i = 0; r->inflight && i < r->job->o.depth; i++)
		devio_ring_cancel(r->ring, i);
	while (r->inflight)
		reap(r);
}

static int open_run(struct run *r)
{
	struct cp_job *job = r->job;
	struct devio_ring_opts ro = DEVIO_OPTS(ro);

	ro.entries = job->o.depth;
	ro.staging = job->o.staging;
	if (devio_ring_open(job->ctx, &ro, &r->ring))
		return tool_fail(&job->error, TOOL_FAILED, "ring: %s", devio_errmsg());
	r->slots = calloc(job->o.depth, sizeof(*r->slots));
	r->idle = calloc(job->o.depth, sizeof(*r->idle));
	if (!r->slots || !r->idle)
		return tool_fail(&job->error, TOOL_FAILED, "out of memory");
	while (r->nr_idle < job->o.depth) {
		r->idle[r->nr_idle] = job->o.depth - 1 - r->nr_idle;
		r->nr_idle++;
	}
	return 0;
}

int cp_run(struct cp_job *job)
{
	struct run r = { .job = job, .start = tool_now() };

	if (!open_run(&r)) {
		while (!fill(&r) && r.inflight && !*job->error.text && !tool_stop) {
			reap(&r);
			cp_progress(job, tool_now() - r.start);
		}
		if (*job->error.text || tool_stop)
			drain(&r);
	}
	devio_ring_close(r.ring);
	free(r.slots);
	free(r.idle);
	return *job->error.text ? -1 : 0;
}
