/* SPDX-License-Identifier: MIT */
/* The report as JSON: fio's keys, so that its readers work, and the path. json+ adds the bins. */
#include "config.h"
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>
#include "bench/run.h"

static void add(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static void add_int(struct json_object *o, const char *key, uint64_t value)
{
	add(o, key, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	add(o, key, json_object_new_string(value));
}

static void add_double(struct json_object *o, const char *key, double value)
{
	struct json_object *d = json_object_new_double(value);

	json_object_set_serializer(d, json_object_double_to_json_string, (void *)(uintptr_t)"%.6f", NULL);
	add(o, key, d);
}

static void add_percentiles(struct json_object *o, const struct hist *h, const struct bench_job *job)
{
	struct json_object *list = json_object_new_object();
	uint64_t value[BENCH_PERCENTILES];
	char key[32];

	hist_percentiles(h, job->percentile, job->nr_percentiles, value);
	for (unsigned int i = 0; i < job->nr_percentiles; i++) {
		snprintf(key, sizeof(key), "%f", job->percentile[i]);
		add_int(list, key, value[i]);
	}
	add(o, "percentile", list);
}

/* Keyed by the value that a bin stands for, as fio does. */
static void add_bins(struct json_object *o, const struct hist *h)
{
	struct json_object *list = json_object_new_object();
	char key[32];

	for (unsigned int i = 0; i < HIST_BINS; i++) {
		if (!h->bin[i])
			continue;
		snprintf(key, sizeof(key), "%llu", (unsigned long long)hist_value(i));
		add_int(list, key, h->bin[i]);
	}
	add(o, "bins", list);
}

static void add_lat(struct json_object *dir, const char *key, const struct hist *h, const struct bench_job *job,
		    bool percentiles, bool plus)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "min", h->n ? h->min : 0);
	add_int(o, "max", h->max);
	add_double(o, "mean", hist_mean(h));
	add_double(o, "stddev", hist_stddev(h));
	add_int(o, "N", h->n);
	if (percentiles && h->n) {
		add_percentiles(o, h, job);
		if (plus)
			add_bins(o, h);
	}
	add(dir, key, o);
}

static void add_series(struct json_object *o, const struct bench_result *r, int d)
{
	const struct bench_series *bw = &r->bw[d], *iops = &r->iops[d];
	double rate = bench_result_bw(r, d);

	add_int(o, "bw_min", (uint64_t)bw->min);
	add_int(o, "bw_max", (uint64_t)bw->max);
	add_double(o, "bw_agg", rate > 0 ? 100 * bench_series_mean(bw) * 1024 / rate : 0);
	add_double(o, "bw_mean", bench_series_mean(bw));
	add_double(o, "bw_dev", bench_series_stddev(bw));
	add_int(o, "bw_samples", bw->n);
	add_int(o, "iops_min", (uint64_t)iops->min);
	add_int(o, "iops_max", (uint64_t)iops->max);
	add_double(o, "iops_mean", bench_series_mean(iops));
	add_double(o, "iops_stddev", bench_series_stddev(iops));
	add_int(o, "iops_samples", iops->n);
}

static void add_dir(struct json_object *job, const char *key, const struct bench_result *r, int d, bool plus)
{
	struct json_object *o = json_object_new_object();
	const struct bench_stat *s = &r->dir[d];
	double bw = bench_result_bw(r, d);

	add_int(o, "io_bytes", s->bytes);
	add_int(o, "io_kbytes", s->bytes >> 10);
	add_int(o, "bw_bytes", (uint64_t)bw);
	add_int(o, "bw", (uint64_t)bw >> 10);
	add_double(o, "iops", bench_result_iops(r, d));
	add_int(o, "runtime", s->runtime / 1000000);
	add_int(o, "total_ios", s->n);
	add_int(o, "short_ios", s->shorts);
	add_int(o, "drop_ios", 0);
	add_int(o, "errors", s->errors);
	add_lat(o, "slat_ns", &s->slat, r->job, r->job->slat_pct, plus);
	add_lat(o, "clat_ns", &s->clat, r->job, r->job->clat_pct, plus);
	add_lat(o, "lat_ns", &s->lat, r->job, r->job->lat_pct, plus);
	add_series(o, r, d);
	add(job, key, o);
}

/* Readers of fio's JSON expect the trims, too. */
static void add_no_trim(struct json_object *job, const struct bench_result *r)
{
	static struct bench_result none;

	none.job = r->job;
	add_dir(job, "trim", &none, DIR_READ, false);
}

static void add_steps(struct json_object *job, const char *key, const char *const *names, const uint64_t *step)
{
	struct json_object *o = json_object_new_object();
	double share[BENCH_DEPTHS];

	bench_shares(step, share);
	for (unsigned int i = 0; i < BENCH_DEPTHS; i++)
		if (names[i])
			add_double(o, names[i], share[i]);
	add(job, key, o);
}

static void add_ranges(struct json_object *job, const struct bench_result *r)
{
	static const char *const keys[] = { "latency_ns", "latency_us", "latency_ms" };
	struct json_object *o = NULL;
	double share[BENCH_RANGES];
	char key[32];

	bench_ranges(r, share);
	for (unsigned int i = 0; i < BENCH_RANGES; i++) {
		unsigned int u = i / 10 > 2 ? 2 : i / 10;
		uint64_t unit = u == 0 ? 1 : u == 1 ? 1000 : 1000000;

		if (i % 10 == 0 && i < 30) {
			o = json_object_new_object();
			add(job, keys[u], o);
		}
		snprintf(key, sizeof(key), "%llu", (unsigned long long)(bench_range_end[i] / unit));
		add_double(o, bench_range_end[i] == UINT64_MAX ? ">=2000" : key, share[i]);
	}
}

