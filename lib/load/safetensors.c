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

#define RANK_MAX 64u /* as NumPy and PyTorch have it */

/* A tensor while its file is parsed. */
struct entry {
	const char *name;
	const char *dtype;                /* as spelled in the file */
	const struct devio_dtype *known;  /* its row in the table; NULL: unknown, the data are bytes */
	uint64_t begin, end;
	uint64_t shape;                   /* in the dims of the source */
	uint32_t rank;
	bool included;                    /* by the filter */
};

struct header {
	const char *path;
	const struct dv_tensor_filter *filter;  /* NULL: all tensors */
	struct devio_source *source;
	uint64_t data, room;      /* where the data begins, and bytes from there to the file's end */
	struct dv_json json;
	struct dv_array entries;  /* struct entry */
	struct dv_keys names;     /* of the entries */
	bool metadata;            /* there was one */
};

static struct entry *entry_of(const struct header *h, uint64_t i)
{
	return (struct entry *)h->entries.data + i;
}

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
	/* Without any dimension in the file there is no array. */
	const uint64_t *dims = e->rank ? (const uint64_t *)h->source->dims.data + e->shape : NULL;
	uint64_t bits = e->known ? e->known->bits : 0;

	for (uint32_t i = 0; i < e->rank; i++)
		if (__builtin_mul_overflow(bits, dims[i], &bits))
			return bad(h, e->name, "the shape has more than 2^64 bits");
	if (bits % 8)
		return bad(h, e->name, "the shape ends inside a byte");
	*bytes = e->known ? bits / 8 : e->end - e->begin;
	return 0;
}

static int parse_dtype(struct header *h, struct entry *e)
{
	int rc = dv_json_string(&h->json, &e->dtype);

	if (rc > 0)
		e->known = dv_dtype_find(e->dtype);
	return rc ? rc : bad(h, e->name, "its dtype is not a string");
}

static int parse_shape(struct header *h, struct entry *e)
{
	uint64_t dim;
	int rc = dv_json_array(&h->json);

	e->shape = h->source->dims.nr;
	if (!rc)
		return bad(h, e->name, "the shape is not a list of counts");
	while (rc > 0 && (rc = dv_json_element(&h->json)) > 0) {
		rc = dv_json_count(&h->json, &dim);
		if (!rc)
			return bad(h, e->name, "the shape is not a list of counts");
		if (rc > 0 && e->rank++ == RANK_MAX)
			return bad(h, e->name, "the shape has more than %u dimensions", RANK_MAX);
		if (rc > 0)
			rc = dv_source_add_dim(h->source, dim) ?: 1;
	}
	return rc ? rc : 1;
}

static int parse_offsets(struct header *h, struct entry *e)
{
	uint64_t at[3] = { 0 };
	unsigned int n = 0;
	int rc = dv_json_array(&h->json);

	if (!rc)
		return bad(h, e->name, "data_offsets is not a pair of counts");
	while (rc > 0 && (rc = dv_json_element(&h->json)) > 0) {
		rc = dv_json_count(&h->json, &at[n]);
		if (!rc || ++n > 2)
			return bad(h, e->name, "data_offsets is not a pair of counts");
	}
	if (rc < 0)
		return rc;
	if (n != 2)
		return bad(h, e->name, "data_offsets is not a pair of counts");
	e->begin = at[0];
	e->end = at[1];
	if (e->begin > e->end || e->end > h->room)
		return bad(h, e->name, "bytes %llu to %llu of %llu: truncated, or wrong offsets",
			   (unsigned long long)e->begin, (unsigned long long)e->end, (unsigned long long)h->room);
	return 1;
}

/* The members of a tensor; others are ignored. */
static const struct {
	const char *name;
	int (*parse)(struct header *h, struct entry *e);
} members[] = { { "dtype", parse_dtype }, { "shape", parse_shape }, { "data_offsets", parse_offsets } };

#define NR_MEMBERS (sizeof(members) / sizeof(members[0]))

static int parse_members(struct header *h, struct entry *e)
{
	unsigned int seen = 0;
	const char *key;
	int rc = dv_json_object(&h->json);

	while (rc > 0 && (rc = dv_json_member(&h->json, &key)) > 0) {
		unsigned int i = 0;

		while (i < NR_MEMBERS && strcmp(key, members[i].name))
			i++;
		if (i < NR_MEMBERS && seen & 1u << i)
			return bad(h, e->name, "duplicate member '%s'", members[i].name);
		seen |= 1u << i;
		rc = i < NR_MEMBERS ? members[i].parse(h, e) : dv_json_skip(&h->json) ?: 1;
	}
	if (rc < 0)
		return rc;
	if ((seen & ((1u << NR_MEMBERS) - 1)) != (1u << NR_MEMBERS) - 1)
		return bad(h, e->name, "it needs dtype, shape and data_offsets");
	return 0;
}

