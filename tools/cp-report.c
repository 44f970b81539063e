/* SPDX-License-Identifier: MIT */
/* devio-cp: the line while it runs, and the report at the end as text or JSON. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>
#include "cp.h"
#include "opts.h"

#define GB 1e9

void cp_progress(struct cp_job *job, double elapsed, bool last)
{
	static double shown;
	double rate = elapsed > 0 ? (double)job->moved / elapsed : 0;
	unsigned long left = rate > 0 ? (unsigned long)((double)(job->length - job->moved) / rate + 0.5) : 0;
	char have[32], all[32];

	if (!job->o.progress || (!last && elapsed - shown < 0.2) || (last && shown == 0))
		return;
	shown = elapsed;
	if (last) {
		fputs("\r\033[K", stderr);
		return;
	}
	fprintf(stderr, "\r%3.0f%%  %s of %s  %.2f GB/s  %lu:%02lu left\033[K",
		job->length ? 100.0 * (double)job->moved / (double)job->length : 100.0,
		opt_human(job->moved, have, sizeof(have)), opt_human(job->length, all, sizeof(all)),
		rate / GB, left / 60, left % 60);
	fflush(stderr);
}

static void explain(struct cp_job *job, const struct cp_end *end, struct devio_mem *mem, uint64_t mem_off, int write)
{
	struct devio_completion verdict;
	char buf[4096] = "";
	uint64_t len = job->length < job->o.block ? job->length : job->o.block;
	int rc = devio_file_explain(end->file, mem, mem_off, len, end->start, write, &verdict, buf, sizeof(buf));

	fprintf(stderr, "devio-cp: paths %s %s:\n%s%s", write ? "to" : "from", end->name, buf,
		*buf && buf[strlen(buf) - 1] != '\n' ? "\n" : "");
	if (rc)
		fprintf(stderr, "devio-cp: %s\n", devio_errmsg());
}

void cp_explain(struct cp_job *job)
{
	if (!job->length)
		return;
	if (job->src.file)
		explain(job, &job->src, job->window ? job->window : job->dst.mem,
			job->window ? 0 : job->dst.start, 0);
	if (job->dst.file)
		explain(job, &job->dst, job->window ? job->window : job->src.mem,
			job->window ? 0 : job->src.start, 1);
}

const struct cp_tally *cp_main_tally(const struct cp_job *job, bool write)
{
	const struct cp_tally *best = NULL;

	for (const struct cp_tally *t = job->tally; t < job->tally + job->tallies; t++)
		if (t->write == write && (!best || t->bytes > best->bytes))
			best = t;
	return best;
}

static uint64_t copied_bytes(const struct cp_job *job)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < job->tallies; i++)
		sum += job->tally[i].copied;
	return sum;
}

/* The reason as a sentence of its own. */
static void reason_text(const struct cp_tally *t, char *buf, size_t size)
{
	if (!t)
		snprintf(buf, size, "no bytes to copy");
	else if (t->better)
		snprintf(buf, size, "not %s: %s", devio_path_name(t->better), devio_reason_text(t->reason));
	else if (t->reason == DEVIO_WHY_FORCED)
		snprintf(buf, size, "%s", devio_reason_text(t->reason));
	else
		snprintf(buf, size, "the best path that there is for this file and memory");
}

static void text_side(const struct cp_job *job, bool write, const char *prefix)
{
	const struct cp_tally *best = cp_main_tally(job, write);
	char why[512];

	reason_text(best, why, sizeof(why));
	printf("%spath: %s\n%sreason: %s\n", prefix, best ? devio_path_name(best->path) : "none", prefix, why);
	for (const struct cp_tally *t = job->tally; t < job->tally + job->tallies; t++) {
		if (t == best || t->write != write)
			continue;
		reason_text(t, why, sizeof(why));
		printf("%salso: %s for %" PRIu64 " bytes: %s\n", prefix, devio_path_name(t->path), t->bytes, why);
	}
}

static double rate(const struct cp_job *job)
{
	return job->seconds > 0 ? (double)job->moved / job->seconds / GB : 0;
}

