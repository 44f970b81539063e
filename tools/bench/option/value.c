/* SPDX-License-Identifier: MIT */
/* Values of options: sizes, times, percentages, lists. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "bench/bench.h"

/* Like fio by default: suffixes are powers of 1024, in lower or upper case, with or without b or ib. */
int bench_value_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "kmgtp";
	char number[32];
	size_t digits = strspn(text, "0123456789"), len = strlen(text);
	const char *unit;
	int rc;

	if (!digits || digits >= sizeof(number) - 2)
		return text[0] && digits ? -ERANGE : -EINVAL;
	memcpy(number, text, digits);
	number[digits] = 0;
	if (len == digits || !strcasecmp(text + digits, "b"))
		return opt_size(number, bytes);
	unit = strchr(units, tolower((unsigned char)text[digits]));
	if (!unit || (text[digits + 1] && strcasecmp(text + digits + 1, "b") && strcasecmp(text + digits + 1, "ib") &&
		      strcasecmp(text + digits + 1, "i")))
		return -EINVAL;
	if (*unit == 'p') {
		rc = opt_size(number, bytes);
		if (!rc && *bytes > (INT64_MAX >> 50))
			rc = -ERANGE;
		*bytes = rc ? *bytes : *bytes << 50;
		return rc;
	}
	number[digits] = *unit == 'k' ? 'k' : (char)toupper(*unit);
	number[digits + 1] = 0;
	return opt_size(number, bytes);
}

/* Seconds, or a number with us, ms, s, m, h or d. */
int bench_value_time(const char *text, uint64_t *ns)
{
	static const struct { const char *unit; double s; } units[] = {
		{ "", 1 }, { "s", 1 }, { "us", 1e-6 }, { "usec", 1e-6 }, { "ms", 1e-3 }, { "msec", 1e-3 }, { "sec", 1 },
		{ "m", 60 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 },
	};
	char *end;
	double n;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	n = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcasecmp(end, units[i].unit))
			continue;
		n *= units[i].s;
		if (!(n < 1e9))
			return -ERANGE;
		*ns = (uint64_t)(n * 1e9);
		return 0;
	}
	return -EINVAL;
}

static const char *why(int rc)
{
	return rc == -ERANGE ? "too large" : "not a size (such as 4096, 64k, 1m, 2g)";
}

/* "4k", "4k,8k": for reads, for writes. A third value, for trims, is allowed and ignored. */
static int pair(const char *what, const char *value, uint64_t max, uint64_t out[DIR_NR], struct bench_err *err)
{
	char text[64], *save = NULL, *word;
	uint64_t n[3];
	unsigned int nr = 0;

	if (strlen(value) >= sizeof(text))
		return bench_fail(err, TOOL_USAGE, "%s=%s: too long", what, value);
	strcpy(text, value);
	for (word = strtok_r(text, ",", &save); word && nr < 3; word = strtok_r(NULL, ",", &save)) {
		int rc = bench_value_size(word, &n[nr]);

		if (!rc && n[nr] > max)
			rc = -ERANGE;
		if (rc)
			return bench_fail(err, TOOL_USAGE, "%s=%s: '%s' is %s", what, value, word, why(rc));
		nr++;
	}
	if (!nr || word)
		return bench_fail(err, TOOL_USAGE, "%s=%s: not one value, or one for reads and one for writes", what,
				  value);
	out[DIR_READ] = n[0];
	out[DIR_WRITE] = nr > 1 ? n[1] : n[0];
	return 0;
}

int bench_call_bs(struct bench_job *job, const char *value, struct bench_err *err)
{
	uint64_t bs[DIR_NR];

	if (pair("bs", value, 1u << 30, bs, err))
		return -1;
	if (!bs[DIR_READ] || !bs[DIR_WRITE])
		return bench_fail(err, TOOL_USAGE, "bs=%s: must not be 0", value);
	memcpy(job->bs, bs, sizeof(bs));
	memset(job->bs_range, 0, sizeof(job->bs_range));
	job->nr_split[DIR_READ] = job->nr_split[DIR_WRITE] = 0;
	return 0;
}

/* "4k-64k": multiples of the smallest size, up to the largest. */
static int one_range(struct bench_job *job, int dir, char *text, struct bench_err *err)
{
	char *dash = strchr(text, '-');
	uint64_t least, most;

	if (dash)
		*dash++ = 0;
	if (!dash || bench_value_size(text, &least) || bench_value_size(dash, &most) || !least || most > 1u << 30)
		return bench_fail(err, TOOL_USAGE, "bsrange: not two sizes from 1 to 1g with a - between them");
	job->bs[dir] = least < most ? least : most;
	job->bs_range[dir] = least < most ? most : least;
	job->nr_split[dir] = 0;
	return 0;
}

