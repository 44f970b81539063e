/* SPDX-License-Identifier: MIT */
/* Values of the tools' options: sizes, counts, memory specs; the nearest name for a mistyped one. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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
		if (toupper((unsigned char)*suffix) != toupper((unsigned char)*l))
			continue;
		if (!suffix[1] || !strcasecmp(suffix + 1, "iB"))
			return binary;
		return strcasecmp(suffix + 1, "B") ? 0 : decimal;
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

#define GUESS_MAX 40

static bool same_char(char a, char b)
{
	return a == b || (strchr("-_", a) && a && strchr("-_", b) && b);
}

/* Insertions, deletions, replacements and swaps of neighbors that make one of the other (optimal string alignment). */
static unsigned int distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int d[GUESS_MAX + 1][GUESS_MAX + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned int)i;
	for (size_t k = 0; k <= nb; k++)
		d[0][k] = (unsigned int)k;
	for (size_t i = 1; i <= na; i++)
		for (size_t k = 1; k <= nb; k++) {
			unsigned int best = d[i - 1][k - 1] + !same_char(a[i - 1], b[k - 1]);

			best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
			best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
			if (i > 1 && k > 1 && same_char(a[i - 1], b[k - 2]) && same_char(a[i - 2], b[k - 1]) &&
			    d[i - 2][k - 2] + 1 < best)
				best = d[i - 2][k - 2] + 1;
			d[i][k] = best;
		}
	return d[na][nb];
}

void opt_guess_begin(struct opt_guess *g, const char *word, size_t len)
{
	/* A third of the letters may be wrong, and one of a short word. */
	*g = (struct opt_guess){ .word = word, .len = len, .distance = len < 6 ? 1 : (unsigned int)len / 3 };
}

void opt_guess(struct opt_guess *g, const char *name)
{
	size_t len = strlen(name);
	bool begins = g->len >= 3 && len > g->len && !strncmp(name, g->word, g->len);
	bool ends = len >= 4 && g->len > len && !strncmp(name, g->word, len);
	unsigned int d;

	if (!g->len || g->len > GUESS_MAX || len > GUESS_MAX)
		return;
	/* --direct for --direct-only, --jobs for --job: one is the beginning of the other. */
	d = begins || ends ? 1 : distance(g->word, g->len, name, len);
	if (d > g->distance || (g->best && d == g->distance))
		return;
	g->best = name;
	g->distance = d;
}
