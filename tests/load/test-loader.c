/* SPDX-License-Identifier: MIT */
/* The loader: every item once, with its bytes, in its order, through little memory. */
#include "files.h"

#define FILES 3

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_source *s;
	const char *names[FILES];
	unsigned char *host;     /* the memory's bytes */
	unsigned char *seen;
	uint64_t items;
};

/* Three files of records of the patterns 1, 2, 3: of different lengths, the second empty. */
static void env_open(struct env *e, uint64_t record, uint64_t header, uint64_t nr, uint64_t memory, unsigned int flags)
{
	uint64_t counts[FILES] = { nr, 0, nr / 3 + 1 };
	static const char *const what[FILES] = { "records-a", "records-b", "records-c" };
	void *p;

	memset(e, 0, sizeof(*e));
	for (int i = 0; i < FILES; i++) {
		e->names[i] = rig_name(what[i]);
		rig_file(e->names[i], header + counts[i] * record, i + 1);
	}
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, memory);
	must_zero(devio_mem_map(e->mem, &p));
	e->host = p;
	memset(p, 0xee, memory);
	e->s = source_records(e->names, FILES, record, header);
	e->items = source_info(e->s).items;
	must(e->items == nr + nr / 3 + 1, "items");
	e->seen = calloc(1, e->items);
}

static void env_close(struct env *e)
{
	devio_source_close(e->s);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	for (int i = 0; i < FILES; i++)
		unlink(e->names[i]);
	free(e->seen);
}

static void check_item(const struct env *e, const struct devio_item *i)
{
	struct devio_field f = source_field(e->s, i->id, i->field);
	unsigned char *want = malloc(f.len + 1);

	must(!i->error && i->len == f.len && i->path, "item %llu: %d", (unsigned long long)i->id, i->error);
	rig_fill(want, f.file + 1, f.off, f.len);
	must(!memcmp(e->host + i->mem_off, want, f.len), "item %llu has its bytes", (unsigned long long)i->id);
	free(want);
}

/* Takes the whole epoch; returns a hash of ids in their order. */
static uint64_t take_all(struct env *e, struct devio_loader *l, uint64_t *nr)
{
	struct devio_batch b = DEVIO_OPTS(b);
	uint64_t hash = 1, seq = 0;
	int rc;

	for (*nr = 0; (rc = devio_loader_next(l, &b, 10000000000LL)) == 1; seq++) {
		must(b.seq == seq && b.nr && !b.failed, "batch %llu in its turn", (unsigned long long)b.seq);
		for (uint32_t i = 0; i < b.nr; i++) {
			check_item(e, &b.items[i]);
			must(!e->seen[b.items[i].id]++, "item %llu once", (unsigned long long)b.items[i].id);
			hash = (hash ^ b.items[i].id) * 0x100000001b3ULL;
		}
		*nr += b.nr;
		must_zero(devio_loader_release(l, b.slot));
	}
	must(rc == 0, "%d: %s", rc, devio_errmsg());
	return hash;
}

static struct devio_loader *loader(struct env *e, const struct devio_loader_opts *o)
{
	struct devio_loader *l;

	must_zero(devio_loader_open(e->ctx, e->s, e->mem, o, &l));
	return l;
}

struct mode {
	uint64_t record, header, nr, memory;
	struct devio_loader_opts o;
	unsigned int ctx_flags;
};

#define O .sz = sizeof(struct devio_loader_opts)
#define SHUFFLE DEVIO_LOADER_SHUFFLE

