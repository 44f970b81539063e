/* SPDX-License-Identifier: MIT */
/*
 * Tar shards, read by libarchive: ustar, pax and GNU headers, numbers in base 256,
 * checksums. After a header, the number of bytes that libarchive has consumed is the
 * offset of the data. The grouping into samples follows WebDataset.
 */
#include "config.h"
#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "load/input.h"

#define BLOCK (64u << 10)
#define PADDING_MAX (16u << 20) /* zeros between archives in a file, or at its end */
#define INDEX_MAX (1u << 30)    /* memory for the index of a shard: a file system or server may have no end */

/* Splits a member's name into key and extension. False: WebDataset skips it. */
static bool split(const char *name, size_t *key, const char **ext)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strchr(base, '.');
	size_t len = strlen(name);

	if (!slash && len >= 4 && !strncmp(name, "__", 2) && !strcmp(name + len - 2, "__"))
		return false;
	if (!dot || dot == base)
		return false;
	*key = dot - name;
	*ext = dot + 1;
	return true;
}

/* Whether the member belongs to the last sample, which must be in the same shard. */
static bool same_sample(const struct devio_source *s, const char *name, size_t len)
{
	const struct dv_item *last;
	const char *key;

	if (!s->items.nr)
		return false;
	last = dv_source_item(s, s->items.nr - 1);
	key = dv_source_text(s, last->key);
	return dv_source_field(s, last->first)->file == s->shards.nr - 1 && !strncmp(key, name, len) && !key[len];
}

static int check_field(const struct devio_source *s, const char *name, uint64_t field_name)
{
	const char *path = dv_source_shard(s, s->shards.nr - 1)->path;
	uint64_t first = dv_source_item(s, s->items.nr - 1)->first;

	if (s->fields.nr - first >= DV_FIELDS_MAX)
		return dv_err(-EBADMSG, "tar %.200s: member '%.80s': more than %u fields in one sample: not a "
			      "WebDataset shard", path, name, DV_FIELDS_MAX);
	for (uint64_t i = first; i < s->fields.nr; i++)
		if (!strcmp(dv_source_text(s, dv_source_field(s, i)->name), dv_source_text(s, field_name)))
			return dv_err(-EBADMSG, "tar %.200s: member '%.80s': duplicate key and extension: create the "
				      "shard again", path, name);
	return 0;
}

/* Adds a member as a field of a sample. */
static int add_member(struct devio_source *s, const char *name, uint64_t off, uint64_t len)
{
	struct dv_field f = { .off = off, .len = len, .file = s->shards.nr - 1, .dtype = "" };
	uint64_t key = 0;
	const char *ext;
	size_t n;
	int rc = 0;

	if (!split(name, &n, &ext))
		return 0;
	if (!same_sample(s, name, n)) {
		rc = dv_source_add_text(s, name, n, &key);
		if (!rc)
			rc = dv_source_add_item(s, key);
	}
	if (!rc)
		rc = dv_source_add_text(s, ext, strlen(ext), &f.name);
	if (rc)
		return rc;
	for (char *c = (char *)s->text.data + f.name; *c; c++)
		*c = tolower((unsigned char)*c);
	rc = check_field(s, name, f.name);
	return rc ? rc : dv_source_add_field(s, &f);
}

static int tar_error(const char *path, struct archive *a)
{
	return dv_err(-EBADMSG, "tar %s: at byte %lld: %s: it is damaged, or compressed (shards are read in place: "
		      "decompress it)", path, (long long)archive_filter_bytes(a, -1),
		      archive_error_string(a) ? archive_error_string(a) : "not a tar archive");
}

static int sparse_error(const struct dv_shard *sh, const char *name)
{
	return dv_err(-EBADMSG, "tar %.200s: member '%.80s' is sparse, so its data is not contiguous: create the shard "
		      "without --sparse", sh->path, name);
}

/*
 * Goes to the end of the data. The size of an entry may come from records about
 * sparse files, also of members that are not sparse; how far libarchive skips is
 * what is stored.
 */
static int check_stored(const struct dv_shard *sh, struct archive *a, const char *name, int64_t off, int64_t len)
{
	int rc = archive_read_data_skip(a);

	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return tar_error(sh->path, a);
	return archive_filter_bytes(a, -1) - off == ((len + 511) & ~511LL) ? 0 : sparse_error(sh, name);
}

static int add_entry(struct devio_source *s, struct archive *a, struct archive_entry *e)
{
	const struct dv_shard *sh = dv_source_shard(s, s->shards.nr - 1);
	const char *name = archive_entry_pathname(e);
	int64_t off = archive_filter_bytes(a, -1), len = archive_entry_size(e);
	int rc;

	/* A hard link has no data of its own. */
	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
		return 0;
	if (!name)
		return dv_err(-EBADMSG, "tar %s: the member at byte %lld has no name", sh->path, (long long)off);
	if (archive_entry_sparse_count(e) > 0)
		return sparse_error(sh, name);
	if (off < 0 || len < 0 || (uint64_t)off > sh->size || (uint64_t)len > sh->size - off)
		return dv_err(-EBADMSG, "tar %.200s: member '%.80s' has %lld bytes at %lld, but the file has %llu: it "
			      "is truncated; get a new copy", sh->path, name, (long long)len, (long long)off,
			      (unsigned long long)sh->size);
	rc = check_stored(sh, a, name, off, len);
	return rc ? rc : add_member(s, name, off, len);
}

