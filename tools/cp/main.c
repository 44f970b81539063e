/* SPDX-License-Identifier: MIT */
/* devio-cp: copies file to device memory, device memory to file, file to file. */
#include "config.h"
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "cp.h"
#include "common/opts.h"

volatile sig_atomic_t cp_stop;

enum { OPT_OFFSET = 256, OPT_LENGTH, OPT_SEEK, OPT_DIRECT, OPT_VERIFY, OPT_JSON, OPT_NO_CACHE, OPT_COLD,
       OPT_PROGRESS, OPT_NO_PROGRESS, OPT_SYNC, OPT_STAGING };

static const struct argp_option options[] = {
	{ "mem", 'm', "SPEC", 0, "Device memory that a copy from file to file goes through; "
	  "auto takes the best of this machine (the default)", 1 },
	{ "path", 'p', "NAME", 0, "Take this path or fail: file-dmabuf, file-p2p, file-host, file-bounce, "
	  "file-buffered, or auto", 1 },
	{ "direct", OPT_DIRECT, NULL, 0, "A path without copies by the CPU or fail", 1 },
	{ "no-cache", OPT_NO_CACHE, NULL, 0, "Never by the page cache where O_DIRECT works", 1 },
	{ "cold", OPT_COLD, NULL, 0, "Drop the source's pages from the page cache first", 1 },
	{ "block-size", 'b', "SIZE", 0, "Bytes of one operation (4M)", 2 },
	{ "depth", 'q', "N", 0, "Operations in flight (16)", 2 },
	{ "staging", OPT_STAGING, "SIZE", 0, "Staging memory at most (the library's default)", 2 },
	{ "offset", OPT_OFFSET, "SIZE", 0, "Begin at this byte of SRC", 3 },
	{ "length", OPT_LENGTH, "SIZE", 0, "Copy so many bytes (to the end of SRC)", 3 },
	{ "seek", OPT_SEEK, "SIZE", 0, "Begin at this byte of DST; what a file holds elsewhere stays", 3 },
	{ "force", 'f', NULL, 0, "Overwrite a file that exists, or a block device", 4 },
	{ "sync", OPT_SYNC, NULL, 0, "Have DST on stable storage before the end, and in the time", 4 },
	{ "verify", OPT_VERIFY, NULL, 0, "Read both sides again by another way and compare", 4 },
	{ "json", OPT_JSON, NULL, 0, "Report as JSON", 5 },
	{ "progress", OPT_PROGRESS, NULL, 0, "Show rate and time left (the default on a terminal)", 5 },
	{ "no-progress", OPT_NO_PROGRESS, NULL, 0, "Do not show them", 5 },
	{ "verbose", 'v', NULL, 0, "Tell of every path why it was not taken, and the library's log", 5 },
	{ 0 }
};

static const char doc[] =
	"Copies SRC to DST and tells by which path the bytes went and why by no better one.\v"
	"SRC and DST are files or block devices, one of the two may be mem:SPEC: device memory, "
	"such as mem:cuda:0, mem:p2pmem:0000:04:00.0, mem:host, or mem:auto for the best of this machine. "
	"mem:SPEC as SRC needs --length and is filled with a pattern first. "
	"A SIZE may end in k, M, G, T (powers of 1024) or kB, MB, GB, TB (of 1000).\n\n"
	"Exit status: 0 copied, and equal if --verify was given; 1 failed; 2 wrong usage; 3 --verify found a "
	"difference; 4 --direct or --path cannot be had here. "
	"Where the copy failed, DST is as it was (with --seek and on block devices: partly overwritten).";

static void parse_size(struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t *size)
{
	int rc = opt_size(arg, size);

	if (rc || *size < min)
		argp_error(state, "--%s=%s: %s", name, arg, rc == -EINVAL ? "not a size (such as 4096, 64k, 1MiB)" :
			   rc ? "larger than 2^63 - 1" : "too small");
}

