/* SPDX-License-Identifier: MIT */
/* devio-nc: TCP into and out of device memory, to and from files, standard input and output. */
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
#include "nc.h"
#include "common/opts.h"

volatile sig_atomic_t nc_stop;
static volatile sig_atomic_t at_once; /* a signal ends the program where it stands */
static struct nc_job job;

enum { OPT_DIRECT = 256, OPT_PATTERN, OPT_SINK, OPT_FLOWS, OPT_VERIFY, OPT_CHECKSUM, OPT_JSON, OPT_PROGRESS,
       OPT_NO_PROGRESS, OPT_NIC, OPT_STEER, OPT_AREA, OPT_BUFFER, OPT_RESTORE };

static const struct argp_option options[] = {
	{ "listen", 'l', NULL, 0, "Wait for the connection at PORT (0: a free one, which is told on standard error)", 1 },
	{ NULL, '4', NULL, 0, "Only IPv4", 1 },
	{ NULL, '6', NULL, 0, "Only IPv6", 1 },
	{ "timeout", 'w', "SECONDS", 0, "Give up when nobody connects, and when no byte comes or goes, for so long", 1 },
	{ "flows", OPT_FLOWS, "N", 0, "N connections, each for a part of the bytes; for devio-nc at both sides (1)", 1 },
	{ "in", 'i', "FILE", 0, "Send FILE; - is standard input", 2 },
	{ "pattern", OPT_PATTERN, "SIZE", 0, "Send so many bytes of a pattern that does not repeat", 2 },
	{ "out", 'o', "FILE", 0, "Write what comes to FILE; - is standard output", 2 },
	{ "sink", OPT_SINK, NULL, 0, "Receive into the device memory and no further", 2 },
	{ "force", 'f', NULL, 0, "Overwrite a file that exists", 2 },
	{ "mem", 'm', "SPEC", 0, "Device memory; auto takes the best of this machine (the default)", 3 },
	{ "path", 'p', "NAME", 0, "Take this path or fail: sock-devmem, sock-zcrx, sock-host, sock-bounce, or auto", 3 },
	{ "direct-only", OPT_DIRECT, NULL, 0, "A path by which the NIC reaches the memory, or fail", 3 },
	{ "nic", OPT_NIC, "INTERFACE", 0, "Set this interface up to receive into the memory, and put it back at the end", 3 },
	{ "steer", OPT_STEER, "HOW", 0, "What of the interface's traffic gets there: rules, for our connections alone; rss, all of it; "
	  "user, what you steer; auto: rules if it has them (the default)", 3 },
	{ "area", OPT_AREA, "SIZE", 0, "Bytes of memory for the NIC (16M)", 3 },
	{ "buffer", OPT_BUFFER, "SIZE", 0, "Bytes of each of the NIC's receive buffers there: a power of two (as fits its MTU)", 3 },
	{ "restore", OPT_RESTORE, NULL, 0, "Only put back what a devio-nc that was killed left, of --nic or of all interfaces", 3 },
	{ "block-size", 'b', "SIZE", 0, "Bytes of one operation (1M)", 3 },
	{ "depth", 'q', "N", 0, "Operations in flight in each direction of each flow (8)", 3 },
	{ "verify", OPT_VERIFY, NULL, 0, "Compare what comes, as it lies in the memory, with the --pattern of the peer", 4 },
	{ "checksum", OPT_CHECKSUM, NULL, 0, "Tell what cksum(1) says of the bytes, as they lie in the memory", 4 },
	{ "explain", 'n', NULL, 0, "Only connect, tell what stands in the way of which path and what would help, and "
	  "end; sends nothing", 5 },
	{ "json", OPT_JSON, NULL, 0, "Report as JSON", 5 },
	{ "progress", OPT_PROGRESS, NULL, 0, "Show bytes and rate (the default on a terminal, but not for a conversation)", 5 },
	{ "no-progress", OPT_NO_PROGRESS, NULL, 0, "Do not show them", 5 },
	{ "verbose", 'v', NULL, 0, "Tell of the connection, why other memories were not taken, and the library's log", 5 },
	{ 0 }
};

static const char doc[] =
	"Netcat for device memory: connects to PORT of HOST, or waits there with --listen, and moves bytes through device "
	"memory.\v"
	"With --in or --pattern it sends, with --out or --sink it receives, with both it does both, and with none of them it "
	"is a conversation of standard input and output. The peer may be any TCP program. "
	"A SIZE may end in k, M, G, T (powers of 1024) or kB, MB, GB, TB (of 1000).\n\n"
	"Exit status: 0 all was moved (what was sent is confirmed by the peer's TCP); 1 failed; 2 wrong usage; 3 --verify "
	"found a difference; 4 --direct-only or --path cannot be had here. "
	"After a failure there is no --out file, or the old one is as it was. "
	"The report goes to standard output, or with --json or --verbose to standard error where the bytes go there.";

