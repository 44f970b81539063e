/* SPDX-License-Identifier: MIT */
/* devio-cp: copies file to device memory, device memory to file, file to file. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/opts.h"
#include "cp.h"

enum { OPT_OFFSET = 256, OPT_LENGTH, OPT_SEEK, OPT_DIRECT_ONLY, OPT_VERIFY, OPT_NO_CACHE, OPT_COLD,
       OPT_SYNC, OPT_STAGING, OPT_MOUNTED };

static const struct argp_option options[] = {
	{ "mem", 'm', "SPEC", 0,
	  "Device memory that a copy from file to file goes through; "
	  "auto uses the best of this machine (default)",
	  1 },
	{ "path", 'p', "NAME", 0,
	  "Use this path or fail: file-dmabuf, file-p2p, file-host, file-bounce, "
	  "file-buffered, or auto",
	  1 },
	{ "direct-only", OPT_DIRECT_ONLY, NULL, 0, "Use a path without copies by the CPU, or fail", 1 },
	{ "no-cache", OPT_NO_CACHE, NULL, 0, "Do not use the page cache where O_DIRECT works", 1 },
	{ "cold", OPT_COLD, NULL, 0, "Drop the source from the page cache first", 1 },
	{ "block-size", 'b', "SIZE", 0, "Bytes of one operation (4M)", 2 },
	{ "depth", 'q', "N", 0, "Operations in flight (16)", 2 },
	{ "staging", OPT_STAGING, "SIZE", 0, "Limit of staging memory (the library's default)", 2 },
	{ "offset", OPT_OFFSET, "SIZE", 0, "Start at this byte of SRC", 3 },
	{ "length", OPT_LENGTH, "SIZE", 0, "Number of bytes to copy (up to the end of SRC)", 3 },
	{ "seek", OPT_SEEK, "SIZE", 0, "Start at this byte of DST; the rest of an existing file is kept", 3 },
	{ "force", 'f', NULL, 0, "Overwrite an existing file or a block device", 4 },
	{ "allow-mounted-write", OPT_MOUNTED, NULL, 0, "With --force: write even to a device that is in use", 4 },
	{ "sync", OPT_SYNC, NULL, 0, "Flush DST to stable storage; included in the time", 4 },
	{ "verify", OPT_VERIFY, NULL, 0, "Read both sides again, not by the path of the copy, and compare", 4 },
	ARGS_REPORT_OPTIONS(5),
	{ "verbose", 'v', NULL, 0, "For every path, print whether it can be used and why not; print the library's log",
	  5 },
	{ 0 }
};

static const char doc[] =
	"Copies SRC to DST and reports which path the bytes took and why no better one was used.\v"
	"SRC and DST are files or block devices; one of them may be mem:SPEC: device memory, "
	"such as mem:cuda:0, mem:p2pmem:0000:04:00.0, mem:host, or mem:auto for the best of this machine. "
	"mem:SPEC as SRC needs --length and is filled with a pattern first. "
	ARGS_SIZE_DOC "\n\n"
	"Exit status: 0 copied, and equal if --verify was given; 1 failed, also if a file or a device does not exist; "
	"2 wrong usage; 3 --verify found a difference; 4 --direct-only or --path is not possible here. "
	"If the copy failed, DST is unchanged (with --seek and on block devices: partly overwritten).";

static error_t parse_value(int key, char *arg, struct argp_state *state, struct cp_opts *o)
{
	switch (key) {
	case OPT_OFFSET:
		o->offset = args_size(state, "offset", arg, 0, INT64_MAX);
		return 0;
	case OPT_LENGTH:
		o->length = args_size(state, "length", arg, 0, INT64_MAX);
		o->have_length = true;
		return 0;
	case OPT_SEEK:
		o->seek = args_size(state, "seek", arg, 0, INT64_MAX);
		o->have_seek = true;
		return 0;
	case OPT_STAGING:
		o->staging = args_size(state, "staging", arg, 65536, INT64_MAX);
		return 0;
	case 'b':
		o->block = args_size(state, "block-size", arg, 1, 1u << 30);
		return 0;
	case 'q':
		o->depth = args_count(state, "depth", arg, 4096);
		return 0;
	case 'm':
		o->mem = arg;
		return 0;
	case 'p':
		o->path = args_path(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool parse_switch(int key, struct cp_opts *o)
{
	switch (key) {
	case OPT_DIRECT_ONLY: return o->direct_only = true;
	case OPT_NO_CACHE: return o->no_cache = true;
	case OPT_COLD: return o->cold = true;
	case OPT_VERIFY: return o->verify = true;
	case OPT_MOUNTED: return o->mounted = true;
	case OPT_SYNC: return o->sync = true;
	case 'f': return o->force = true;
	case 'v': return tool_verbose = true;
	default: return args_report(key, &o->report);
	}
}

static void check_usage(struct argp_state *state, const struct cp_opts *o)
{
	bool from_mem, to_mem;

	if (!o->dst)
		argp_error(state, "SRC and DST are missing");
	from_mem = opt_mem_spec(o->src);
	to_mem = opt_mem_spec(o->dst);
	if (from_mem && to_mem)
		argp_error(state, "copying from memory to memory is not supported: SRC or DST must be a file");
	if (from_mem && !o->have_length)
		argp_error(state, "%s: --length is required", o->src);
	if (o->mem && (from_mem || to_mem))
		argp_error(state, "--mem is for copies from file to file: %s already names the memory",
			   from_mem ? o->src : o->dst);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct cp_opts *o = state->input;

	if (parse_switch(key, o))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "unexpected argument '%s'", arg);
		*(state->arg_num ? &o->dst : &o->src) = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(state, o);
		return 0;
	default:
		return parse_value(key, arg, state, o);
	}
}

/* The copy itself, timed; then the checks, and the destination gets its name. */
static int copy_and_check(struct cp_job *job)
{
	double t0 = tool_now(), cpu0 = tool_cpu();
	int rc = cp_run(job);

	if (!rc && job->o.sync && job->dst.file && devio_file_sync(job->dst.file))
		rc = tool_fail(&job->error, TOOL_FAILED, "%s: %s", job->dst.name, devio_errmsg());
	job->cost.seconds = tool_now() - t0;
	job->cost.cpu_s = tool_cpu() - cpu0;
	progress_clear(&job->progress);
	if (rc || cp_check_src(job))
		return -1;
	if (job->o.verify && cp_verify(job))
		return -1;
	return job->dst.is_mem ? 0 : cp_finish_dst(job);
}

