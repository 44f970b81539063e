/* SPDX-License-Identifier: MIT */
/*
 * --tune: the block size and depth with the highest rate. For each block size,
 * depth is doubled until that does not help any more; of all points within 2 %
 * of the best, the one with the fewest bytes in flight wins: more only adds
 * latency.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "common/summary.h"
#include "common/term.h"
#include "run.h"

#define MAX_POINTS 128
#define MAX_DEPTH 256
#define MAX_FLIGHT (256ull << 20)

struct search {
	struct devio_ctx *ctx;
	const struct bench_cmd *cmd;
	const struct bench_job *like;
	struct bench_live *live;
	struct bench_point point[MAX_POINTS];
	unsigned int nr, best;
	char mem[64];
	unsigned int path;
	uint32_t why;               /* best_unused << 16 | reason */
};

static bool was_set(const struct bench_job *job, const char *key)
{
	for (unsigned int i = 0; i < job->nr_sets; i++)
		if (!strcmp(job->set[i].key, key))
			return true;
	return false;
}

static int measure(struct search *s, uint64_t bs, uint64_t depth, struct bench_err *err)
{
	struct bench_point *p = &s->point[s->nr];
	struct bench_job job = *s->like, *one = &job;
	struct bench_results results = { 0 };
	const struct bench_result *r;
	int rc;

	job.bs[DIR_READ] = job.bs[DIR_WRITE] = bs;
	job.nr_split[DIR_READ] = job.nr_split[DIR_WRITE] = 0;
	job.bs_range[DIR_READ] = job.bs_range[DIR_WRITE] = 0;
	job.iodepth = depth;
	job.batch_max = job.depth_low = UNSET;
	job.runtime = s->cmd->tune_ms * 1000000;
	job.ramp = job.runtime / 10;
	job.time_based = job.group_reporting = 1;
	bench_job_defaults(&job);
	rc = bench_group_run(s->ctx, &one, 1, s->live, &results, err);
	if (!rc) {
		r = results.r[0];
		p->bs = bs;
		p->depth = depth;
		p->bw = bench_result_bw(r, DIR_READ) + bench_result_bw(r, DIR_WRITE);
		p->iops = bench_result_iops(r, DIR_READ) + bench_result_iops(r, DIR_WRITE);
		p->p99_us = (double)hist_percentile(&r->dir[job.rw & RW_READ ? DIR_READ : DIR_WRITE].clat, 99) / 1e3;
		p->cpu = p->bw > 0 ? (r->cost.usr + r->cost.sys) * 1e9 /
				     (double)(r->dir[DIR_READ].bytes + r->dir[DIR_WRITE].bytes + 1) : 0;
		s->nr++;
		snprintf(s->mem, sizeof(s->mem), "%s", r->mem);
		s->path = bench_result_path(r);
		s->why = r->paths.why[s->path];
		if (r->error)
			rc = bench_fail(err, TOOL_FAILED, "%s", *r->cause ? r->cause : strerror(-r->error));
	}
	bench_results_free(&results);
	return rc;
}

static uint64_t least_region(const struct bench_job *job)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < job->nr_files; i++)
		least = job->file[i].size < least ? job->file[i].size : least;
	return least;
}

static void print_point(const struct search *s, const struct bench_point *p, const char *mark)
{
	char bs[BENCH_NUM], bw[BENCH_NUM], iops[BENCH_NUM];

	if (!(s->cmd->formats & OUT_NORMAL))
		return;
	fprintf(s->cmd->out, "%8s %6llu %10s/s %8s %10.1f %8.3f%s\n", bench_text_bytes((double)p->bs, true, bs),
		(unsigned long long)p->depth, bench_text_bytes(p->bw, true, bw),
		bench_text_count((double)(uint64_t)p->iops, iops), p->p99_us, p->cpu, mark);
	fflush(s->cmd->out);
}

/* Depth is doubled until two doublings in a row gain less than 3 %. */
static int one_block_size(struct search *s, uint64_t bs, struct bench_err *err)
{
	bool fixed = was_set(s->like, "iodepth") || s->like->engine->sync;
	double best = 0;
	int idle = 0;

	for (uint64_t depth = fixed ? s->like->iodepth : 1; depth <= MAX_DEPTH && s->nr < MAX_POINTS; depth *= 2) {
		if (depth > 1 && depth * bs > MAX_FLIGHT)
			break;
		if (measure(s, bs, depth, err))
			return -1;
		print_point(s, &s->point[s->nr - 1], "");
		idle = s->point[s->nr - 1].bw > best * 1.03 ? 0 : idle + 1;
		if (s->point[s->nr - 1].bw > best)
			best = s->point[s->nr - 1].bw;
		if (fixed || idle == 2 || tool_stop)
			break;
	}
	return 0;
}