static uint64_t parse_size(struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max)
{
	uint64_t size = 0;
	int rc = opt_size(arg, &size);

	if (rc || size < min || size > max)
		argp_error(state, "--%s=%s: %s", name, arg, rc == -EINVAL ? "not a size (such as 4096, 64k, 1MiB)" :
			   !rc && size < min ? "too small" : "too large");
	return size;
}

static unsigned int parse_count(struct argp_state *state, const char *name, const char *arg, unsigned int max)
{
	unsigned int n = 1;

	if (opt_count(arg, 1, max, &n))
		argp_error(state, "--%s=%s: not a number from 1 to %u", name, arg, max);
	return n;
}

static int64_t parse_seconds(struct argp_state *state, const char *arg)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !(s >= 0.001 && s <= 1e9))
		argp_error(state, "--timeout=%s: not a number of seconds from 0.001 to 1000000000", arg);
	return (int64_t)(s * 1e9);
}

static bool parse_switch(int key, struct nc_opts *o)
{
	switch (key) {
	case 'l': return o->listen = true;
	case '4': return o->family |= DEVIO_SOCK_IPV4;
	case '6': return o->family |= DEVIO_SOCK_IPV6;
	case 'f': return o->force = true;
	case 'n': return o->explain = true;
	case 'v': return o->verbose = true;
	case OPT_SINK: return o->nothing = true;
	case OPT_RESTORE: return o->restore = true;
	case OPT_DIRECT: return o->direct = true;
	case OPT_VERIFY: return o->verify = true;
	case OPT_CHECKSUM: return o->checksum = true;
	case OPT_JSON: return o->json = true;
	case OPT_PROGRESS:
		o->progress = 1;
		return true;
	case OPT_NO_PROGRESS:
		o->progress = 0;
		return true;
	default: return false;
	}
}

static void check_flows(struct argp_state *state, const struct nc_opts *o)
{
	if (!o->in == !o->out)
		argp_error(state, "--flows goes one way: name what is sent or where it goes, not both");
	if (o->checksum)
		argp_error(state, "--checksum is of one stream: not with --flows");
	if ((o->in && !strcmp(o->in, "-")) || (o->out && !strcmp(o->out, "-")))
		argp_error(state, "--flows needs a file, --pattern or --sink: standard input and output have one stream");
}

static void check_usage(struct argp_state *state, struct nc_opts *o)
{
	if (o->restore)
		return;
	if (!o->port || (!o->host && !o->listen))
		argp_error(state, o->listen ? "PORT is missing" : "HOST and PORT are missing");
	if (o->family == (DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6))
		argp_error(state, "-4 and -6 exclude each other: give neither");
	if (o->has_pattern && o->in)
		argp_error(state, "--in and --pattern exclude each other");
	if (o->nothing && o->out)
		argp_error(state, "--out and --sink exclude each other");
	if (o->path && o->path < DEVIO_PATH_SOCK_DEVMEM)
		argp_error(state, "--path=%s is a path of files", devio_path_name((unsigned int)o->path));
	if (o->explain)
		o->flows = 1;
	if (o->has_pattern)
		o->in = "the pattern";
	if (o->nothing)
		o->out = "the memory";
	if (o->flows > 1)
		check_flows(state, o);
	if (!o->in && !o->out)
		o->in = o->out = "-";
	if (o->verify && !o->out)
		argp_error(state, "--verify is for what comes: with --out or --sink");
}

