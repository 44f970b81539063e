/* SPDX-License-Identifier: MIT */
/* Reading runs: a run is split into reads at multiples of max_read, so that the index of a read gives its range. */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "load/reads.h"

#define DEPTH_MAX 4096u
#define FILES_DEFAULT 256u

static int check_opts(struct dv_reads_opts *o)
{
	if (!o->max_read)
		o->max_read = DV_READS_MAX;
	if (!o->max_files)
		o->max_files = FILES_DEFAULT;
	if (o->max_read % DV_READS_BLOCK || o->max_read > (1u << 30))
		return dv_err(-EINVAL, "load: invalid max_read %u: use a multiple of %u, at most 1 GiB", o->max_read,
			      DV_READS_BLOCK);
	if (o->depth > DEPTH_MAX || o->flags & ~(DEVIO_FILE_DIRECT_ONLY | DEVIO_FILE_NO_CACHE))
		return dv_err(-EINVAL, "load: depth %u (at most %u) or unknown flags in 0x%x", o->depth, DEPTH_MAX,
			      o->flags);
	if (o->path < 0 || o->path >= DEVIO_PATH_MAX)
		return dv_err(-EINVAL, "load: unknown path %d: see enum devio_path", o->path);
	return 0;
}

int dv_reads_open(struct dv_reads *r, struct devio_ctx *ctx, const struct devio_source *s, struct devio_mem *mem,
		  const struct dv_reads_opts *o)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	int rc;

	memset(r, 0, sizeof(*r));
	r->o = *o;
	rc = check_opts(&r->o);
	if (rc)
		return rc;
	r->ctx = ctx;
	r->mem = mem;
	r->source = dv_source_get(s);
	if (r->o.max_files > s->shards.nr)
		r->o.max_files = s->shards.nr;
	r->files = calloc(s->shards.nr + 1, sizeof(*r->files));
	r->open = calloc(r->o.max_files + 1, sizeof(*r->open));
	if (!r->files || !r->open)
		return dv_err(-ENOMEM, "load: cannot allocate the state of %llu files",
			      (unsigned long long)s->shards.nr);
	ro.entries = s->servers.nr ? r->o.depth * DV_LINKS_OPS : r->o.depth;
	rc = devio_ring_open(ctx, &ro, &r->ring);
	if (rc || !s->servers.nr)
		return rc;
	return dv_links_open(ctx, r->ring, s, r->o.depth, r->o.path, r->o.flags & DEVIO_FILE_DIRECT_ONLY, &r->links);
}

void dv_reads_close(struct dv_reads *r)
{
	dv_links_cut(r->links);
	devio_ring_close(r->ring); /* waits until nothing writes to the memory any more */
	dv_links_close(r->links);
	for (uint32_t i = 0; i < r->nr_open; i++)
		devio_file_close(r->files[r->open[i]].file);
	free(r->files);
	free(r->open);
	devio_source_close((struct devio_source *)r->source);
	memset(r, 0, sizeof(*r));
}

/* Whether the file has changed. A remote one is checked by its server. */
static void check_file(struct dv_reads *r, uint32_t n)
{
	struct dv_reads_file *f = &r->files[n];

	if (!f->file || f->stale || !dv_source_same(dv_source_shard(r->source, n), devio_file_fd(f->file)))
		return;
	f->stale = true;
	snprintf(r->errmsg, sizeof(r->errmsg), "%s", devio_errmsg());
}

/*
 * Makes room in open[]: 0, or -EAGAIN if reads of all open files are in flight. Of the
 * others the least recently used one is closed: it is checked first, for those of its
 * reads that have not been delivered.
 */
static int make_room(struct dv_reads *r)
{
	uint32_t oldest = r->nr_open;

	if (r->nr_open < r->o.max_files)
		return 0;
	for (uint32_t i = 0; i < r->nr_open; i++)
		if (!r->files[r->open[i]].inflight &&
		    (oldest == r->nr_open || r->files[r->open[i]].used < r->files[r->open[oldest]].used))
			oldest = i;
	if (oldest == r->nr_open)
		return -EAGAIN;
	check_file(r, r->open[oldest]);
	devio_file_close(r->files[r->open[oldest]].file);
	r->files[r->open[oldest]].file = NULL;
	r->open[oldest] = r->open[--r->nr_open];
	return 0;
}

