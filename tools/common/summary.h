/* SPDX-License-Identifier: MIT */
/* What completions said, summed up by what they said; and how the tools tell it, as text and JSON. */
#ifndef TOOLS_SUMMARY_H
#define TOOLS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>

struct summary_row {
	bool write;
	unsigned int path, best_unused, reason;
	uint64_t ops, bytes, copied, fell_back;
};

#define SUMMARY_ROWS 32
struct summary {
	struct summary_row row[SUMMARY_ROWS];
	unsigned int rows;
};

void summary_add(struct summary *t, const struct devio_completion *c);
/* The row with the most bytes of that direction, NULL if nothing went there. */
const struct summary_row *summary_main(const struct summary *t, bool write);
uint64_t summary_copied(const struct summary *t);
/* The reason as a sentence of its own. */
void summary_reason(const struct summary_row *row, char *buf, size_t size);
/* "path: ..." and "reason: ..." and the other rows of the direction, each line behind the prefix. */
void summary_print(FILE *out, const struct summary *t, bool write, const char *prefix);

struct json_object;
void json_put_str(struct json_object *o, const char *key, const char *text); /* NULL: null */
void json_put_u64(struct json_object *o, const char *key, uint64_t n);
void json_put_num(struct json_object *o, const char *key, double d);
/* The rows as an array. */
struct json_object *summary_json(const struct summary *t);
/* The path and the reason of a direction as two members. */
void summary_json_side(struct json_object *o, const struct summary *t, bool write, const char *path, const char *reason);

#endif
