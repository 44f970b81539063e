/* SPDX-License-Identifier: MIT */
/* A transfer in sum: completions by path and reason, rates; printed as text and JSON. */
#ifndef TOOLS_SUMMARY_H
#define TOOLS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>
#include "toolmem.h"

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

/* What the transfer took. */
struct summary_cost {
	double setup_s, seconds, cpu_s;
};

void summary_add(struct summary *t, const struct devio_completion *c);
uint64_t summary_copied(const struct summary *t);
/* "path: ..." and "reason: ..." of the most bytes in that direction, "also: ..." of others, each after the prefix. */
void summary_print(FILE *out, const struct summary *t, bool write, const char *prefix);
/* Seconds, GB/s, CPU seconds per GB and copied bytes. */
void summary_print_cost(FILE *out, const struct summary_cost *c, uint64_t bytes, uint64_t copied);

struct json_object;
/* All rows as an array. */
struct json_object *summary_json(const struct summary *t);
/* Of the most bytes in that direction: path, best_unused, reason and reason_code, each after the prefix. */
void summary_json_side(struct json_object *o, const struct summary *t, bool write, const char *prefix);
void summary_json_cost(struct json_object *o, const struct summary_cost *c, uint64_t bytes, uint64_t copied);
/* memory, device and in_device */
void summary_json_memory(struct json_object *o, const struct toolmem *t);
/* path, best_unused, reason and reason_code of one outcome; path 0: none */
void summary_json_path(struct json_object *o, const char *prefix, unsigned int path, unsigned int best_unused,
		       unsigned int reason);
/* verified, verified_bytes, error and exit_status; prints o and frees it. */
void summary_json_end(FILE *out, struct json_object *o, bool verify, uint64_t verified, const struct tool_error *e);

#endif
