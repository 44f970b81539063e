/* SPDX-License-Identifier: MIT */
/*
 * The loader in place of driver.c: opens a source, reads its items by ranges and by a
 * loader, two epochs of it, and compares every byte that is delivered as good.
 *
 *   load safetensors|tar|records uring|threads DIRECTORY
 */
#include "fault.h"
#include <devio/load.h>

#define SIZE (256u << 10)
#define ITEMS 8u
#define EACH (SIZE / ITEMS)
#define HEAD 4096u /* of each file: its header, and zeros */

static const char *names[2] = { "0", "1" };
static const char *kind;
static unsigned int flags;
static unsigned char got[SIZE];

static unsigned char byte_of(uint64_t file, uint64_t off)
{
	return (off * 2654435761u >> 13) + file;
}

/* A file of four items in the format that is asked for. */
static void make_file(int number)
{
	static unsigned char buf[HEAD + SIZE / 2 + 8192];
	char *text = (char *)buf + 8;
	size_t size = HEAD + SIZE / 2;
	FILE *f;

	memset(buf, 0, sizeof(buf));
	for (uint64_t i = HEAD; i < size; i++)
		buf[i] = byte_of(number, i);
	if (!strcmp(kind, "safetensors")) {
		buf[0] = (HEAD - 8) & 255;
		buf[1] = (HEAD - 8) >> 8;
		memset(text, ' ', HEAD - 8);
		for (unsigned int i = 0; i < ITEMS / 2; i++) {
			text += sprintf(text, "%c\"t%d.%u\":{\"dtype\":\"U8\",\"shape\":[%u],\"data_offsets\":[%u,%u]}",
					i ? ',' : '{', number, i, EACH, i * EACH, (i + 1) * EACH);
		}
		text[0] = '}';
	}
	f = fopen(names[number], "w");
	if (!f || fwrite(buf, 1, size, f) != size || fclose(f))
		exit(2);
}

static void make_tar(int number)
{
	FILE *f = fopen(names[number], "w");

	for (unsigned int i = 0, at = 0; f && i < ITEMS / 2; i++) {
		unsigned char head[512] = { 0 };
		unsigned int sum = 8 * ' ';

		snprintf((char *)head, 100, "%d-%u.bin", number, i);
		memcpy(head + 100, "0000644\0000000000\0000000000", 24);
		snprintf((char *)head + 124, 12, "%011o", EACH);
		memcpy(head + 136, "00000000000", 12);
		head[156] = '0';
		memcpy(head + 257, "ustar\00000", 8);
		for (int k = 0; k < 512; k++)
			sum += head[k];
		snprintf((char *)head + 148, 8, "%06o", sum);
		head[155] = ' ';
		fwrite(head, 1, 512, f);
		for (at += 512; at % (EACH + 512); at++)
			fputc(byte_of(number, at), f);
	}
	if (!f || fwrite(got, 1, 1024, f) != 1024 || fclose(f)) /* zeros still */
		exit(2);
}

static void make_files(void)
{
	FILE *f = fopen("index.json", "w");

	for (int i = 0; i < 2; i++) {
		if (strcmp(kind, "tar"))
			make_file(i);
		else
			make_tar(i);
	}
	if (!f)
		exit(2);
	for (unsigned int i = 0; i < ITEMS; i++)
		fprintf(f, "%s\"t%u.%u\":\"%u\"", i ? "," : "{\"weight_map\":{", i % 2, i / 2, i % 2);
	fprintf(f, "}}");
	if (fclose(f))
		exit(2);
}

static int open_source(struct devio_source **s)
{
	struct devio_records_opts o = DEVIO_OPTS(o);

	o.record_size = EACH;
	o.header = HEAD;
	if (!strcmp(kind, "safetensors"))
		return devio_source_open_safetensors("index.json", s);
	if (!strcmp(kind, "tar"))
		return devio_source_open_tar(names, 2, s);
	return devio_source_open_records(names, 2, &o, s);
}

