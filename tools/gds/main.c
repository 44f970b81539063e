/* SPDX-License-Identifier: MIT */
/* devio-gds: runs a program that knows GPUDirect Storage with libdevio's libcufile.so.0. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/args.h"
#include "common/tool.h"

#define LIBRARY "libcufile.so.0"

static const char *dir = GDS_DIR;
static const char *report;
static char **program;

enum { OPT_LIBRARY = 256 };

static const struct argp_option options[] = {
	{ "report", 'r', "FILE", OPTION_ARG_OPTIONAL,
	  "At the end, write which path the bytes took and why to FILE: JSON if it ends in .json, else a table "
	  "(default: a table on standard error). %p is the process", 1 },
	{ "library", OPT_LIBRARY, "DIR", 0, "Take " LIBRARY " of DIR", 1 },
	{ 0 }
};

static const char doc[] =
	"Runs PROGRAM, which uses GPUDirect Storage (cuFile), with libdevio's " LIBRARY " in place of the vendor's. "
	"With 'check' it prints what devio-probe says about FILEs and this machine's GPUs."
	"\v"
	"The library comes before any other of its name, also where the program has a run path. A program that opens "
	"the vendor's by an absolute path, is linked statically, or runs with other rights than its caller's is not "
	"reached; the report says so in the first case.\n\n"
	"Exit status: the program's; 1 the library is missing; 2 wrong usage; 126 or 127 the program cannot be run.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'r':
		report = arg ? arg : "/dev/stderr";
		return 0;
	case OPT_LIBRARY:
		dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		/* The rest is the program's. */
		program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no program");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* NAME=first[:old] */
static int prepend(const char *name, const char *first)
{
	const char *old = getenv(name);
	char *all;
	int rc;

	if (asprintf(&all, "%s%s%s", first, old && *old ? ":" : "", old ? old : "") < 0)
		return -ENOMEM;
	rc = setenv(name, all, 1);
	free(all);
	return rc ? -ENOMEM : 0;
}

static int prepare(void)
{
	char path[PATH_MAX], full[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" LIBRARY, dir);
	if (access(path, R_OK) || !realpath(dir, full)) {
		tool_msg("cannot read %s: %s: install libdevio completely, or use --library", path, strerror(errno));
		return TOOL_FAILED;
	}
	snprintf(path, sizeof(path), "%.*s/" LIBRARY, PATH_MAX - 32, full);
	/* The search path is for the name without a version, which some bindings open. */
	if (prepend("LD_PRELOAD", path) || prepend("LD_LIBRARY_PATH", full) ||
	    (report && setenv("DEVIO_GDS_REPORT", report, 1))) {
		tool_msg("cannot change the environment");
		return TOOL_FAILED;
	}
	return TOOL_OK;
}

static int run(char **argv)
{
	int err;

	execvp(argv[0], argv);
	err = errno;
	tool_msg("cannot run %s: %s", argv[0], strerror(err));
	return err == ENOENT ? 127 : 126;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "PROGRAM [ARG...]\ncheck [FILE...]", .doc = doc
	};
	static char probe[] = "devio-probe";
	int rc;

	tool_name = "devio-gds";
	args_parse_in_order(&argp, argc, argv, NULL);
	if (!strcmp(program[0], "check")) {
		program[0] = probe;
		return run(program);
	}
	rc = prepare();
	return rc ? rc : run(program);
}