/* A shard, as a stream for libarchive. */
struct stream {
	const struct dv_input *in;
	uint64_t at;
	uint64_t zeros;          /* bytes before `at` that are zero */
	int err;                 /* with an error message */
	char buf[BLOCK];
};

static la_ssize_t read_stream(struct archive *a, void *arg, const void **buf)
{
	struct stream *st = arg;
	uint64_t left = st->in->size - st->at;
	size_t n = left < BLOCK ? left : BLOCK;

	st->err = dv_input_read(st->in, st->buf, n, st->at);
	if (!st->err) {
		st->zeros = n && !st->buf[0] && !memcmp(st->buf, st->buf + 1, n - 1) ? st->zeros + n : 0;
		if (st->zeros > PADDING_MAX)
			st->err = dv_err(-EBADMSG, "tar %s: more than %u MiB of zeros at byte %llu: get a new copy",
					 st->in->path, PADDING_MAX >> 20, (unsigned long long)st->at);
	}
	if (st->err) {
		archive_set_error(a, -st->err, "read failed");
		return ARCHIVE_FATAL;
	}
	st->at += n;
	*buf = st->buf;
	return n;
}

/* Skips the data of members: indexing reads their headers only. */
static la_int64_t skip_stream(struct archive *a, void *arg, la_int64_t want)
{
	struct stream *st = arg;
	uint64_t left = st->in->size - st->at, n = want > 0 ? (uint64_t)want : 0;

	(void)a;
	n = n < left ? n : left;
	st->at += n;
	st->zeros = 0;
	return n;
}

static int walk(struct devio_source *s, struct archive *a, const struct stream *st)
{
	uint64_t before = dv_source_memory(s);
	struct archive_entry *e;
	int rc, got;

	/* A warning is about a name that is not UTF-8, or an attribute that is not known. */
	while ((got = archive_read_next_header(a, &e)) == ARCHIVE_OK || got == ARCHIVE_WARN) {
		rc = add_entry(s, a, e);
		if (rc)
			return st->err ? st->err : rc;
		if (dv_source_memory(s) - before > INDEX_MAX)
			return dv_err(-E2BIG, "tar %s: its index is larger than %u MiB: use smaller shards",
				      st->in->path, INDEX_MAX >> 20);
	}
	if (st->err)
		return st->err;
	return got == ARCHIVE_EOF ? 0 : tar_error(st->in->path, a);
}

static int walk_stream(struct devio_source *s, struct archive *a, const struct dv_input *in)
{
	struct stream *st = malloc(sizeof(*st));
	int rc;

	if (!st)
		return dv_err(-ENOMEM, "tar %s: cannot allocate a buffer", in->path);
	st->in = in;
	st->at = st->zeros = 0;
	st->err = 0;
	if (archive_read_open2(a, st, NULL, read_stream, skip_stream, NULL) == ARCHIVE_OK)
		rc = walk(s, a, st);
	else
		rc = st->err ? st->err : tar_error(in->path, a);
	archive_read_close(a);
	free(st);
	return rc;
}

static int read_shard(struct devio_source *s, const struct dv_input *in)
{
	const struct dv_shard *sh = dv_source_shard(s, s->shards.nr - 1);
	struct archive *a = archive_read_new();
	int rc;

	if (!a)
		return dv_err(-ENOMEM, "tar %s: cannot allocate a libarchive handle", sh->path);
	if (!sh->size)
		rc = dv_err(-EBADMSG, "tar %s: the file is empty, without an end-of-archive marker: get a new copy",
			    sh->path);
	else if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
		 archive_read_set_options(a, "tar:read_concatenated_archives") != ARCHIVE_OK)
		rc = tar_error(sh->path, a);
	else
		rc = walk_stream(s, a, in);
	archive_read_free(a);
	return rc;
}

static int add_shards(struct devio_source *s, const char *const *paths, unsigned int nr)
{
	int rc = 0;

	for (unsigned int i = 0; i < nr && !rc; i++) {
		struct dv_input in;

		rc = dv_input_open_shard(s, paths[i], &in);
		if (rc)
			return rc;
		rc = read_shard(s, &in) ?: dv_input_unchanged(s, &in);
		dv_input_close(&in);
	}
	return rc;
}

DEVIO_API int devio_source_open_tar(const char *const *paths, unsigned int nr, struct devio_source **out)
{
	struct devio_source *s;
	locale_t utf8, old;
	int rc;

	if (!paths || !nr || !out)
		return dv_err(-EINVAL, "tar: no files given, or the pointer for the new source is NULL");
	s = dv_source_new(DEVIO_SOURCE_TAR);
	if (!s)
		return -ENOMEM;
	/* Names in pax headers are UTF-8, which libarchive drops in the C locale. Set for this thread only. */
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	old = utf8 ? uselocale(utf8) : NULL;
	rc = add_shards(s, paths, nr);
	if (utf8) {
		uselocale(old);
		freelocale(utf8);
	}
	return dv_source_give(s, rc, out);
}
