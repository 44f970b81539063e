/* SPDX-License-Identifier: MIT */
/* --compare: each job with several engines in turn, so that drift affects all of them alike. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "compare.h"

static int add_variant(struct comparison *c, const char *label, struct bench_err *err)
{
	struct variant *v = &c->variant[c->nr];
	const char *colon = strchr(label, ':');
	char engine[32];

	if (c->nr == MAX_VARIANTS)
		return bench_fail(err, TOOL_USAGE, "--compare: more than %d engines", MAX_VARIANTS);
	memset(v, 0, sizeof(*v));
	snprintf(v->label, sizeof(v->label), "%s", label);
	snprintf(engine, sizeof(engine), "%.*s", colon ? (int)(colon - label) : 31, label);
	v->engine = bench_engine_find(engine);
	if (!v->engine || (colon && v->engine->host))
		return bench_fail(err, TOOL_USAGE, "--compare: '%s' is not devio, devio:PATH, liburing, pread or all",
				  label);
	if (colon) {
		int path = devio_path_parse(colon + 1);

		if (path < 0)
			return bench_fail(err, TOOL_USAGE, "--compare: %s: %s", label, devio_errmsg());
		v->path = (uint64_t)path;
	}
	c->nr++;
	return 0;
}

static int add_all(struct comparison *c, struct bench_err *err)
{
	char label[48];

	if (add_variant(c, "devio", err))
		return -1;
	for (unsigned int p = 1; p < DEVIO_PATH_FILE_MAX; p++) {
		snprintf(label, sizeof(label), "devio:%s", devio_path_name(p));
		if (add_variant(c, label, err))
			return -1;
	}
	return add_variant(c, "liburing", err) || add_variant(c, "pread", err) ? -1 : 0;
}

static int parse(struct comparison *c, const char *list, struct bench_err *err)
{
	char text[512], *save = NULL;

	c->nr = 0;
	if (strlen(list) >= sizeof(text))
		return bench_fail(err, TOOL_USAGE, "--compare: list too long");
	strcpy(text, list);
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
		if (!strcmp(w, "all") ? add_all(c, err) : add_variant(c, w, err))
			return -1;
	if (c->nr < 2)
		return bench_fail(err, TOOL_USAGE, "--compare=%s: at least two engines are needed", list);
	/* Plain io_uring into host memory is what the paths are compared with. */
	c->base = 0;
	for (unsigned int i = 0; i < c->nr; i++)
		if (c->variant[i].engine == &bench_liburing)
			c->base = i;
	return 0;
}

static int alloc_rounds(struct comparison *c, uint64_t rounds, struct bench_err *err)
{
	for (unsigned int i = 0; i < c->nr; i++) {
		c->variant[i].bw = calloc(rounds, sizeof(double));
		c->variant[i].iops = calloc(rounds, sizeof(double));
		if (!c->variant[i].bw || !c->variant[i].iops)
			return bench_fail(err, TOOL_FAILED, "out of memory");
	}
	return 0;
}

static void free_rounds(struct comparison *c)
{
	for (unsigned int i = 0; i < c->nr; i++) {
		free(c->variant[i].sum);
		free(c->variant[i].bw);
		free(c->variant[i].iops);
	}
}

/* Adds the result of a round to the sums; the result is consumed. */
static void add_round(struct variant *v, struct bench_result *r)
{
	uint64_t runtime[DIR_NR];

	v->bw[v->rounds] = bench_result_bw(r, DIR_READ) + bench_result_bw(r, DIR_WRITE);
	v->iops[v->rounds] = bench_result_iops(r, DIR_READ) + bench_result_iops(r, DIR_WRITE);
	v->rounds++;
	if (r->error || r->total_errors) {
		v->status = r->verify_errors ? TOOL_DIFFERS : TOOL_FAILED;
		snprintf(v->error, sizeof(v->error), "%s", *r->cause ? r->cause : "failed");
	}
	if (!v->sum) {
		v->sum = r;
		return;
	}
	/* Rounds run one after the other: their times add up. */
	for (int d = 0; d < DIR_NR; d++)
		runtime[d] = v->sum->dir[d].runtime + r->dir[d].runtime;
	bench_result_merge(v->sum, r);
	v->sum->threads = r->threads;
	for (int d = 0; d < DIR_NR; d++)
		v->sum->dir[d].runtime = runtime[d];
	free(r);
}