static void check(struct devio_mem *m, uint64_t mem_off, const struct devio_field *f)
{
	if (f->len != EACH)
		complain("the length of an item", (long)f->len);
	if (!fine("copy_out", devio_mem_copy_out(m, mem_off, got, EACH), 0))
		return;
	for (uint64_t i = 0; i < EACH; i++)
		if (got[i] != byte_of(f->file, f->off + i)) {
			complain("a wrong byte", (long)i);
			return;
		}
}

static void by_ranges(struct devio_ctx *ctx, const struct devio_source *s, struct devio_mem *m)
{
	struct devio_load_range g[ITEMS];
	struct devio_read_opts o = DEVIO_OPTS(o);
	struct devio_field f[ITEMS];
	int rc, bad = 0;

	o.max_read = 16384;
	o.max_files = 1;
	for (unsigned int i = 0; i < ITEMS; i++) {
		f[i].sz = sizeof(f[i]);
		if (!fine("field", devio_source_get_field(s, i, 0, &f[i]), 0))
			return;
		g[i] = (struct devio_load_range){ .off = f[i].off, .len = f[i].len, .mem_off = (uint64_t)i * EACH,
						  .file = f[i].file, .error = 1 };
	}
	rc = devio_source_read(ctx, s, m, g, ITEMS, &o);
	fine("source_read", rc, 0);
	for (unsigned int i = 0; i < ITEMS; i++) {
		bad += g[i].error != 0;
		if (!g[i].error)
			check(m, g[i].mem_off, &f[i]);
	}
	if (!rc && bad)
		complain("errors of ranges, and none of the call", bad);
}

static void take(struct devio_loader *l, const struct devio_source *s, struct devio_mem *m)
{
	struct devio_batch b = DEVIO_OPTS(b);
	unsigned int n = 0, tries = 0;
	int rc;

	while ((rc = devio_loader_next(l, &b, 1000000000)) && tries < 20) {
		if (rc < 0) {
			fine("next", rc, 1);
			tries++;
			continue;
		}
		for (uint32_t i = 0; i < b.nr; i++) {
			struct devio_field f = DEVIO_OPTS(f);

			if (b.items[i].error)
				fine("item", b.items[i].error, 0);
			else if (fine("field", devio_source_get_field(s, b.items[i].id, 0, &f), 0))
				check(m, b.items[i].mem_off, &f);
		}
		n += b.nr;
		fine("release", devio_loader_release(l, b.slot), 0);
	}
	if (!rc && n != ITEMS)
		complain("items of an epoch", n);
}

static void by_loader(struct devio_ctx *ctx, struct devio_source *s, struct devio_mem *m)
{
	struct devio_loader_opts o = DEVIO_OPTS(o);
	struct devio_loader *l = NULL;

	o.flags = DEVIO_LOADER_SHUFFLE;
	o.batch = 3;
	o.slots = 2;
	o.max_files = 1;
	if (!fine("loader_open", devio_loader_open(ctx, s, m, &o, &l), 0))
		return;
	take(l, s, m);
	if (fine("start", devio_loader_start(l, 1, 0), 0))
		take(l, s, m);
	if (fine("start", devio_loader_start(l, 2, 0), 0)) {
		struct devio_batch b = DEVIO_OPTS(b);

		(void)devio_loader_next(l, &b, 0);
	}
	devio_loader_close(l); /* with reads in flight, and a batch */
}

static void all(void)
{
	struct devio_source *s = NULL;
	struct devio_mem *m = NULL;
	struct devio_ctx *ctx = NULL;

	if (!fine("source_open", open_source(&s), 0))
		return;
	if (open_ctx(flags, &ctx) && fine("mem_alloc", devio_mem_alloc(ctx, "host", 2 * SIZE, NULL, &m), 0)) {
		by_ranges(ctx, s, m);
		by_loader(ctx, s, m);
	}
	devio_mem_free(m);
	devio_source_close(s);
	if (ctx)
		devio_ctx_close(ctx);
}

int main(int argc, char **argv)
{
	struct devio_source *s;

	if (argc != 4 || chdir(argv[3]))
		return 2;
	kind = argv[1];
	flags = !strcmp(argv[2], "threads") ? DEVIO_CTX_NO_URING : 0;
	make_files();
	/* glibc and libarchive keep locales and the like of the first time. */
	if (open_source(&s))
		return 2;
	devio_source_close(s);
	return run_all(all);
}