int bench_call_bsrange(struct bench_job *job, const char *value, struct bench_err *err)
{
	char text[128], *comma;

	if (strlen(value) >= sizeof(text))
		return bench_fail(err, TOOL_USAGE, "bsrange: longer than %zu characters", sizeof(text));
	strcpy(text, value);
	comma = strchr(text, ',');
	if (comma)
		*comma++ = 0;
	if (one_range(job, DIR_READ, text, err))
		return -1;
	if (comma)
		return one_range(job, DIR_WRITE, comma, err);
	job->bs[DIR_WRITE] = job->bs[DIR_READ];
	job->bs_range[DIR_WRITE] = job->bs_range[DIR_READ];
	job->nr_split[DIR_WRITE] = 0;
	return 0;
}

int bench_call_rate(struct bench_job *job, const char *value, struct bench_err *err)
{
	return pair("rate", value, INT64_MAX, job->rate, err);
}

int bench_call_rate_iops(struct bench_job *job, const char *value, struct bench_err *err)
{
	return pair("rate_iops", value, 1000000000, job->rate_iops, err);
}

/* "4k/60:64k/40". Like in fio, sizes without a percentage share the rest evenly. */
static int one_split(struct bench_job *job, int dir, char *text, struct bench_err *err)
{
	struct { uint64_t bs; int pct; } e[BENCH_SPLITS];
	int total = 0, open = 0, nr = 0;
	double sum = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, ":", &save); word; word = strtok_r(NULL, ":", &save)) {
		char *slash = strchr(word, '/');
		unsigned int pct = 0;

		if (nr == BENCH_SPLITS)
			return bench_fail(err, TOOL_USAGE, "bssplit: more than %d sizes", BENCH_SPLITS);
		if (slash)
			*slash++ = 0;
		if (bench_value_size(word, &e[nr].bs) || !e[nr].bs || e[nr].bs > 1u << 30)
			return bench_fail(err, TOOL_USAGE, "bssplit: '%s' is not a size from 1 to 1g", word);
		if (slash && *slash && opt_count(slash, 0, 100, &pct))
			return bench_fail(err, TOOL_USAGE, "bssplit: '%s' is not a percentage", slash);
		e[nr].pct = slash && *slash ? (int)pct : -1;
		total += e[nr].pct < 0 ? 0 : e[nr].pct;
		open += e[nr++].pct < 0;
	}
	if (!nr || total > 100 || (total < 100 && !open))
		return bench_fail(err, TOOL_USAGE, "bssplit: the percentages add up to %d, not 100", total);
	for (int i = 0; i < nr; i++) {
		sum += e[i].pct < 0 ? (100.0 - total) / open : e[i].pct;
		job->split[dir][i].bs = (uint32_t)e[i].bs;
		job->split[dir][i].below = sum >= 99.9999 ? UINT32_MAX : (uint32_t)(sum / 100 * 0x1p32);
	}
	job->nr_split[dir] = (unsigned int)nr;
	job->bs_range[dir] = 0;
	return 0;
}

int bench_call_bssplit(struct bench_job *job, const char *value, struct bench_err *err)
{
	char text[1024], *comma;

	if (strlen(value) >= sizeof(text))
		return bench_fail(err, TOOL_USAGE, "bssplit: longer than %zu characters", sizeof(text));
	strcpy(text, value);
	comma = strchr(text, ',');
	if (comma)
		*comma++ = 0;
	if (one_split(job, DIR_READ, text, err))
		return -1;
	if (comma)
		return one_split(job, DIR_WRITE, comma, err);
	memcpy(job->split[DIR_WRITE], job->split[DIR_READ], sizeof(job->split[0]));
	job->nr_split[DIR_WRITE] = job->nr_split[DIR_READ];
	job->bs_range[DIR_WRITE] = 0;
	return 0;
}

/* A size, or a percentage of the file. */
static int size_or_percent(const char *what, const char *value, uint64_t *bytes, uint64_t *pct, struct bench_err *err)
{
	size_t len = strlen(value);
	unsigned int n;
	char number[8];
	int rc;

	if (len > 1 && len < sizeof(number) && value[len - 1] == '%') {
		memcpy(number, value, len - 1);
		number[len - 1] = 0;
		if (opt_count(number, 0, 100, &n))
			return bench_fail(err, TOOL_USAGE, "%s=%s: not from 0%% to 100%%", what, value);
		*pct = n;
		*bytes = UNSET;
		return 0;
	}
	rc = bench_value_size(value, bytes);
	if (rc)
		return bench_fail(err, TOOL_USAGE, "%s=%s: %s", what, value, why(rc));
	*pct = UNSET;
	return 0;
}

