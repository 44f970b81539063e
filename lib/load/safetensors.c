/* SPDX-License-Identifier: MIT */
/* One safetensors file: 8 bytes of length, a header in JSON, the data of the tensors without a gap. */
#include "config.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "load/input.h"
#include "load/json.h"
#include "load/safetensors.h"

/* A tensor while its file is parsed. */
struct entry {
	const char *name;
	struct json_object *shape;
	const char *dtype;                /* as spelled in the file */
	const struct devio_dtype *known;  /* its row in the table; NULL: unknown, the data are bytes */
	uint64_t begin, end;
};

struct header {
	const char *path;
	const struct dv_tensor_filter *filter;  /* NULL: all tensors */
	uint64_t data, room;      /* where the data begins, and bytes from there to the file's end */
	struct entry *entries;
	uint64_t nr;
};

__attribute__((format(printf, 3, 4)))
static int bad(const struct header *h, const char *name, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return dv_err(-EBADMSG, "safetensors %.140s: tensor '%.60s': %s: the file is damaged; get a new copy", h->path,
		      name, why);
}

/* The size by shape and dtype or, if the dtype is unknown, by the offsets. 0, or -errno. */
static int bytes_of(const struct header *h, const struct entry *e, uint64_t *bytes)
{
	uint64_t bits = e->known ? e->known->bits : 0, dim;

	for (size_t i = 0; i < json_object_array_length(e->shape); i++) {
		if (!dv_json_count(json_object_array_get_idx(e->shape, i), &dim))
			return bad(h, e->name, "the shape is not a list of counts");
		if (__builtin_mul_overflow(bits, dim, &bits))
			return bad(h, e->name, "the shape has more than 2^64 bits");
	}
	if (bits % 8)
		return bad(h, e->name, "the shape ends inside a byte");
	*bytes = e->known ? bits / 8 : e->end - e->begin;
	return 0;
}

static int parse_offsets(const struct header *h, struct json_object *o, struct entry *e)
{
	if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) != 2 ||
	    !dv_json_count(json_object_array_get_idx(o, 0), &e->begin) ||
	    !dv_json_count(json_object_array_get_idx(o, 1), &e->end))
		return bad(h, e->name, "data_offsets is not a pair of counts");
	if (e->begin > e->end || e->end > h->room)
		return bad(h, e->name, "bytes %llu to %llu of %llu: truncated, or wrong offsets",
			   (unsigned long long)e->begin, (unsigned long long)e->end, (unsigned long long)h->room);
	return 0;
}

static int parse_entry(const struct header *h, const char *name, struct json_object *o, struct entry *e)
{
	struct json_object *dtype = NULL, *offsets = NULL;
	uint64_t bytes = 0;
	int rc;

	e->name = name;
	e->shape = NULL;
	/* Other members are ignored. */
	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "dtype", &dtype) ||
	    !json_object_object_get_ex(o, "shape", &e->shape) ||
	    !json_object_object_get_ex(o, "data_offsets", &offsets))
		return bad(h, name, "it needs dtype, shape and data_offsets");
	if (!json_object_is_type(dtype, json_type_string))
		return bad(h, name, "its dtype is not a string");
	e->dtype = json_object_get_string(dtype);
	e->known = dv_dtype_find(e->dtype);
	if (!json_object_is_type(e->shape, json_type_array))
		return bad(h, name, "the shape is not a list of counts");
	rc = parse_offsets(h, offsets, e);
	if (!rc)
		rc = bytes_of(h, e, &bytes);
	if (!rc && bytes != e->end - e->begin)
		rc = bad(h, name, "dtype and shape make %llu bytes, data_offsets %llu", (unsigned long long)bytes,
			 (unsigned long long)(e->end - e->begin));
	return rc;
}

