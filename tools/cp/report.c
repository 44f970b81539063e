/* SPDX-License-Identifier: MIT */
/* devio-cp: the line while it runs, and the report at the end as text or JSON. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>
#include "cp.h"
#include "common/opts.h"

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

	printf("memory: %s%s%s%s\n", job->place.spec, *job->place.bdf ? " at " : "", job->place.bdf,
	       job->place.device ? " (in a device)" : " (in host memory)");
	summary_print(stdout, &job->summary, !reads, "");
	if (job->window)
		summary_print(stdout, &job->summary, true, "write-");
	printf("bytes: %" PRIu64 "\nseconds: %.3f\nGB/s: %.3f\nCPU seconds per GB: %.3f\ncopied bytes: %" PRIu64 "\n",
	       job->moved, job->seconds, rate(job), cpu_per_gb(job), summary_copied(&job->summary));
	if (job->o.verify)
		printf("verified: %" PRIu64 " bytes equal\n", job->verified);
}

static void add(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static struct json_object *json_report(const struct cp_job *job)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	json_put_str(o, "source", job->o.src);
	json_put_str(o, "destination", job->o.dst);
	json_put_str(o, "memory", *job->place.spec ? job->place.spec : NULL);
	json_put_str(o, "device", *job->place.bdf ? job->place.bdf : NULL);
	add(o, "in_device", json_object_new_boolean(job->place.device));
	summary_json_side(o, &job->summary, job->src.is_mem, "path", "reason");
	if (job->window)
		summary_json_side(o, &job->summary, true, "write_path", "write_reason");
	json_put_u64(o, "block_size", job->o.block);
	json_put_u64(o, "depth", job->o.depth);
	json_put_u64(o, "bytes", job->moved);
	json_put_num(o, "setup_seconds", job->setup_s);
	json_put_num(o, "seconds", job->seconds);
	json_put_num(o, "gb_per_s", rate(job));
	json_put_num(o, "cpu_seconds_per_gb", cpu_per_gb(job));
	json_put_u64(o, "copied_bytes", summary_copied(&job->summary));
	add(o, "paths", summary_json(&job->summary));
	add(o, "verified", job->o.verify ? json_object_new_boolean(!*job->error) : NULL);
	json_put_u64(o, "verified_bytes", job->verified);
	json_put_str(o, "error", *job->error ? job->error : NULL);
	add(o, "exit_status", json_object_new_int(job->status));
	return o;
}

void cp_report_json(const struct cp_job *job)
{
	struct json_object *o = json_report(job);

	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