static const struct mode modes[] = {
	{ 4096, 0, 300, 1 << 20, { O }, 0 },
	{ 4096, 0, 300, 1 << 20, { O, .flags = SHUFFLE, .seed = 3 }, 0 },
	{ 4096, 4096, 300, 1 << 20, { O, .flags = SHUFFLE | DEVIO_FILE_NO_CACHE, .shuffle_block = 8 }, 0 },
	{ 4096, 12, 300, 1 << 20, { O, .flags = SHUFFLE, .shuffle_block = 16, .batch = 50 }, 0 },
	{ 100, 7, 3000, 1 << 20, { O, .flags = SHUFFLE, .shuffle_block = 100, .batch = 333, .slots = 2 }, 0 },
	{ 100, 7, 3000, 1 << 18, { O, .flags = SHUFFLE, .align = 1, .merge_gap = 200, .slots = 7, .depth = 3 }, 0 },
	{ 1, 0, 900, 1 << 16, { O, .flags = SHUFFLE, .batch = 11, .slots = 3 }, 0 },
	{ 1000003, 77, 5, 9 << 20, { O, .max_read = 65536, .slots = 2, .mem_off = 12345, .budget = 8 << 20 }, 0 },
	{ 1000003, 77, 5, 9 << 20, { O, .path = DEVIO_PATH_FILE_BOUNCE, .max_read = 4096, .depth = 2, .slots = 1 }, 0 },
	{ 5000, 0, 200, 1 << 20, { O, .path = DEVIO_PATH_FILE_BUFFERED, .flags = SHUFFLE, .max_files = 1 }, 0 },
	{ 5000, 0, 200, 1 << 20, { O, .flags = SHUFFLE, .max_files = 1, .batch = 3 }, DEVIO_CTX_NO_URING },
};

static void test_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const struct mode *m = &modes[i];
		struct devio_loader *l;
		uint64_t nr, first;
		struct env e;

		env_open(&e, m->record, m->header, m->nr, m->memory, m->ctx_flags);
		l = loader(&e, &m->o);
		first = take_all(&e, l, &nr);
		must(nr == e.items, "mode %zu: %llu items", i, (unsigned long long)nr);
		for (uint64_t at = 0; at < m->o.mem_off; at++)
			must(e.host[at] == 0xee, "mode %zu: byte %llu before the budget", i, (unsigned long long)at);
		for (uint64_t at = m->o.budget ? m->o.mem_off + m->o.budget : m->memory; at < m->memory; at++)
			must(e.host[at] == 0xee, "mode %zu: byte %llu behind the budget", i, (unsigned long long)at);
		memset(e.seen, 0, e.items);
		must_zero(devio_loader_start(l, 1, 0));
		must((take_all(&e, l, &nr) != first) == !!(m->o.flags & SHUFFLE), "mode %zu: a new order each epoch",
		     i);
		memset(e.seen, 0, e.items);
		must_zero(devio_loader_start(l, 0, 0));
		must(take_all(&e, l, &nr) == first, "mode %zu: the same order again", i);
		devio_loader_close(l);
		env_close(&e);
	}
}

/* What is in a batch does not depend on timing, depth or the number of slots. */
static void test_same_order(void **state)
{
	struct devio_loader_opts o = { O,	    .flags = SHUFFLE, .seed = 77, .shuffle_block = 4,
				       .batch = 10, .depth = 1,	      .slots = 1 };
	struct devio_loader *l;
	uint64_t nr, hash;
	struct env e;

	(void)state;
	env_open(&e, 512, 0, 500, 4 << 20, 0);
	l = loader(&e, &o);
	hash = take_all(&e, l, &nr);
	devio_loader_close(l);
	memset(e.seen, 0, e.items);
	o.depth = 32;
	o.slots = 9;
	l = loader(&e, &o);
	must(take_all(&e, l, &nr) == hash, "the same order");
	devio_loader_close(l);
	env_close(&e);
}

