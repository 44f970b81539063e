/* SPDX-License-Identifier: MIT */
/* Files of the formats that the loader reads, right or wrong by a byte. */
#ifndef FILES_H
#define FILES_H

#include "../rig.h"
#include <errno.h>
#include <devio/load.h>

static RIG_UNUSED void file_write(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len, "write %s", name);
	close(fd);
}

/* A safetensors file: this header and `data` bytes of the pattern 1; claim: the length that it says it has. */
static RIG_UNUSED void file_tensors_claim(const char *name, const char *header, size_t len, size_t data, uint64_t claim)
{
	unsigned char *buf = malloc(8 + len + data);

	for (int i = 0; i < 8; i++)
		buf[i] = claim >> (8 * i);
	memcpy(buf + 8, header, len);
	rig_fill(buf + 8 + len, 1, 0, data);
	file_write(name, buf, 8 + len + data);
	free(buf);
}

static RIG_UNUSED void file_tensors(const char *name, const char *header, size_t data)
{
	file_tensors_claim(name, header, strlen(header), data, strlen(header));
}

/* A ustar header block. */
static RIG_UNUSED void tar_header(unsigned char *b, const char *name, uint64_t size, char type)
{
	unsigned int sum = 0;

	memset(b, 0, 512);
	snprintf((char *)b, 100, "%s", name);
	memcpy(b + 100, "0000644\0000000000\0000000000", 24);
	snprintf((char *)b + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
	memcpy(b + 136, "00000000000", 12);
	memset(b + 148, ' ', 8);
	b[156] = type;
	memcpy(b + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += b[i];
	snprintf((char *)b + 148, 8, "%06o", sum);
}

struct tar {
	unsigned char *data;
	size_t len;
};

/* A member of `size` bytes, those of the pattern `seed` at the place where they stand. Returns this place. */
static RIG_UNUSED size_t tar_add(struct tar *t, const char *name, size_t size, char type, unsigned int seed)
{
	size_t padded = (size + 511) & ~511u, at = t->len + 512;

	t->data = realloc(t->data, t->len + 512 + padded + 1024);
	tar_header(t->data + t->len, name, size, type);
	memset(t->data + at, 0, padded + 1024);
	rig_fill(t->data + at, seed, at, size);
	t->len = at + padded;
	return at;
}

static RIG_UNUSED void tar_save(struct tar *t, const char *name)
{
	file_write(name, t->data, t->len + 1024);
	free(t->data);
	memset(t, 0, sizeof(*t));
}

static RIG_UNUSED struct devio_source_info source_info(const struct devio_source *s)
{
	struct devio_source_info i = DEVIO_OPTS(i);

	must_zero(devio_source_get_info(s, &i));
	return i;
}

static RIG_UNUSED struct devio_field source_field(const struct devio_source *s, uint64_t item, unsigned int n)
{
	struct devio_field f = DEVIO_OPTS(f);

	must_zero(devio_source_get_field(s, item, n, &f));
	return f;
}

static RIG_UNUSED struct devio_source *source_records(const char *const *names, unsigned int nr, uint64_t size,
						      uint64_t header)
{
	struct devio_records_opts o = DEVIO_OPTS(o);
	struct devio_source *s;

	o.record_size = size;
	o.header = header;
	must_zero(devio_source_open_records(names, nr, &o, &s));
	return s;
}

/* The call must fail with -EBADMSG and a sentence that has this word. */
#define must_tell(expr, err, word) do { must_fail(expr, err); \
	must(strstr(devio_errmsg(), word), "'%s' is not in: %s", word, devio_errmsg()); } while (0)

#endif