static int do_job(struct cp_job *job)
{
	double t0 = tool_now();

	if (tool_open_ctx(&job->ctx))
		return tool_fail(&job->error, TOOL_FAILED, "%s", devio_errmsg());
	if (cp_open_ends(job) || cp_alloc(job))
		return -1;
	job->cost.setup_s = tool_now() - t0;
	if (tool_verbose)
		cp_explain(job);
	return copy_and_check(job);
}

static void report(const struct cp_job *job)
{
	if (*job->error.text)
		tool_msg("%s", job->error.text);
	if (job->o.report.json)
		cp_report_json(job);
	else if (!*job->error.text)
		cp_report_text(job);
}

int main(int argc, char **argv)
{
	static const struct argp argp = { .options = options, .parser = parse_opt, .args_doc = "SRC DST", .doc = doc };
	struct cp_job job = { .o = { .block = 4u << 20, .depth = 16 },
			      .src = { .fd = -1, .out = OUTFILE_NONE }, .dst = { .fd = -1, .out = OUTFILE_NONE } };

	tool_begin("devio-cp");
	args_parse(&argp, argc, argv, &job.o);
	job.progress.on = job.o.report.progress ? job.o.report.progress > 0 : isatty(STDERR_FILENO);
	tool_catch_signals(NULL);
	do_job(&job);
	cp_close_ends(&job);
	devio_ctx_close(job.ctx);
	report(&job);
	if (job.error.status)
		tool_raise_stop();
	return tool_flush(job.error.status);
}