/* A resumed epoch delivers what the whole one would have. */
static void test_skip(void **state)
{
	struct devio_loader_opts o = { O, .flags = SHUFFLE, .shuffle_block = 4, .batch = 10 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	uint64_t nr, ids[200], n = 0;
	struct env e;

	(void)state;
	env_open(&e, 512, 0, 120, 1 << 20, 0);
	l = loader(&e, &o);
	for (; devio_loader_next(l, &b, INT64_MAX) == 1; devio_loader_release(l, b.slot))
		for (uint32_t i = 0; i < b.nr; i++)
			ids[n++] = b.items[i].id;
	must_zero(devio_loader_start(l, 0, 50));
	for (uint64_t at = 50; devio_loader_next(l, &b, -1) == 1; devio_loader_release(l, b.slot))
		for (uint32_t i = 0; i < b.nr; i++, at++)
			must(b.items[i].id == ids[at], "item %llu of the epoch", (unsigned long long)at);
	must_zero(devio_loader_start(l, 0, e.items + 5));
	take_all(&e, l, &nr);
	must(nr == 0, "nothing is left behind the end");
	devio_loader_close(l);
	env_close(&e);
}

static void test_ranks(void **state)
{
	struct devio_loader_opts o = { O, .flags = SHUFFLE, .shuffle_block = 3, .world_size = 3, .num_workers = 2 };
	struct devio_loader_info info = DEVIO_OPTS(info);
	uint64_t nr, sum = 0;
	struct env e;

	(void)state;
	env_open(&e, 600, 0, 200, 1 << 20, 0);
	for (int i = 0; i < 6; i++) {
		struct devio_loader *l;

		o.rank = i / 2;
		o.worker = i % 2;
		l = loader(&e, &o);
		must_zero(devio_loader_start(l, 4, 0));
		take_all(&e, l, &nr);
		must_zero(devio_loader_get_info(l, &info));
		must(info.items == nr && nr >= e.items / 6 - 3 && nr <= e.items / 6 + 4, "part %d: %llu", i,
		     (unsigned long long)nr);
		sum += nr;
		devio_loader_close(l);
	}
	must(sum == e.items, "all of them, once");
	env_close(&e);
}

/* Batches that the caller has not released stay as they are, and the loader reports that it has no other memory. */
static void test_hold(void **state)
{
	struct devio_loader_opts o = { O, .slots = 3, .batch = 7, .flags = SHUFFLE };
	struct devio_batch b[3] = { DEVIO_OPTS(b[0]), DEVIO_OPTS(b[1]), DEVIO_OPTS(b[2]) }, x = DEVIO_OPTS(x);
	struct devio_loader *l;
	struct env e;

	(void)state;
	env_open(&e, 4096, 0, 100, 1 << 20, 0);
	l = loader(&e, &o);
	for (int i = 0; i < 3; i++)
		must(devio_loader_next(l, &b[i], -1) == 1, "batch %d", i);
	must_fail(devio_loader_next(l, &x, -1), -EAGAIN);
	must_zero(devio_loader_release(l, b[1].slot));
	must_fail(devio_loader_release(l, b[1].slot), -EINVAL);
	must_fail(devio_loader_release(l, 3), -EINVAL);
	must(devio_loader_next(l, &b[1], -1) == 1 && b[1].seq == 3, "the slot is used again");
	/* A new epoch, with the old one's batches still out. */
	must_zero(devio_loader_release(l, b[1].slot));
	must_zero(devio_loader_start(l, 1, 0));
	for (int k = 0; k < 10; k++) {
		must(devio_loader_next(l, &x, -1) == 1 && (int)x.seq == k, "batch %d", k);
		for (uint32_t i = 0; i < x.nr; i++)
			check_item(&e, &x.items[i]);
		must_zero(devio_loader_release(l, x.slot));
		for (uint32_t i = 0; i < 7; i++) {
			check_item(&e, &b[0].items[i]);
			check_item(&e, &b[2].items[i]);
		}
	}
	devio_loader_close(l); /* with batches out and reads in flight */
	env_close(&e);
}

static void test_unordered(void **state)
{
	struct devio_loader_opts o = { O, .batch = 5, .slots = 8, .flags = SHUFFLE | DEVIO_LOADER_UNORDERED |
				       DEVIO_LOADER_DROP_LAST | DEVIO_FILE_NO_CACHE };
	struct devio_batch b = DEVIO_OPTS(b);
	unsigned char seqs[100] = { 0 };
	struct devio_loader *l;
	uint64_t nr = 0;
	struct env e;
	int rc;

	(void)state;
	env_open(&e, 4096, 0, 100, 1 << 20, 0);
	l = loader(&e, &o);
	while ((rc = devio_loader_next(l, &b, 0)) == 1 || rc == -ETIMEDOUT) {
		if (rc == -ETIMEDOUT)
			continue;
		must(b.nr == 5 && b.seq < e.items / 5 && !seqs[b.seq]++, "a whole batch, once");
		for (uint32_t i = 0; i < b.nr; i++)
			check_item(&e, &b.items[i]);
		nr += b.nr;
		must_zero(devio_loader_release(l, b.slot));
	}
	must(rc == 0 && nr == e.items / 5 * 5, "the last, short one is dropped: %d, %llu", rc, (unsigned long long)nr);
	devio_loader_close(l);
	env_close(&e);
}

static unsigned int count_failed(struct devio_loader *l, int error, unsigned int *good)
{
	struct devio_batch b = DEVIO_OPTS(b);
	unsigned int n = 0;

	for (*good = 0; devio_loader_next(l, &b, -1) == 1; devio_loader_release(l, b.slot)) {
		unsigned int failed = 0;

		must(!b.failed || devio_errmsg()[0], "a sentence");
		for (uint32_t i = 0; i < b.nr; i++) {
			must(!b.items[i].error || b.items[i].error == error, "errno %d: %s", b.items[i].error,
			     devio_errmsg());
			failed += b.items[i].error != 0;
		}
		must(failed == b.failed, "failed");
		n += failed;
		*good += b.nr - failed;
	}
	return n;
}

/* Files that are gone or others than before: their items say so, the others come. */
static void test_errors(void **state)
{
	struct devio_loader_opts o = { O, .batch = 5, .slots = 2, .max_files = 1 };
	struct devio_loader *l;
	unsigned int good;
	struct env e;

	(void)state;
	env_open(&e, 4096, 0, 90, 1 << 20, 0);
	must(!unlink(e.names[2]), "unlink");
	l = loader(&e, &o);
	must(count_failed(l, -ENOENT, &good) == 31 && good == 90, "31 items are lost, not %u", 121 - good);
	rig_file(e.names[2], 31 * 4096, 3);
	must_zero(devio_loader_start(l, 1, 0));
	must(count_failed(l, -ESTALE, &good) == 31 && good == 90, "another file");
	must(strstr(devio_errmsg(), "indexed"), "%s", devio_errmsg());
	devio_loader_close(l);
	env_close(&e);
}

/* A file that is written over while the loader has it open: batches that come later fail. */
static void test_overwritten(void **state)
{
	struct devio_loader_opts o = { O, .batch = 5, .slots = 2 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	unsigned int good;
	struct env e;
	int fd;

	(void)state;
	env_open(&e, 4096, 0, 90, 1 << 20, 0);
	l = loader(&e, &o);
	must(devio_loader_next(l, &b, -1) == 1 && !b.failed, "the first batch");
	must_zero(devio_loader_release(l, b.slot));
	usleep(20000);
	fd = open(e.names[0], O_WRONLY);
	must(fd >= 0 && pwrite(fd, "x", 1, 0) == 1, "write");
	close(fd);
	must(count_failed(l, -ESTALE, &good) == 85 && good == 31, "the other file is as it was, not %u", good);
	devio_loader_close(l);
	env_close(&e);
}

/* A file that shrinks while it is read was modified: nothing more of it comes. */
static void test_shrunk(void **state)
{
	struct devio_loader_opts o = { O, .batch = 5, .slots = 2 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	unsigned int failed, good;
	struct env e;

	(void)state;
	env_open(&e, 4096, 0, 90, 1 << 20, 0);
	l = loader(&e, &o);
	must(devio_loader_next(l, &b, -1) == 1, "the first");
	must(!truncate(e.names[0], 50 * 4096 + 100), "truncate");
	must_zero(devio_loader_release(l, b.slot));
	failed = count_failed(l, -ESTALE, &good);
	must(failed == 85 && good == 121 - 5 - 85, "%u items are lost, %u come", failed, good);
	devio_loader_close(l);
	env_close(&e);
}

static void test_budget(void **state)
{
	struct devio_loader_opts o = { O, .slots = 2 };
	struct devio_loader *l;
	uint64_t nr;
	struct env e;

	(void)state;
	env_open(&e, 5000, 0, 40, 1 << 20, 0);
	o.budget = 2 * 12288 - 1; /* 5000 bytes touch up to three blocks */
	must_tell(devio_loader_open(e.ctx, e.s, e.mem, &o, &l), -EMSGSIZE, "12288");
	o.budget = 2 * 12288;
	l = loader(&e, &o);
	take_all(&e, l, &nr);
	must(nr == e.items, "the least budget does");
	devio_loader_close(l);
	o.budget = 2 << 20;
	must_fail(devio_loader_open(e.ctx, e.s, e.mem, &o, &l), -ERANGE);
	env_close(&e);
}

static void test_arguments(void **state)
{
	static const struct devio_loader_opts bad[] = {
		{ O, .slots = 4097 }, { O, .align = 3 },	{ O, .align = 2 << 20 },
		{ O, .rank = 1 },     { O, .worker = 1 },	{ O, .max_read = 100 },
		{ O, .depth = 4097 }, { O, .flags = 1u << 30 }, { O, .path = 99 },
		{ O, .path = -1 },    { O, .batch = 1u << 25 }, { O, .rank = 2, .world_size = 2 },
		{ .sz = 3 },
	};
	struct devio_batch b = { 0 };
	struct devio_loader *l;
	struct env e;

	(void)state;
	env_open(&e, 4096, 0, 10, 1 << 20, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		must_fail(devio_loader_open(e.ctx, e.s, e.mem, &bad[i], &l), -EINVAL);
	must_fail(devio_loader_open(NULL, e.s, e.mem, NULL, &l), -EINVAL);
	must_fail(devio_loader_open(e.ctx, e.s, e.mem, NULL, NULL), -EINVAL);
	l = loader(&e, NULL);
	must_fail(devio_loader_next(l, &b, -1), -EINVAL);
	must_fail(devio_loader_next(l, NULL, -1), -EINVAL);
	must_fail(devio_loader_next(NULL, &b, -1), -EINVAL);
	must_fail(devio_loader_start(NULL, 0, 0), -EINVAL);
	devio_loader_close(l);
	devio_loader_close(NULL);
	env_close(&e);
}

static void test_tar(void **state)
{
	struct devio_loader_opts o = { O, .flags = SHUFFLE, .batch = 6, .slots = 3 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader_info info = DEVIO_OPTS(info);
	struct tar t = { 0 };
	char member[40];
	uint64_t nr = 0;
	struct devio_loader *l;
	struct env e;

	(void)state;
	env_open(&e, 1, 0, 1, 1 << 20, 0);
	devio_source_close(e.s);
	for (int i = 0; i < 60; i++) {
		snprintf(member, sizeof(member), "x/%d.%s", i / 3, i % 3 == 0 ? "jpg" : i % 3 == 1 ? "cls" : "json");
		tar_add(&t, member, i * 177 % 5000, '0', 1);
	}
	tar_save(&t, e.names[0]);
	must_zero(devio_source_open_tar(e.names, 1, &e.s));
	l = loader(&e, &o);
	for (; devio_loader_next(l, &b, -1) == 1; devio_loader_release(l, b.slot), nr += b.nr)
		for (uint32_t i = 0; i < b.nr; i++) {
			must(b.items[i].field == i % 3 && b.items[i].id == b.items[i - i % 3].id,
			     "a sample stands together");
			if (b.items[i].len)
				check_item(&e, &b.items[i]);
		}
	must(nr == 60, "all fields");
	must_zero(devio_loader_get_info(l, &info));
	must(info.reads < 40, "fields of a sample were merged: %llu reads", (unsigned long long)info.reads);
	devio_loader_close(l);
	env_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_same_order),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_unordered),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_shrunk),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_tar),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
