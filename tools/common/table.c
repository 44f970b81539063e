/* SPDX-License-Identifier: MIT */
/* Tables that fit the terminal. */
#include "config.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "table.h"
#include "term.h"
#include "tool.h"

#define GAP 2                       /* columns before each cell */
#define WORD 12                     /* columns of a PCI address */

void *must(void *p)
{
	if (p)
		return p;
	tool_msg("out of memory");
	exit(TOOL_FAILED);
}

void table_cell(struct table *t, const char *s)
{
	size_t n = (size_t)t->rows * t->cols + t->filled;

	t->cell = must(reallocarray(t->cell, n + 1, sizeof(*t->cell)));
	t->cell[n] = term_plain(must(strdup(*s || !t->rows ? s : "-")));
	if (++t->filled == t->cols) {
		t->filled = 0;
		t->rows++;
	}
}

void table_row(struct table *t, unsigned int cols, ...)
{
	va_list ap;

	t->cols = cols;
	va_start(ap, cols);
	for (unsigned int i = 0; i < cols; i++)
		table_cell(t, va_arg(ap, const char *));
	va_end(ap);
}

static const char *cell_at(const struct table *t, unsigned int row, unsigned int col)
{
	return t->cell[row * t->cols + col];
}

/* Columns of the longest part of s that is not broken. */
static unsigned int longest_word(const char *s)
{
	unsigned int most = 1;

	while (*s) {
		size_t len = term_word(s);
		char *word = must(strndup(s, len));

		most = term_columns(word) > most ? term_columns(word) : most;
		free(word);
		s += len + strspn(s + len, " ");
	}
	return most;
}

/* The widths of the columns: what the texts need, or less where lines can be broken. False: too little room. */
static bool lay_out(const struct table *t, unsigned int have, unsigned int *width, unsigned int *least)
{
	unsigned int total = 0, limit = t->word ? t->word : WORD;

	for (unsigned int c = 0; c < t->cols; c++) {
		width[c] = least[c] = 1;
		for (unsigned int r = 0; r < t->rows; r++) {
			unsigned int n = term_columns(cell_at(t, r, c)), word = longest_word(cell_at(t, r, c));

			width[c] = n > width[c] ? n : width[c];
			least[c] = word <= least[c] ? least[c] : word < limit ? word : limit;
		}
		total += width[c] + GAP;
	}
	for (; total > have; total--) {
		unsigned int *widest = NULL;

		for (unsigned int c = 0; c < t->cols; c++)
			if (width[c] > least[c] && (!widest || width[c] > *widest))
				widest = &width[c];
		if (!widest)
			return false;
		--*widest;
	}
	return true;
}

/* One line of a row; false: nothing of it is left. */
static bool print_line(const struct table *t, const char **rest, const unsigned int *width, FILE *out)
{
	unsigned int pad = 0;
	bool left = false;

	for (unsigned int c = 0; c < t->cols; c++)
		left |= *rest[c];
	for (unsigned int c = 0; c < t->cols && left; c++) {
		size_t n = term_fit(rest[c], width[c]);
		char *part = must(strndup(rest[c], n));

		unsigned int blank = width[c] - term_columns(part);
		bool right = t->right >> c & 1;

		pad += GAP + (right ? blank : 0);
		if (n) {
			fprintf(out, "%*s%s", (int)pad, "", part);
			pad = 0;
		}
		pad += right ? 0 : blank;
		free(part);
		rest[c] += n;
		rest[c] += strspn(rest[c], " ");
	}
	if (left)
		fputc('\n', out);
	return left;
}

static void print_row(const struct table *t, unsigned int row, const unsigned int *width, FILE *out)
{
	const char **rest = must(calloc(t->cols + 1, sizeof(*rest)));

	for (unsigned int c = 0; c < t->cols; c++)
		rest[c] = cell_at(t, row, c);
	while (print_line(t, rest, width, out))
		;
	free(rest);
}

/* A line for each cell that is not empty, with the head of its column. */
static void print_list(const struct table *t, FILE *out)
{
	for (unsigned int r = 1; r < t->rows; r++) {
		if (r > 1)
			fputc('\n', out);
		for (unsigned int c = 0; c < t->cols; c++) {
			char head[64];

			if (!strcmp(cell_at(t, r, c), "-"))
				continue;
			snprintf(head, sizeof(head), "  %.50s: ", cell_at(t, 0, c));
			term_wrap(out, head, cell_at(t, r, c));
		}
	}
}

void table_print(struct table *t, FILE *out)
{
	unsigned int *width = must(calloc(t->cols + 1, sizeof(*width)));
	unsigned int *least = must(calloc(t->cols + 1, sizeof(*least)));

	if (lay_out(t, term_width(out), width, least))
		for (unsigned int r = 0; r < t->rows; r++)
			print_row(t, r, width, out);
	else
		print_list(t, out);
	free(width);
	free(least);
	table_clear(t);
}

void table_clear(struct table *t)
{
	for (unsigned int i = 0; i < t->rows * t->cols + t->filled; i++)
		free(t->cell[i]);
	free(t->cell);
	*t = (struct table){ 0 };
}
