/* SPDX-License-Identifier: MIT */
/*
 * The index of a sharded model: {"metadata": {...}, "weight_map": {tensor:
 * file}}. It may name only files in its own directory. The index determines which
 * file a tensor is read from; tensors that it does not map to a file are skipped.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "load/input.h"
#include "load/json.h"
#include "load/safetensors.h"

/* A member of weight_map. */
struct mapped {
	const char *tensor, *file;
	uint32_t number;          /* of the file */
};

struct index {
	const char *path;
	struct dv_json json;
	struct dv_array map;      /* struct mapped */
	struct dv_array files;    /* const char *: each once, sorted */
	struct dv_keys tensors;
	bool has_map;
};

static struct mapped *mapped_of(const struct index *x, uint64_t i)
{
	return (struct mapped *)x->map.data + i;
}

static const char **file_of(const struct index *x, uint64_t i)
{
	return (const char **)x->files.data + i;
}

static const char *tensor_name(const void *owner, uint32_t nr)
{
	return mapped_of(owner, nr)->tensor;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_name(const struct index *x, const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return dv_err(-EBADMSG, "index %.200s: '%.80s' is not a file name: shards must be in the directory of "
			      "the index", x->path, name);
	return 0;
}

static int parse_map(struct index *x)
{
	struct mapped m = { 0 };
	struct mapped *to;
	int64_t first;
	int rc;

	while ((rc = dv_json_member(&x->json, &m.tensor)) > 0) {
		rc = dv_json_string(&x->json, &m.file);
		if (!rc)
			return dv_err(-EBADMSG, "index %s: weight_map is not a map of file names: get a new copy",
				      x->path);
		rc = rc < 0 ? rc : check_name(x, m.file);
		if (rc)
			return rc;
		to = dv_array_add(&x->map, sizeof(*to));
		if (!to)
			return -ENOMEM;
		*to = m;
		first = dv_keys_add(&x->tensors, m.tensor, x->map.nr - 1);
		if (first < 0)
			return (int)first;
		if ((uint64_t)first != x->map.nr - 1)
			return dv_err(-EBADMSG, "index %.140s: duplicate tensor '%.60s' in weight_map: get a new copy",
				      x->path, m.tensor);
	}
	return rc;
}

static int no_map(const struct index *x)
{
	return dv_err(-EBADMSG, "index %s: it has no weight_map: use the index of a sharded safetensors model",
		      x->path);
}

static int parse_index(struct index *x, char *text, size_t len)
{
	const char *key;
	int rc = dv_json_begin(&x->json, x->path, text, len);

	while (!rc && (rc = dv_json_member(&x->json, &key)) > 0) {
		if (strcmp(key, "weight_map")) {
			rc = dv_json_skip(&x->json);
			continue;
		}
		if (x->has_map)
			return dv_err(-EBADMSG, "index %s: duplicate weight_map: get a new copy", x->path);
		x->has_map = true;
		rc = dv_json_object(&x->json);
		if (!rc)
			return no_map(x);
		rc = rc < 0 ? rc : parse_map(x);
	}
	if (!rc)
		rc = dv_json_end(&x->json);
	return !rc && !x->has_map ? no_map(x) : rc;
}

/* The number in files[] of a file that is one of them. */
static uint32_t number_of(const struct index *x, const char *file)
{
	const char **at = bsearch(&file, x->files.data, x->files.nr, sizeof(file), by_name);

	return (uint32_t)(at - file_of(x, 0));
}

/* Each file once: neighbours in the index mostly have the same one. */
static int list_files(struct index *x)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < x->map.nr; i++) {
		const char *file = mapped_of(x, i)->file, **to;

		if (i && !strcmp(file, mapped_of(x, i - 1)->file))
			continue;
		to = dv_array_add(&x->files, sizeof(*to));
		if (!to)
			return -ENOMEM;
		*to = file;
	}
	if (!x->files.nr)
		return 0;
	qsort(x->files.data, x->files.nr, sizeof(const char *), by_name);
	for (uint64_t i = 0; i < x->files.nr; i++)
		if (!i || strcmp(*file_of(x, i), *file_of(x, nr - 1)))
			*file_of(x, nr++) = *file_of(x, i);
	x->files.nr = nr;
	for (uint64_t i = 0; i < x->map.nr; i++) {
		struct mapped *m = mapped_of(x, i);

		m->number = i && m->file == m[-1].file ? m[-1].number : number_of(x, m->file);
	}
	return 0;
}

