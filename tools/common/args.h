/* SPDX-License-Identifier: MIT */
/* Command lines by argp: what all tools have in common. */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * argp_parse() with -h, --help, --usage, -V and --version, exit status 2 for
 * wrong usage, and the nearest option for one that does not exist.
 */
void args_parse(const struct argp *argp, int argc, char **argv, void *input);
/* The same for a tool that runs a program, whose options follow its name. */
void args_parse_in_order(const struct argp *argp, int argc, char **argv, void *input);

#define ARGS_SIZE_DOC "A SIZE may end in k, M, G, T (powers of 1024) or kB, MB, GB, TB (of 1000), in any case."

/* --json, --progress and --no-progress: rows of a table, and what they set. */
#define ARGS_REPORT_OPTIONS(group)							\
	{ "json", ARGS_JSON, NULL, 0, "Print the report as JSON", group },		\
	{ "progress", ARGS_PROGRESS, NULL, 0, "Show progress on standard error (default on a terminal)", group }, \
	{ "no-progress", ARGS_NO_PROGRESS, NULL, 0, "Do not show progress", group }
enum { ARGS_JSON = 0x7100, ARGS_PROGRESS, ARGS_NO_PROGRESS };
struct args_report {
	bool json;
	int progress;               /* 0: not given, > 0: shown, < 0: not shown */
};
bool args_report(int key, struct args_report *r);

/* The value of --NAME in [min, max]; anything else is wrong usage. */
uint64_t args_size(const struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max);
/* from 1 */
unsigned int args_count(const struct argp_state *state, const char *name, const char *arg, unsigned int max);
/* from 0.001 */
double args_seconds(const struct argp_state *state, const char *name, const char *arg, double max);
/* --path: enum devio_path */
int args_path(const struct argp_state *state, const char *arg);
/* PORT: a number from 0 to 65535, or a name of a service. */
const char *args_port(const struct argp_state *state, const char *arg);
/* -4 and -6: the flag that they set; neither of both is allowed. */
bool args_family(int key, unsigned int *family);
void args_check_family(const struct argp_state *state, unsigned int family);

#endif