static int open_file(struct dv_reads *r, uint32_t n)
{
	const struct dv_shard *sh = dv_source_shard(r->source, n);
	struct devio_file_opts o = DEVIO_OPTS(o);
	struct devio_file *f = NULL;
	int rc = make_room(r), fd;

	if (rc)
		return rc;
	/* O_NONBLOCK: the file may have been replaced by a FIFO. */
	fd = open(sh->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return dv_err(-errno, "load %s: cannot open it any more", sh->path);
	/* With local and remote files, a path for connections applies to the remote ones only. */
	o.path = r->links && r->o.path >= DEVIO_PATH_SOCK_DEVMEM ? 0 : r->o.path;
	o.flags = r->o.flags;
	rc = dv_source_same(sh, fd);
	if (!rc)
		rc = devio_file_import(r->ctx, fd, &o, &f);
	close(fd);
	if (rc)
		return rc;
	r->open[r->nr_open++] = n;
	r->files[n].file = f;
	return 0;
}

/* The run fails from byte `at` of the file onward, with this errno. */
static void fail_run(struct dv_run *run, uint64_t at, int error, const struct dv_outcome *outcome)
{
	if (at >= run->good)
		return;
	run->good = at;
	run->error = error;
	run->outcome = *outcome;
}

/* Keeps the error message. That of a connection does not name the file. */
static void keep_errmsg(struct dv_reads *r, const struct dv_shard *sh)
{
	if (sh->server)
		snprintf(r->errmsg, sizeof(r->errmsg), "load %.200s: %.300s", sh->path, devio_errmsg());
	else
		snprintf(r->errmsg, sizeof(r->errmsg), "%s", devio_errmsg());
}

/* The range [*from, *to) of the file of the run's nth read. Servers have a lower limit, and no bytes past the end. */
static void read_range(const struct dv_reads *r, const struct dv_run *run, uint32_t n, uint64_t *from, uint64_t *to)
{
	const struct dv_shard *sh = dv_source_shard(r->source, run->file);
	uint64_t base = run->off & ~(uint64_t)(DV_READS_BLOCK - 1), most = r->o.max_read;

	if (sh->server && most > DV_WIRE_READ_MAX)
		most = DV_WIRE_READ_MAX;
	*from = n ? base + n * most : run->off;
	*to = base + (n + 1ULL) * most;
	if (*to > run->end)
		*to = run->end;
	if (sh->server && *to > sh->size)
		*to = sh->size;
}

/* Submits one read of the run. 0, -EAGAIN: no room now, or -errno with an error message. */
static int submit_one(struct dv_reads *r, const struct dv_run *run, uint64_t from, uint64_t to, uint64_t cookie)
{
	const struct devio_range to_mem = { r->mem, run->mem_off + (from - run->off), to - from };
	struct dv_reads_file *f;
	int rc = 0;

	if (run->submitted == DV_LINKS_COOKIE - 1)
		return dv_err(-EFBIG, "load: more than 2^31 reads of %u bytes: increase max_read", r->o.max_read);
	if (r->inflight == r->o.depth && r->links)
		return -EAGAIN;
	if (dv_source_shard(r->source, run->file)->server)
		return dv_links_read(r->links, run->file, &to_mem, from, cookie);
	f = &r->files[run->file];
	if (!f->file)
		rc = open_file(r, run->file);
	if (!rc)
		rc = devio_ring_read(r->ring, f->file, r->mem, to_mem.off, to_mem.len, from, cookie);
	if (rc)
		return rc;
	f->used = ++r->now;
	f->inflight++;
	return 0;
}

bool dv_reads_submit(struct dv_reads *r, struct dv_run *run, uint32_t number)
{
	const struct dv_outcome none = { .reason = DEVIO_REASON_IO };
	uint64_t from, to;
	int rc;

	for (;;) {
		read_range(r, run, run->submitted, &from, &to);
		if (from >= to || run->error)
			return true;
		rc = submit_one(r, run, from, to, (uint64_t)number << 32 | run->submitted);
		if (rc == -EAGAIN)
			return false;
		if (rc) {
			keep_errmsg(r, dv_source_shard(r->source, run->file));
			fail_run(run, from, rc, &none);
			return true;
		}
		run->submitted++;
		run->inflight++;
		r->inflight++;
	}
}

static void set_errmsg(struct dv_reads *r, const struct dv_run *run, uint64_t from, const struct devio_completion *c,
		       int error)
{
	const struct dv_shard *sh = dv_source_shard(r->source, run->file);
	char text[300];

	if (sh->server) {
		snprintf(r->errmsg, sizeof(r->errmsg), "load %.200s: byte %llu: %s", sh->path, (unsigned long long)from,
			 dv_links_cause(r->links));
		return;
	}
	devio_completion_text(c, text, sizeof(text));
	snprintf(r->errmsg, sizeof(r->errmsg), "load %.150s: byte %llu: %s%s", sh->path, (unsigned long long)from, text,
		 error == -ENODATA ? ": the file was truncated while it was read" : "");
}

void dv_reads_done(struct dv_reads *r, struct dv_run *run, const struct devio_completion *c)
{
	const struct dv_outcome outcome = { c->path, c->best_unused, c->reason, c->flags };
	uint64_t from, to;

	read_range(r, run, (uint32_t)c->cookie, &from, &to);
	run->inflight--;
	r->inflight--;
	if (!dv_source_shard(r->source, run->file)->server)
		r->files[run->file].inflight--;
	r->reads++;
	r->bytes += c->good;
	if (to > run->need)
		to = run->need; /* the rest of the last block may be past the end of the file */
	if (c->result < 0 || from + c->good < to) {
		int error = c->result < 0 ? (int)c->result : -ENODATA;

		set_errmsg(r, run, from, c, error);
		fail_run(run, from + c->good, error, &outcome);
	} else if (!run->error && c->path >= run->outcome.path) {
		run->outcome = outcome;
	}
}

void dv_reads_check(struct dv_reads *r, struct dv_run *runs, uint32_t nr, uint64_t check)
{
	const struct dv_outcome none = { .reason = DEVIO_REASON_IO };

	for (uint32_t i = 0; i < nr; i++) {
		struct dv_reads_file *f = &r->files[runs[i].file];

		if (f->checked != check)
			check_file(r, runs[i].file);
		f->checked = check;
		if (!f->stale)
			continue;
		runs[i].good = runs[i].off; /* whatever failed before */
		runs[i].error = -ESTALE;
		runs[i].outcome = none;
	}
}
