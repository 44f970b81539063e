/* SPDX-License-Identifier: MIT */
/* devio-nc: TCP into and out of device memory, to and from files, standard input and output. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nc.h"

static volatile sig_atomic_t at_once; /* nothing but the temporary file has to be cleaned up after a signal */
static struct nc_job job;

enum { OPT_DIRECT_ONLY = 256, OPT_PATTERN, OPT_SINK, OPT_FLOWS, OPT_VERIFY, OPT_CHECKSUM,
       OPT_NIC, OPT_STEER, OPT_AREA, OPT_BUFFER, OPT_RESTORE };

static const struct argp_option options[] = {
	{ "listen", 'l', NULL, 0, "Listen on PORT (0: a free one, printed on standard error) for one connection", 1 },
	{ NULL, '4', NULL, 0, "Use IPv4 only", 1 },
	{ NULL, '6', NULL, 0, "Use IPv6 only", 1 },
	{ "timeout", 'w', "SECONDS", 0,
	  "Give up if there is no connection, or no byte is sent or received, for this long", 1 },
	{ "flows", OPT_FLOWS, "N", 0, "Use N connections, each for a part of the bytes; devio-nc on both sides (1)",
	  1 },
	{ "in", 'i', "FILE", 0, "Send FILE; - is standard input", 2 },
	{ "pattern", OPT_PATTERN, "SIZE", 0, "Send SIZE bytes of a pattern that does not repeat", 2 },
	{ "out", 'o', "FILE", 0, "Write what is received to FILE; - is standard output", 2 },
	{ "sink", OPT_SINK, NULL, 0, "Receive into the device memory only", 2 },
	{ "force", 'f', NULL, 0, "Overwrite an existing file", 2 },
	{ "mem", 'm', "SPEC", 0, "Device memory; auto uses the best of this machine (default)", 3 },
	{ "path", 'p', "NAME", 0, "Use this path or fail: sock-devmem, sock-zcrx, sock-host, sock-bounce, or auto", 3 },
	{ "direct-only", OPT_DIRECT_ONLY, NULL, 0, "Use a path on which the NIC accesses the memory itself, or fail",
	  3 },
	{ "nic", OPT_NIC, "INTERFACE", 0, "Set this interface up to receive into the memory, and restore it at the end",
	  3 },
	{ "steer", OPT_STEER, "HOW", 0,
	  "Which traffic of the interface goes there: rules (this program's connections), rss (all), "
	  "user (what you steer yourself), auto (rules, if the NIC has them; default)",
	  3 },
	{ "area", OPT_AREA, "SIZE", 0, "Bytes of memory for the NIC (16M)", 3 },
	{ "buffer", OPT_BUFFER, "SIZE", 0,
	  "Bytes of each receive buffer of the NIC, a power of two (to hold a packet of its MTU)", 3 },
	{ "restore", OPT_RESTORE, NULL, 0,
	  "Only restore what a killed devio-nc left changed, of --nic or of all interfaces", 3 },
	{ "block-size", 'b', "SIZE", 0, "Bytes of one operation (1M)", 3 },
	{ "depth", 'q', "N", 0, "Operations in flight in each direction of each flow (8)", 3 },
	{ "verify", OPT_VERIFY, NULL, 0, "Compare what is received, in the memory, with the --pattern of the peer", 4 },
	{ "checksum", OPT_CHECKSUM, NULL, 0, "Print the cksum(1) of the bytes, computed in the memory", 4 },
	{ "explain", 'n', NULL, 0,
	  "Only connect; for every path, print whether it can be used, why not and how to fix it", 5 },
	ARGS_REPORT_OPTIONS(5),
	{ "verbose", 'v', NULL, 0, "Print both addresses, which memories were skipped and why, and the library's log",
	  5 },
	{ 0 }
};

