/* SPDX-License-Identifier: MIT */
/* What completions said, summed up by what they said; and how the tools tell it, as text and JSON. */
#ifndef TOOLS_TALLY_H
#define TOOLS_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>

struct tally_row {
	bool write;
	unsigned int path, best_unused, reason;
	uint64_t ops, bytes, copied, fell_back;
};

#define TALLY_ROWS 32
struct tally {
	struct tally_row row[TALLY_ROWS];
	unsigned int rows;
};

void tally_add(struct tally *t, const struct devio_completion *c);
/* The row with the most bytes of that direction, NULL if nothing went there. */
const struct tally_row *tally_main(const struct tally *t, bool write);
uint64_t tally_copied(const struct tally *t);
/* The reason as a sentence of its own. */
void tally_reason(const struct tally_row *row, char *buf, size_t size);
/* "path: ..." and "reason: ..." and the other rows of the direction, each line behind the prefix. */
void tally_print(FILE *out, const struct tally *t, bool write, const char *prefix);

struct json_object;
void json_put_str(struct json_object *o, const char *key, const char *text); /* NULL: null */
void json_put_u64(struct json_object *o, const char *key, uint64_t n);
void json_put_num(struct json_object *o, const char *key, double d);
/* The rows as an array. */
struct json_object *tally_json(const struct tally *t);
/* The path and the reason of a direction as two members. */
void tally_json_side(struct json_object *o, const struct tally *t, bool write, const char *path, const char *reason);

#endif
