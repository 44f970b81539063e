/* SPDX-License-Identifier: MIT */
/* The tables of --compare. */
#include "config.h"
#include <json-c/json.h>
#include <string.h>
#include "bench/compare.h"

static const char *path_of(const struct variant *v)
{
	unsigned int path = v->sum ? bench_result_path(v->sum) : 0;

	return path ? devio_path_name(path) : "-";
}

void bench_compare_text(FILE *out, const struct comparison *c)
{
	char bw[BENCH_NUM], iops[BENCH_NUM], spread[2][BENCH_NUM];

	fputc('\n', out);
	bench_text_job(out, c->job);
	fprintf(out, "%-22s %-13s %-10s %12s %7s %8s %10s %10s %9s\n", "engine", "path", "memory", "BW", "spread", "IOPS",
		"p50 (us)", "p99 (us)", "CPU/IO");
	for (unsigned int i = 0; i < c->nr; i++) {
		const struct variant *v = &c->variant[i];

		if (!v->rounds) {
			fprintf(out, "%-22s %s\n", v->label, v->error);
			continue;
		}
		snprintf(spread[0], BENCH_NUM, "%.1f%%", v->bw_spread.median > 0 ?
			 100 * (v->bw_spread.max - v->bw_spread.min) / v->bw_spread.median : 0);
		snprintf(spread[1], BENCH_NUM, "%s/s", bench_text_bytes(v->bw_spread.median, true, bw));
		fprintf(out, "%-22s %-13s %-10.10s %12s %7s %8s %10.1f %10.1f %7.2fus  %.3f%s\n", v->label, path_of(v),
			v->sum->mem, spread[1], spread[0], bench_text_count((double)(uint64_t)v->iops_spread.median, iops),
			v->p50_us, v->p99_us, v->cpu_us, v->ratio, i == c->base ? " (all else by this)" : "");
		if (*v->error)
			fprintf(out, "    %s\n", v->error);
	}
}

void bench_compare_markdown(FILE *out, const struct comparison *c, bool first)
{
	static const char *const names[] = { "?", "read", "write", "rw", "?", "randread", "randwrite", "randrw" };
	char bw[BENCH_NUM], iops[BENCH_NUM], bs[BENCH_NUM];

	if (first)
		fprintf(out, "| job | rw | bs | depth x jobs | engine | path | memory | BW/s | IOPS | p50 us | p99 us | CPU us/IO "
			"| ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned int i = 0; i < c->nr; i++) {
		const struct variant *v = &c->variant[i];
		const struct bench_job *job = c->job;

		fprintf(out, "| %s | %s | %s | %llu x %llu | %s | ", job->name, names[job->rw & 7],
			bench_text_bytes((double)job->bs_max, true, bs), v->engine->sync ? 1 : (unsigned long long)job->iodepth,
			(unsigned long long)job->numjobs, v->label);
		if (!v->rounds)
			fprintf(out, "cannot: %s | | | | | | | |\n", v->error);
		else
			fprintf(out, "%s | %s | %s | %s | %.1f | %.1f | %.2f | %.3f |\n", path_of(v), v->sum->mem,
				bench_text_bytes(v->bw_spread.median, true, bw),
				bench_text_count((double)(uint64_t)v->iops_spread.median, iops), v->p50_us, v->p99_us,
				v->cpu_us, v->ratio);
	}
}

static struct json_object *spread_json(const struct spread *s)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "median", json_object_new_double(s->median));
	json_object_object_add(o, "min", json_object_new_double(s->min));
	json_object_object_add(o, "max", json_object_new_double(s->max));
	return o;
}

static struct json_object *variant_json(const struct variant *v)
{
	struct json_object *o = json_object_new_object();
	char why[400];

	json_object_object_add(o, "name", json_object_new_string(v->label));
	json_object_object_add(o, "ioengine", json_object_new_string(v->engine->name));
	json_object_object_add(o, "rounds", json_object_new_int((int)v->rounds));
	json_object_object_add(o, "error", *v->error ? json_object_new_string(v->error) : NULL);
	if (!v->rounds)
		return o;
	json_object_object_add(o, "path", json_object_new_string(path_of(v)));
	bench_result_why(v->sum, bench_result_path(v->sum), why, sizeof(why));
	json_object_object_add(o, "reason", *why ? json_object_new_string(why) : NULL);
	json_object_object_add(o, "mem", json_object_new_string(v->sum->mem));
	json_object_object_add(o, "copied_bytes", json_object_new_int64((int64_t)bench_result_copied(v->sum)));
	json_object_object_add(o, "bw_bytes", spread_json(&v->bw_spread));
	json_object_object_add(o, "iops", spread_json(&v->iops_spread));
	json_object_object_add(o, "p50_us", json_object_new_double(v->p50_us));
	json_object_object_add(o, "p99_us", json_object_new_double(v->p99_us));
	json_object_object_add(o, "cpu_us_per_op", json_object_new_double(v->cpu_us));
	json_object_object_add(o, "ratio", json_object_new_double(v->ratio));
	return o;
}

struct json_object *bench_compare_json(const struct comparison *c)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(o, "jobname", json_object_new_string(c->job->name));
	json_object_object_add(o, "ratio to", json_object_new_string(c->variant[c->base].label));
	for (unsigned int i = 0; i < c->nr; i++)
		json_object_array_add(list, variant_json(&c->variant[i]));
	json_object_object_add(o, "engines", list);
	return o;
}