static int parse_entry(struct header *h, const char *name)
{
	struct entry *e = dv_array_add(&h->entries, sizeof(*e));
	uint64_t bytes = 0;
	int64_t first;
	int rc;

	if (!e)
		return -ENOMEM;
	*e = (struct entry){ .name = name };
	first = dv_keys_add(&h->names, name, h->entries.nr - 1);
	if (first < 0)
		return (int)first;
	if ((uint64_t)first != h->entries.nr - 1)
		return bad(h, name, "duplicate name");
	rc = parse_members(h, e);
	if (!rc)
		rc = bytes_of(h, e, &bytes);
	if (!rc && bytes != e->end - e->begin)
		rc = bad(h, name, "dtype and shape make %llu bytes, data_offsets %llu", (unsigned long long)bytes,
			 (unsigned long long)(e->end - e->begin));
	e->included = !h->filter || h->filter->includes(h->filter, name);
	if (!e->included)
		h->source->dims.nr = e->shape;
	return rc;
}

/* Metadata pair nr of the source. */
static const char *meta_key(const void *owner, uint32_t nr)
{
	const struct devio_source *s = owner;

	return dv_source_text(s, ((const uint64_t *)s->metas.data)[2 * (uint64_t)nr]);
}

static int parse_pairs(struct header *h, struct dv_keys *keys)
{
	const char *key, *value;
	int rc;

	while ((rc = dv_json_member(&h->json, &key)) > 0) {
		uint32_t nr = (uint32_t)(h->source->metas.nr / 2);
		int64_t first;

		rc = dv_json_string(&h->json, &value);
		if (!rc)
			return bad(h, "__metadata__", "not a map of strings");
		if (rc > 0)
			rc = dv_source_add_meta(h->source, key, value);
		if (rc)
			return rc;
		first = dv_keys_add(keys, key, nr);
		if (first < 0)
			return (int)first;
		if (first != nr)
			return bad(h, "__metadata__", "duplicate key '%.60s'", key);
	}
	return rc;
}

static int parse_meta(struct header *h)
{
	struct dv_keys keys = { .text = meta_key, .owner = h->source };
	int rc;

	if (h->metadata)
		return bad(h, "__metadata__", "duplicate name");
	h->metadata = true;
	if (dv_json_is_null(&h->json))
		return dv_json_skip(&h->json);
	rc = dv_json_object(&h->json);
	if (!rc)
		return bad(h, "__metadata__", "not a map of strings");
	if (rc > 0)
		rc = parse_pairs(h, &keys);
	dv_keys_free(&keys);
	return rc;
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

/* In the order of the data. Each begins where the one before ends, and the last ends where the file does. */
static int check_layout(const struct header *h)
{
	uint64_t at = 0, i = 1;

	while (i < h->entries.nr && in_order(entry_of(h, i - 1), entry_of(h, i)) < 0)
		i++;
	if (i < h->entries.nr)
		qsort(h->entries.data, h->entries.nr, sizeof(struct entry), in_order);
	for (i = 0; i < h->entries.nr; i++) {
		const struct entry *e = entry_of(h, i);

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

static int add_entry(const struct header *h, const struct entry *e)
{
	struct devio_source *s = h->source;
	struct dv_field f = {
		.off = h->data + e->begin,
		.len = e->end - e->begin,
		.file = s->shards.nr - 1,
		.dtype = e->known ? e->known->name : NULL,
		.shape = e->shape,
		.rank = e->rank,
	};
	size_t len = strlen(e->name);
	uint64_t key = 0;
	int rc = dv_source_add_text(s, e->name, len, &key);

	f.name = key + len; /* the empty string at its end */
	if (!rc && !e->known)
		rc = dv_source_add_text(s, e->dtype, strlen(e->dtype), &f.dtype_text);
	if (!rc)
		rc = dv_source_add_item(s, key);
	return rc ? rc : dv_source_add_field(s, &f);
}

static int parse_all(struct header *h, char *text, size_t len)
{
	const char *key;
	int rc = dv_json_begin(&h->json, h->path, text, len);

	while (!rc && (rc = dv_json_member(&h->json, &key)) > 0)
		rc = strcmp(key, "__metadata__") ? parse_entry(h, key) : parse_meta(h);
	return rc ? rc : dv_json_end(&h->json);
}

static const char *entry_name(const void *owner, uint32_t nr)
{
	return entry_of(owner, nr)->name;
}

static int parse_header(struct header *h, char *text, size_t len)
{
	int rc;

	if (text[0] != '{')
		return dv_err(-EBADMSG, "safetensors %s: its header is not a JSON object: not a safetensors file",
			      h->path);
	h->names.text = entry_name;
	h->names.owner = h;
	rc = parse_all(h, text, len);
	if (!rc)
		rc = check_layout(h);
	for (uint64_t i = 0; i < h->entries.nr && !rc; i++)
		if (entry_of(h, i)->included)
			rc = add_entry(h, entry_of(h, i));
	dv_keys_free(&h->names);
	free(h->entries.data);
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
	struct header h = { .path = sh->path, .filter = filter, .source = s };
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
		rc = parse_header(&h, text, len);
	free(text);
	return rc;
}

int dv_safetensors_add(struct devio_source *s, const char *path, const struct dv_tensor_filter *filter)
{
	struct dv_input in;
	int rc = dv_input_open_shard(s, path, &in);

	if (rc)
		return rc;
	rc = read_file(s, &in, filter) ?: dv_input_unchanged(s, &in);
	dv_input_close(&in);
	return rc;
}
