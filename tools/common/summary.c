/* SPDX-License-Identifier: MIT */
/* A transfer in sum: completions by path and reason, rates; printed as text and JSON. */
#include "config.h"
#include <inttypes.h>
#include "json.h"
#include "summary.h"
#include "term.h"

#define GB 1e9

void summary_add(struct summary *t, const struct devio_completion *c)
{
	bool write = c->flags & DEVIO_DONE_WRITE;
	struct summary_row *r = t->row;

	while (r < t->row + t->rows && (r->write != write || r->path != c->path || r->best_unused != c->best_unused ||
					r->reason != c->reason))
		r++;
	if (r == t->row + SUMMARY_ROWS)
		r--;
	else if (r == t->row + t->rows)
		*(t->rows++, r) = (struct summary_row){ .write = write, .path = c->path, .best_unused = c->best_unused,
							.reason = c->reason };
	r->ops++;
	r->bytes += c->good;
	r->copied += c->copied;
	r->fell_back += !!(c->flags & DEVIO_DONE_FELL_BACK);
}

/* The row with the most bytes of that direction, NULL if there was no transfer. */
static const struct summary_row *main_row(const struct summary *t, bool write)
{
	const struct summary_row *best = NULL;

	for (const struct summary_row *r = t->row; r < t->row + t->rows; r++)
		if (r->write == write && (!best || r->bytes > best->bytes))
			best = r;
	return best;
}

uint64_t summary_copied(const struct summary *t)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < t->rows; i++)
		sum += t->row[i].copied;
	return sum;
}

static void reason_text(const struct summary_row *r, char *buf, size_t size)
{
	if (!r)
		snprintf(buf, size, "no bytes to transfer");
	else if (r->best_unused)
		snprintf(buf, size, "not %s: %s", devio_path_name(r->best_unused), devio_reason_text(r->reason));
	else if (r->reason == DEVIO_REASON_FORCED)
		snprintf(buf, size, "%s", devio_reason_text(r->reason));
	else
		snprintf(buf, size, "the best path for this %s and memory",
			 r->path < DEVIO_PATH_FILE_MAX ? "file" : "connection");
}

void summary_print(FILE *out, const struct summary *t, bool write, const char *prefix)
{
	const struct summary_row *best = main_row(t, write);
	char head[64], text[512];

	fprintf(out, "%spath: %s\n", prefix, best ? devio_path_name(best->path) : "none");
	reason_text(best, text, sizeof(text));
	snprintf(head, sizeof(head), "%sreason: ", prefix);
	term_item(out, head, text);
	for (const struct summary_row *r = t->row; r < t->row + t->rows; r++) {
		if (r == best || r->write != write)
			continue;
		reason_text(r, text, sizeof(text));
		snprintf(head, sizeof(head), "%salso: %s for %" PRIu64 " bytes: ", prefix, devio_path_name(r->path),
			 r->bytes);
		term_item(out, head, text);
	}
}

static double rate(const struct summary_cost *c, uint64_t bytes)
{
	return c->seconds > 0 ? (double)bytes / c->seconds / GB : 0;
}

static double cpu_per_gb(const struct summary_cost *c, uint64_t bytes)
{
	return bytes ? c->cpu_s / ((double)bytes / GB) : 0;
}

void summary_print_cost(FILE *out, const struct summary_cost *c, uint64_t bytes, uint64_t copied)
{
	fprintf(out, "seconds: %.3f\nGB/s: %.3f\nCPU seconds per GB: %.3f\ncopied bytes: %" PRIu64 "\n", c->seconds,
		rate(c, bytes), cpu_per_gb(c, bytes), copied);
}

void summary_json_path(struct json_object *o, const char *prefix, unsigned int path, unsigned int best_unused,
		       unsigned int reason)
{
	const char *const names[] = { "path", "best_unused", "reason", "reason_code" };
	char key[4][40];

	for (int i = 0; i < 4; i++)
		snprintf(key[i], sizeof(key[i]), "%.20s%s", prefix, names[i]);
	json_put_str(o, key[0], path ? devio_path_name(path) : NULL);
	json_put_str(o, key[1], best_unused ? devio_path_name(best_unused) : NULL);
	json_put_str(o, key[2], reason ? devio_reason_text(reason) : NULL);
	json_put_u64(o, key[3], reason);
}

struct json_object *summary_json(const struct summary *t)
{
	struct json_object *a = json_object_new_array();

	for (const struct summary_row *r = t->row; r < t->row + t->rows; r++) {
		struct json_object *o = json_object_new_object();

		json_put_str(o, "direction", r->write ? "write" : "read");
		summary_json_path(o, "", r->path, r->best_unused, r->reason);
		json_put_u64(o, "operations", r->ops);
		json_put_u64(o, "bytes", r->bytes);
		json_put_u64(o, "copied_bytes", r->copied);
		json_put_u64(o, "fell_back", r->fell_back);
		json_object_array_add(a, o);
	}
	return a;
}

void summary_json_side(struct json_object *o, const struct summary *t, bool write, const char *prefix)
{
	const struct summary_row *r = main_row(t, write);

	summary_json_path(o, prefix, r ? r->path : 0, r ? r->best_unused : 0, r ? r->reason : 0);
}

void summary_json_cost(struct json_object *o, const struct summary_cost *c, uint64_t bytes, uint64_t copied)
{
	json_put_num(o, "setup_seconds", c->setup_s);
	json_put_num(o, "seconds", c->seconds);
	json_put_num(o, "gb_per_s", rate(c, bytes));
	json_put_num(o, "cpu_seconds_per_gb", cpu_per_gb(c, bytes));
	json_put_u64(o, "copied_bytes", copied);
}

void summary_json_memory(struct json_object *o, const struct toolmem *t)
{
	json_put_str(o, "memory", t->spec);
	json_put_str(o, "device", t->bdf);
	json_put_bool(o, "in_device", t->device);
}

void summary_json_end(FILE *out, struct json_object *o, bool verify, uint64_t verified, const struct tool_error *e)
{
	json_put_tri(o, "verified", verify ? !*e->text : -1);
	json_put_u64(o, "verified_bytes", verified);
	json_put_str(o, "error", e->text);
	json_put_int(o, "exit_status", e->status);
	json_print(out, o);
}
