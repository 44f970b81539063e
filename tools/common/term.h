/* SPDX-License-Identifier: MIT */
/* Output that fits the terminal: its width, wrapped text, the progress line. */
#ifndef TOOLS_TERM_H
#define TOOLS_TERM_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Replaces control characters of text, those of UTF-8 too, by '?': names of files and what a peer sends may have
 * sequences that a terminal acts on. Returns text.
 */
char *term_plain(char *text);

/* Columns: COLUMNS of the environment, else what the terminal says, else 80. */
unsigned int term_width(FILE *out);

/* Columns that text takes; continuation bytes of UTF-8 take none. */
unsigned int term_columns(const char *text);

/* Bytes of text up to where a line may end for the first time. */
size_t term_word(const char *text);

/* Bytes of text that go on a line of width columns. */
size_t term_fit(const char *text, unsigned int width);

/*
 * "HEAD TEXT": TEXT broken between words so that no line has more columns than
 * out has; the following lines are indented to where TEXT began.
 */
void term_wrap(FILE *out, const char *head, const char *text);
/* A paragraph: two columns of indentation, six from the second line on. */
void term_hang(FILE *out, const char *text);
/* As term_wrap() on a terminal; elsewhere one line, which programs can search. */
void term_item(FILE *out, const char *head, const char *text);

/* A line on standard error that is replaced by the next one; false: it is not due yet, or not wanted. */
struct progress {
	bool on;
	double shown;
};
bool progress_due(struct progress *p, double elapsed);
void progress_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(struct progress *p);

#endif