static error_t parse_range(int key, char *arg, struct argp_state *state, struct cp_opts *o)
{
	switch (key) {
	case OPT_OFFSET:
		parse_size(state, "offset", arg, 0, &o->offset);
		return 0;
	case OPT_LENGTH:
		parse_size(state, "length", arg, 0, &o->length);
		o->have_length = true;
		return 0;
	case OPT_SEEK:
		parse_size(state, "seek", arg, 0, &o->seek);
		o->have_seek = true;
		return 0;
	case OPT_STAGING:
		parse_size(state, "staging", arg, 65536, &o->staging);
		return 0;
	case 'b':
		parse_size(state, "block-size", arg, 1, &o->block);
		if (o->block > 1u << 30)
			argp_error(state, "--block-size=%s: more than 1 GiB", arg);
		return 0;
	case 'q':
		if (opt_count(arg, 1, 4096, &o->depth))
			argp_error(state, "--depth=%s: not a number from 1 to 4096", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool parse_switch(int key, struct cp_opts *o)
{
	switch (key) {
	case OPT_DIRECT: return o->direct = true;
	case OPT_NO_CACHE: return o->no_cache = true;
	case OPT_COLD: return o->cold = true;
	case OPT_VERIFY: return o->verify = true;
	case OPT_JSON: return o->json = true;
	case OPT_SYNC: return o->sync = true;
	case 'f': return o->force = true;
	case 'v': return o->verbose = true;
	case OPT_PROGRESS:
		o->progress = 1;
		return true;
	case OPT_NO_PROGRESS:
		o->progress = 0;
		return true;
	default: return false;
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
		argp_error(state, "from memory to memory is no work for this tool: name a file");
	if (from_mem && !o->have_length)
		argp_error(state, "%s: --length is needed to know how much", o->src);
	if (o->mem && (from_mem || to_mem))
		argp_error(state, "--mem is for copies from file to file: %s names the memory already",
			   from_mem ? o->src : o->dst);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct cp_opts *o = state->input;

	if (parse_switch(key, o))
		return 0;
	switch (key) {
	case 'm':
		o->mem = arg;
		return 0;
	case 'p':
		o->path = devio_path_parse(arg);
		if (o->path < 0)
			argp_error(state, "--path=%s: %s", arg, devio_errmsg());
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "'%s': SRC and DST are all", arg);
		*(state->arg_num ? &o->dst : &o->src) = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(state, o);
		return 0;
	default:
		return parse_range(key, arg, state, o);
	}
}

int cp_fail(struct cp_job *job, int status, const char *fmt, ...)
{
	va_list ap;

	if (*job->error)
		return -1;
	va_start(ap, fmt);
	vsnprintf(job->error, sizeof(job->error), fmt, ap);
	va_end(ap);
	job->status = status;
	return -1;
}

double cp_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double cpu_now(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

static void on_signal(int sig)
{
	cp_stop = sig;
}

static void catch_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }, old;

	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &sa, NULL);
	signal(SIGXFSZ, SIG_IGN);      /* EFBIG says it better */
}

static void to_stderr(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "devio-cp: %s\n", text);
}

static int open_ctx(struct cp_job *job)
{
	struct devio_ctx_opts co = DEVIO_OPTS(co);

	if (job->o.verbose)
		co.log = to_stderr;
	co.log_level = DEVIO_LOG_INFO;
	if (devio_ctx_open(&co, &job->ctx))
		return cp_fail(job, CP_FAILED, "%s", devio_errmsg());
	return 0;
}

/* The copy itself, timed; then everything that makes it count. */
static int copy_and_check(struct cp_job *job)
{
	double t0 = cp_now(), cpu0 = cpu_now();
	int rc = cp_run(job);

	if (!rc && job->o.sync && job->dst.file && devio_file_sync(job->dst.file))
		rc = cp_fail(job, CP_FAILED, "%s: %s", job->dst.name, devio_errmsg());
	job->seconds = cp_now() - t0;
	job->cpu_s = cpu_now() - cpu0;
	cp_progress(job, job->seconds, true);
	if (rc || cp_check_src(job))
		return -1;
	if (job->o.verify && cp_verify(job))
		return -1;
	return job->dst.is_mem ? 0 : cp_finish_dst(job);
}

static int do_job(struct cp_job *job)
{
	double t0 = cp_now();

	if (open_ctx(job) || cp_open_ends(job) || cp_alloc(job))
		return -1;
	job->setup_s = cp_now() - t0;
	if (job->o.verbose)
		cp_explain(job);
	return copy_and_check(job);
}

static const struct argp argp = { .options = options, .parser = parse_opt, .args_doc = "SRC DST", .doc = doc };

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "devio-cp (libdevio) %s\n", devio_version());
}

int main(int argc, char **argv)
{
	struct cp_job job = { .o = { .block = 4u << 20, .depth = 16, .progress = -1 },
			      .src = { .fd = -1 }, .dst = { .fd = -1 } };

	argp_err_exit_status = CP_USAGE;
	argp_program_version_hook = print_version;
	argp_parse(&argp, argc, argv, 0, NULL, &job.o);
	if (job.o.progress < 0)
		job.o.progress = isatty(STDERR_FILENO);
	catch_signals();
	do_job(&job);
	cp_close_ends(&job);
	devio_ctx_close(job.ctx);
	if (*job.error)
		fprintf(stderr, "devio-cp: %s\n", job.error);
	if (job.o.json)
		cp_report_json(&job);
	else if (!*job.error)
		cp_report_text(&job);
	if (cp_stop && job.status) {
		signal(cp_stop, SIG_DFL);
		raise(cp_stop);
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "devio-cp: the report cannot be written: %s\n", strerror(errno));
		return CP_FAILED;
	}
	return job.status;
}
