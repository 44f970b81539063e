/* SPDX-License-Identifier: MIT */
/* The reports of --compare. */
#include "config.h"
#include <string.h>
#include "bench/compare.h"
#include "common/json.h"
#include "common/summary.h"
#include "common/table.h"
#include "common/term.h"

static const char *path_of(const struct variant *v)
{
	unsigned int path = v->sum ? bench_result_path(v->sum) : 0;

	return path ? devio_path_name(path) : "-";
}

static const char *micros(double us, char *buf)
{
	snprintf(buf, BENCH_NUM, us < 10 ? "%.2f" : us < 1000 ? "%.1f" : "%.0f", us);
	return buf;
}

/* Bandwidth with its spread and path with its memory share a cell each: the table fits into 80 columns. */
static void put_row(struct table *t, const struct variant *v)
{
	char bw[BENCH_NUM], rate[2 * BENCH_NUM], place[96], iops[BENCH_NUM], p50[BENCH_NUM], p99[BENCH_NUM],
		cpu[BENCH_NUM], ratio[BENCH_NUM];

	snprintf(rate, sizeof(rate), "%s/s %.1f%%", bench_text_bytes(v->bw_spread.median, true, bw),
		 v->bw_spread.median > 0 ? 100 * (v->bw_spread.max - v->bw_spread.min) / v->bw_spread.median : 0);
	if (v->engine->host)
		snprintf(place, sizeof(place), "%.60s", v->sum->mem);
	else
		snprintf(place, sizeof(place), "%s into %.60s", path_of(v), v->sum->mem);
	snprintf(ratio, sizeof(ratio), "%.3f", v->ratio);
	table_row(t, 8, v->label, place, rate, bench_text_count((double)(uint64_t)v->iops_spread.median, iops),
		  micros(v->p50_us, p50), micros(v->p99_us, p99), micros(v->cpu_us, cpu), ratio);
}

void bench_compare_text(FILE *out, const struct comparison *c)
{
	struct table t = { .right = 0xf8, .word = strlen("file-buffered") };
	char job[BENCH_JOB_TEXT];

	bench_text_job(c->job, job, sizeof(job));
	fputc('\n', out);
	term_wrap(out, "", job);
	table_row(&t, 8, "engine", "path, memory", "BW, spread", "IOPS", "p50 us", "p99 us", "CPU us/IO", "ratio");
	for (unsigned int i = 0; i < c->nr; i++)
		if (c->variant[i].rounds)
			put_row(&t, &c->variant[i]);
	table_print(&t, out);
	fprintf(out, "  ratio: bandwidth divided by that of %s\n", c->variant[c->base].label);
	for (unsigned int i = 0; i < c->nr; i++) {
		const struct variant *v = &c->variant[i];
		char text[sizeof(v->label) + sizeof(v->error) + 32];

		snprintf(text, sizeof(text), "%s%s: %s", v->label, v->rounds ? "" : " cannot run", v->error);
		if (*v->error)
			term_hang(out, text);
	}
}

void bench_compare_markdown(FILE *out, const struct comparison *c, bool first)
{
	static const char *const names[] = { "?", "read", "write", "rw", "?", "randread", "randwrite", "randrw" };
	char bw[BENCH_NUM], iops[BENCH_NUM], bs[BENCH_NUM];

	if (first)
		fprintf(out,
			"| job | rw | bs | depth x jobs | engine | path | memory | BW/s | IOPS | p50 us | p99 us | "
			"CPU us/IO "
			"| ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned int i = 0; i < c->nr; i++) {
		const struct variant *v = &c->variant[i];
		const struct bench_job *job = c->job;

		fprintf(out, "| %s | %s | %s | %llu x %llu | %s | ", job->name, names[job->rw & 7],
			bench_text_bytes((double)job->bs_max, true, bs),
			v->engine->sync ? 1 : (unsigned long long)job->iodepth, (unsigned long long)job->numjobs,
			v->label);
		if (!v->rounds)
			fprintf(out, "cannot run: %s | | | | | | | |\n", v->error);
		else
			fprintf(out, "%s | %s | %s | %s | %.1f | %.1f | %.2f | %.3f |\n", path_of(v), v->sum->mem,
				bench_text_bytes(v->bw_spread.median, true, bw),
				bench_text_count((double)(uint64_t)v->iops_spread.median, iops), v->p50_us, v->p99_us,
				v->cpu_us, v->ratio);
	}
}

static void put_spread(struct json_object *o, const char *key, const struct spread *s)
{
	struct json_object *spread = json_object_new_object();

	json_put_num(spread, "median", s->median);
	json_put_num(spread, "min", s->min);
	json_put_num(spread, "max", s->max);
	json_put(o, key, spread);
}

static struct json_object *variant_json(const struct variant *v)
{
	struct json_object *o = json_object_new_object();
	unsigned int path = v->sum ? bench_result_path(v->sum) : 0;
	uint32_t why = v->sum ? v->sum->paths.why[path] : 0;

	json_put_text(o, "name", v->label);
	json_put_text(o, "ioengine", v->engine->name);
	json_put_u64(o, "rounds", v->rounds);
	json_put_str(o, "error", v->error);
	if (!v->rounds)
		return o;
	summary_json_path(o, "", path, why >> 16, why & 0xffff);
	json_put_text(o, "mem", v->sum->mem);
	json_put_u64(o, "copied_bytes", bench_result_copied(v->sum));
	put_spread(o, "bw_bytes", &v->bw_spread);
	put_spread(o, "iops", &v->iops_spread);
	json_put_num(o, "p50_us", v->p50_us);
	json_put_num(o, "p99_us", v->p99_us);
	json_put_num(o, "cpu_us_per_op", v->cpu_us);
	json_put_num(o, "ratio", v->ratio);
	return o;
}

struct json_object *bench_compare_json(const struct comparison *c)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_put_text(o, "jobname", c->job->name);
	json_put_text(o, "ratio to", c->variant[c->base].label);
	for (unsigned int i = 0; i < c->nr; i++)
		json_object_array_add(list, variant_json(&c->variant[i]));
	json_put(o, "engines", list);
	return o;
}
