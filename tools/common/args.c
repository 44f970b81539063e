/* SPDX-License-Identifier: MIT */
/* Command lines by argp: what all tools have in common. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <devio.h>
#include "args.h"
#include "opts.h"
#include "term.h"
#include "tool.h"

enum { KEY_USAGE = 0x7000 };

static const struct argp_option common[] = {
	{ "help", 'h', NULL, 0, "Print this list", -1 },
	{ NULL, '?', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0 },
	{ "usage", KEY_USAGE, NULL, 0, "Print a short usage message", 0 },
	{ "version", 'V', NULL, 0, "Print the version", 0 },
	{ 0 }
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case 'h':
	case '?':
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
		return 0;
	case KEY_USAGE:
		argp_state_help(state, state->out_stream, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case 'V':
		fprintf(state->out_stream, "%s (libdevio) %s\n", tool_name, devio_version());
		exit(TOOL_OK);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What of a command line getopt_long() would take for a long option. */
struct scan {
	const struct argp_option *tables[2];
	int argc;
	char **argv;
};

/* As getopt_long(): the whole name, or the beginning of one. */
static const struct argp_option *find_long(const struct scan *s, const char *name, size_t len)
{
	const struct argp_option *begins = NULL;

	for (int t = 0; t < 2; t++)
		for (const struct argp_option *o = s->tables[t]; o->name || o->key; o++) {
			if (!o->name || strncmp(o->name, name, len))
				continue;
			if (!o->name[len])
				return o;
			begins = o;
		}
	return begins;
}

static const struct argp_option *find_short(const struct scan *s, int key)
{
	for (int t = 0; t < 2; t++)
		for (const struct argp_option *o = s->tables[t]; o->name || o->key; o++)
			if (o->key == key)
				return o;
	return NULL;
}

/* Whether the next word is the value of this word's last option. */
static bool short_takes_next(const struct scan *s, const char *word)
{
	for (word++; *word; word++) {
		const struct argp_option *o = find_short(s, *word);

		if (!o)
			return false;
		if (o->arg)
			return !word[1];
	}
	return false;
}

/* The first long option that does not exist; NULL if all do. */
static const char *unknown_option(const struct scan *s)
{
	for (int i = 1; i < s->argc && strcmp(s->argv[i], "--"); i++) {
		const char *word = s->argv[i];

		if (word[0] != '-' || !word[1]) {
			if (getenv("POSIXLY_CORRECT"))
				break;
		} else if (word[1] == '-') {
			size_t len = strcspn(word + 2, "=");
			const struct argp_option *o = find_long(s, word + 2, len);

			if (!o)
				return word;
			i += o->arg && !word[2 + len];
		} else {
			i += short_takes_next(s, word);
		}
	}
	return NULL;
}

/* Ends the program if an option is mistyped and it is clear which one was meant. */
static void suggest(const struct scan *s)
{
	const char *word = unknown_option(s);
	struct opt_guess guess;

	if (!word)
		return;
	opt_guess_begin(&guess, word + 2, strcspn(word + 2, "="));
	for (int t = 0; t < 2; t++)
		for (const struct argp_option *o = s->tables[t]; o->name || o->key; o++)
			if (o->name)
				opt_guess(&guess, o->name);
	if (!guess.best)
		return;
	tool_msg("unrecognized option '%s'. Did you mean --%s?", word, guess.best);
	fprintf(stderr, "Try '%s --help' for more information.\n", tool_name);
	exit(TOOL_USAGE);
}

static void parse_all(const struct argp *argp, int argc, char **argv, unsigned int flags, void *input)
{
	const struct argp_child children[] = { { argp, 0, NULL, 0 }, { 0 } };
	const struct argp top = { .options = common, .parser = parse_common, .children = children };
	const struct scan s = { { argp->options, common }, argc, argv };

	char format[32];

	/* The help of argp has 79 columns otherwise. */
	snprintf(format, sizeof(format), "rmargin=%u", term_width(stdout) - 1);
	if (term_width(stdout) >= 60)
		(void)setenv("ARGP_HELP_FMT", format, 0);
	argp_err_exit_status = TOOL_USAGE;
	suggest(&s);
	argp_parse(&top, argc, argv, ARGP_NO_HELP | flags, NULL, input);
}

void args_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	parse_all(argp, argc, argv, 0, input);
}

void args_parse_in_order(const struct argp *argp, int argc, char **argv, void *input)
{
	parse_all(argp, argc, argv, ARGP_IN_ORDER, input);
}

bool args_report(int key, struct args_report *r)
{
	if (key == ARGS_JSON)
		return r->json = true;
	if (key != ARGS_PROGRESS && key != ARGS_NO_PROGRESS)
		return false;
	r->progress = key == ARGS_PROGRESS ? 1 : -1;
	return true;
}

uint64_t args_size(const struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max)
{
	uint64_t size = 0;
	int rc = opt_size(arg, &size);

	if (rc || size < min || size > max)
		argp_error(state, "--%s=%s: %s", name, arg, rc == -EINVAL ? "not a size (such as 4096, 64k, 1MiB)" :
			   !rc && size < min ? "too small" : "too large");
	return size;
}

unsigned int args_count(const struct argp_state *state, const char *name, const char *arg, unsigned int max)
{
	unsigned int n = 1;

	if (opt_count(arg, 1, max, &n))
		argp_error(state, "--%s=%s: not a number from 1 to %u", name, arg, max);
	return n;
}

double args_seconds(const struct argp_state *state, const char *name, const char *arg, double max)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !(s >= 0.001 && s <= max))
		argp_error(state, "--%s=%s: not a number of seconds from 0.001 to %.0f", name, arg, max);
	return s;
}

int args_path(const struct argp_state *state, const char *arg)
{
	int path = devio_path_parse(arg);

	if (path < 0)
		argp_error(state, "--path=%s: %s", arg, devio_errmsg());
	return path;
}

const char *args_port(const struct argp_state *state, const char *arg)
{
	unsigned int port;

	if (arg[strspn(arg, "0123456789")] ? *arg == '-' : opt_count(arg, 0, 65535, &port) != 0)
		argp_error(state, "port %s: not from 0 to 65535", arg);
	return arg;
}

bool args_family(int key, unsigned int *family)
{
	if (key != '4' && key != '6')
		return false;
	*family |= key == '4' ? DEVIO_SOCK_IPV4 : DEVIO_SOCK_IPV6;
	return true;
}

void args_check_family(const struct argp_state *state, unsigned int family)
{
	if (family == (DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6))
		argp_error(state, "-4 and -6 exclude each other");
}
