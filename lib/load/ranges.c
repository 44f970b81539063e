/* SPDX-License-Identifier: MIT */
/* devio_source_read(): sorts the ranges, merges them into runs, and reads these. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include <devio/load.h>
#include "load/reads.h"

#define DEPTH 32u
#define REAP 32u

struct job {
	struct dv_reads reads;
	struct devio_load_range *ranges;
	uint64_t nr;
	uint64_t *order;         /* ranges by file and offset */
	struct dv_run *runs;
	uint32_t *run_of;        /* by range */
	uint32_t nr_runs;
	uint32_t gap;
	const struct devio_read_opts *o;
};

static int check_ranges(const struct job *j, const struct devio_source *s, struct devio_mem *mem)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	int rc = devio_mem_get_info(mem, &info);

	for (uint64_t i = 0; i < j->nr && !rc; i++) {
		const struct devio_load_range *g = &j->ranges[i];

		if (g->file >= s->shards.nr || g->off > dv_source_shard(s, g->file)->size ||
		    g->len > dv_source_shard(s, g->file)->size - g->off)
			rc = dv_err(-ERANGE, "load: range %llu: %llu bytes at %llu exceed file %u of the source",
				    (unsigned long long)i, (unsigned long long)g->len, (unsigned long long)g->off,
				    g->file);
		else if (g->mem_off > info.size || g->len > info.size - g->mem_off)
			rc = dv_err(-ERANGE, "load: range %llu: %llu bytes at %llu exceed the memory of %llu bytes",
				    (unsigned long long)i, (unsigned long long)g->len, (unsigned long long)g->mem_off,
				    (unsigned long long)info.size);
	}
	return rc;
}

static int in_file_order(const void *a, const void *b, void *arg)
{
	const struct devio_load_range *ranges = arg;
	const struct devio_load_range *x = &ranges[*(const uint64_t *)a], *y = &ranges[*(const uint64_t *)b];

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->len < y->len ? -1 : x->len > y->len;
}

/* Whether the range continues the run, both in the file and in the memory. */
static bool continues(const struct job *j, const struct dv_run *run, const struct devio_load_range *g)
{
	if (g->file != run->file || g->off < run->end || g->off - run->end > j->gap)
		return false;
	return g->mem_off >= run->mem_off && g->mem_off - run->mem_off == g->off - run->off;
}

static void merge(struct job *j)
{
	struct dv_run *run = NULL;

	for (uint64_t i = 0; i < j->nr; i++) {
		struct devio_load_range *g = &j->ranges[j->order[i]];

		if (!g->len)
			continue;
		if (!run || !continues(j, run, g)) {
			run = &j->runs[j->nr_runs++];
			dv_run_init(run, g->file, g->off, g->off, g->mem_off);
		}
		run->end = run->need = g->off + g->len;
		j->run_of[j->order[i]] = run - j->runs;
	}
}

static void count(const struct devio_read_opts *o, const struct devio_completion *c)
{
	if (o->path_bytes && c->path < DEVIO_PATH_MAX)
		o->path_bytes[c->path] += c->good;
	if (o->copied)
		*o->copied += c->copied;
}

static int reap(struct job *j, unsigned int keep)
{
	struct devio_completion done[REAP];

	while (devio_ring_inflight(j->reads.ring) > keep) {
		int64_t slice = j->o->interrupt || j->reads.links ? DV_LINKS_SLICE_NS : -1;
		int n = devio_ring_wait(j->reads.ring, done, 1, REAP, slice);

		dv_links_expire(j->reads.links);
		/* The signal may have arrived just before the wait, or in another thread: check periodically, too. */
		if ((n == -EINTR || !n) && j->o->interrupt && j->o->interrupt(j->o->interrupt_arg))
			return dv_err(-EINTR, "load: interrupted by a signal");
		if (n < 0 && n != -EINTR)
			return n;
		for (int i = 0; i < n; i++) {
			if (!dv_reads_complete(&j->reads, &done[i]))
				continue;
			count(j->o, &done[i]);
			dv_reads_done(&j->reads, &j->runs[dv_reads_number(&done[i])], &done[i]);
		}
	}
	return 0;
}

static int read_all(struct job *j)
{
	int rc = 0;

	for (uint32_t i = 0; i < j->nr_runs && !rc; i++)
		while (!rc && !dv_reads_submit(&j->reads, &j->runs[i], i))
			rc = reap(j, devio_ring_inflight(j->reads.ring) - 1);
	return rc ? rc : reap(j, 0);
}

/* Returns the first error of a range. */
static int report(struct job *j)
{
	int first = 0;

	for (uint64_t i = 0; i < j->nr; i++) {
		struct devio_load_range *g = &j->ranges[i];
		const struct dv_run *run = &j->runs[j->run_of[i]];

		g->error = 0;
		g->path = g->best_unused = g->reason = g->flags = 0;
		if (!g->len)
			continue;
		g->error = g->off + g->len > run->good ? run->error : 0;
		g->path = run->outcome.path;
		g->best_unused = run->outcome.best_unused;
		g->reason = run->outcome.reason;
		g->flags = run->outcome.flags;
		first = first ? first : g->error;
	}
	return first ? dv_err_plain(first, j->reads.errmsg) : 0;
}

static int run_job(struct job *j)
{
	int rc;

	j->order = malloc(j->nr * sizeof(*j->order) + 1);
	j->runs = malloc((j->nr + 1) * sizeof(*j->runs));
	j->run_of = calloc(j->nr + 1, sizeof(*j->run_of));
	if (!j->order || !j->runs || !j->run_of)
		return dv_err(-ENOMEM, "load: cannot allocate the state of %llu ranges", (unsigned long long)j->nr);
	for (uint64_t i = 0; i < j->nr; i++)
		j->order[i] = i;
	qsort_r(j->order, j->nr, sizeof(*j->order), in_file_order, j->ranges);
	merge(j);
	rc = read_all(j);
	if (rc)
		return rc;
	dv_reads_check(&j->reads, j->runs, j->nr_runs, 1);
	return report(j);
}

DEVIO_API int devio_source_read(struct devio_ctx *ctx, const struct devio_source *s, struct devio_mem *mem,
				struct devio_load_range *ranges, uint64_t nr, const struct devio_read_opts *opts)
{
	struct job j = { .ranges = ranges, .nr = nr };
	struct devio_read_opts o;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_read_opts");

	if (!rc && (!ctx || !s || !mem || (nr && !ranges) || nr > UINT32_MAX))
		rc = dv_err(-EINVAL, "load: the context, source, memory or ranges are NULL, or 2^32 ranges or more");
	if (!rc)
		rc = check_ranges(&j, s, mem);
	if (rc)
		return rc;
	j.gap = o.merge_gap;
	j.o = &o;
	rc = dv_reads_open(&j.reads, ctx, s, mem, &(struct dv_reads_opts){ o.max_read, o.depth ? o.depth : DEPTH,
									     o.max_files, o.path, o.flags });
	if (!rc)
		rc = run_job(&j);
	dv_reads_close(&j.reads); /* after this nothing is in flight, whatever the error was */
	free(j.order);
	free(j.runs);
	free(j.run_of);
	return rc;
}
