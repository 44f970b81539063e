/* SPDX-License-Identifier: MIT */
/* devio-serve: serves the files of a directory to libdevio-load on other machines. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/args.h"
#include "common/toolmem.h"
#include "serve.h"

#define MAX_CONNECTIONS 128u
#define STAGING (8u << 20)

static const struct argp_option options[] = {
	{ "address", 'a', "HOST", 0,
	  "Listen on this address (the loopback address, 127.0.0.1 or with -6 ::1); \"*\" is all", 1 },
	{ NULL, '4', NULL, 0, "Use IPv4 only", 1 },
	{ NULL, '6', NULL, 0, "Use IPv6 only", 1 },
	{ "connections", 'c', "N", 0, "Limit of connections, at most 128 (64); a loader has four", 1 },
	{ "per-address", 'p', "N", 0,
	  "Limit of connections of one address, of IPv6 of one /64 network (half of all)", 1 },
	{ "timeout", 'w', "SECONDS", 0,
	  "Close connections that send no request for this long, or take longer to receive a response (300)", 1 },
	{ "mem", 'm', "SPEC", 0, "Memory for the file data (host)", 2 },
	{ "memory", 'M', "SIZE", 0, "Bytes of it, for all connections together (2M each)", 2 },
	{ "verbose", 'v', NULL, 0, "Log connections and why they end", 3 },
	{ 0 }
};

static const char doc[] =
	"Serves the regular files beneath DIRECTORY, read-only, on PORT (0: a free one, printed on standard error) "
	"to programs that open tcp://HOST:PORT/PATH with libdevio-load.\v"
	"There is no authentication and no encryption: whoever reaches the port can read every file there that this "
	"process can "
	"read. " ARGS_SIZE_DOC "\n\n"
	"Exit status: 0 ended by SIGINT or SIGTERM; 1 failed, also if the directory does not exist; 2 wrong usage.";

static void check_usage(struct argp_state *state, struct serve *s)
{
	if (!s->dir || !s->port)
		argp_error(state, "DIRECTORY and PORT are missing");
	args_port(state, s->port);
	args_check_family(state, s->family);
	if (!s->per_address)
		s->per_address = (s->connections + 1) / 2;
	if (!s->memory)
		s->memory = (uint64_t)s->connections * (2u << 20);
	s->share = s->memory / s->connections & ~(uint64_t)(SERVE_BLOCK - 1);
	if (s->share < SERVE_SHARE_MIN)
		argp_error(state, "--memory is too small: %u connections need at least %u bytes each", s->connections,
			   SERVE_SHARE_MIN);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct serve *s = state->input;

	if (args_family(key, &s->family))
		return 0;
	switch (key) {
	case 'a':
		s->address = arg;
		return 0;
	case 'M':
		s->memory = args_size(state, "memory", arg, 1, (uint64_t)1 << 40);
		return 0;
	case 'c':
		s->connections = args_count(state, "connections", arg, MAX_CONNECTIONS);
		return 0;
	case 'p':
		s->per_address = args_count(state, "per-address", arg, MAX_CONNECTIONS);
		return 0;
	case 'w':
		s->timeout = args_seconds(state, "timeout", arg, 1e9);
		return 0;
	case 'm':
		s->mem_spec = arg;
		return 0;
	case 'v':
		tool_verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "unexpected argument '%s'", arg);
		*(state->arg_num ? &s->port : &s->dir) = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(state, s);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Each connection may have 256 files open, with two descriptors each. */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* with fewer, opening a file fails with EMFILE */
}

static int open_dir(struct serve *s)
{
	s->dir_fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return tool_fail(&s->error, TOOL_FAILED, "%s: %s", s->dir, strerror(errno));
	if (serve_file_check(s))
		return tool_fail(&s->error, TOOL_FAILED,
				 "openat2(2), which confines clients to the directory (Linux 5.6): %s",
				 strerror(errno));
	return 0;
}

static int open_memory(struct serve *s)
{
	struct toolmem place;
	void *in;

	s->conns = calloc(s->connections, sizeof(*s->conns));
	if (!s->conns)
		return tool_fail(&s->error, TOOL_FAILED, "out of memory");
	if (devio_ctx_open(NULL, &s->ctx))
		return tool_fail(&s->error, TOOL_FAILED, "%s", devio_errmsg());
	if (toolmem_alloc(&place, s->ctx, s->mem_spec, s->share * s->connections, &s->mem, &s->error))
		return -1;
	if (devio_mem_alloc(s->ctx, "host", (uint64_t)s->connections * SERVE_INPUT, NULL, &s->in_mem) ||
	    devio_mem_map(s->in_mem, &in))
		return tool_fail(&s->error, TOOL_FAILED, "%s", devio_errmsg());
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
	so.connect_ns = 1; /* accept() is called when a connection is there */
	ro.entries = s->connections * (SERVE_ANSWERS + 1);
	ro.staging = STAGING;
	if (devio_ring_open(s->ctx, &ro, &s->ring) || devio_ring_fd(s->ring) < 0 ||
	    devio_sock_listen(s->ctx, strcmp(host, "*") ? host : NULL, s->port, &so, &s->listener) ||
	    devio_sock_get_info(s->listener, &info))
		return tool_fail(&s->error, TOOL_FAILED, "%s", devio_errmsg());
	tool_msg("serving %s at %s port %u", s->dir, info.local, info.local_port);
	return 0;
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
	static const struct argp argp = {
		.options = options, .parser = parse_opt, .args_doc = "DIRECTORY PORT", .doc = doc
	};
	struct serve s = { .mem_spec = "host", .connections = 64, .timeout = 300, .dir_fd = -1 };
	sigset_t open;

	tool_begin("devio-serve");
	args_parse(&argp, argc, argv, &s);
	tool_block_signals(0, &open);
	raise_limit();
	if (!open_dir(&s) && !open_memory(&s) && !open_net(&s))
		serve_run(&s, &open);
	if (*s.error.text)
		tool_msg("%s", s.error.text);
	tool_info("%llu connections, %llu rejected, %llu requests, %llu bytes", (unsigned long long)s.accepted,
		  (unsigned long long)s.rejected, (unsigned long long)s.requests, (unsigned long long)s.bytes);
	close_all(&s);
	return s.error.status;
}
