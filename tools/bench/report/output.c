/* SPDX-License-Identifier: MIT */
/* The file of the report: what was in it remains until there is something to report. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>
#include "bench/run.h"

FILE *bench_output_file(const char *what, const char *name, struct bench_err *err)
{
	int fd;
	FILE *f;

	if (bench_files_spare(what, name, err))
		return NULL;
	fd = open(name, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f)
		return f;
	bench_fail(err, TOOL_FAILED, "%s%s: %s", what, name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return NULL;
}

void bench_output_empty(FILE *f)
{
	struct stat st;

	if (!fstat(fileno(f), &st) && S_ISREG(st.st_mode) && ftruncate(fileno(f), 0))
		clearerr(f);        /* the file cannot be shortened: the report overwrites its beginning */
}

int bench_output_open(struct bench_cmd *cmd, struct bench_err *err)
{
	cmd->out = stdout;
	if (cmd->plot && bench_files_spare("--plot=", cmd->plot, err))
		return -1;
	if (!cmd->output)
		return 0;
	cmd->out = bench_output_file("--output=", cmd->output, err);
	return cmd->out ? 0 : -1;
}

static void announce(const struct bench_cmd *cmd, const struct bench_jobs *jobs)
{
	uint64_t threads = 0;
	char text[BENCH_JOB_TEXT];

	for (unsigned int i = 0; i < jobs->nr; i++) {
		bench_text_job(&jobs->job[i], text, sizeof(text));
		fprintf(cmd->out, "%s\n%s", text, jobs->job[i].numjobs > 1 ? "...\n" : "");
		threads += jobs->job[i].numjobs;
	}
	fprintf(cmd->out, "devio-bench-%s\nStarting %llu thread%s\n", devio_version(), (unsigned long long)threads,
		threads == 1 ? "" : "s");
	fflush(cmd->out);
}

void bench_output_begin(struct bench_cmd *cmd)
{
	if (cmd->begun)
		return;
	cmd->begun = true;
	if (cmd->out != stdout)
		bench_output_empty(cmd->out);
	if (cmd->announced && cmd->formats & OUT_NORMAL)
		announce(cmd, cmd->announced);
}

int bench_output_close(struct bench_cmd *cmd, struct bench_err *err)
{
	bool bad;

	if (!cmd->begun && cmd->out != stdout)
		__fpurge(cmd->out);
	bad = fflush(cmd->out) || ferror(cmd->out);
	if (cmd->out != stdout)
		bad |= fclose(cmd->out) != 0;
	return bad ? bench_fail(err, TOOL_FAILED, "cannot write the report: %s", strerror(errno)) : 0;
}
