/* SPDX-License-Identifier: MIT */
/* devio-serve: the files beneath a directory, for libdevio-load on other machines. */
#include "config.h"
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "common/opts.h"
#include "serve.h"
#include "common/toolmem.h"

#define MAX_CONNECTIONS 128u
#define STAGING (8u << 20)

volatile sig_atomic_t serve_stop;

static const struct argp_option options[] = {
	{ "address", 'a', "HOST", 0, "Listen at this address (the loopback address, 127.0.0.1 or with -6 ::1); \"*\" is all", 1 },
	{ NULL, '4', NULL, 0, "Only IPv4", 1 },
	{ NULL, '6', NULL, 0, "Only IPv6", 1 },
	{ "connections", 'c', "N", 0, "Serve so many at once, at most 128 (64); a reader has four", 1 },
	{ "timeout", 'w', "SECONDS", 0, "End connections that ask for nothing, or take no answer, for so long (300)", 1 },
	{ "mem", 'm', "SPEC", 0, "Memory through which the bytes go (host)", 2 },
	{ "memory", 'M', "SIZE", 0, "Take so much of it, for all connections together (2M each)", 2 },
	{ "verbose", 'v', NULL, 0, "Tell of connections and their ends", 3 },
	{ 0 }
};

static const char doc[] =
	"Serves the regular files beneath DIRECTORY, to be read only, at PORT (0: a free one, which is told on standard error) "
	"to those who open tcp://HOST:PORT/PATH with libdevio-load.\v"
	"Whoever reaches the port can read every file there that this process can: nobody is asked who he is, and nothing is "
	"encrypted. A SIZE may end in k, M, G, T (powers of 1024) or kB, MB, GB, TB (of 1000).\n\n"
	"Exit status: 0 ended by SIGINT or SIGTERM; 1 failed; 2 wrong usage.";

double serve_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void serve_say(const struct serve *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!s->verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "devio-serve: %s\n", text);
}

static void check_usage(struct argp_state *state, struct serve *s)
{
	if (!s->dir || !s->port)
		argp_error(state, "DIRECTORY and PORT are needed");
	if (s->family == (DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6))
		argp_error(state, "-4 and -6 exclude each other: give neither");
	if (!s->memory)
		s->memory = (uint64_t)s->connections * (2u << 20);
	s->share = s->memory / s->connections & ~(uint64_t)(SERVE_BLOCK - 1);
	if (s->share < SERVE_SHARE_MIN)
		argp_error(state, "--memory is too small: %u connections need at least %u bytes each", s->connections,
			   SERVE_SHARE_MIN);
}

static error_t parse_value(int key, const char *arg, struct argp_state *state, struct serve *s)
{
	char *end;

	switch (key) {
	case 'M':
		if (opt_size(arg, &s->memory) || !s->memory || s->memory > (uint64_t)1 << 40)
			argp_error(state, "--memory=%s: not a size from 1 byte to 1 TiB", arg);
		return 0;
	case 'c':
		if (opt_count(arg, 1, MAX_CONNECTIONS, &s->connections))
			argp_error(state, "--connections=%s: not a number from 1 to %u", arg, MAX_CONNECTIONS);
		return 0;
	case 'w':
		s->timeout = strtod(arg, &end);
		if (end == arg || *end || !(s->timeout >= 0.001 && s->timeout <= 1e9))
			argp_error(state, "--timeout=%s: not a number of seconds from 0.001 to 1000000000", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct serve *s = state->input;

	switch (key) {
	case 'a':
		s->address = arg;
		return 0;
	case '4':
		s->family |= DEVIO_SOCK_IPV4;
		return 0;
	case '6':
		s->family |= DEVIO_SOCK_IPV6;
		return 0;
	case 'm':
		s->mem_spec = arg;
		return 0;
	case 'v':
		s->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "'%s': DIRECTORY and PORT are all", arg);
		*(state->arg_num ? &s->port : &s->dir) = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(state, s);
		return 0;
	default:
		return parse_value(key, arg, state, s);
	}
}

static void on_signal(int sig)
{
	serve_stop = sig;
}

/* Blocked but while the loop waits, so that none comes between the look and the waiting. */
static void catch_signals(sigset_t *open)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, open);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigdelset(open, SIGINT);
	sigdelset(open, SIGTERM);
}

