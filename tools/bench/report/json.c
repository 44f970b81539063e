/* SPDX-License-Identifier: MIT */
/* The report as JSON: with the keys of fio, for programs that read it, and the path. json+ adds the bins. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "bench/run.h"
#include "common/json.h"
#include "common/summary.h"

static void add_percentiles(struct json_object *o, const struct hist *h, const struct bench_job *job)
{
	struct json_object *list = json_object_new_object();
	uint64_t value[BENCH_PERCENTILES];
	char key[32];

	hist_percentiles(h, job->percentile, job->nr_percentiles, value);
	for (unsigned int i = 0; i < job->nr_percentiles; i++) {
		snprintf(key, sizeof(key), "%f", job->percentile[i]);
		json_put_u64(list, key, value[i]);
	}
	json_put(o, "percentile", list);
}

/* The key is the value that a bin represents, as in fio. */
static void add_bins(struct json_object *o, const struct hist *h)
{
	struct json_object *list = json_object_new_object();
	char key[32];

	for (unsigned int i = 0; i < HIST_BINS; i++) {
		if (!h->bin[i])
			continue;
		snprintf(key, sizeof(key), "%llu", (unsigned long long)hist_value(i));
		json_put_u64(list, key, h->bin[i]);
	}
	json_put(o, "bins", list);
}

static void add_lat(struct json_object *dir, const char *key, const struct hist *h, const struct bench_job *job,
		    bool percentiles, bool plus)
{
	struct json_object *o = json_object_new_object();

	json_put_u64(o, "min", h->n ? h->min : 0);
	json_put_u64(o, "max", h->max);
	json_put_num(o, "mean", hist_mean(h));
	json_put_num(o, "stddev", hist_stddev(h));
	json_put_u64(o, "N", h->n);
	if (percentiles && h->n) {
		add_percentiles(o, h, job);
		if (plus)
			add_bins(o, h);
	}
	json_put(dir, key, o);
}

static void add_series(struct json_object *o, const struct bench_result *r, int d)
{
	const struct bench_series *bw = &r->bw[d], *iops = &r->iops[d];
	double rate = bench_result_bw(r, d);

	json_put_u64(o, "bw_min", (uint64_t)bw->min);
	json_put_u64(o, "bw_max", (uint64_t)bw->max);
	json_put_num(o, "bw_agg", rate > 0 ? 100 * bench_series_mean(bw) * 1024 / rate : 0);
	json_put_num(o, "bw_mean", bench_series_mean(bw));
	json_put_num(o, "bw_dev", bench_series_stddev(bw));
	json_put_u64(o, "bw_samples", bw->n);
	json_put_u64(o, "iops_min", (uint64_t)iops->min);
	json_put_u64(o, "iops_max", (uint64_t)iops->max);
	json_put_num(o, "iops_mean", bench_series_mean(iops));
	json_put_num(o, "iops_stddev", bench_series_stddev(iops));
	json_put_u64(o, "iops_samples", iops->n);
}

static void add_dir(struct json_object *job, const char *key, const struct bench_result *r, int d, bool plus)
{
	struct json_object *o = json_object_new_object();
	const struct bench_stat *s = &r->dir[d];
	double bw = bench_result_bw(r, d);

	json_put_u64(o, "io_bytes", s->bytes);
	json_put_u64(o, "io_kbytes", s->bytes >> 10);
	json_put_u64(o, "bw_bytes", (uint64_t)bw);
	json_put_u64(o, "bw", (uint64_t)bw >> 10);
	json_put_num(o, "iops", bench_result_iops(r, d));
	json_put_u64(o, "runtime", s->runtime / 1000000);
	json_put_u64(o, "total_ios", s->n);
	json_put_u64(o, "short_ios", s->shorts);
	json_put_u64(o, "drop_ios", 0);
	json_put_u64(o, "errors", s->errors);
	add_lat(o, "slat_ns", &s->slat, r->job, r->job->slat_pct, plus);
	add_lat(o, "clat_ns", &s->clat, r->job, r->job->clat_pct, plus);
	add_lat(o, "lat_ns", &s->lat, r->job, r->job->lat_pct, plus);
	add_series(o, r, d);
	json_put(job, key, o);
}

/* Programs that read the JSON of fio expect the trims, too. */
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
			json_put_num(o, names[i], share[i]);
	json_put(job, key, o);
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
			json_put(job, keys[u], o);
		}
		snprintf(key, sizeof(key), "%llu", (unsigned long long)(bench_range_end[i] / unit));
		json_put_num(o, bench_range_end[i] == UINT64_MAX ? ">=2000" : key, share[i]);
	}
}