static int search(struct search *s, struct bench_err *err)
{
	static const uint64_t sizes[] = { 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20 };
	uint64_t limit = least_region(s->like);
	char text[BENCH_JOB_TEXT];
	int rc = 0;

	if (s->cmd->formats & OUT_NORMAL) {
		bench_text_job(s->like, text, sizeof(text));
		term_wrap(s->cmd->out, "", text);
		fprintf(s->cmd->out, "%8s %6s %12s %8s %10s %8s\n", "bs", "depth", "BW", "IOPS", "p99 (us)",
			"CPU s/GB");
	}
	if (was_set(s->like, "bs"))
		return one_block_size(s, s->like->bs[s->like->rw & RW_READ ? DIR_READ : DIR_WRITE], err);
	for (size_t i = 0; !rc && i < sizeof(sizes) / sizeof(*sizes) && !tool_stop; i++)
		if (sizes[i] <= limit)
			rc = one_block_size(s, sizes[i], err);
	return rc;
}

static void choose(struct search *s)
{
	double most = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		most = s->point[i].bw > most ? s->point[i].bw : most;
	s->best = UINT32_MAX;
	for (unsigned int i = 0; i < s->nr; i++) {
		const struct bench_point *p = &s->point[i], *b = s->best == UINT32_MAX ? NULL : &s->point[s->best];

		if (p->bw < 0.98 * most)
			continue;
		if (!b || p->bs * p->depth < b->bs * b->depth ||
		    (p->bs * p->depth == b->bs * b->depth && p->bw > b->bw))
			s->best = i;
	}
}

static void print_job_file(const struct search *s, FILE *out)
{
	static const char *const own[] = { "name", "bs", "bsrange", "bssplit",
		"iodepth", "runtime", "time_based", "ramp_time" };
	const struct bench_point *b = &s->point[s->best];

	fprintf(out, "[%s]\n", s->like->name);
	for (unsigned int i = 0; i < s->like->nr_sets; i++) {
		bool skip = false;

		for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++)
			skip |= !strcmp(s->like->set[i].key, own[k]);
		if (!skip)
			fprintf(out, "%s=%s\n", s->like->set[i].key, s->like->set[i].value);
	}
	if (b->bs % 1024)
		fprintf(out, "bs=%llu\n", (unsigned long long)b->bs);
	else
		fprintf(out, "bs=%lluk\n", (unsigned long long)b->bs >> 10);
	fprintf(out, "iodepth=%llu\nruntime=30\ntime_based=1\n", (unsigned long long)b->depth);
}

static struct json_object *point_json(const struct bench_point *p)
{
	struct json_object *o = json_object_new_object();

	json_put_u64(o, "bs", p->bs);
	json_put_u64(o, "iodepth", p->depth);
	json_put_num(o, "bw_bytes", p->bw);
	json_put_num(o, "iops", p->iops);
	json_put_num(o, "p99_us", p->p99_us);
	json_put_num(o, "cpu_s_per_gb", p->cpu);
	return o;
}

static void print_json(const struct search *s, FILE *out)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();

	for (unsigned int i = 0; i < s->nr; i++)
		json_object_array_add(list, point_json(&s->point[i]));
	json_put_text(top, "devio_version", devio_version());
	json_put_text(top, "jobname", s->like->name);
	json_put_text(top, "mem", s->mem);
	summary_json_path(top, "", s->path, s->why >> 16, s->why & 0xffff);
	json_put(top, "best", point_json(&s->point[s->best]));
	json_put(top, "curve", list);
	json_print(out, top);
}

/* Memory, path and the best point, and the job file for it. */
static void print_best(const struct search *s, FILE *out)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", s->mem);
	if (s->path)
		snprintf(text, sizeof(text), "%s, path %s", s->mem, devio_path_name(s->path));
	fprintf(out, "\nmemory %s\n", text);
	if (s->why) {
		snprintf(text, sizeof(text), "not %s: %s", devio_path_name(s->why >> 16),
			 devio_reason_text(s->why & 0xffff));
		term_wrap(out, "reason: ", text);
	}
	fprintf(out, "best:\n");
	print_point(s, &s->point[s->best], "\n");
	print_job_file(s, out);
}

int bench_tune(struct devio_ctx *ctx, const struct bench_cmd *cmd, const struct bench_jobs *jobs,
	       struct bench_live *live, struct bench_err *err)
{
	static struct search s;
	int rc;

	if (jobs->nr != 1)
		return bench_fail(err, TOOL_USAGE, "--tune: only one job is supported (%u are given)", jobs->nr);
	s = (struct search){ .ctx = ctx, .cmd = cmd, .like = &jobs->job[0], .live = live };
	if (s.like->verify)
		return bench_fail(err, TOOL_USAGE, "--tune: verify is not supported");
	rc = search(&s, err);
	if (!s.nr)
		return rc ? rc : bench_fail(err, TOOL_FAILED, "--tune: nothing was measured");
	choose(&s);
	if (cmd->formats & OUT_NORMAL)
		print_best(&s, cmd->out);
	if (cmd->formats & (OUT_JSON | OUT_JSON_PLUS))
		print_json(&s, cmd->out);
	return !rc && cmd->plot ? bench_plot_tune(cmd, s.point, s.nr, s.best, err) : rc;
}
