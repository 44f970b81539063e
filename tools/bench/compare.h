/* SPDX-License-Identifier: MIT */
/* What --compare measured, for its reports. */
#ifndef TOOLS_BENCH_COMPARE_H
#define TOOLS_BENCH_COMPARE_H

#include "run.h"

#define MAX_VARIANTS 16

struct spread {
	double median, min, max;
};

/* One engine, perhaps with a path, and one job. */
struct variant {
	char label[48];
	const struct bench_engine *engine;
	uint64_t path;
	struct bench_result *sum;   /* of all rounds; NULL if none succeeded */
	double *bw, *iops;          /* of each round */
	unsigned int rounds;
	struct spread bw_spread, iops_spread;
	double p50_us, p99_us, cpu_us;      /* of completion latency; of CPU per I/O */
	double ratio;               /* of the bandwidth to the baseline's */
	char error[400];
	int status;
};

struct comparison {
	const struct bench_job *job;
	struct variant variant[MAX_VARIANTS];
	unsigned int nr, base;      /* base: the variant that ratio refers to */
};

void bench_compare_text(FILE *out, const struct comparison *c);
void bench_compare_markdown(FILE *out, const struct comparison *c, bool first);
struct json_object *bench_compare_json(const struct comparison *c);

#endif