static void add_cost(struct json_object *job, const struct bench_result *r)
{
	static const char *const keys[] = { "instructions_per_op", "user_instructions_per_op", "cycles_per_op" };
	const struct bench_cost *c = &r->cost;
	uint64_t ns = 0, ops = bench_result_ops(r);

	for (int d = 0; d < DIR_NR; d++)
		ns = r->dir[d].runtime > ns ? r->dir[d].runtime : ns;
	json_put_u64(job, "job_runtime", ns / 1000000 * r->threads);
	ns *= r->threads;
	json_put_num(job, "usr_cpu", ns ? 100e9 * c->usr / (double)ns : 0);
	json_put_num(job, "sys_cpu", ns ? 100e9 * c->sys / (double)ns : 0);
	json_put_u64(job, "ctx", c->ctx);
	json_put_u64(job, "majf", c->majf);
	json_put_u64(job, "minf", c->minf);
	json_put_num(job, "cpu_ns_per_op", ops ? 1e9 * (c->usr + c->sys) / (double)ops : 0);
	for (int i = 0; i < BENCH_COUNTERS; i++)
		if (c->have[i] && ops)
			json_put_num(job, keys[i], (double)c->counter[i] / (double)ops);
		else
			json_put_str(job, keys[i], NULL);
}

static void put_path(struct json_object *o, const struct bench_result *r, unsigned int path)
{
	uint32_t why = r->paths.why[path];

	summary_json_path(o, "", path, why >> 16, why & 0xffff);
}

static void add_paths(struct json_object *job, const struct bench_result *r)
{
	struct json_object *paths = json_object_new_array();

	json_put_text(job, "ioengine", r->job->engine->name);
	json_put_text(job, "mem", r->mem);
	put_path(job, r, bench_result_path(r));
	json_put_u64(job, "copied_bytes", bench_result_copied(r));
	json_put_u64(job, "fell_back", r->paths.fell_back);
	for (unsigned int p = 1; p < BENCH_PATHS; p++) {
		struct json_object *o;

		if (!r->paths.ops[p])
			continue;
		o = json_object_new_object();
		put_path(o, r, p);
		json_put_u64(o, "operations", r->paths.ops[p]);
		json_put_u64(o, "bytes", r->paths.bytes[p]);
		json_put_u64(o, "copied_bytes", r->paths.copied[p]);
		json_object_array_add(paths, o);
	}
	json_put(job, "paths", paths);
}

static void add_errors(struct json_object *job, const struct bench_result *r)
{
	json_put_u64(job, "total_err", r->total_errors);
	json_put_u64(job, "first_error", (uint64_t)-r->first_error);
	json_put_u64(job, "verified", r->verified);
	json_put_u64(job, "verify_errors", r->verify_errors);
	json_put_str(job, "cause", r->cause);
}

static struct json_object *options(const struct bench_set *set, unsigned int nr)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < nr; i++)
		json_put_text(o, set[i].key, set[i].value);
	return o;
}

static struct json_object *one_job(const struct bench_result *r, bool plus)
{
	static const char *const depths[] = { NULL, "1", "2", "4", "8", "16", "32", ">=64" };
	static const char *const batches[] = { "0", "4", "8", "16", "32", "64", ">=64", NULL };
	struct json_object *job = json_object_new_object();

	json_put_text(job, "jobname", r->name);
	json_put_u64(job, "groupid", r->group);
	json_put_u64(job, "error", r->error < 0 ? (uint64_t)-r->error : 0);
	json_put_u64(job, "eta", 0);
	json_put_u64(job, "elapsed", (r->elapsed + 999999999) / 1000000000);
	if (r->job->description)
		json_put_text(job, "desc", r->job->description);
	json_put(job, "job options", options(r->job->set, r->job->nr_sets));
	json_put_u64(job, "threads", r->threads);
	add_paths(job, r);
	add_dir(job, "read", r, DIR_READ, plus);
	add_dir(job, "write", r, DIR_WRITE, plus);
	add_no_trim(job, r);
	add_cost(job, r);
	add_steps(job, "iodepth_level", depths, r->depth);
	add_steps(job, "iodepth_submit", batches, r->submit);
	add_steps(job, "iodepth_complete", batches, r->complete);
	add_ranges(job, r);
	json_put_u64(job, "latency_depth", r->job->iodepth);
	json_put_u64(job, "latency_target", 0);
	json_put_num(job, "latency_percentile", 100);
	json_put_u64(job, "latency_window", 0);
	add_errors(job, r);
	return job;
}

int bench_json(FILE *out, const struct bench_jobs *jobs, const struct bench_results *results, bool plus)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "devio-bench-%s", devio_version());
	json_put_text(top, "fio version", text);
	json_put_text(top, "devio_version", devio_version());
	json_put_u64(top, "timestamp", (uint64_t)now.tv_sec);
	json_put_u64(top, "timestamp_ms", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	ctime_r(&now.tv_sec, text);
	text[strcspn(text, "\n")] = 0;
	json_put_text(top, "time", text);
	json_put(top, "global options", options(jobs->global.set, jobs->global.nr_sets));
	for (unsigned int i = 0; i < results->nr; i++)
		json_object_array_add(list, one_job(results->r[i], plus));
	json_put(top, "jobs", list);
	json_put(top, "disk_util", json_object_new_array());
	return json_print(out, top) ? -errno : 0;
}