static const char doc[] =
	"Netcat for device memory: connects to PORT of HOST, or with --listen waits for a connection, and transfers "
	"bytes "
	"through device memory.\v"
	"With --in or --pattern it sends, with --out or --sink it receives, with one of each it does both, and with "
	"none it "
	"connects standard input and output. The peer may be any TCP program. " ARGS_SIZE_DOC "\n\n"
	"Exit status: 0 everything was transferred (and acknowledged by the peer's TCP); 1 failed, also if a file or "
	"a host does "
	"not exist; 2 wrong usage; 3 --verify found a difference; 4 --direct-only or --path is not possible here. "
	"If the transfer failed there is no --out file, or the old one is unchanged. "
	"The report goes to standard output, or with --json or --verbose to standard error if the bytes go to "
	"standard output.";

static bool parse_switch(int key, struct nc_opts *o)
{
	if (args_family(key, &o->family))
		return true;
	switch (key) {
	case 'l': return o->listen = true;
	case 'f': return o->force = true;
	case 'n': return o->explain = true;
	case 'v': return tool_verbose = true;
	case OPT_SINK: return o->sink = true;
	case OPT_RESTORE: return o->restore = true;
	case OPT_DIRECT_ONLY: return o->direct_only = true;
	case OPT_VERIFY: return o->verify = true;
	case OPT_CHECKSUM: return o->checksum = true;
	default: return args_report(key, &o->report);
	}
}

static void check_flows(struct argp_state *state, const struct nc_opts *o)
{
	if (!o->in == !o->out)
		argp_error(state, "--flows has one direction: give one of --in, --pattern, --out and --sink");
	if (o->checksum)
		argp_error(state, "--checksum is for one stream: not with --flows");
	if ((o->in && !strcmp(o->in, "-")) || (o->out && !strcmp(o->out, "-")))
		argp_error(state, "--flows needs a file, --pattern or --sink, not standard input or output");
}

static void check_usage(struct argp_state *state, struct nc_opts *o)
{
	if (o->restore)
		return;
	if (!o->port || (!o->host && !o->listen))
		argp_error(state, o->listen ? "PORT is missing" : "HOST and PORT are missing");
	args_port(state, o->port);
	args_check_family(state, o->family);
	if (o->has_pattern && o->in)
		argp_error(state, "--in and --pattern exclude each other");
	if (o->sink && o->out)
		argp_error(state, "--out and --sink exclude each other");
	if (o->path && o->path < DEVIO_PATH_SOCK_DEVMEM)
		argp_error(state, "--path=%s is a path for files", devio_path_name((unsigned int)o->path));
	if (o->explain)
		o->flows = 1;
	if (o->has_pattern)
		o->in = "the pattern";
	if (o->sink)
		o->out = "the memory";
	if (o->flows > 1)
		check_flows(state, o);
	if (!o->in && !o->out)
		o->in = o->out = "-";
	if (o->verify && !o->out)
		argp_error(state, "--verify needs --out or --sink");
}