struct by_file {
	struct dv_tensor_filter filter; /* first */
	const struct index *index;
	uint32_t file;
};

static bool is_of_file(const struct dv_tensor_filter *filter, const char *tensor)
{
	const struct by_file *f = (const struct by_file *)filter;
	int64_t n = dv_keys_find(&f->index->tensors, tensor);

	return n >= 0 && mapped_of(f->index, n)->number == f->file;
}

static int add_shard(const struct index *x, struct devio_source *s, uint32_t file)
{
	const struct by_file by_file = { { is_of_file }, x, file };
	const char *slash = strrchr(x->path, '/');
	int dir = slash ? slash + 1 - x->path : 0, rc;
	char *path;

	if (asprintf(&path, "%.*s%s", dir, x->path, *file_of(x, file)) < 0)
		return dv_err(-ENOMEM, "index %s: cannot allocate a path", x->path);
	rc = dv_safetensors_add(s, path, &by_file.filter);
	free(path);
	return rc;
}

/* As many tensors as the index has: else one of them is nowhere. */
static int check_all(const struct index *x, struct devio_source *s)
{
	int rc;

	if (s->items.nr == x->map.nr)
		return 0;
	rc = dv_source_finish(s);
	if (rc)
		return rc;
	for (uint64_t i = 0; i < x->map.nr; i++)
		if (devio_source_find(s, mapped_of(x, i)->tensor) < 0)
			return dv_err(-EBADMSG, "index %.140s: tensor '%.60s' is not in %.80s: index and files do not "
				      "match", x->path, mapped_of(x, i)->tensor, mapped_of(x, i)->file);
	return dv_err(-EBADMSG, "index %s: the number of tensors that it names does not match its files", x->path);
}

static int add_all(struct index *x, char *text, size_t len, struct devio_source *s)
{
	int rc;

	x->tensors.text = tensor_name;
	x->tensors.owner = x;
	rc = parse_index(x, text, len);
	if (!rc)
		rc = list_files(x);
	for (uint32_t i = 0; i < x->files.nr && !rc; i++)
		rc = add_shard(x, s, i);
	if (!rc)
		rc = check_all(x, s);
	dv_keys_free(&x->tensors);
	free(x->map.data);
	free(x->files.data);
	return rc;
}

static int read_text(const struct dv_input *in, char **text, size_t *len)
{
	if (in->size > DV_JSON_MAX)
		return dv_err(-EBADMSG, "index %s: it is larger than 100 MiB", in->path);
	*len = in->size;
	*text = malloc(*len + 1);
	if (!*text)
		return dv_err(-ENOMEM, "index %s: cannot allocate %zu bytes", in->path, *len);
	(*text)[*len] = '\0';
	return dv_input_read(in, *text, *len, 0);
}

static int add_index(struct devio_source *s, const char *path)
{
	struct index x = { .path = path };
	char *text = NULL;
	struct dv_input in;
	size_t len = 0;
	int rc = dv_input_open(s, path, &in);

	if (rc)
		return rc;
	rc = read_text(&in, &text, &len);
	dv_input_close(&in);
	if (!rc)
		rc = add_all(&x, text, len, s);
	free(text);
	return rc;
}

DEVIO_API int devio_source_open_safetensors(const char *path, struct devio_source **out)
{
	size_t len = path ? strlen(path) : 0;
	struct devio_source *s;

	if (!path || !out)
		return dv_err(-EINVAL, "safetensors: the path or the pointer for the new source is NULL");
	s = dv_source_new(DEVIO_SOURCE_SAFETENSORS);
	if (!s)
		return -ENOMEM;
	if (len > 5 && !strcmp(path + len - 5, ".json"))
		return dv_source_give(s, add_index(s, path), out);
	return dv_source_give(s, dv_safetensors_add(s, path, NULL), out);
}
