/* SPDX-License-Identifier: MIT */
/* Sources of all formats: the arrays that the parsers fill, and the queries. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "load/source.h"
#include "load/peer.h"

/* Makes room for `more` elements after the last. NULL: out of memory, with an error message. */
static void *grow(struct dv_array *a, uint64_t more, size_t each)
{
	uint64_t want = a->nr + more, bytes;

	if (want > a->room) {
		uint64_t room = want < 2 * a->room ? 2 * a->room : want + 16;
		void *data = __builtin_mul_overflow(room, each, &bytes) ? NULL : realloc(a->data, bytes);

		if (!data) {
			dv_err(-ENOMEM, "source: cannot allocate an index of %llu entries", (unsigned long long)want);
			return NULL;
		}
		a->data = data;
		a->room = room;
	}
	return (char *)a->data + a->nr * each;
}

void *dv_array_add(struct dv_array *a, size_t each)
{
	void *to = grow(a, 1, each);

	a->nr += to != NULL;
	return to;
}

struct devio_source *dv_source_new(enum devio_source_kind kind)
{
	struct devio_source *s = calloc(1, sizeof(*s));

	if (!s) {
		dv_err(-ENOMEM, "source: cannot allocate the handle");
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->kind = kind;
	return s;
}

struct devio_source *dv_source_get(const struct devio_source *s)
{
	struct devio_source *own = (struct devio_source *)s; /* only the reference count ever changes */

	atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
	return own;
}

DEVIO_API void devio_source_close(struct devio_source *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint64_t i = 0; i < s->shards.nr; i++)
		free(dv_source_shard(s, i)->path);
	for (uint64_t i = 0; i < s->servers.nr; i++) {
		free(dv_source_server(s, i)->host);
		free(dv_source_server(s, i)->port);
	}
	free(s->servers.data);
	free(s->shards.data);
	free(s->items.data);
	free(s->fields.data);
	free(s->text.data);
	free(s->dims.data);
	free(s->metas.data);
	dv_keys_free(&s->by_key);
	free(s->before);
	free(s);
}

int dv_source_give(struct devio_source *s, int rc, struct devio_source **out)
{
	dv_peer_close(s->peer);
	s->peer = NULL;
	if (!rc)
		rc = dv_source_finish(s);
	if (rc)
		devio_source_close(s);
	else
		*out = s;
	return rc;
}

int dv_source_add_shard(struct devio_source *s, const struct dv_shard *shard, size_t name_off)
{
	struct dv_shard *sh = grow(&s->shards, 1, sizeof(*sh));

	if (!sh)
		return -ENOMEM;
	*sh = *shard;
	sh->path = strdup(shard->path);
	if (!sh->path)
		return dv_err(-ENOMEM, "source %s: cannot allocate the path", shard->path);
	sh->name = sh->server ? sh->path + name_off : NULL;
	s->shards.nr++;
	return 0;
}

