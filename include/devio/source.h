/* SPDX-License-Identifier: MIT */
/**
 * Sources: which bytes of which files are a tensor, a sample or a record.
 *
 * Part of libdevio-load (pkg-config devio-load), not of <devio.h>: plain users
 * of libdevio do not link the parsers' libraries.
 *
 * A source is an index alone: opening one reads headers and no data, and checks
 * all that the files say of themselves. It never changes after that: any number
 * of threads may use it. What is wrong with a file is -EBADMSG and a sentence in
 * devio_errmsg() with file, place, what is wrong, and what to do. No range that
 * a source tells leaves its file.
 *
 * A path tcp://HOST:PORT/PATH is a file of a devio-serve there: devio_source(3).
 */
#ifndef DEVIO_SOURCE_H
#define DEVIO_SOURCE_H

#include <devio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_source;

enum devio_source_kind {
	DEVIO_SOURCE_SAFETENSORS = 1, /* an item is a tensor, of one field */
	DEVIO_SOURCE_TAR = 2,         /* an item is a sample: members of one key, one after the other */
	DEVIO_SOURCE_RECORDS = 3      /* an item is a record of fixed size, of one field */
};

/**
 * Opens a safetensors file, or, if the name ends in ".json", the index of a
 * sharded model (model.safetensors.index.json), whose files lie beside it.
 * Items are in the order of the data. Refused besides what is no safetensors
 * file: a key that is there twice, tensors that overlap, leave a hole or do not
 * end where the file ends, a dtype that is not known, a shape that does not have
 * that many bytes, an index that leads out of its directory or does not say the
 * same as the files. Errors: -EBADMSG, -ENOMEM, -EINVAL, those of open(2).
 */
DEVIO_API int devio_source_open_safetensors(const char *path, struct devio_source **source);

/**
 * Opens tar shards as WebDataset makes them: ustar, pax and GNU, not compressed.
 * The key of a member is its name up to the first dot behind the last slash,
 * its field the rest in lower case; neighbours with one key are one sample.
 * Passed over: what is no regular file, names without a dot, "__NAME__".
 * Refused besides damaged archives: sparse members, a field twice in a sample.
 * The strings are copied. Errors as above.
 */
DEVIO_API int devio_source_open_tar(const char *const *paths, unsigned int nr, struct devio_source **source);

struct devio_records_opts {
	size_t sz;
	uint64_t record_size; /* bytes of a record; must be given */
	uint64_t header;      /* bytes to pass over at the start of each file */
	unsigned int flags;   /* DEVIO_RECORDS_* */
};
#define DEVIO_RECORDS_TAIL (1u << 0) /* pass over an incomplete record at the end of a file, else -EBADMSG */

/** Opens files that hold records of one size and nothing else. The strings are copied. Errors as above. */
DEVIO_API int devio_source_open_records(const char *const *paths, unsigned int nr,
					const struct devio_records_opts *opts, struct devio_source **source);

/** Gives the caller's hold back; NULL is allowed. Loaders keep a source until they close. */
DEVIO_API void devio_source_close(struct devio_source *source);

struct devio_source_info {
	size_t sz;
	uint64_t items;          /* tensors, samples or records */
	uint64_t bytes;          /* of all of them */
	uint64_t max_bytes;      /* of the largest item, all its fields */
	unsigned int kind;       /* enum devio_source_kind */
	unsigned int files;
	unsigned int max_fields; /* of an item */
	unsigned int metas;      /* pairs that devio_source_get_meta() knows */
};

/** Fills info (set info->sz first). */
DEVIO_API int devio_source_get_info(const struct devio_source *source, struct devio_source_info *info);

/** Part of an item. The pointers are the source's, valid until it closes. */
struct devio_field {
	size_t sz;
	const char *key;       /* the tensor's name, the sample's key; "" of a record */
	const char *name;      /* the member's extension: "jpg"; "" of a tensor or record */
	const char *path;      /* of the file, as it is opened */
	const char *dtype;     /* as safetensors spells it: "BF16"; "" elsewhere */
	const uint64_t *shape; /* `rank` of them */
	uint64_t off;          /* bytes, in the file */
	uint64_t len;          /* bytes, may be 0 */
	unsigned int rank;
	unsigned int file;     /* number of the file */
};

/** The number of fields of item number `item`, or -ERANGE. */
DEVIO_API int devio_source_count(const struct devio_source *source, uint64_t item);

/** Describes field n of an item (set field->sz first). Errors: -ERANGE, -EINVAL. */
DEVIO_API int devio_source_get_field(const struct devio_source *source, uint64_t item, unsigned int n,
				     struct devio_field *field);

/** The number of the first item with that key, or -ENOENT. Takes time as the logarithm of the items. */
DEVIO_API int64_t devio_source_find(const struct devio_source *source, const char *key);

/**
 * Pair n of the __metadata__ of safetensors files, in the order of the files.
 * The strings are the source's. Errors: -ERANGE.
 */
DEVIO_API int devio_source_get_meta(const struct devio_source *source, unsigned int n, const char **key,
				    const char **value);

#ifdef __cplusplus
}
#endif
#endif
