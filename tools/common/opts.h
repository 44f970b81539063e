/* SPDX-License-Identifier: MIT */
/* Values of the tools' options: sizes, counts, memory specs; the nearest name for a mistyped one. */
#ifndef TOOLS_OPTS_H
#define TOOLS_OPTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * "4k", "1M", "1GiB", "3TB", "512": k K M G T and KiB MiB ... are powers of
 * 1024, kB MB GB TB powers of 1000; upper and lower case are the same. 0, or -EINVAL, or -ERANGE past 2^63 - 1.
 */
int opt_size(const char *text, uint64_t *size);

/* A decimal number in [min, max]. 0, -EINVAL (also for NULL) or -ERANGE. */
int opt_count(const char *text, unsigned int min, unsigned int max, unsigned int *count);

/* What follows "mem:", or NULL if text names a file. */
const char *opt_mem_spec(const char *text);

/* "1.5 GiB" into buf; returns buf. */
const char *opt_human(uint64_t bytes, char *buf, size_t size);

/*
 * "Did you mean": begin with the word, then give every name that exists. best
 * is the nearest of them, NULL if none is near. - and _ are the same.
 */
struct opt_guess {
	const char *word, *best;
	size_t len;
	unsigned int distance;      /* of best; the greatest that is near, before there is one */
};
void opt_guess_begin(struct opt_guess *g, const char *word, size_t len);
void opt_guess(struct opt_guess *g, const char *name);

#endif