static void add_cost(struct json_object *job, const struct bench_result *r)
{
	static const char *const keys[] = { "instructions_per_op", "user_instructions_per_op", "cycles_per_op" };
	const struct bench_cost *c = &r->cost;
	uint64_t ns = 0, ops = bench_result_ops(r);

	for (int d = 0; d < DIR_NR; d++)
		ns = r->dir[d].runtime > ns ? r->dir[d].runtime : ns;
	add_int(job, "job_runtime", ns / 1000000 * r->threads);
	ns *= r->threads;
	add_double(job, "usr_cpu", ns ? 100e9 * c->usr / (double)ns : 0);
	add_double(job, "sys_cpu", ns ? 100e9 * c->sys / (double)ns : 0);
	add_int(job, "ctx", c->ctx);
	add_int(job, "majf", c->majf);
	add_int(job, "minf", c->minf);
	add_double(job, "cpu_ns_per_op", ops ? 1e9 * (c->usr + c->sys) / (double)ops : 0);
	for (int i = 0; i < BENCH_COUNTERS; i++)
		if (c->have[i] && ops)
			add_double(job, keys[i], (double)c->counter[i] / (double)ops);
		else
			add(job, keys[i], NULL);
}

static void add_ways(struct json_object *job, const struct bench_result *r)
{
	struct json_object *paths = json_object_new_array();
	unsigned int best = bench_result_path(r);
	char why[400];

	add_text(job, "ioengine", r->job->engine->name);
	add_text(job, "mem", r->mem);
	bench_result_why(r, best, why, sizeof(why));
	add(job, "path", best ? json_object_new_string(devio_path_name(best)) : NULL);
	add(job, "reason", *why ? json_object_new_string(why) : NULL);
	add_int(job, "copied_bytes", bench_result_copied(r));
	add_int(job, "fell_back", r->ways.fell_back);
	for (unsigned int p = 1; p < BENCH_PATHS; p++) {
		struct json_object *o;

		if (!r->ways.ops[p])
			continue;
		o = json_object_new_object();
		add_text(o, "path", devio_path_name(p));
		add_int(o, "operations", r->ways.ops[p]);
		add_int(o, "bytes", r->ways.bytes[p]);
		add_int(o, "copied_bytes", r->ways.copied[p]);
		bench_result_why(r, p, why, sizeof(why));
		add(o, "reason", *why ? json_object_new_string(why) : NULL);
		json_object_array_add(paths, o);
	}
	add(job, "paths", paths);
}

static void add_errors(struct json_object *job, const struct bench_result *r)
{
	add_int(job, "total_err", r->total_errors);
	add_int(job, "first_error", (uint64_t)-r->first_error);
	add_int(job, "verified", r->verified);
	add_int(job, "verify_errors", r->verify_errors);
	add(job, "cause", *r->cause ? json_object_new_string(r->cause) : NULL);
}

static struct json_object *options(const struct bench_set *set, unsigned int nr)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < nr; i++)
		add_text(o, set[i].key, set[i].value);
	return o;
}

static struct json_object *one_job(const struct bench_result *r, bool plus)
{
	static const char *const depths[] = { NULL, "1", "2", "4", "8", "16", "32", ">=64" };
	static const char *const batches[] = { "0", "4", "8", "16", "32", "64", ">=64", NULL };
	struct json_object *job = json_object_new_object();

	add_text(job, "jobname", r->name);
	add_int(job, "groupid", r->group);
	add_int(job, "error", r->error < 0 ? (uint64_t)-r->error : 0);
	add_int(job, "eta", 0);
	add_int(job, "elapsed", (r->elapsed + 999999999) / 1000000000);
	if (r->job->description)
		add_text(job, "desc", r->job->description);
	add(job, "job options", options(r->job->set, r->job->nr_sets));
	add_int(job, "threads", r->threads);
	add_ways(job, r);
	add_dir(job, "read", r, DIR_READ, plus);
	add_dir(job, "write", r, DIR_WRITE, plus);
	add_no_trim(job, r);
	add_cost(job, r);
	add_steps(job, "iodepth_level", depths, r->depth);
	add_steps(job, "iodepth_submit", batches, r->submit);
	add_steps(job, "iodepth_complete", batches, r->complete);
	add_ranges(job, r);
	add_int(job, "latency_depth", r->job->iodepth);
	add_int(job, "latency_target", 0);
	add_double(job, "latency_percentile", 100);
	add_int(job, "latency_window", 0);
	add_errors(job, r);
	return job;
}

int bench_json(FILE *out, const struct bench_jobs *jobs, const struct bench_results *results, bool plus)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	struct timespec now;
	char text[64];
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "devio-bench-%s", devio_version());
	add_text(top, "fio version", text);
	add_int(top, "timestamp", (uint64_t)now.tv_sec);
	add_int(top, "timestamp_ms", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	ctime_r(&now.tv_sec, text);
	text[strcspn(text, "\n")] = 0;
	add_text(top, "time", text);
	add(top, "global options", options(jobs->global.set, jobs->global.nr_sets));
	for (unsigned int i = 0; i < results->nr; i++)
		json_object_array_add(list, one_job(results->r[i], plus));
	add(top, "jobs", list);
	add(top, "disk_util", json_object_new_array());
	rc = fprintf(out, "%s\n", json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
								 JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
	return rc < 0 ? -errno : 0;
}
