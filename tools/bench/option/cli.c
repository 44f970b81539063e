/* SPDX-License-Identifier: MIT */
/* The command line: fio's form. What stands before the first --name holds for all jobs, also those of files. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"
#include "common/opts.h"

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
			return bench_fail(err, BENCH_USAGE, "--output-format=%s: not normal, json, json+, terse, markdown, or "
					  "several with commas", value);
		cmd->formats |= bit;
	}
	return cmd->formats ? 0 : bench_fail(err, BENCH_USAGE, "--output-format: a value is missing");
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
		return bench_fail(err, BENCH_USAGE, "--plot=%s: the name must end in .svg or .png", value);
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
		return bench_fail(err, BENCH_USAGE, "--rounds=%s: not a number from 1 to 1000", value);
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
		return bench_fail(err, BENCH_USAGE, "--tune=%s: not a time of 10ms at least for each point", value);
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
		return bench_fail(err, BENCH_USAGE, "--eta=%s: not auto, always or never", value);
	return 0;
}

static int set_eta_interval(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	uint64_t ns;

	if (bench_value_time(value, &ns) || ns < 100000000)
		return bench_fail(err, BENCH_USAGE, "--eta-interval=%s: not a time of 100ms at least", value);
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
	printf("devio-bench (libdevio) %s\n", devio_version());
	cmd->done = true;
	return 0;
}

static int set_help(struct bench_cmd *cmd, const char *value, struct bench_err *err);

static const struct program_option program[] = {
	{ "output", "FILE", "Write the report there", set_output },
	{ "output-format", "LIST", "normal, json, json+, terse; with --compare also markdown", set_formats },
	{ "minimal", NULL, "The same as --output-format=terse", set_minimal },
	{ "section", "NAME", "Of job files, run this job only", set_section },
	{ "compare", "[ENGINES]", "Run each job with several engines in turn and tell the ratio: devio, devio:PATH, "
	  "liburing, pread, or all (devio,liburing,pread)", set_compare },
	{ "rounds", "N", "Rounds of --compare (3)", set_rounds },
	{ "tune", "[TIME]", "Search block size and depth, so long for each point (2s); print the best job file", set_tune },
	{ "plot", "FILE", "Draw the run, or the curve of --tune, into FILE.svg or FILE.png (needs gnuplot)", set_plot },
	{ "eta", "WHEN", "The live line: auto (if stderr is a terminal), always, never", set_eta },
	{ "eta-interval", "TIME", "How often (1s)", set_eta_interval },
	{ "parse-only", NULL, "Only check the options", set_parse_only },
	{ "help", NULL, "This list", set_help },
	{ "version", NULL, "The version of the library", set_version },
};

static void print_option(const char *name, const char *arg, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, arg && *arg != '[' ? "=" : arg ? "[=" : "",
		 arg ? arg + (*arg == '[') : "");
	printf("  %-34s %s\n", left, help);
}

static int set_help(struct bench_cmd *cmd, const char *value, struct bench_err *err)
{
	static const char *const args[] = {
		[OPT_NUM] = "N", [OPT_SIZE] = "SIZE", [OPT_TIME] = "TIME", [OPT_TIME_US] = "TIME", [OPT_BOOL] = "[BOOL]",
		[OPT_TEXT] = "TEXT", [OPT_CALL] = "VALUE",
	};
	const char *group = "";

	(void)value;
	(void)err;
	printf("Usage: devio-bench [OPTION...] [JOB FILE...]\n"
	       "       devio-bench [OPTION...] --name=NAME OPTION... [--name=NAME OPTION...]...\n"
	       "Measures how files are read into device memory, and written from it. Options, job files and\n"
	       "reports are fio's where it has them. A SIZE may end in k, m, g, t (powers of 1024).\n\nProgram\n");
	for (size_t i = 0; i < sizeof(program) / sizeof(*program); i++)
		print_option(program[i].name, program[i].arg, program[i].help);
	for (unsigned int i = 0; bench_option_at(i); i++) {
		const struct bench_option *o = bench_option_at(i);

		if (strcmp(group, o->group))
			printf("\n%s\n", group = o->group);
		print_option(o->name, args[o->type], o->help);
	}
	printf("\nExit status: 0 all went well; 1 an I/O or a file failed; 2 wrong usage; 3 verify found a difference;\n"
	       "4 path or direct_only cannot be had here. After a signal: that signal, with the report of what was done.\n");
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

/* A word of the command line, taken apart. */
struct word {
	char key[128];
	const char *value;
};

