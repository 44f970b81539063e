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

struct index {
	const char *path;
	struct json_object *map;
	const char **files;       /* each once, sorted; of the JSON */
	size_t nr;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_name(const struct index *x, struct json_object *o)
{
	const char *name;

	if (!json_object_is_type(o, json_type_string))
		return dv_err(-EBADMSG, "index %s: weight_map is not a map of file names: get a new copy", x->path);
	name = json_object_get_string(o);
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return dv_err(-EBADMSG, "index %.200s: '%.80s' is not a file name: shards must be in the directory of "
			      "the index", x->path, name);
	return 0;
}

static int list_files(struct index *x)
{
	size_t n = 0;

	x->files = calloc(json_object_object_length(x->map) + 1, sizeof(*x->files));
	if (!x->files)
		return dv_err(-ENOMEM, "index %s: cannot allocate the list of files", x->path);
	json_object_object_foreach(x->map, key, value) {
		int rc = check_name(x, value);

		(void)key;
		if (rc)
			return rc;
		x->files[n++] = json_object_get_string(value);
	}
	qsort(x->files, n, sizeof(*x->files), by_name);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(x->files[i], x->files[x->nr - 1]))
			x->files[x->nr++] = x->files[i];
	return 0;
}

struct by_file {
	struct dv_tensor_filter filter; /* first */
	const struct index *index;
	const char *file;
};

static bool is_of_file(const struct dv_tensor_filter *filter, const char *tensor)
{
	const struct by_file *f = (const struct by_file *)filter;
	struct json_object *o = NULL;

	return json_object_object_get_ex(f->index->map, tensor, &o) && !strcmp(json_object_get_string(o), f->file);
}

static int add_shard(const struct index *x, struct devio_source *s, const char *file)
{
	const struct by_file by_file = { { is_of_file }, x, file };
	const char *slash = strrchr(x->path, '/');
	int dir = slash ? slash + 1 - x->path : 0, rc;
	char *path;

	if (asprintf(&path, "%.*s%s", dir, x->path, file) < 0)
		return dv_err(-ENOMEM, "index %s: cannot allocate a path", x->path);
	rc = dv_safetensors_add(s, path, &by_file.filter);
	free(path);
	return rc;
}

/* As many tensors as the index has: else one of them is nowhere. */
static int check_all(const struct index *x, struct devio_source *s)
{
	int rc;

	if (s->items.nr == (uint64_t)json_object_object_length(x->map))
		return 0;
	rc = dv_source_finish(s);
	if (rc)
		return rc;
	json_object_object_foreach(x->map, key, value) {
		if (devio_source_find(s, key) < 0)
			return dv_err(-EBADMSG, "index %.140s: tensor '%.60s' is not in %.80s: index and files do not "
				      "match", x->path, key, json_object_get_string(value));
	}
	return dv_err(-EBADMSG, "index %s: the number of tensors that it names does not match its files", x->path);
}

static int add_all(struct index *x, struct json_object *top, struct devio_source *s)
{
	int rc;

	if (!json_object_object_get_ex(top, "weight_map", &x->map) || !json_object_is_type(x->map, json_type_object))
		return dv_err(-EBADMSG, "index %s: it has no weight_map: use the index of a sharded safetensors model",
			      x->path);
	rc = list_files(x);
	for (size_t i = 0; i < x->nr && !rc; i++)
		rc = add_shard(x, s, x->files[i]);
	return rc ? rc : check_all(x, s);
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
	struct json_object *top = NULL;
	char *text = NULL;
	struct dv_input in;
	size_t len = 0;
	int rc = dv_input_open(s, path, &in);

	if (rc)
		return rc;
	rc = read_text(&in, &text, &len);
	dv_input_close(&in);
	if (!rc)
		rc = dv_json_parse(path, text, len, &top);
	if (!rc)
		rc = add_all(&x, top, s);
	free(x.files);
	json_object_put(top);
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
