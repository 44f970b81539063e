/* SPDX-License-Identifier: MIT */
/* Records of a fixed size: nothing to parse, the index is computed. */
#include "config.h"
#include <limits.h>
#include <stdlib.h>
#include "core/err.h"
#include "load/input.h"

static int check_opts(const struct devio_records_opts *o, const char *const *paths, unsigned int nr)
{
	if (!paths || !nr)
		return dv_err(-EINVAL, "records: no files given");
	if (!o->record_size || o->record_size > INT64_MAX || o->header > INT64_MAX)
		return dv_err(-EINVAL, "records: record_size %llu (at least 1) or header %llu is out of range",
			      (unsigned long long)o->record_size, (unsigned long long)o->header);
	if (o->flags & ~DEVIO_RECORDS_TAIL)
		return dv_err(-EINVAL, "records: unknown flags 0x%x", o->flags);
	return 0;
}

/* Counts the records of the last shard. */
static int count(const struct devio_source *s, const struct devio_records_opts *o, uint64_t *nr)
{
	const struct dv_shard *sh = dv_source_shard(s, s->shards.nr - 1);

	if (sh->size < o->header)
		return dv_err(-EBADMSG, "records %s: %llu bytes are fewer than its header of %llu: it is truncated, or "
			      "the wrong file", sh->path, (unsigned long long)sh->size, (unsigned long long)o->header);
	*nr = (sh->size - o->header) / o->record_size;
	if ((sh->size - o->header) % o->record_size && !(o->flags & DEVIO_RECORDS_TAIL))
		return dv_err(-EBADMSG, "records %s: %llu records of %llu bytes are followed by %llu more bytes: it is "
			      "truncated, or record_size is wrong, or set DEVIO_RECORDS_TAIL to skip them", sh->path,
			      (unsigned long long)*nr, (unsigned long long)o->record_size,
			      (unsigned long long)((sh->size - o->header) % o->record_size));
	return 0;
}

static int add_files(struct devio_source *s, const char *const *paths, unsigned int nr,
		     const struct devio_records_opts *o)
{
	s->before = calloc((size_t)nr + 1, sizeof(*s->before));
	if (!s->before)
		return dv_err(-ENOMEM, "records: cannot allocate the index of %u files", nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct dv_input in;
		uint64_t n = 0;
		int rc = dv_input_open_shard(s, paths[i], &in);

		if (rc)
			return rc;
		dv_input_close(&in);
		rc = count(s, o, &n);
		if (rc)
			return rc;
		s->before[i + 1] = s->before[i] + n;
	}
	s->nr_items = s->before[nr];
	return 0;
}

DEVIO_API int devio_source_open_records(const char *const *paths, unsigned int nr,
					const struct devio_records_opts *opts, struct devio_source **out)
{
	struct devio_records_opts o;
	struct devio_source *s;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_records_opts");

	if (!rc && !out)
		rc = dv_err(-EINVAL, "records: the pointer for the new source is NULL");
	if (!rc)
		rc = check_opts(&o, paths, nr);
	if (rc)
		return rc;
	s = dv_source_new(DEVIO_SOURCE_RECORDS);
	if (!s)
		return -ENOMEM;
	s->record = o.record_size;
	s->header = o.header;
	return dv_source_give(s, add_files(s, paths, nr, &o), out);
}
