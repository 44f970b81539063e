/* SPDX-License-Identifier: MIT */
/*
 * What the library makes of files that other tools wrote, for formats.py:
 *
 *   dump safetensors|tar|RECORD_SIZE OUT FILE...
 *
 * A line for each field: key, name, dtype, shape, length. OUT.ranges has their
 * bytes as devio_source_read() brought them, OUT.loader as a loader did.
 */
#include "config.h"
#include <devio.h>
#include <devio/load.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void die(const char *what)
{
	printf("%s: %s\n", what, devio_errmsg());
	exit(1);
}

static struct devio_source *open_source(const char *kind, char **files, unsigned int nr)
{
	const char *const *names = (const char *const *)files;
	struct devio_records_opts o = DEVIO_OPTS(o);
	struct devio_source *s;
	int rc;

	o.record_size = strtoull(kind, NULL, 10);
	if (!strcmp(kind, "safetensors"))
		rc = devio_source_open_safetensors(names[0], &s);
	else if (!strcmp(kind, "tar"))
		rc = devio_source_open_tar(names, nr, &s);
	else
		rc = devio_source_open_records(names, nr, &o, &s);
	if (rc)
		die("open");
	return s;
}

static void list(const struct devio_field *f)
{
	printf("%s\t%s\t%s\t", f->key, f->name, f->dtype);
	for (unsigned int i = 0; i < f->rank; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)f->shape[i]);
	printf("\t%llu\n", (unsigned long long)f->len);
}

static FILE *out(const char *name, const char *end)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s.%s", name, end);
	f = fopen(path, "w");
	if (!f)
		die(path);
	return f;
}

static void by_ranges(struct devio_ctx *ctx, const struct devio_source *s, const struct devio_source_info *info,
		      FILE *to)
{
	struct devio_load_range *g = calloc(info->items * info->max_fields + 1, sizeof(*g));
	struct devio_mem *mem;
	uint64_t n = 0, at = 0;
	void *p;

	if (devio_mem_alloc(ctx, "host", info->bytes + 1, NULL, &mem) || devio_mem_map(mem, &p))
		die("mem");
	for (uint64_t i = 0; i < info->items; i++)
		for (int k = 0; k < devio_source_count(s, i); k++) {
			struct devio_field f = DEVIO_OPTS(f);

			if (devio_source_get_field(s, i, k, &f))
				die("field");
			list(&f);
			g[n++] = (struct devio_load_range){ .off = f.off, .len = f.len, .mem_off = at, .file = f.file };
			at += f.len;
		}
	if (devio_source_read(ctx, s, mem, g, n, NULL))
		die("read");
	fwrite(p, 1, info->bytes, to);
	free(g);
	devio_mem_free(mem);
}

static void by_loader(struct devio_ctx *ctx, struct devio_source *s, const struct devio_source_info *info, FILE *to)
{
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	struct devio_mem *mem;
	void *p;
	int rc;

	if (devio_mem_alloc(ctx, "host", 4 * (info->max_bytes + info->max_fields * 12288 + 12288), NULL, &mem) ||
	    devio_mem_map(mem, &p) || devio_loader_open(ctx, s, mem, NULL, &l))
		die("loader");
	while ((rc = devio_loader_next(l, &b, -1)) == 1) {
		if (b.failed)
			die("batch");
		for (uint32_t i = 0; i < b.nr; i++)
			fwrite((char *)p + b.items[i].mem_off, 1, b.items[i].len, to);
		devio_loader_release(l, b.slot);
	}
	if (rc)
		die("next");
	devio_loader_close(l);
	devio_mem_free(mem);
}

int main(int argc, char **argv)
{
	struct devio_source_info info = DEVIO_OPTS(info);
	struct devio_source *s;
	struct devio_ctx *ctx;
	FILE *ranges, *loader;

	if (argc < 4)
		return 2;
	s = open_source(argv[1], argv + 3, argc - 3);
	if (devio_source_get_info(s, &info) || devio_ctx_open(NULL, &ctx))
		die("info");
	ranges = out(argv[2], "ranges");
	loader = out(argv[2], "loader");
	by_ranges(ctx, s, &info, ranges);
	by_loader(ctx, s, &info, loader);
	devio_source_close(s);
	devio_ctx_close(ctx);
	return fclose(ranges) || fclose(loader);
}
