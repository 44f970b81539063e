/* SPDX-License-Identifier: MIT */
/* The command line, in the form of fio. Options before the first --name are defaults of all jobs, also of job files. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"
#include "common/term.h"

/* Options of the program, not of a job. */
struct program_option {
	const char *name, *arg, *help;  /* arg NULL: takes none; "[...": may have one */
	int (*set)(struct bench_cmd *cmd, const char *value, struct bench_err *err);
};

static int set_formats(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	static const struct { const char *name; unsigned int bit; } known[] = {
		{ "normal", OUT_NORMAL }, { "json", OUT_JSON }, { "json+", OUT_JSON_PLUS }, { "terse", OUT_TERSE },
		{ "markdown", OUT_MARKDOWN },
	};
	char text[64], *save = NULL;

	snprintf(text, sizeof(text), "%s", value);
	cmd->formats = 0;
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		unsigned int bit = 0;

		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			bit |= strcmp(w, known[i].name) ? 0 : known[i].bit;
		if (!bit)
			return bench_fail(err, TOOL_USAGE,
					  "--output-format=%s: not a list of normal, json, json+, terse, markdown",
					  value);
		cmd->formats |= bit;
	}
	return cmd->formats ? 0 : bench_fail(err, TOOL_USAGE, "--output-format: value missing");
}

static int set_minimal(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)value;
	return set_formats(cmd, "terse", err);
}

static int set_output(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)err;
	cmd->output = value;
	return 0;
}

static int set_section(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)err;
	cmd->section = value;
	return 0;
}

static int set_plot(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	size_t len = strlen(value);

	if (len < 5 || (strcmp(value + len - 4, ".svg") && strcmp(value + len - 4, ".png")))
		return bench_fail(err, TOOL_USAGE, "--plot=%s: not a name that ends in .svg or .png", value);
	cmd->plot = value;
	return 0;
}

static int set_compare(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)err;
	cmd->compare = value && *value ? value : "devio,liburing,pread";
	return 0;
}

static int set_rounds(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	unsigned int n;

	if (opt_count(value, 1, 1000, &n))
		return bench_fail(err, TOOL_USAGE, "--rounds=%s: not a number from 1 to 1000", value);
	cmd->rounds = n;
	return 0;
}

static int set_tune(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	uint64_t ns;

	cmd->tune = true;
	if (!value)
		return 0;
	if (bench_value_time(value, &ns) || ns < 10000000)
		return bench_fail(err, TOOL_USAGE, "--tune=%s: not a time of at least 10ms", value);
	cmd->tune_ms = ns / 1000000;
	return 0;
}

static int set_eta(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	if (!strcmp(value, "auto"))
		cmd->eta = -1;
	else if (!strcmp(value, "always") || !strcmp(value, "never"))
		cmd->eta = value[0] == 'a';
	else
		return bench_fail(err, TOOL_USAGE, "--eta=%s: not one of auto, always, never", value);
	return 0;
}

static int set_eta_interval(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	uint64_t ns;

	if (bench_value_time(value, &ns) || ns < 100000000)
		return bench_fail(err, TOOL_USAGE, "--eta-interval=%s: not a time of at least 100ms", value);
	cmd->eta_ms = ns / 1000000;
	return 0;
}

static int set_parse_only(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)value;
	(void)err;
	cmd->parse_only = true;
	return 0;
}

static int set_version(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	(void)value;
	(void)err;
	printf("%s (libdevio) %s\n", tool_name, devio_version());
	cmd->done = true;
	return 0;
}

static int set_help(struct bench_cmd *cmd, const char *value, struct bench_err *err);

static const struct program_option program[] = {
	{ "output", "FILE", "Write the report to FILE", set_output },
	{ "output-format", "LIST", "normal, json, json+, terse; with --compare also markdown", set_formats },
	{ "minimal", NULL, "Same as --output-format=terse", set_minimal },
	{ "section", "NAME", "Run this job of the job files only", set_section },
	{ "compare", "[ENGINES]",
	  "Run each job with several engines in turn and print the ratio: devio, devio:PATH, "
	  "liburing, pread, or all (devio,liburing,pread)",
	  set_compare },
	{ "rounds", "N", "Rounds of --compare (3)", set_rounds },
	{ "tune", "[TIME]", "Search for the best block size and depth, TIME for each point (2s), and print a job file",
	  set_tune },
	{ "plot", "FILE", "Plot the run, or the curve of --tune, to FILE.svg or FILE.png (needs gnuplot)", set_plot },
	{ "eta", "WHEN", "Progress line: auto (if stderr is a terminal), always, never", set_eta },
	{ "eta-interval", "TIME", "Its interval (1s)", set_eta_interval },
	{ "parse-only", NULL, "Check the options and job files only", set_parse_only },
	{ "help", NULL, "Print this list (also -h)", set_help },
	{ "version", NULL, "Print the version (also -V)", set_version },
};

static void print_option(const char *name, const char *arg, const char *help)
{
	char left[64], head[80];

	snprintf(left, sizeof(left), "--%s%s%s", name, arg && *arg != '[' ? "=" : arg ? "[=" : "",
		 arg ? arg + (*arg == '[') : "");
	snprintf(head, sizeof(head), "  %-34s ", left);
	term_wrap(stdout, head, help);
}

