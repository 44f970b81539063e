/* SPDX-License-Identifier: MIT */
/* devio-cp: progress, the paths and why not, and the report as text or JSON. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/json.h"
#include "common/opts.h"
#include "cp.h"

void cp_progress(struct cp_job *job, double elapsed)
{
	double rate = elapsed > 0 ? (double)job->moved / elapsed : 0;
	double rest = (double)(job->length - job->moved - job->holes);
	unsigned long left = rate > 0 ? (unsigned long)(rest / rate + 0.5) : 0;
	char have[32], all[32];

	if (!progress_due(&job->progress, elapsed))
		return;
	progress_print("%3.0f%%  %s of %s  %.2f GB/s  %lu:%02lu left",
		       job->length ? 100.0 * (double)(job->moved + job->holes) / (double)job->length : 100.0,
		       opt_human(job->moved, have, sizeof(have)), opt_human(job->length, all, sizeof(all)),
		       rate / 1e9, left / 60, left % 60);
}

/* A line of devio_file_explain(): "file-host no : why", wrapped behind the colon. */
static void print_path(const char *line)
{
	const char *colon = strstr(line, ": ");
	char head[64];

	if (!colon || colon - line > 40) {
		term_wrap(stderr, "  ", line);
		return;
	}
	snprintf(head, sizeof(head), "  %.*s: ", (int)(colon - line), line);
	term_wrap(stderr, head, colon + 2);
}

static void explain(struct cp_job *job, const struct cp_end *end, struct devio_mem *mem, uint64_t mem_off, int write)
{
	struct devio_completion verdict;
	char buf[4096] = "", *save = NULL;
	uint64_t len = job->length < job->o.block ? job->length : job->o.block;
	int rc = devio_file_explain(end->file, mem, mem_off, len, end->start, write, &verdict, buf, sizeof(buf));

	tool_msg("paths %s %s:", write ? "to" : "from", end->name);
	for (char *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_path(line);
	for (unsigned int path = DEVIO_PATH_FILE_MAX; path < DEVIO_PATH_MAX; path++) {
		snprintf(buf, sizeof(buf), "%-13s n/a: only for connections (see devio-nc --explain)",
			 devio_path_name(path));
		print_path(buf);
	}
	if (rc)
		tool_msg("%s", devio_errmsg());
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

void cp_report_text(const struct cp_job *job)
{
	toolmem_print(&job->place, stdout);
	summary_print(stdout, &job->summary, job->src.is_mem, "");
	if (job->window)
		summary_print(stdout, &job->summary, true, "write-");
	printf("bytes: %" PRIu64 "\n", job->moved);
	if (job->holes)
		printf("holes: %" PRIu64 " bytes\n", job->holes);
	summary_print_cost(stdout, &job->cost, job->moved, summary_copied(&job->summary));
	if (job->o.verify)
		printf("verified: %" PRIu64 " bytes equal\n", job->verified);
}

void cp_report_json(const struct cp_job *job)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	json_put_str(o, "source", job->o.src);
	json_put_str(o, "destination", job->o.dst);
	summary_json_memory(o, &job->place);
	summary_json_side(o, &job->summary, job->src.is_mem, "");
	if (job->window)
		summary_json_side(o, &job->summary, true, "write_");
	json_put_u64(o, "block_size", job->o.block);
	json_put_u64(o, "depth", job->o.depth);
	json_put_u64(o, "bytes", job->moved);
	json_put_u64(o, "hole_bytes", job->holes);
	summary_json_cost(o, &job->cost, job->moved, summary_copied(&job->summary));
	json_put(o, "paths", summary_json(&job->summary));
	summary_json_end(stdout, o, job->o.verify, job->verified, &job->error);
}