int dv_source_add_server(struct devio_source *s, const char *host, const char *port)
{
	struct dv_server *to = grow(&s->servers, 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = (struct dv_server){ strdup(host), strdup(port) };
	s->servers.nr++;
	return to->host && to->port ? 0 : dv_err(-ENOMEM, "source: cannot allocate the name of a server");
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/*
 * mtime can be set back, ctime cannot; but ctime also changes with links, mode and owner,
 * which leave the data as it is.
 */
static bool is_same(const struct stat *a, const struct stat *b)
{
	if (a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
	    !is_time(&a->st_mtim, &b->st_mtim))
		return false;
	return is_time(&a->st_ctim, &b->st_ctim) || a->st_nlink != b->st_nlink || a->st_mode != b->st_mode ||
	       a->st_uid != b->st_uid || a->st_gid != b->st_gid;
}

int dv_source_same(const struct dv_shard *sh, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return dv_err(-errno, "source %s: cannot stat it", sh->path);
	if (is_same(&st, &sh->st))
		return 0;
	return dv_err(-ESTALE, "source %s: the file was replaced or modified since it was indexed: open the source "
		      "again", sh->path);
}

int dv_source_add_text(struct devio_source *s, const char *text, size_t len, uint64_t *at)
{
	char *to = grow(&s->text, (uint64_t)len + 1, 1);

	if (!to)
		return -ENOMEM;
	memcpy(to, text, len);
	to[len] = '\0';
	*at = s->text.nr;
	s->text.nr += len + 1;
	return 0;
}

int dv_source_add_item(struct devio_source *s, uint64_t key)
{
	struct dv_item *i = grow(&s->items, 1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	*i = (struct dv_item){ key, s->fields.nr };
	s->items.nr++;
	return 0;
}

int dv_source_add_field(struct devio_source *s, const struct dv_field *f)
{
	struct dv_field *to = grow(&s->fields, 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = *f;
	s->fields.nr++;
	return 0;
}

static int add_number(struct dv_array *a, uint64_t n)
{
	uint64_t *to = grow(a, 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = n;
	a->nr++;
	return 0;
}

int dv_source_add_dim(struct devio_source *s, uint64_t dim)
{
	return add_number(&s->dims, dim);
}

int dv_source_add_meta(struct devio_source *s, const char *key, const char *value)
{
	uint64_t at = 0;
	int rc = dv_source_add_text(s, key, strlen(key), &at);

	if (!rc)
		rc = add_number(&s->metas, at);
	if (!rc)
		rc = dv_source_add_text(s, value, strlen(value), &at);
	return rc ? rc : add_number(&s->metas, at);
}

uint64_t dv_source_memory(const struct devio_source *s)
{
	return s->items.nr * sizeof(struct dv_item) + s->fields.nr * sizeof(struct dv_field) + s->text.nr;
}

static const char *key_of(const void *owner, uint32_t item)
{
	const struct devio_source *s = owner;

	return dv_source_text(s, dv_source_item(s, item)->key);
}

static int too_large(const struct devio_source *s)
{
	return dv_err(-EOVERFLOW, "source %s: the items have more than 2^63 bytes together",
		      dv_source_shard(s, 0)->path);
}

static int sum_up(struct devio_source *s)
{
	for (uint64_t i = 0; i < s->items.nr; i++) {
		unsigned int n = dv_source_fields(s, i);
		uint64_t bytes = 0;

		for (unsigned int k = 0; k < n; k++)
			if (__builtin_add_overflow(bytes, dv_source_span(s, i, k).len, &bytes))
				return too_large(s);
		if (__builtin_add_overflow(s->bytes, bytes, &s->bytes) || s->bytes > INT64_MAX)
			return too_large(s);
		s->max_bytes = bytes > s->max_bytes ? bytes : s->max_bytes;
		s->max_fields = n > s->max_fields ? n : s->max_fields;
	}
	return 0;
}

int dv_source_finish(struct devio_source *s)
{
	int rc;

	if (s->kind == DEVIO_SOURCE_RECORDS) {
		s->max_fields = 1;
		s->max_bytes = s->nr_items ? s->record : 0;
		return __builtin_mul_overflow(s->nr_items, s->record, &s->bytes) || s->bytes > INT64_MAX ?
		       too_large(s) : 0;
	}
	s->nr_items = s->items.nr;
	rc = sum_up(s);
	s->by_key.text = key_of;
	s->by_key.owner = s;
	if (!rc)
		rc = dv_keys_reserve(&s->by_key, s->nr_items);
	for (uint64_t i = 0; i < s->nr_items && !rc; i++) {
		int64_t first = dv_keys_add(&s->by_key, key_of(s, i), i);

		rc = first < 0 ? (int)first : 0;
	}
	return rc;
}

unsigned int dv_source_fields(const struct devio_source *s, uint64_t item)
{
	uint64_t end;

	if (s->kind == DEVIO_SOURCE_RECORDS)
		return 1;
	end = item + 1 < s->items.nr ? dv_source_item(s, item + 1)->first : s->fields.nr;
	return end - dv_source_item(s, item)->first;
}

/* The file of a record: the last one whose first record is not after it. */
static uint32_t file_of(const struct devio_source *s, uint64_t item)
{
	uint32_t low = 0, high = s->shards.nr;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (s->before[mid] <= item)
			low = mid;
		else
			high = mid;
	}
	return low;
}

struct dv_span dv_source_span(const struct devio_source *s, uint64_t item, unsigned int n)
{
	const struct dv_field *f;
	uint32_t file;

	if (s->kind == DEVIO_SOURCE_RECORDS) {
		file = file_of(s, item);
		return (struct dv_span){ s->header + (item - s->before[file]) * s->record, s->record, file };
	}
	f = dv_source_field(s, dv_source_item(s, item)->first + n);
	return (struct dv_span){ f->off, f->len, f->file };
}

static int check_source(const struct devio_source *s)
{
	return s ? 0 : dv_err(-EINVAL, "source: the source is NULL");
}

DEVIO_API int devio_source_get_info(const struct devio_source *s, struct devio_source_info *info)
{
	struct devio_source_info i = { 0 };
	int rc = check_source(s);

	if (rc)
		return rc;
	i.items = s->nr_items;
	i.bytes = s->bytes;
	i.max_bytes = s->max_bytes;
	i.kind = s->kind;
	i.files = s->shards.nr;
	i.max_fields = s->max_fields;
	i.metas = s->metas.nr / 2;
	return dv_info_copy(info, &i, sizeof(i), "devio_source_info");
}

DEVIO_API int devio_source_count(const struct devio_source *s, uint64_t item)
{
	int rc = check_source(s);

	if (!rc && item >= s->nr_items)
		rc = dv_err(-ERANGE, "source: no item %llu: there are %llu, numbered from 0", (unsigned long long)item,
			    (unsigned long long)s->nr_items);
	return rc ? rc : (int)dv_source_fields(s, item);
}

static void describe(const struct devio_source *s, uint64_t item, unsigned int n, struct devio_field *to)
{
	const struct dv_item *i = dv_source_item(s, item);
	const struct dv_field *f = dv_source_field(s, i->first + n);

	to->key = dv_source_text(s, i->key);
	to->name = dv_source_text(s, f->name);
	to->dtype = f->dtype ? f->dtype : dv_source_text(s, f->dtype_text);
	to->rank = f->rank;
	to->shape = f->rank ? (const uint64_t *)s->dims.data + f->shape : NULL;
}

DEVIO_API int devio_source_get_field(const struct devio_source *s, uint64_t item, unsigned int n,
				     struct devio_field *field)
{
	struct devio_field f = { .key = "", .name = "", .dtype = "" };
	struct dv_span p;
	int rc = devio_source_count(s, item);

	if (rc >= 0 && n >= (unsigned int)rc)
		return dv_err(-ERANGE, "source: no field %u in item %llu: there are %d, numbered from 0", n,
			      (unsigned long long)item, rc);
	if (rc < 0)
		return rc;
	p = dv_source_span(s, item, n);
	if (s->kind != DEVIO_SOURCE_RECORDS)
		describe(s, item, n, &f);
	f.path = dv_source_shard(s, p.file)->path;
	f.off = p.off;
	f.len = p.len;
	f.file = p.file;
	return dv_info_copy(field, &f, sizeof(f), "devio_field");
}

DEVIO_API int64_t devio_source_find(const struct devio_source *s, const char *key)
{
	int64_t item = check_source(s);

	if (item)
		return item;
	item = key ? dv_keys_find(&s->by_key, key) : -ENOENT;
	return item >= 0 ? item : dv_err(-ENOENT, "source: no item has the key '%s'", key ? key : "(NULL)");
}

DEVIO_API int devio_source_get_meta(const struct devio_source *s, unsigned int n, const char **key, const char **value)
{
	const uint64_t *at;
	int rc = check_source(s);

	if (!rc && (!key || !value))
		rc = dv_err(-EINVAL, "source: the pointer for the key or the value is NULL");
	if (!rc && n >= s->metas.nr / 2)
		rc = dv_err(-ERANGE, "source: no metadata pair %u: there are %llu, numbered from 0", n,
			    (unsigned long long)(s->metas.nr / 2));
	if (rc)
		return rc;
	at = (const uint64_t *)s->metas.data + 2 * (uint64_t)n;
	*key = dv_source_text(s, at[0]);
	*value = dv_source_text(s, at[1]);
	return 0;
}
