/* SPDX-License-Identifier: MIT */
/* libFuzzer: a job file, up to the point where its jobs would run. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "bench/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench_jobs jobs = { 0 };
	struct bench_err err = { "", 0 };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	bench_job_init(&jobs.global);
	if (!bench_job_text(&jobs, text, "fuzz", NULL, &err) && !bench_jobs_finish(&jobs, &err)) {
		for (unsigned int i = 0; i < jobs.nr; i++)
			if (!jobs.job[i].iodepth || !jobs.job[i].batch || jobs.job[i].batch > jobs.job[i].iodepth ||
			    !jobs.job[i].bs_max || !jobs.job[i].bs_min[DIR_READ] || jobs.job[i].nr_sets > BENCH_SETS)
				abort();
	} else if (!*err.text || !err.status) {
		abort();
	}
	bench_jobs_free(&jobs);
	bench_keep_free();
	free(text);
	return 0;
}
