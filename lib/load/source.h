/* SPDX-License-Identifier: MIT */
/* Internals of sources: what the parsers fill and the loader queries. */
#ifndef DV_SOURCE_H
#define DV_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <devio/source.h>
#include "load/keys.h"

#define DV_FIELDS_MAX 1024u  /* per item: the limit of ranges per operation */

/* A file, and its state when it was indexed. */
struct dv_shard {
	char *path;
	uint64_t size;
	struct stat st;      /* local */
	uint32_t server;     /* number of the server, from 1; 0: a local file */
	uint64_t version;    /* remote: the server's version of the file */
	const char *name;    /* remote: name of the file, points into path */
};

/* A data server. */
struct dv_server {
	char *host, *port;
};

/* Strings and shapes are offsets into arrays of the source, which may move while it grows. */
struct dv_field {
	uint64_t off, len;
	uint64_t name;       /* in text */
	uint64_t shape;      /* in dims */
	uint32_t rank;
	uint32_t file;
	const char *dtype;   /* static; NULL: dtype_text */
	uint64_t dtype_text; /* in text */
};

struct dv_item {
	uint64_t key;        /* in text */
	uint64_t first;      /* index of its first field; its last is before that of the next item */
};

/* The location of a field. */
struct dv_span {
	uint64_t off, len;
	uint32_t file;
};

struct dv_array {
	void *data;
	uint64_t nr, room;
};

struct devio_source {
	atomic_uint refs;
	enum devio_source_kind kind;
	uint64_t nr_items, bytes, max_bytes;
	uint32_t max_fields;
	struct dv_array shards;   /* struct dv_shard */
	struct dv_array items;    /* struct dv_item; empty for records */
	struct dv_array fields;   /* struct dv_field; empty for records */
	struct dv_array text;     /* char */
	struct dv_array dims;     /* uint64_t */
	struct dv_array metas;    /* uint64_t: two offsets in text per pair */
	struct dv_keys by_key;    /* items; of several with one key the first */
	uint64_t record, header;
	uint64_t *before;         /* number of records before file i; has one entry more than files */
	struct dv_array servers;  /* struct dv_server */
	struct dv_peer *peer;     /* connection to one of them while files are indexed */
};

static inline struct dv_shard *dv_source_shard(const struct devio_source *s, uint32_t i)
{
	return (struct dv_shard *)s->shards.data + i;
}

static inline struct dv_server *dv_source_server(const struct devio_source *s, uint64_t i)
{
	return (struct dv_server *)s->servers.data + i;
}

static inline struct dv_item *dv_source_item(const struct devio_source *s, uint64_t i)
{
	return (struct dv_item *)s->items.data + i;
}

static inline struct dv_field *dv_source_field(const struct devio_source *s, uint64_t i)
{
	return (struct dv_field *)s->fields.data + i;
}

static inline const char *dv_source_text(const struct devio_source *s, uint64_t at)
{
	return (const char *)s->text.data + at;
}

/* A row of the table of dtypes, or NULL. */
const struct devio_dtype *dv_dtype_find(const char *name);

/* A new, empty source. NULL: out of memory, with an error message. */
struct devio_source *dv_source_new(enum devio_source_kind kind);
struct devio_source *dv_source_get(const struct devio_source *s);

/* Appends an element, which is not initialized. NULL: out of memory, with an error message. */
void *dv_array_add(struct dv_array *a, size_t each);

/* Each appends one element. 0, or -ENOMEM with an error message. */
/* Copies the shard and its path; name_off: offset in path of the server's name of the file. */
int dv_source_add_shard(struct devio_source *s, const struct dv_shard *shard, size_t name_off);
int dv_source_add_server(struct devio_source *s, const char *host, const char *port);
int dv_source_add_text(struct devio_source *s, const char *text, size_t len, uint64_t *at);
int dv_source_add_item(struct devio_source *s, uint64_t key);
int dv_source_add_field(struct devio_source *s, const struct dv_field *f);
int dv_source_add_dim(struct devio_source *s, uint64_t dim);
int dv_source_add_meta(struct devio_source *s, const char *key, const char *value);

/* Bytes that the index takes. */
uint64_t dv_source_memory(const struct devio_source *s);

/* Computes the totals and indexes the keys. 0, or -errno with an error message. */
int dv_source_finish(struct devio_source *s);

/* If rc is 0, finishes the source and stores it in *out; otherwise, or if that fails, closes it. Returns the error. */
int dv_source_give(struct devio_source *s, int rc, struct devio_source **out);

/* The number of fields of the item; item < nr_items. */
unsigned int dv_source_fields(const struct devio_source *s, uint64_t item);

/* The location of field n of the item. */
struct dv_span dv_source_span(const struct devio_source *s, uint64_t item, unsigned int n);

/* Checks that fd is still the file in *sh. 0, or -errno with an error message (-ESTALE: it is not). */
int dv_source_same(const struct dv_shard *sh, int fd);

#endif