static int set_help(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	static const char *const args[] = {
		[OPT_NUM] = "N", [OPT_SIZE] = "SIZE", [OPT_TIME] = "TIME", [OPT_TIME_US] = "TIME",
		[OPT_BOOL] = "[BOOL]", [OPT_TEXT] = "TEXT", [OPT_CALL] = "VALUE",
	};
	const char *group = "";

	(void)value;
	(void)err;
	term_wrap(stdout, "Usage: ", "devio-bench [OPTION...] [JOB FILE...]");
	term_wrap(stdout, "  or:  ", "devio-bench [OPTION...] --name=NAME OPTION... [--name=NAME OPTION...]...");
	term_wrap(stdout, "",
		  "Benchmark for reads of files into device memory, writes from it, and TCP connections. Options, "
		  "job files and reports follow fio(1). A SIZE may end in k, m, g, t (powers of 1024).");
	printf("\nProgram\n");
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++)
		print_option(program[i].name, program[i].arg, program[i].help);
	for (unsigned int i = 0; bench_option_at(i); i++) {
		const struct bench_option *o = bench_option_at(i);

		if (strcmp(group, o->group))
			printf("\n%s\n", group = o->group);
		print_option(o->name, args[o->type], o->help);
	}
	printf("\n");
	term_wrap(stdout, "",
		  "Exit status: 0 success; 1 an I/O failed, or a file does not exist; 2 wrong usage; 3 verify found a "
		  "difference; 4 --path or --direct-only is not possible here. A signal ends the program by that "
		  "signal, after the report.");
	cmd->done = true;
	return 0;
}

static const struct program_option *find_program(const char *name)
{
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++)
		if (!strcmp(name, program[i].name))
			return &program[i];
	return NULL;
}

/* An argument of the command line: key and value. */
struct arg {
	char key[128];
	const char *value;
};

static int split(const char *arg, struct arg *w, struct bench_err *err)
{
	const char *key = arg + (arg[1] == '-' ? 2 : 1), *eq = strchr(key, '=');
	size_t len = eq ? (size_t)(eq - key) : strlen(key);

	if (!len || len >= sizeof(w->key))
		return bench_fail(err, TOOL_USAGE, "'%s': not an option", arg);
	snprintf(w->key, sizeof(w->key), "%.*s", (int)len, key);
	if (!strcmp(w->key, "h") || !strcmp(w->key, "?"))
		strcpy(w->key, "help");
	if (!strcmp(w->key, "V"))
		strcpy(w->key, "version");
	w->value = eq ? eq + 1 : NULL;
	return 0;
}

/* Whether "--key value" means "--key=value". */
static bool wants_next(const struct arg *w, const struct program_option *p)
{
	const struct bench_option *o = p ? NULL : bench_option_find(w->key);

	if (w->value)
		return false;
	return p ? p->arg && p->arg[0] != '[' : o && !o->bare;
}

/* Neither of the program nor of a job: names the nearest of both. */
static int unknown_option(const struct arg *w, struct bench_err *err)
{
	struct opt_guess guess;

	opt_guess_begin(&guess, w->key, strlen(w->key));
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++)
		opt_guess(&guess, program[i].name);
	bench_option_guess(&guess);
	return bench_option_unknown(w->key, &guess, err);
}

static int job_option(const struct arg *w, struct bench_jobs *jobs, struct bench_job **job, struct bench_err *err)
{
	if (!strcmp(w->key, "name")) {
		const char *name = w->value && *w->value ? bench_keep(w->value) : NULL;

		if (!name)
			return bench_fail(err, TOOL_USAGE, "--name: value missing");
		*job = bench_job_add(jobs, &jobs->global, name, err);
		if (!*job)
			return -1;
	}
	if (!bench_option_known(w->key))
		return unknown_option(w, err);
	return bench_option_set(*job ? *job : &jobs->global, w->key, w->value, err);
}

static int parse_arg(struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_job **job, int *i,
		    struct bench_err *err)
{
	const struct program_option *p;
	struct arg w;

	if (split(cmd->argv[*i], &w, err))
		return -1;
	p = find_program(w.key);
	if (wants_next(&w, p) && *i + 1 < cmd->argc)
		w.value = cmd->argv[++*i];
	if (!p)
		return job_option(&w, jobs, job, err);
	if (p->arg && p->arg[0] != '[' && (!w.value || !*w.value))
		return bench_fail(err, TOOL_USAGE, "--%s: value missing", p->name);
	if (!p->arg && w.value)
		return bench_fail(err, TOOL_USAGE, "--%s takes no value", p->name);
	return p->set(cmd, w.value, err);
}

/* Job files are read last: the defaults of the whole command line hold for them. */
int bench_cli_parse(int argc, char **argv, struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_err *err)
{
	struct bench_job *job = NULL;
	int nr_files = 0;
	char **files = calloc((size_t)argc + 1, sizeof(*files));
	int rc = files ? 0 : bench_fail(err, TOOL_FAILED, "out of memory");

	cmd->argc = argc;
	cmd->argv = argv;
	for (int i = 1; !rc && !cmd->done && i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			files[nr_files++] = argv[i];
		else
			rc = parse_arg(cmd, jobs, &job, &i, err);
		/* jobs->job may have moved: the last job is the current one. */
		job = jobs->nr ? &jobs->job[jobs->nr - 1] : NULL;
	}
	for (int i = 0; !rc && !cmd->done && i < nr_files; i++)
		rc = bench_job_file(jobs, files[i], cmd->section, err);
	free(files);
	return rc || cmd->done ? rc : bench_jobs_finish(jobs, err);
}
