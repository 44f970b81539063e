/* SPDX-License-Identifier: MIT */
/*
 * Loads one epoch of a data set through a fixed amount of device memory:
 *
 *   loader cuda:0 safetensors model.safetensors.index.json
 *   loader cuda:0 tar shard-000.tar shard-001.tar
 *   loader host   records:4096 records.bin
 *
 * cc loader.c $(pkg-config --cflags --libs devio-load)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <devio.h>
#include <devio/load.h>

#define SLOTS 4u
#define SLOT_MIN (8u << 20)

struct totals {
	uint64_t items, bytes, failed, paths[DEVIO_PATH_MAX];
	unsigned int reasons[DEVIO_PATH_MAX];
};

static int open_source(const char *kind, const char *const *names, unsigned int nr, struct devio_source **s)
{
	struct devio_records_opts o = DEVIO_OPTS(o);

	if (!strcmp(kind, "safetensors"))
		return devio_source_open_safetensors(names[0], s);
	if (!strcmp(kind, "tar"))
		return devio_source_open_tar(names, nr, s);
	o.record_size = strncmp(kind, "records:", 8) ? 0 : strtoull(kind + 8, NULL, 10);
	return devio_source_open_records(names, nr, &o, s);
}

/* A real program would compute with the batch here: its bytes are at items[i].mem_off of the memory. */
static void use(const struct devio_batch *b, struct totals *t)
{
	for (uint32_t i = 0; i < b->nr; i++) {
		const struct devio_item *item = &b->items[i];

		t->items += item->field == 0;
		t->bytes += item->error ? 0 : item->len;
		t->failed += item->error != 0;
		t->paths[item->path] += item->len;
		t->reasons[item->path] = item->reason;
	}
	if (b->failed)
		fprintf(stderr, "batch %llu: %s\n", (unsigned long long)b->seq, devio_errmsg());
}

static int epoch(struct devio_loader *l, struct totals *t)
{
	struct devio_batch b = DEVIO_OPTS(b);
	int rc;

	while ((rc = devio_loader_next(l, &b, -1)) == 1) {
		use(&b, t);
		devio_loader_release(l, b.slot);
	}
	return rc;
}

static void report(const struct totals *t, double seconds)
{
	printf("items: %llu\nbytes: %llu\nseconds: %.3f\nGB/s: %.3f\n", (unsigned long long)t->items,
	       (unsigned long long)t->bytes, seconds, t->bytes / seconds / 1e9);
	for (int p = 1; p < DEVIO_PATH_MAX; p++)
		if (t->paths[p])
			printf("path: %s: %llu bytes (%s)\n", devio_path_name(p), (unsigned long long)t->paths[p],
			       devio_reason_text(t->reasons[p]));
}

/* Memory for four batches, each with room for the largest item. */
static int open_loader(struct devio_ctx *ctx, struct devio_source *s, const char *spec, struct devio_mem **mem,
		       struct devio_loader **l)
{
	struct devio_source_info info = DEVIO_OPTS(info);
	struct devio_loader_opts o = DEVIO_OPTS(o);
	uint64_t slot;

	if (devio_source_get_info(s, &info))
		return -1;
	slot = info.max_bytes + info.max_fields * 3ull * 4096; /* fields start and end inside blocks */
	slot = slot < SLOT_MIN ? SLOT_MIN : slot + 4096;
	o.slots = SLOTS;
	o.flags = DEVIO_LOADER_SHUFFLE;
	o.shuffle_block = 16;
	return devio_mem_alloc(ctx, spec, slot * SLOTS, NULL, mem) || devio_loader_open(ctx, s, *mem, &o, l);
}

int main(int argc, char **argv)
{
	struct devio_source *s = NULL;
	struct devio_loader *l = NULL;
	struct devio_mem *mem = NULL;
	struct devio_ctx *ctx = NULL;
	struct timespec a, b;
	struct totals t = { 0 };
	int ok;

	if (argc < 4) {
		fprintf(stderr, "usage: %s SPEC safetensors|tar|records:SIZE FILE...  (SPEC: cuda:0, ...)\n", argv[0]);
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	ok = !devio_ctx_open(NULL, &ctx) && !open_source(argv[2], (const char *const *)argv + 3, argc - 3, &s) &&
	     !open_loader(ctx, s, argv[1], &mem, &l) && !epoch(l, &t);
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (!ok)
		fprintf(stderr, "%s\n", devio_errmsg());
	report(&t, b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9);
	devio_loader_close(l);     /* before the memory, which it uses */
	devio_source_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	return ok && !t.failed ? 0 : 1;
}
