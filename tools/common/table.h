/* SPDX-License-Identifier: MIT */
/* Tables that fit the terminal. */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdio.h>

/* A table, laid out when all of its cells are known. */
struct table {
	unsigned int cols, rows;
	unsigned int filled;        /* cells of the row that is being added */
	unsigned int right;         /* bit n: column n is aligned to the right */
	unsigned int word;          /* longer words may be broken; 0: longer than a PCI address */
	char **cell;
};
void table_cell(struct table *t, const char *s); /* set cols first */
void table_row(struct table *t, unsigned int cols, ...);
/*
 * No line has more columns than out has: cells are wrapped, and where that is
 * not enough each cell gets a line of its own. Clears the table.
 */
void table_print(struct table *t, FILE *out);
void table_clear(struct table *t);

/* p, or the end of the program if it is NULL: out of memory. */
void *must(void *p);

#endif