static error_t parse_value(int key, char *arg, struct argp_state *state, struct nc_opts *o)
{
	switch (key) {
	case OPT_PATTERN:
		o->pattern = args_size(state, "pattern", arg, 0, INT64_MAX);
		o->has_pattern = true;
		return 0;
	case OPT_FLOWS:
		o->flows = args_count(state, "flows", arg, 64);
		return 0;
	case 'b':
		o->block = args_size(state, "block-size", arg, 1, 64u << 20);
		return 0;
	case 'q':
		o->depth = args_count(state, "depth", arg, 128);
		return 0;
	case 'w':
		o->timeout = (int64_t)(args_seconds(state, "timeout", arg, 1e9) * 1e9);
		return 0;
	case OPT_NIC:
		o->nic = arg;
		return 0;
	case OPT_AREA:
		o->area = args_size(state, "area", arg, 65536, 1ull << 40);
		return 0;
	case OPT_BUFFER:
		o->buffer = (uint32_t)args_size(state, "buffer", arg, 4096, 1u << 30);
		return 0;
	case OPT_STEER:
		o->steer = nc_steer_parse(arg);
		if (o->steer < 0)
			argp_error(state, "--steer=%s: not one of auto, rules, rss, user", arg);
		return 0;
	case 'p':
		o->path = args_path(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct nc_opts *o = state->input;

	if (parse_switch(key, o))
		return 0;
	switch (key) {
	case 'i':
		o->in = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case 'm':
		o->mem = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "unexpected argument '%s'", arg);
		o->host = o->port;
		o->port = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(state, o);
		return 0;
	default:
		return parse_value(key, arg, state, o);
	}
}

static void on_signal(int sig)
{
	tool_stop = sig;
	if (!at_once)
		return;
	if (job.dst.temp)
		unlink(job.dst.temp);
	tool_raise_stop();
}

/* Memory for all blocks, and at least for the heads of the flows. */
static int open_memory(void)
{
	uint64_t size;

	if (tool_open_ctx(&job.ctx))
		return nc_fail(&job, 0);
	if (!job.o.explain && nc_open_ends(&job))
		return -1;
	job.nr_lanes = job.o.flows * (unsigned int)(!!job.o.in + !!job.o.out);
	size = job.o.explain ? job.o.block : job.nr_lanes * job.o.depth * job.o.block;
	return toolmem_alloc(&job.place, job.ctx, job.o.mem ? job.o.mem : "auto", size < 4096 ? 4096 : size, &job.mem,
			     &job.error);
}

static int do_job(void)
{
	double t0 = tool_now(), cpu0;
	int rc;

	if (job.o.restore)
		return nc_restore(&job);
	rc = open_memory();
	/* What is set up must be restored: from here on a signal is only noted. */
	at_once = !job.o.nic;
	if (!rc)
		rc = nc_open_nic(&job) || nc_connect(&job) ? -1 : 0;
	at_once = 0;
	job.cost.setup_s = tool_now() - t0;
	if (rc || job.o.explain)
		return rc ? rc : nc_explain(&job);
	t0 = tool_now();
	cpu0 = tool_cpu();
	rc = nc_run(&job);
	job.cost.seconds = tool_now() - t0;
	job.cost.cpu_s = tool_cpu() - cpu0;
	progress_clear(&job.progress);
	return rc ? rc : nc_finish_out(&job);
}

static void close_all(void)
{
	for (unsigned int i = 0; job.socks && i < job.o.flows; i++)
		devio_sock_close(job.socks[i]);
	free(job.socks);
	devio_sock_close(job.listener);
	devio_ring_close(job.ring);
	nc_close_nic(&job);
	nc_close_ends(&job);
	devio_ctx_close(job.ctx);
}

static void report(void)
{
	bool busy = job.o.out && !strcmp(job.o.out, "-") && !job.o.sink;
	FILE *out = busy ? stderr : stdout;

	if (*job.error.text)
		tool_msg("%s", job.error.text);
	if ((job.o.explain && job.mem) || job.o.restore)
		return;
	if (job.o.report.json)
		nc_report_json(&job, out);
	else if (!*job.error.text && (!busy || tool_verbose))
		nc_report_text(&job, out);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse_opt, .args_doc = "[HOST] PORT", .doc = doc
	};

	job = (struct nc_job){ .o = { .block = 1u << 20, .depth = 8, .flows = 1, .area = 16u << 20 },
			       .dst = OUTFILE_NONE };
	tool_begin("devio-nc");
	args_parse(&argp, argc, argv, &job.o);
	job.progress.on = job.o.report.progress ? job.o.report.progress > 0 :
			  isatty(STDERR_FILENO) && !(job.o.in && job.o.out);
	at_once = 1;
	tool_catch_signals(on_signal);
	do_job();
	close_all();
	report();
	if (job.error.status)
		tool_raise_stop();
	return tool_flush(job.error.status);
}