/* Each connection may have 256 files open, with two descriptors each. */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* with fewer, opening a file fails, and says so */
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "devio-serve: %s%s%s\n", what, *what ? ": " : "", why);
	return -1;
}

static int open_dir(struct serve *s)
{
	s->dir_fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return fail(s->dir, strerror(errno));
	if (serve_file_check(s))
		return fail("openat2(2), which keeps readers beneath the directory (Linux 5.6)", strerror(errno));
	return 0;
}

static int open_memory(struct serve *s)
{
	struct toolmem place = { .tool = "devio-serve", .verbose = s->verbose };
	void *in;

	s->conns = calloc(s->connections, sizeof(*s->conns));
	if (!s->conns)
		return fail("", "no memory for connections");
	if (devio_ctx_open(NULL, &s->ctx) ||
	    toolmem_alloc(&place, s->ctx, s->mem_spec, s->share * s->connections, &s->mem) ||
	    devio_mem_alloc(s->ctx, "host", (uint64_t)s->connections * SERVE_INPUT, NULL, &s->in_mem) ||
	    devio_mem_map(s->in_mem, &in))
		return fail("", devio_errmsg());
	for (unsigned int i = 0; i < s->connections; i++) {
		s->conns[i].index = i;
		s->conns[i].base = i * s->share;
		s->conns[i].in = (unsigned char *)in + (size_t)i * SERVE_INPUT;
	}
	return 0;
}

static int open_net(struct serve *s)
{
	struct devio_sock_info info = DEVIO_OPTS(info);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_sock_opts so = DEVIO_OPTS(so);
	const char *host = s->address ? s->address : s->family == DEVIO_SOCK_IPV6 ? "::1" : "127.0.0.1";

	so.flags = s->family;
	so.idle_ns = (int64_t)(s->timeout * 1e9);
	so.connect_ns = 1; /* who is accepted is there already, or gone */
	ro.entries = s->connections * (SERVE_ANSWERS + 1);
	ro.staging = STAGING;
	if (devio_ring_open(s->ctx, &ro, &s->ring) ||
	    devio_sock_listen(s->ctx, strcmp(host, "*") ? host : NULL, s->port, &so, &s->listener) ||
	    devio_sock_get_info(s->listener, &info))
		return fail("", devio_errmsg());
	fprintf(stderr, "devio-serve: %s at %s port %u\n", s->dir, info.local, info.local_port);
	return 0;
}

static const struct argp argp = { .options = options, .parser = parse_opt, .args_doc = "DIRECTORY PORT", .doc = doc };

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "devio-serve (libdevio) %s\n", devio_version());
}

static void close_all(struct serve *s)
{
	devio_sock_close(s->listener);
	devio_ring_close(s->ring);
	devio_mem_free(s->mem);
	devio_mem_free(s->in_mem);
	devio_ctx_close(s->ctx);
	free(s->conns);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
}

int main(int argc, char **argv)
{
	struct serve s = { .mem_spec = "host", .connections = 64, .timeout = 300, .dir_fd = -1 };
	sigset_t open;
	int rc;

	argp_err_exit_status = 2;
	argp_program_version_hook = print_version;
	argp_parse(&argp, argc, argv, 0, NULL, &s);
	catch_signals(&open);
	raise_limit();
	rc = open_dir(&s) || open_memory(&s) || open_net(&s) ? -1 : serve_run(&s, &open);
	serve_say(&s, "%llu connections, %llu turned away, %llu requests, %llu bytes", (unsigned long long)s.accepted,
		  (unsigned long long)s.refused, (unsigned long long)s.requests, (unsigned long long)s.bytes);
	close_all(&s);
	return rc ? 1 : 0;
}