static int parse_meta(const struct header *h, struct json_object *o, struct devio_source *s)
{
	if (json_object_is_type(o, json_type_null))
		return 0;
	if (!json_object_is_type(o, json_type_object))
		return bad(h, "__metadata__", "not a map of strings");
	json_object_object_foreach(o, key, value) {
		int rc = json_object_is_type(value, json_type_string) ?
			 dv_source_add_meta(s, key, json_object_get_string(value)) :
			 bad(h, "__metadata__", "not a map of strings");

		if (rc)
			return rc;
	}
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Each begins where the one before ends, and the last ends where the file does. */
static int check_layout(const struct header *h)
{
	uint64_t at = 0;

	for (uint64_t i = 0; i < h->nr; i++) {
		const struct entry *e = &h->entries[i];

		if (e->begin != at)
			return bad(h, e->name, "it %s the previous tensor",
				   e->begin < at ? "overlaps" : "leaves a hole after");
		at = e->end;
	}
	if (at != h->room)
		return dv_err(-EBADMSG, "safetensors %s: %llu bytes follow the last tensor: the file is damaged; get a "
			      "new copy", h->path, (unsigned long long)(h->room - at));
	return 0;
}

static int add_entry(const struct header *h, const struct entry *e, struct devio_source *s)
{
	struct dv_field f = {
		.off = h->data + e->begin,
		.len = e->end - e->begin,
		.file = s->shards.nr - 1,
		.dtype = e->known ? e->known->name : NULL,
		.shape = s->dims.nr,
		.rank = json_object_array_length(e->shape),
	};
	uint64_t key = 0, dim = 0;
	int rc = dv_source_add_text(s, e->name, strlen(e->name), &key);

	for (uint32_t i = 0; i < f.rank && !rc; i++) {
		dv_json_count(json_object_array_get_idx(e->shape, i), &dim);
		rc = dv_source_add_dim(s, dim);
	}
	f.name = key + strlen(e->name); /* the empty string at its end */
	if (!rc && !e->known)
		rc = dv_source_add_text(s, e->dtype, strlen(e->dtype), &f.dtype_text);
	if (!rc)
		rc = dv_source_add_item(s, key);
	return rc ? rc : dv_source_add_field(s, &f);
}

static int take_entries(struct header *h, struct json_object *o, struct devio_source *s)
{
	int rc = 0;

	h->entries = calloc(json_object_object_length(o) + 1, sizeof(*h->entries));
	if (!h->entries)
		return dv_err(-ENOMEM, "safetensors %s: cannot allocate the list of tensors", h->path);
	json_object_object_foreach(o, key, value) {
		if (!strcmp(key, "__metadata__"))
			rc = parse_meta(h, value, s);
		else
			rc = parse_entry(h, key, value, &h->entries[h->nr++]);
		if (rc)
			return rc;
	}
	qsort(h->entries, h->nr, sizeof(*h->entries), in_order);
	rc = check_layout(h);
	for (uint64_t i = 0; i < h->nr && !rc; i++)
		if (!h->filter || h->filter->includes(h->filter, h->entries[i].name))
			rc = add_entry(h, &h->entries[i], s);
	return rc;
}

static int parse_header(struct header *h, const char *text, size_t len, struct devio_source *s)
{
	struct json_object *o = NULL;
	int rc = text[0] == '{' ? dv_json_parse(h->path, text, len, &o) :
		 dv_err(-EBADMSG, "safetensors %s: its header is not a JSON object: not a safetensors file", h->path);

	if (!rc)
		rc = take_entries(h, o, s);
	free(h->entries);
	json_object_put(o);
	return rc;
}

/* Reads and checks the length of the header. */
static int header_length(const struct dv_input *in, uint64_t *len)
{
	const char *path = in->path;
	uint64_t size = in->size;
	unsigned char raw[8];
	uint64_t n = 0;
	int rc;

	if (size < sizeof(raw))
		return dv_err(-EBADMSG, "safetensors %s: %llu bytes are too few: it is truncated, or not a safetensors "
			      "file", path, (unsigned long long)size);
	rc = dv_input_read(in, raw, sizeof(raw), 0);
	if (rc)
		return rc;
	for (int i = 7; i >= 0; i--)
		n = n << 8 | raw[i];
	if (n < 2 || n > DV_JSON_MAX || n > size - sizeof(raw))
		return dv_err(-EBADMSG, "safetensors %s: a header of %llu bytes in a file of %llu: it is truncated, or "
			      "not a safetensors file", path, (unsigned long long)n, (unsigned long long)size);
	*len = n;
	return 0;
}

static int read_file(struct devio_source *s, const struct dv_input *in, const struct dv_tensor_filter *filter)
{
	const struct dv_shard *sh = dv_source_shard(s, s->shards.nr - 1);
	struct header h = { .path = sh->path, .filter = filter };
	uint64_t len = 0;
	char *text;
	int rc = header_length(in, &len);

	if (rc)
		return rc;
	text = malloc(len + 1);
	if (!text)
		return dv_err(-ENOMEM, "safetensors %s: cannot allocate its header of %llu bytes", sh->path,
			      (unsigned long long)len);
	text[len] = '\0';
	h.data = 8 + len;
	h.room = sh->size - h.data;
	rc = dv_input_read(in, text, len, 8);
	if (!rc)
		rc = parse_header(&h, text, len, s);
	free(text);
	return rc;
}

int dv_safetensors_add(struct devio_source *s, const char *path, const struct dv_tensor_filter *filter)
{
	struct dv_input in;
	int rc = dv_input_open_shard(s, path, &in);

	if (rc)
		return rc;
	rc = read_file(s, &in, filter);
	dv_input_close(&in);
	return rc;
}