static void run_variant(struct devio_ctx *ctx, const struct bench_job *like, struct variant *v, struct bench_live *live)
{
	struct bench_results results = { 0 };
	struct bench_err err = { "", 0 };
	struct bench_job *job = bench_keep_bytes(sizeof(*job));

	if (!job || (v->error[0] && !v->sum))
		return;
	*job = *like;
	job->engine = v->engine;
	job->path = v->engine->host ? 0 : v->path ? v->path : like->path;
	job->direct_only = v->engine->host ? 0 : like->direct_only;
	if (v->path == DEVIO_PATH_FILE_BUFFERED)
		job->direct = 0;
	job->group_reporting = 1;
	bench_job_defaults(job);
	if (bench_group_run(ctx, &job, 1, live, &results, &err)) {
		snprintf(v->error, sizeof(v->error), "%.399s", err.text);
		/* A path that is not available is an answer, not a failure. */
		v->status = err.status == TOOL_NO_PATH ? TOOL_OK : err.status;
	} else {
		add_round(v, results.r[0]);
		results.nr = 0;
	}
	bench_results_free(&results);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static struct spread spread_of(double *value, unsigned int nr)
{
	struct spread s = { 0 };

	if (!nr)
		return s;
	qsort(value, nr, sizeof(*value), compare);
	s.min = value[0];
	s.max = value[nr - 1];
	s.median = nr % 2 ? value[nr / 2] : (value[nr / 2 - 1] + value[nr / 2]) / 2;
	return s;
}

static void evaluate(struct comparison *c)
{
	for (unsigned int i = 0; i < c->nr; i++) {
		struct variant *v = &c->variant[i];
		struct hist *h;
		uint64_t ops;

		v->bw_spread = spread_of(v->bw, v->rounds);
		v->iops_spread = spread_of(v->iops, v->rounds);
		if (!v->sum)
			continue;
		h = &v->sum->dir[DIR_READ].clat;
		ops = bench_result_ops(v->sum);
		v->cpu_us = ops ? 1e6 * (v->sum->cost.usr + v->sum->cost.sys) / (double)ops : 0;
		/* Reads and writes together. */
		hist_merge(h, &v->sum->dir[DIR_WRITE].clat);
		v->p50_us = (double)hist_percentile(h, 50) / 1e3;
		v->p99_us = (double)hist_percentile(h, 99) / 1e3;
	}
	for (unsigned int i = 0; i < c->nr; i++)
		if (c->variant[c->base].bw_spread.median > 0)
			c->variant[i].ratio = c->variant[i].bw_spread.median / c->variant[c->base].bw_spread.median;
}

static void report(struct bench_cmd *cmd, const struct comparison *c, struct json_object *list, bool first)
{
	bench_output_begin(cmd);    /* none of the engines may have been able to run */
	if (cmd->formats & (OUT_JSON | OUT_JSON_PLUS))
		json_object_array_add(list, bench_compare_json(c));
	if (cmd->formats & OUT_NORMAL)
		bench_compare_text(cmd->out, c);
	if (cmd->formats & OUT_MARKDOWN)
		bench_compare_markdown(cmd->out, c, first);
	fflush(cmd->out);
}

static int one_job(struct devio_ctx *ctx, struct bench_cmd *cmd, const struct bench_job *job,
		   struct bench_live *live, struct json_object *list, struct bench_err *err)
{
	static struct comparison c;
	bool first = !c.job;
	int rc;

	c.job = job;
	if (parse(&c, cmd->compare, err))
		return -1;
	rc = alloc_rounds(&c, cmd->rounds, err);
	for (uint64_t round = 0; !rc && round < cmd->rounds && !tool_stop; round++)
		for (unsigned int i = 0; i < c.nr && !tool_stop; i++)
			run_variant(ctx, job, &c.variant[(i + round) % c.nr], live);
	if (!rc) {
		evaluate(&c);
		report(cmd, &c, list, first);
	}
	for (unsigned int i = 0; i < c.nr; i++)
		if (c.variant[i].status > err->status)
			bench_fail(err, c.variant[i].status, "%s: %s", c.variant[i].label, c.variant[i].error);
	free_rounds(&c);
	return rc;
}

int bench_compare(struct devio_ctx *ctx, struct bench_cmd *cmd, const struct bench_jobs *jobs,
		  struct bench_live *live, struct bench_err *err)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	int rc = 0;

	json_put_text(top, "devio_version", devio_version());
	json_put(top, "comparison", list);
	for (unsigned int i = 0; i < jobs->nr && !rc && !tool_stop; i++)
		rc = one_job(ctx, cmd, &jobs->job[i], live, list, err);
	if (!rc && cmd->formats & (OUT_JSON | OUT_JSON_PLUS))
		json_print(cmd->out, top);
	else
		json_object_put(top);
	return rc || err->status ? -1 : 0;
}
