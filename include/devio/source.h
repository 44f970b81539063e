/* SPDX-License-Identifier: MIT */
/**
 * Sources: indexes of the tensors, samples or records in files.
 *
 * Part of libdevio-load (pkg-config devio-load), not of <devio.h>, so that programs
 * using only libdevio do not depend on the parsers' libraries.
 *
 * A source is only an index: opening one reads headers, not data, and validates all
 * metadata of the files. It does not change afterwards and may be used by any number
 * of threads. For an invalid file the error is -EBADMSG, and devio_errmsg() gives the
 * file, the position, what is wrong, and what to do. Ranges returned by a source are
 * always inside their file.
 *
 * A path tcp://HOST:PORT/PATH is a file of a devio-serve server: devio_source(3).
 */
#ifndef DEVIO_SOURCE_H
#define DEVIO_SOURCE_H

#include <devio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_source;

enum devio_source_kind {
	DEVIO_SOURCE_SAFETENSORS = 1, /* an item is a tensor, with one field */
	DEVIO_SOURCE_TAR = 2,         /* an item is a sample: consecutive members with the same key */
	DEVIO_SOURCE_RECORDS = 3      /* an item is a fixed-size record, with one field */
};

/**
 * Opens a safetensors file, or, if the name ends in ".json", the index of a sharded model
 * (model.safetensors.index.json) with its files in the same directory. Items are in data
 * order. An index decides which file a tensor is read from; other tensors in the files are
 * left out. A dtype that is not in the table of devio_dtype_get() is accepted with its
 * name, its data as bytes. Rejected are files not in this format, duplicate keys, tensors
 * that overlap, leave gaps or do not end at the end of the file, shapes that do not match
 * the size, and indexes that refer outside their directory or name a tensor that its file
 * does not have. *source is owned by the caller. Errors: -EBADMSG, -ENOMEM, -EINVAL, those
 * of open(2).
 */
DEVIO_API int devio_source_open_safetensors(const char *path, struct devio_source **source);

/**
 * Opens nr tar shards in WebDataset format: ustar, pax or GNU archives, not compressed.
 * The key of a member is its name up to the first dot after the last slash, its field the
 * rest in lower case; consecutive members with the same key form a sample. Skipped are
 * members that are not regular files, names without a dot, and "__NAME__". Rejected are
 * damaged archives, sparse members, and duplicate fields in a sample. The strings are
 * copied. *source is owned by the caller. Errors as above.
 */
DEVIO_API int devio_source_open_tar(const char *const *paths, unsigned int nr, struct devio_source **source);

struct devio_records_opts {
	size_t sz;
	uint64_t record_size; /* size of a record in bytes; required */
	uint64_t header;      /* bytes to skip at the start of each file */
	unsigned int flags;   /* DEVIO_RECORDS_* */
};
#define DEVIO_RECORDS_TAIL (1u << 0) /* skip an incomplete record at the end of a file, otherwise -EBADMSG */

/** Opens nr files of fixed-size records. The strings are copied. *source is owned by the caller. Errors as above. */
DEVIO_API int devio_source_open_records(const char *const *paths, unsigned int nr,
					const struct devio_records_opts *opts, struct devio_source **source);

/** Drops the caller's reference; NULL is allowed. Loaders hold a reference until they are closed. */
DEVIO_API void devio_source_close(struct devio_source *source);

struct devio_source_info {
	size_t sz;
	uint64_t items;          /* number of tensors, samples or records */
	uint64_t bytes;          /* total size of all items */
	uint64_t max_bytes;      /* size of the largest item, with all its fields */
	unsigned int kind;       /* enum devio_source_kind */
	unsigned int files;      /* number of files */
	unsigned int max_fields; /* largest number of fields of an item */
	unsigned int metas;      /* number of pairs for devio_source_get_meta() */
};

/** Fills info (set info->sz first). Errors: -EINVAL (sz). */
DEVIO_API int devio_source_get_info(const struct devio_source *source, struct devio_source_info *info);

/** A part of an item. The pointers are owned by the source and valid until it is closed. */
struct devio_field {
	size_t sz;
	const char *key;       /* the tensor's name or the sample's key; "" for a record */
	const char *name;      /* the member's extension: "jpg"; "" for a tensor or record */
	const char *path;      /* of the file, as passed to open(2) */
	const char *dtype;     /* safetensors dtype: "BF16"; otherwise "" */
	const uint64_t *shape; /* `rank` dimensions */
	uint64_t off;          /* offset in the file, in bytes */
	uint64_t len;          /* bytes, may be 0 */
	unsigned int rank;     /* number of dimensions */
	unsigned int file;     /* file number, for devio_load_range.file */
};

/** The number of fields of an item. Errors: -ERANGE. */
DEVIO_API int devio_source_count(const struct devio_source *source, uint64_t item);

/** Fills *field with field n of an item (set field->sz first). Errors: -ERANGE, -EINVAL (sz). */
DEVIO_API int devio_source_get_field(const struct devio_source *source, uint64_t item, unsigned int n,
				     struct devio_field *field);

/** The number of the first item with this key, in logarithmic time. Errors: -ENOENT. */
DEVIO_API int64_t devio_source_find(const struct devio_source *source, const char *key);

/**
 * Pair n of the __metadata__ of safetensors files, in file order. The strings are owned by
 * the source and valid until it is closed. Errors: -ERANGE.
 */
DEVIO_API int devio_source_get_meta(const struct devio_source *source, unsigned int n, const char **key,
				    const char **value);

/** A data type of tensor elements. The strings are static. */
struct devio_dtype {
	size_t sz;
	const char *name;      /* name in safetensors files: "BF16" */
	const char *torch;     /* name in PyTorch: "bfloat16"; "" if PyTorch has no such type */
	unsigned int bits;     /* size of an element; elements of less than 8 bits are packed */
	unsigned int dlpack;   /* DLPack type code (DLDataTypeCode) */
};

/** Fills *dtype with entry n of the table of known dtypes (set dtype->sz first). Errors: -ERANGE, -EINVAL (sz). */
DEVIO_API int devio_dtype_get(unsigned int n, struct devio_dtype *dtype);

/** The index of the dtype with this name in the table, for devio_dtype_get(). Errors: -ENOENT. */
DEVIO_API int devio_dtype_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
