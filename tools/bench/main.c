/* SPDX-License-Identifier: MIT */
/* devio-bench: a benchmark of files and connections with device memory, in the language of fio. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "run.h"

static void on_signal(int sig)
{
	/* A second signal ends the program at once: a drive may not answer. */
	tool_raise_stop();
	tool_stop = sig;
}

static int report(const struct bench_cmd *cmd, const struct bench_jobs *jobs, const struct bench_results *results,
		  struct bench_err *err)
{
	int rc = 0;

	if (cmd->formats & (OUT_JSON | OUT_JSON_PLUS))
		rc = bench_json(cmd->out, jobs, results, cmd->formats & OUT_JSON_PLUS);
	if (cmd->formats & OUT_NORMAL)
		bench_normal(cmd->out, results);
	if (cmd->formats & OUT_TERSE)
		bench_terse(cmd->out, results);
	return rc ? bench_fail(err, TOOL_FAILED, "cannot write the report: %s", strerror(-rc)) : 0;
}

static int run_jobs(struct devio_ctx *ctx, struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_live *live,
		    struct bench_err *err)
{
	struct bench_results results = { 0 };
	int rc;

	cmd->announced = jobs;
	rc = bench_run_all(ctx, jobs, live, &results, err);
	/* What was measured before the failure is reported, too. */
	if (results.nr && report(cmd, jobs, &results, err))
		rc = -1;
	if (!rc && cmd->plot)
		rc = bench_plot_run(cmd, live, &results, err);
	if (!rc)
		err->status = bench_result_status(&results);
	bench_results_free(&results);
	return rc;
}

/* Both compare or tune one side only. */
static int check_mode(const struct bench_cmd *cmd, const struct bench_jobs *jobs, struct bench_err *err)
{
	for (unsigned int i = 0; i < jobs->nr && (cmd->compare || cmd->tune); i++)
		if (jobs->job[i].engine->net)
			return bench_fail(err, TOOL_USAGE, "%s: --%s supports files only, not ioengine=net",
					  jobs->job[i].name, cmd->compare ? "compare" : "tune");
	return 0;
}

static int do_mode(struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_err *err)
{
	struct bench_live *live = bench_live_new(cmd, err);
	struct devio_ctx *ctx = NULL;
	int rc = live ? 0 : -1;

	if (!rc && devio_ctx_open(NULL, &ctx))
		rc = bench_fail(err, TOOL_FAILED, "%s", devio_errmsg());
	if (!rc && cmd->compare)
		rc = bench_compare(ctx, cmd, jobs, live, err);
	else if (!rc && cmd->tune)
		rc = bench_tune(ctx, cmd, jobs, live, err);
	else if (!rc)
		rc = run_jobs(ctx, cmd, jobs, live, err);
	bench_live_free(live);
	devio_ctx_close(ctx);
	return rc;
}

static int run(struct bench_cmd *cmd, struct bench_jobs *jobs, struct bench_err *err)
{
	int rc = check_mode(cmd, jobs, err);

	if (rc)
		return rc;
	rc = bench_files_prepare(jobs, !(cmd->formats & OUT_NORMAL), err);
	if (!rc)
		rc = bench_output_open(cmd, err);
	if (!rc) {
		rc = do_mode(cmd, jobs, err);
		if (bench_output_close(cmd, err))
			rc = -1;
	}
	bench_files_unlink(jobs);
	return rc;
}

int main(int argc, char **argv)
{
	static struct bench_jobs jobs;
	static struct bench_cmd cmd = {
		.formats = OUT_NORMAL, .eta = -1, .eta_ms = 1000, .rounds = 3, .tune_ms = 2000
	};
	static struct bench_err err;
	int rc;

	tool_begin("devio-bench");
	bench_job_init(&jobs.global);
	rc = bench_cli_parse(argc, argv, &cmd, &jobs, &err);
	if (!rc && !cmd.done && !cmd.parse_only) {
		tool_catch_signals(on_signal);
		rc = run(&cmd, &jobs, &err);
	}
	if (rc)
		tool_msg("%s", err.text);
	bench_jobs_free(&jobs);
	bench_keep_free();
	if (!err.status || rc)
		tool_raise_stop();
	return rc ? err.status : tool_flush(err.status);
}