static error_t parse_value(int key, char *arg, struct argp_state *state, struct nc_opts *o)
{
	switch (key) {
	case OPT_PATTERN:
		o->pattern = parse_size(state, "pattern", arg, 0, INT64_MAX);
		o->has_pattern = true;
		return 0;
	case OPT_FLOWS:
		o->flows = parse_count(state, "flows", arg, 64);
		return 0;
	case 'b':
		o->block = parse_size(state, "block-size", arg, 1, 64u << 20);
		return 0;
	case 'q':
		o->depth = parse_count(state, "depth", arg, 128);
		return 0;
	case 'w':
		o->timeout = parse_seconds(state, arg);
		return 0;
	case OPT_NIC:
		o->nic = arg;
		return 0;
	case OPT_AREA:
		o->area = parse_size(state, "area", arg, 65536, 1ull << 40);
		return 0;
	case OPT_BUFFER:
		o->buffer = (uint32_t)parse_size(state, "buffer", arg, 4096, 1u << 30);
		return 0;
	case OPT_STEER:
		o->steer = nc_steer_parse(arg);
		if (o->steer < 0)
			argp_error(state, "--steer=%s: auto, rules, rss or user", arg);
		return 0;
	case 'p':
		o->path = devio_path_parse(arg);
		if (o->path < 0)
			argp_error(state, "--path=%s: %s", arg, devio_errmsg());
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
			argp_error(state, "'%s': HOST and PORT are all", arg);
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

int nc_fail(struct nc_job *j, int status, const char *fmt, ...)
{
	va_list ap;

	if (*j->error)
		return -1;
	va_start(ap, fmt);
	vsnprintf(j->error, sizeof(j->error), fmt, ap);
	va_end(ap);
	j->status = status;
	return -1;
}

int nc_status(const struct nc_job *j, int64_t err)
{
	return err == -EOPNOTSUPP && (j->o.direct || j->o.path) ? NC_NO_PATH : NC_FAILED;
}

double nc_now(void)
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

/* Before the first byte nothing has to be tidied up but the file's temporary name. */
static void on_signal(int sig)
{
	nc_stop = sig;
	if (!at_once)
		return;
	if (job.temp)
		unlink(job.temp);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }, old;

	at_once = 1;
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &sa, NULL);
	signal(SIGXFSZ, SIG_IGN);      /* EFBIG and EPIPE say it better */
	signal(SIGPIPE, SIG_IGN);
}

static void to_stderr(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "devio-nc: %s\n", text);
}

/* The memory of all blocks, and at least of the flows' beginnings. */
static int open_memory(void)
{
	struct devio_ctx_opts co = DEVIO_OPTS(co);
	const char *spec = job.o.mem ? job.o.mem : "auto";
	uint64_t size;

	if (job.o.verbose)
		co.log = to_stderr;
	co.log_level = DEVIO_LOG_INFO;
	if (devio_ctx_open(&co, &job.ctx))
		return nc_fail(&job, NC_FAILED, "%s", devio_errmsg());
	if (!job.o.explain && nc_open_ends(&job))
		return -1;
	job.place.tool = "devio-nc";
	job.place.verbose = job.o.verbose;
	job.nr_lanes = job.o.flows * (unsigned int)(!!job.o.in + !!job.o.out);
	size = job.o.explain ? job.o.block : job.nr_lanes * job.o.depth * job.o.block;
	if (toolmem_alloc(&job.place, job.ctx, spec, size < 4096 ? 4096 : size, &job.mem))
		return nc_fail(&job, NC_FAILED, "mem:%s: %s", spec, devio_errmsg());
	return 0;
}

static int do_job(void)
{
	double t0 = nc_now(), cpu0;
	int rc;

	if (job.o.restore)
		return nc_restore(&job);
	rc = open_memory();
	/* What is set up must be put back: from here on a signal is waited for. */
	at_once = !job.o.nic;
	if (!rc)
		rc = nc_open_nic(&job) || nc_connect(&job) ? -1 : 0;
	at_once = 0;
	job.setup_s = nc_now() - t0;
	if (rc || job.o.explain)
		return rc ? rc : nc_explain(&job);
	t0 = nc_now();
	cpu0 = cpu_now();
	rc = nc_run(&job);
	job.seconds = nc_now() - t0;
	job.cpu_s = cpu_now() - cpu0;
	nc_progress(&job, job.seconds, true);
	return rc ? rc : nc_finish_out(&job);
}

static const struct argp argp = { .options = options, .parser = parse_opt, .args_doc = "[HOST] PORT", .doc = doc };

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "devio-nc (libdevio) %s\n", devio_version());
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
	bool busy = job.o.out && !strcmp(job.o.out, "-") && !job.o.nothing;
	FILE *out = busy ? stderr : stdout;

	if (*job.error)
		fprintf(stderr, "devio-nc: %s\n", job.error);
	if ((job.o.explain && job.mem) || job.o.restore)
		return;
	if (job.o.json)
		nc_report_json(&job, out);
	else if (!*job.error && (!busy || job.o.verbose))
		nc_report_text(&job, out);
}

int main(int argc, char **argv)
{
	job = (struct nc_job){ .o = { .block = 1u << 20, .depth = 8, .flows = 1, .progress = -1, .area = 16u << 20 }, .out_fd = -1 };
	argp_err_exit_status = NC_USAGE;
	argp_program_version_hook = print_version;
	argp_parse(&argp, argc, argv, 0, NULL, &job.o);
	if (job.o.progress < 0)
		job.o.progress = isatty(STDERR_FILENO) && !(job.o.in && job.o.out);
	catch_signals();
	do_job();
	close_all();
	report();
	if (nc_stop && job.status) {
		signal(nc_stop, SIG_DFL);
		raise(nc_stop);
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "devio-nc: standard output cannot be written: %s\n", strerror(errno));
		return NC_FAILED;
	}
	return job.status;
}