int bench_call_size(struct bench_job *job, const char *value, struct bench_err *err)
{
	return size_or_percent("size", value, &job->size, &job->size_pct, err);
}

int bench_call_io_size(struct bench_job *job, const char *value, struct bench_err *err)
{
	return size_or_percent("io_size", value, &job->io_size, &job->io_size_pct, err);
}

int bench_call_offset(struct bench_job *job, const char *value, struct bench_err *err)
{
	return size_or_percent("offset", value, &job->offset, &job->offset_pct, err);
}

int bench_call_offset_step(struct bench_job *job, const char *value, struct bench_err *err)
{
	return size_or_percent("offset_increment", value, &job->offset_step, &job->offset_step_pct, err);
}

int bench_call_rwmixwrite(struct bench_job *job, const char *value, struct bench_err *err)
{
	unsigned int n;

	if (opt_count(value, 0, 100, &n))
		return bench_fail(err, TOOL_USAGE, "rwmixwrite=%s: not a percentage", value);
	job->rwmix_read = 100 - n;
	return 0;
}

/* "0xdeadbeef" (most significant byte first), "17", "text in quotes": bytes to repeat. */
int bench_call_pattern(struct bench_job *job, const char *value, struct bench_err *err)
{
	size_t len = strlen(value), n = 0;

	if (len > 2 && value[0] == '0' && (value[1] == 'x' || value[1] == 'X')) {
		char digits[2 * sizeof(job->pattern) + 2] = "0";

		if (strspn(value + 2, "0123456789abcdefABCDEF") != len - 2 || len - 2 > 2 * sizeof(job->pattern))
			return bench_fail(err, TOOL_USAGE, "verify_pattern=%s: not up to 512 bytes of hexadecimal",
					  value);
		strcpy(digits + (len & 1), value + 2);
		for (; digits[2 * n]; n++) {
			char byte[3] = { digits[2 * n], digits[2 * n + 1], 0 };

			job->pattern[n] = (uint8_t)strtoul(byte, NULL, 16);
		}
	} else if (len > 2 && value[0] == '"' && value[len - 1] == '"' && len - 2 <= sizeof(job->pattern)) {
		n = len - 2;
		memcpy(job->pattern, value + 1, n);
	} else {
		unsigned int number;

		if (opt_count(value, 0, 255, &number))
			return bench_fail(err, TOOL_USAGE, "verify_pattern=%s: not 0xHEX, a byte, or \"text\"", value);
		job->pattern[0] = (uint8_t)number;
		n = 1;
	}
	job->pattern_len = (unsigned int)n;
	if (job->verify == VERIFY_NONE)
		job->verify = VERIFY_PATTERN;
	return 0;
}

int bench_call_percentiles(struct bench_job *job, const char *value, struct bench_err *err)
{
	const char *at = value;
	unsigned int nr = 0;
	double p[BENCH_PERCENTILES];

	do {
		char *end;

		if (nr == BENCH_PERCENTILES)
			return bench_fail(err, TOOL_USAGE, "percentile_list=%s: more than %d", value,
					  BENCH_PERCENTILES);
		p[nr] = strtod(at, &end);
		if (end == at || (*end && (*end != ':' || !end[1])) || !(p[nr] > 0) || !(p[nr] <= 100))
			return bench_fail(err, TOOL_USAGE,
					  "percentile_list=%s: not a list of numbers from above 0 to 100, "
					  "separated by colons",
					  value);
		if (nr && p[nr] <= p[nr - 1])
			return bench_fail(err, TOOL_USAGE, "percentile_list=%s: must be ascending", value);
		nr++;
		at = *end ? end + 1 : end;
	} while (*at);
	memcpy(job->percentile, p, sizeof(p));
	job->nr_percentiles = nr;
	return 0;
}

/* "0-3,8": numbers and ranges up to max. */
int bench_value_list(const char *text, uint64_t max, void (*fn)(void *arg, uint64_t n), void *arg)
{
	while (*text) {
		unsigned long from, to;
		char *end;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		from = to = strtoul(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			to = strtoul(end + 1, &end, 10);
		if ((*end && *end != ',') || (*end && !end[1]))
			return -EINVAL;
		if (from > to || to > max)
			return -ERANGE;
		for (; from <= to; from++)
			fn(arg, from);
		text = *end ? end + 1 : end;
	}
	return 0;
}
