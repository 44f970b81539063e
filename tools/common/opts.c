/* SPDX-License-Identifier: MIT */
/* What the tools' options have in common: sizes, counts, memory specs. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "opts.h"

/* The factor of a suffix, 0 if it is none. */
static uint64_t size_unit(const char *suffix)
{
	static const char letters[] = "kMGT";
	uint64_t binary = 1, decimal = 1;

	if (!*suffix)
		return 1;
	for (const char *l = letters; *l; l++) {
		binary *= 1024;
		decimal *= 1000;
		if (*suffix != *l && !(*l == 'k' && *suffix == 'K'))
			continue;
		if (!suffix[1] || !strcmp(suffix + 1, "iB"))
			return binary;
		return strcmp(suffix + 1, "B") ? 0 : decimal;
	}
	return 0;
}

int opt_size(const char *text, uint64_t *size)
{
	unsigned long long n;
	uint64_t unit, bytes;
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = size_unit(end);
	if (!unit)
		return -EINVAL;
	if (errno || __builtin_mul_overflow(n, unit, &bytes) || bytes > INT64_MAX)
		return -ERANGE;
	*size = bytes;
	return 0;
}

int opt_count(const char *text, unsigned int min, unsigned int max, unsigned int *count)
{
	unsigned long n;
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || n < min || n > max)
		return -ERANGE;
	*count = (unsigned int)n;
	return 0;
}

const char *opt_mem_spec(const char *text)
{
	return strncmp(text, "mem:", 4) ? NULL : text + 4;
}

const char *opt_human(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned int unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}
