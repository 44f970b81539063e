/* SPDX-License-Identifier: MIT */
/* Sources from the inside: what the formats build and the loader asks. */
#ifndef DV_SOURCE_H
#define DV_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <devio/source.h>

#define DV_FIELDS_MAX 1024u  /* of an item: as many as an operation has ranges */

/* A file as it was when it was indexed. */
struct dv_shard {
	char *path;
	uint64_t size;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	uint32_t server;     /* its number, from 1 on; 0: the file is of this machine */
	uint64_t version;    /* what the server calls the file as it is now */
	const char *name;    /* and the file, in path */
};

/* A data server. */
struct dv_server {
	char *host, *port;
};

/* Strings and shapes lie in arrays of the source that move while it grows: offsets. */
struct dv_field {
	uint64_t off, len;
	uint64_t name;       /* in text */
	uint64_t shape;      /* in dims */
	uint32_t rank;
	uint32_t file;
	const char *dtype;   /* static */
};

struct dv_item {
	uint64_t key;        /* in text */
	uint64_t first;      /* field; those of the next item follow */
};

/* What the loader wants of a field. */
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
	struct dv_array items;    /* struct dv_item; none of records */
	struct dv_array fields;   /* struct dv_field; none of records */
	struct dv_array text;     /* char */
	struct dv_array dims;     /* uint64_t */
	struct dv_array metas;    /* uint64_t, two for each pair, in text */
	uint64_t *by_key;         /* items sorted by key */
	uint64_t record, header;
	uint64_t *before;         /* records before those of file i, one entry more than files */
	struct dv_array servers;  /* struct dv_server */
	struct dv_peer *peer;     /* the connection to one of them, while files are indexed */
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

/* A new source, empty; NULL: no memory, with the sentence. */
struct devio_source *dv_source_new(enum devio_source_kind kind);
struct devio_source *dv_source_get(const struct devio_source *s);

/* Each adds one at the end: 0 or -ENOMEM. */
/* Copies the shard, and its path; name_off: where the server's name of the file begins in it. */
int dv_source_add_shard(struct devio_source *s, const struct dv_shard *shard, size_t name_off);
int dv_source_add_server(struct devio_source *s, const char *host, const char *port);
int dv_source_add_text(struct devio_source *s, const char *text, size_t len, uint64_t *at);
int dv_source_add_item(struct devio_source *s, uint64_t key);
int dv_source_add_field(struct devio_source *s, const struct dv_field *f);
int dv_source_add_dim(struct devio_source *s, uint64_t dim);
int dv_source_add_meta(struct devio_source *s, const char *key, const char *value);

/* Sums up and sorts. 0, or -ENOMEM. */
int dv_source_finish(struct devio_source *s);

/* Gives the source to *out if rc is 0, closes it if not; returns rc. */
int dv_source_give(struct devio_source *s, int rc, struct devio_source **out);

/* How many fields item has; item < nr_items. */
unsigned int dv_source_fields(const struct devio_source *s, uint64_t item);

/* Where field n of the item lies. */
struct dv_span dv_source_piece(const struct devio_source *s, uint64_t item, unsigned int n);

/* The same file as in *sh? 0 or -ESTALE with a sentence, -errno. */
int dv_source_same(const struct dv_shard *sh, int fd);

#endif