static double cpu_per_gb(const struct cp_job *job)
{
	return job->moved ? job->cpu_s / ((double)job->moved / GB) : 0;
}

void cp_report_text(const struct cp_job *job)
{
	bool reads = !job->src.is_mem;

	printf("memory: %s%s%s%s\n", job->spec, *job->bdf ? " at " : "", job->bdf,
	       job->device ? " (in a device)" : " (in host memory)");
	text_side(job, !reads, "");
	if (job->window)
		text_side(job, true, "write-");
	printf("bytes: %" PRIu64 "\nseconds: %.3f\nGB/s: %.3f\nCPU seconds per GB: %.3f\ncopied bytes: %" PRIu64 "\n",
	       job->moved, job->seconds, rate(job), cpu_per_gb(job), copied_bytes(job));
	if (job->o.verify)
		printf("verified: %" PRIu64 " bytes equal\n", job->verified);
}

static void add(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static void add_str(struct json_object *o, const char *key, const char *text)
{
	add(o, key, text ? json_object_new_string(text) : NULL);
}

static void add_u64(struct json_object *o, const char *key, uint64_t n)
{
	add(o, key, json_object_new_uint64(n));
}

static void add_num(struct json_object *o, const char *key, double d)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6f", d);
	add(o, key, json_object_new_double_s(d, text));
}

static struct json_object *json_path(const struct cp_tally *t)
{
	struct json_object *o = json_object_new_object();

	add_str(o, "direction", t->write ? "write" : "read");
	add_str(o, "path", devio_path_name(t->path));
	add_str(o, "better", t->better ? devio_path_name(t->better) : NULL);
	add(o, "reason", json_object_new_int((int)t->reason));
	add_str(o, "reason_text", devio_reason_text(t->reason));
	add_u64(o, "operations", t->ops);
	add_u64(o, "bytes", t->bytes);
	add_u64(o, "copied_bytes", t->copied);
	add_u64(o, "fell_back", t->fell_back);
	return o;
}

static void json_side(struct json_object *o, const struct cp_job *job, bool write, const char *path, const char *reason)
{
	const struct cp_tally *t = cp_main_tally(job, write);
	char why[512];

	reason_text(t, why, sizeof(why));
	add_str(o, path, t ? devio_path_name(t->path) : NULL);
	add_str(o, reason, why);
}

static struct json_object *json_report(const struct cp_job *job)
{
	struct json_object *o = json_object_new_object(), *paths = json_object_new_array();

	add_str(o, "devio_version", devio_version());
	add_str(o, "source", job->o.src);
	add_str(o, "destination", job->o.dst);
	add_str(o, "memory", *job->spec ? job->spec : NULL);
	add_str(o, "device", *job->bdf ? job->bdf : NULL);
	add(o, "in_device", json_object_new_boolean(job->device));
	json_side(o, job, job->src.is_mem, "path", "reason");
	if (job->window)
		json_side(o, job, true, "write_path", "write_reason");
	add_u64(o, "block_size", job->o.block);
	add_u64(o, "depth", job->o.depth);
	add_u64(o, "bytes", job->moved);
	add_num(o, "setup_seconds", job->setup_s);
	add_num(o, "seconds", job->seconds);
	add_num(o, "gb_per_s", rate(job));
	add_num(o, "cpu_seconds_per_gb", cpu_per_gb(job));
	add_u64(o, "copied_bytes", copied_bytes(job));
	for (unsigned int i = 0; i < job->tallies; i++)
		json_object_array_add(paths, json_path(&job->tally[i]));
	add(o, "paths", paths);
	add(o, "verified", job->o.verify ? json_object_new_boolean(!*job->error) : NULL);
	add_u64(o, "verified_bytes", job->verified);
	add_str(o, "error", *job->error ? job->error : NULL);
	add(o, "exit_status", json_object_new_int(job->status));
	return o;
}

void cp_report_json(const struct cp_job *job)
{
	struct json_object *o = json_report(job);

	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
