/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: files from an untrusted source. The first byte chooses: a
 * safetensors file whose header is the input (its length made right or not),
 * an index over two shards of which the input is one, a tar archive as it is,
 * or one whose headers' checksums are made right. What is taken must keep what
 * the source promises: no range leaves its file, items and fields have names.
 */
#include "config.h"
#include <devio/load.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static bool loading; /* a ring costs a hundred times what a parser does: now and then */

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_load: %s (%s)\n", what, devio_errmsg());
	abort();
}

static void leave(void)
{
	static const char *const names[] = { "f", "x.json", "a", "b" };

	for (int i = 0; i < 4; i++)
		unlink(names[i]);
	check(!chdir("..") && !rmdir(dir), "the directory is left");
}

static void enter(void)
{
	if (*dir)
		return;
	if (chdir("/dev/shm")) /* quicker, not needed */
		errno = 0;
	snprintf(dir, sizeof(dir), "fuzz-load-%d.tmp", (int)getpid());
	check(!mkdir(dir, 0700) && !chdir(dir) && !atexit(leave), "a directory for files");
}

static void save(const char *name, const void *head, size_t nr_head, const void *data, size_t nr)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(fd >= 0 && write(fd, head, nr_head) == (ssize_t)nr_head && write(fd, data, nr) == (ssize_t)nr, "write");
	close(fd);
}

/* Every query, against the files as they are. */
static void ask(const struct devio_source *s)
{
	struct devio_source_info i = { .sz = sizeof(i) };
	const char *key, *value;
	uint64_t bytes = 0;

	check(!devio_source_get_info(s, &i), "info");
	for (uint64_t n = 0; n < i.items; n++) {
		int count = devio_source_count(s, n);

		check(count > 0 && (unsigned int)count <= i.max_fields, "fields");
		for (int k = 0; k < count; k++) {
			struct devio_field f = { .sz = sizeof(f) };
			struct stat st;

			check(!devio_source_get_field(s, n, k, &f), "field");
			check(!stat(f.path, &st) && f.off <= (uint64_t)st.st_size && f.len <= st.st_size - f.off,
			      "the range is in its file");
			check(f.file < i.files && strlen(f.name) + strlen(f.dtype) < 1 << 20, "texts");
			for (unsigned int r = 0; r < f.rank; r++)
				bytes += f.shape[r] & 0;
			check(k || (devio_source_find(s, f.key) >= 0 && (uint64_t)devio_source_find(s, f.key) <= n),
			      "it is found");
			bytes += f.len;
		}
	}
	check(bytes == i.bytes, "the sum");
	for (unsigned int n = 0; n < i.metas; n++)
		check(!devio_source_get_meta(s, n, &key, &value) && strlen(key) + strlen(value) < 1 << 20, "metadata");
}

/* And through the loader's planning, into little memory. */
static void load(struct devio_source *s)
{
	static struct devio_ctx *ctx;
	static struct devio_mem *mem;
	struct devio_batch b = { .sz = sizeof(b) };
	struct devio_loader_opts o = { .sz = sizeof(o), .flags = DEVIO_LOADER_SHUFFLE, .shuffle_block = 3, .batch = 5 };
	struct devio_loader *l;
	int rc;

	if (!ctx)
		check(!devio_ctx_open(NULL, &ctx) && !devio_mem_alloc(ctx, "host", 1 << 20, NULL, &mem), "memory");
	if (devio_loader_open(ctx, s, mem, &o, &l))
		return;
	while ((rc = devio_loader_next(l, &b, -1)) == 1)
		check(!b.failed && !devio_loader_release(l, b.slot), "a batch");
	check(!rc, "the epoch ends");
	devio_loader_close(l);
}

static void finish(int rc, struct devio_source *s)
{
	check(rc <= 0 && (!rc || (!s && *devio_errmsg())), "an errno and a sentence");
	if (rc)
		return;
	ask(s);
	if (loading)
		load(s);
	devio_source_close(s);
}

static void tensors(const uint8_t *data, size_t size, bool honest)
{
	static const char index[] = "{\"weight_map\":{\"t\":\"a\",\"u\":\"b\"}}";
	unsigned char head[8] = { 0 };
	struct devio_source *s = NULL;
	const uint8_t *end = memchr(data, '\n', size); /* behind the first line: the tensors' data */
	size_t len = end ? (size_t)(end - data) : size;

	for (int i = 0; i < 8; i++)
		head[i] = (uint64_t)len >> (8 * i);
	save("f", head, honest ? 8 : 0, data, size);
	finish(devio_source_open_safetensors("f", &s), s);
	if (!honest)
		return;
	s = NULL;
	save("a", head, 8, data, size);
	save("b", "\x02\0\0\0\0\0\0\0{}", 10, "", 0);
	save("x.json", index, sizeof(index) - 1, "", 0);
	finish(devio_source_open_safetensors("x.json", &s), s);
}

static void index_of(const uint8_t *data, size_t size)
{
	static const char header[] = "{\"t\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}abc";
	unsigned char head[8] = { sizeof(header) - 4 };
	struct devio_source *s = NULL;

	save("a", head, 8, header, sizeof(header) - 1);
	save("x.json", data, size, "", 0);
	finish(devio_source_open_safetensors("x.json", &s), s);
}

static void tar(const uint8_t *data, size_t size, bool honest)
{
	const char *name = "f";
	struct devio_source *s = NULL;
	unsigned char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	for (size_t at = 0; honest && at + 512 <= size; at += 512) {
		unsigned int sum = 0;
		char text[8];

		memset(copy + at + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += copy[at + i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(copy + at + 148, text, 7);
	}
	save("f", copy, size, "", 0);
	free(copy);
	finish(devio_source_open_tar(&name, 1, &s), s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	enter();
	loading = data[0] >= 250;
	switch (data[0] % 5) {
	case 0:
	case 1:
		tensors(data + 1, size - 1, data[0] % 5);
		break;
	case 2:
		index_of(data + 1, size - 1);
		break;
	default:
		tar(data + 1, size - 1, data[0] % 5 == 3);
	}
	return 0;
}
