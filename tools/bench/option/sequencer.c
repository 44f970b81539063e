/* SPDX-License-Identifier: MIT */
/* Values of the options that define the order of offsets. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"

static int not_a_zone(const char *value, const char *why, struct bench_err *err)
{
	return bench_fail(err, TOOL_USAGE, "random_distribution=%s: %s. Zones are SHARE/SIZE:SHARE/SIZE..., "
			  "percentages of the I/O and of the file (zoned_abs: bytes), in order; zones without a SHARE "
			  "share the rest evenly", value, why);
}

/* "60/10" or "/10": share -1 if there is none. */
static int one_zone(char *word, bool bytes, double *share, double *size)
{
	char *slash = strchr(word, '/'), *end;
	uint64_t n = 0;

	if (!slash)
		return -1;
	*slash++ = 0;
	*share = *word ? strtod(word, &end) : -1;
	if (*word && (*end || !(*share >= 0) || *share > 100))
		return -1;
	if (bytes) {
		if (bench_value_size(slash, &n))
			return -1;
		*size = (double)n;
	} else {
		*size = strtod(slash, &end);
		if (end == slash || *end)
			return -1;
	}
	return *size > 0 ? 0 : -1;
}

/* Computes the ends of the zones, in the file and in 2^32, from sizes and shares. */
static void set_zones(struct bench_job *job, const double *share, double rest, bool bytes)
{
	double at = 0, sum = 0;

	for (unsigned int i = 0; i < job->nr_zones; i++) {
		struct bench_zone *z = &job->zone[i];

		sum += share[i] < 0 ? rest : share[i];
		z->below = sum >= 99.9999 ? UINT32_MAX : (uint32_t)(sum / 100 * 0x1p32);
		z->from = at;
		at += z->to;
		z->to = at;
		if (!bytes) {
			z->from /= 100;
			z->to = at >= 99.9999 ? 1 : at / 100;
		}
	}
}

static int zones(struct bench_job *job, const char *value, const char *list, bool bytes, struct bench_err *err)
{
	double share[BENCH_ZONES], total = 0, all = 0;
	char text[1024], *save = NULL;
	unsigned int nr = 0, open = 0;

	if (strlen(list) >= sizeof(text))
		return not_a_zone("zoned", "longer than 1023 characters", err);
	strcpy(text, list);
	for (char *word = strtok_r(text, ":", &save); word; word = strtok_r(NULL, ":", &save)) {
		if (nr == BENCH_ZONES)
			return not_a_zone(value, "more than 256 zones", err);
		if (one_zone(word, bytes, &share[nr], &job->zone[nr].to))
			return not_a_zone(value, "malformed zone", err);
		all += job->zone[nr].to;
		total += share[nr] < 0 ? 0 : share[nr];
		open += share[nr++] < 0;
	}
	if (!nr || total > 100.0001 || (total < 99.9999 && !open))
		return not_a_zone(value, "the shares do not add up to 100", err);
	if (!bytes && (all < 99.9999 || all > 100.0001))
		return not_a_zone(value, "the sizes do not add up to 100", err);
	job->nr_zones = nr;
	set_zones(job, share, open ? (100 - total) / open : 0, bytes);
	job->dist = bytes ? DIST_ZONED_ABS : DIST_ZONED;
	return 0;
}

int bench_call_dist(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct { const char *name; enum bench_dist dist; double arg, max; } known[] = {
		{ "random", DIST_RANDOM, 0, 0 }, { "zipf", DIST_ZIPF, 1.1, 100 }, { "pareto", DIST_PARETO, 0.2, 1 },
		{ "normal", DIST_NORMAL, 10, 100 },
	};
	const char *colon = strchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : strlen(value);
	char *end;

	if (!strncmp(value, "zoned:", 6))
		return zones(job, value, value + 6, false, err);
	if (!strncmp(value, "zoned_abs:", 10))
		return zones(job, value, value + 10, true, err);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		double arg = known[i].arg;

		if (strlen(known[i].name) != len || strncmp(value, known[i].name, len))
			continue;
		if (colon && known[i].max > 0) {
			arg = strtod(colon + 1, &end);
			if (end == colon + 1 || *end || !(arg > 0) || !(arg < known[i].max))
				break;
		} else if (colon) {
			break;
		}
		job->dist = known[i].dist;
		job->dist_arg = arg;
		return 0;
	}
	return bench_fail(err, TOOL_USAGE,
			  "random_distribution=%s: not random, zipf:THETA (above 0), pareto:H (above 0, below "
			  "1), normal:DEVIATION (percent, below 100), zoned:ZONES or zoned_abs:ZONES",
			  value);
}

/* The number after the colon of rw: I/Os at each random offset, or bytes that a sequential job skips. */
int bench_rw_number(struct bench_job *job, const char *text, struct bench_err *err)
{
	unsigned int n = 0;

	job->every = 1;
	job->hole = 0;
	if (job->rw & RW_RANDOM) {
		if (opt_count(text, 1, 1u << 30, &n))
			return bench_fail(err, TOOL_USAGE, "rw: '%s' is not a number of I/Os at each random offset",
					  text);
		job->every = n;
	} else if (bench_value_size(text, &job->hole)) {
		return bench_fail(err, TOOL_USAGE, "rw: '%s' is not a size of the hole after each I/O", text);
	}
	return 0;
}