static int split(const char *arg, struct word *w, struct bench_err *err)
{
	const char *key = arg + (arg[1] == '-' ? 2 : 1), *eq = strchr(key, '=');
	size_t len = eq ? (size_t)(eq - key) : strlen(key);

	if (!len || len >= sizeof(w->key))
		return bench_fail(err, BENCH_USAGE, "'%s': not an option", arg);
	snprintf(w->key, sizeof(w->key), "%.*s", (int)len, key);
	if (!strcmp(w->key, "h") || !strcmp(w->key, "?"))
		strcpy(w->key, "help");
	w->value = eq ? eq + 1 : NULL;
	return 0;
}

/* Whether "--key value" means "--key=value". */
static bool wants_next(const struct word *w, const struct program_option *p)
{
	const struct bench_option *o = p ? NULL : bench_option_find(w->key);

	if (w->value)
		return false;
	return p ? p->arg && p->arg[0] != '[' : o && !o->bare;
}

static int job_option(const struct word *w, struct bench_jobs *jobs, struct bench_job **job, struct bench_err *err)
{
	if (!strcmp(w->key, "name")) {
		const char *name = w->value && *w->value ? bench_keep(w->value) : NULL;

		if (!name)
			return bench_fail(err, BENCH_USAGE, "--name: a value is missing");
		*job = bench_job_add(jobs, &jobs->global, name, err);
		if (!*job)
			return -1;
	}
	return bench_option_set(*job ? *job : &jobs->global, w->key, w->value, err);
}

static int one_word(struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_job **job, int *i,
		    struct bench_err *err)
{
	const struct program_option *p;
	struct word w;

	if (split(cmd->argv[*i], &w, err))
		return -1;
	p = find_program(w.key);
	if (wants_next(&w, p) && *i + 1 < cmd->argc)
		w.value = cmd->argv[++*i];
	if (!p)
		return job_option(&w, jobs, job, err);
	if (p->arg && p->arg[0] != '[' && (!w.value || !*w.value))
		return bench_fail(err, BENCH_USAGE, "--%s: a value is missing", p->name);
	if (!p->arg && w.value)
		return bench_fail(err, BENCH_USAGE, "--%s takes no value", p->name);
	return p->set(cmd, w.value, err);
}

/* Job files take the defaults of the whole command line, so they wait until it was read. */
int bench_cli_parse(int argc, char **argv, struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_err *err)
{
	struct bench_job *job = NULL;
	int nr_files = 0;
	char **files = calloc((size_t)argc + 1, sizeof(*files));
	int rc = files ? 0 : bench_fail(err, BENCH_FAILED, "no memory");

	cmd->argc = argc;
	cmd->argv = argv;
	for (int i = 1; !rc && !cmd->done && i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			files[nr_files++] = argv[i];
		else
			rc = one_word(cmd, jobs, &job, &i, err);
		/* jobs->job moves when it grows: the last one is meant. */
		job = jobs->nr ? &jobs->job[jobs->nr - 1] : NULL;
	}
	for (int i = 0; !rc && !cmd->done && i < nr_files; i++)
		rc = bench_job_file(jobs, files[i], cmd->section, err);
	free(files);
	return rc || cmd->done ? rc : bench_jobs_finish(jobs, err);
}
