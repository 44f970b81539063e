/* SPDX-License-Identifier: MIT */
/* What completions said, summed up; as text and JSON. */
#include "config.h"
#include <inttypes.h>
#include <json-c/json.h>
#include "summary.h"

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

const struct summary_row *summary_main(const struct summary *t, bool write)
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

void summary_reason(const struct summary_row *r, char *buf, size_t size)
{
	if (!r)
		snprintf(buf, size, "no bytes to copy");
	else if (r->best_unused)
		snprintf(buf, size, "not %s: %s", devio_path_name(r->best_unused), devio_reason_text(r->reason));
	else if (r->reason == DEVIO_REASON_FORCED)
		snprintf(buf, size, "%s", devio_reason_text(r->reason));
	else
		snprintf(buf, size, "the best path that there is for this %s and memory",
			 r->path < DEVIO_PATH_FILE_MAX ? "file" : "connection");
}

void summary_print(FILE *out, const struct summary *t, bool write, const char *prefix)
{
	const struct summary_row *best = summary_main(t, write);
	char why[512];

	summary_reason(best, why, sizeof(why));
	fprintf(out, "%spath: %s\n%sreason: %s\n", prefix, best ? devio_path_name(best->path) : "none", prefix, why);
	for (const struct summary_row *r = t->row; r < t->row + t->rows; r++) {
		if (r == best || r->write != write)
			continue;
		summary_reason(r, why, sizeof(why));
		fprintf(out, "%salso: %s for %" PRIu64 " bytes: %s\n", prefix, devio_path_name(r->path), r->bytes, why);
	}
}

void json_put_str(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

void json_put_u64(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

void json_put_num(struct json_object *o, const char *key, double d)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6f", d);
	json_object_object_add(o, key, json_object_new_double_s(d, text));
}

static struct json_object *json_row(const struct summary_row *r)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "direction", r->write ? "write" : "read");
	json_put_str(o, "path", devio_path_name(r->path));
	json_put_str(o, "best_unused", r->best_unused ? devio_path_name(r->best_unused) : NULL);
	json_object_object_add(o, "reason", json_object_new_int((int)r->reason));
	json_put_str(o, "reason_text", devio_reason_text(r->reason));
	json_put_u64(o, "operations", r->ops);
	json_put_u64(o, "bytes", r->bytes);
	json_put_u64(o, "copied_bytes", r->copied);
	json_put_u64(o, "fell_back", r->fell_back);
	return o;
}

struct json_object *summary_json(const struct summary *t)
{
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < t->rows; i++)
		json_object_array_add(a, json_row(&t->row[i]));
	return a;
}

void summary_json_side(struct json_object *o, const struct summary *t, bool write, const char *path, const char *reason)
{
	const struct summary_row *r = summary_main(t, write);
	char why[512];

	summary_reason(r, why, sizeof(why));
	json_put_str(o, path, r ? devio_path_name(r->path) : NULL);
	json_put_str(o, reason, why);
}
