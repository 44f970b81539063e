/* SPDX-License-Identifier: MIT */
/* lib/ring/pair.c: what a ring remembers of many files and memories, and how much memory that takes. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "ring/pair.h"
#include "rig.h"

static struct devio_ring ring;
static struct devio_mem mem;
static size_t fail_after = SIZE_MAX; /* allocations that still succeed */

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (!fail_after)
		return NULL;
	fail_after--;
	return __real_calloc(n, size);
}

static int set_up(void **state)
{
	(void)state;
	fail_after = SIZE_MAX;
	memset(&ring, 0, sizeof(ring));
	ring.pairs = dv_pairs_new();
	mem.id = dv_ctx_new_id();
	return !ring.pairs;
}

static int tear_down(void **state)
{
	(void)state;
	dv_pairs_free(ring.pairs);
	return 0;
}

static struct dv_pair *get(uint64_t end_id, struct devio_mem *m)
{
	const struct dv_op op = { .end_id = end_id, .mem = m };

	return dv_pair_get(&ring, &op);
}

static size_t total(void)
{
	return (size_t)DV_PAIRS_FIRST << (ring.pairs->nr_chunks - 1);
}

/* 8 files and 4,096 memories: each pair keeps its address and its state. */
static void test_many(void **state)
{
	enum { MEMS = 4096, FILES = 8 };
	static struct devio_mem m[MEMS];
	static struct dv_pair *first[FILES][MEMS];
	uint64_t file[FILES];

	(void)state;
	for (int i = 0; i < MEMS; i++)
		m[i].id = dv_ctx_new_id();
	for (int f = 0; f < FILES; f++) {
		file[f] = dv_ctx_new_id();
		for (int i = 0; i < MEMS; i++) {
			first[f][i] = get(file[f], &m[i]);
			must(!first[f][i]->known, "a new pair knows nothing");
			first[f][i]->known = 1 + (f * MEMS + i) % 65535;
		}
	}
	for (int f = 0; f < FILES; f++)
		for (int i = 0; i < MEMS; i++) {
			struct dv_pair *pair = dv_pair_find(ring.pairs, file[f], m[i].id);

			must(pair && pair == first[f][i] && pair == get(file[f], &m[i]), "it is where it was");
			must(pair->known == 1 + (f * MEMS + i) % 65535 && pair->end_id == file[f], "its state");
		}
	must(!dv_pair_find(ring.pairs, dv_ctx_new_id(), m[0].id), "an unknown file");
	must(total() == FILES * MEMS, "room for %zu", total());
}

/* Files opened, used and closed: the table keeps its first size, and the file that stays open its pair. */
static void test_closed(void **state)
{
	uint64_t stays = dv_ctx_new_id();
	struct dv_pair *pair = get(stays, &mem);

	(void)state;
	pair->refused = 4711;
	for (int i = 0; i < 1000000; i++) {
		uint64_t id = dv_ctx_new_id();

		must(!get(id, &mem)->known, "a new pair knows nothing");
		get(id, &mem)->known = 1;
		dv_ctx_retire_id(id);
	}
	must(total() == DV_PAIRS_FIRST, "room for %zu", total());
	must(dv_pair_find(ring.pairs, stays, mem.id) == pair && pair->refused == 4711, "the open file's pair");
}

/* The same with memories. */
static void test_freed(void **state)
{
	uint64_t file = dv_ctx_new_id();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct devio_mem m = { .id = dv_ctx_new_id() };

		(void)get(file, &m);
		dv_ctx_retire_id(m.id);
	}
	must(total() == DV_PAIRS_FIRST, "room for %zu", total());
}

/* Pairs with operations in flight stay where they are, whatever happens to the others. */
static void test_in_flight(void **state)
{
	enum { BUSY = 100 };
	struct dv_pair *pair[BUSY];
	uint64_t id[BUSY];

	(void)state;
	for (int i = 0; i < BUSY; i++) {
		id[i] = dv_ctx_new_id();
		pair[i] = get(id[i], &mem);
		must(pair[i]->file.plan[0].users == -1 && pair[i]->file.plan[1].users == -1, "none in flight");
		pair[i]->file.plan[i % 2].users = i;
		dv_ctx_retire_id(id[i]);
	}
	for (unsigned int i = 0; i < 2 * DV_PAIRS_MAX; i++)
		(void)get(dv_ctx_new_id(), &mem);
	for (int i = 0; i < BUSY; i++) {
		must(dv_pair_find(ring.pairs, id[i], mem.id) == pair[i], "it is where it was");
		must(pair[i]->file.plan[i % 2].users == i, "its operations");
		pair[i]->file.plan[i % 2].users = -1;
	}
	for (unsigned int i = 0; i < 2 * DV_PAIRS_MAX; i++)
		(void)get(dv_ctx_new_id(), &mem);
	for (int i = 0; i < BUSY; i++)
		must(!dv_pair_find(ring.pairs, id[i], mem.id), "it is evicted once they have completed");
}

/* Nothing can be evicted or allocated: the pair works, but is not found again. */
static void test_all_in_flight(void **state)
{
	struct dv_pair *pair;
	uint64_t id;

	(void)state;
	for (unsigned int i = 0; i < DV_PAIRS_FIRST; i++)
		get(dv_ctx_new_id(), &mem)->file.plan[0].users = 0;
	fail_after = 0;
	id = dv_ctx_new_id();
	pair = get(id, &mem);
	pair->known = 1;
	must(pair == &ring.pairs->scratch && !dv_pair_find(ring.pairs, id, mem.id), "the pair of no one");
	must(!get(id, &mem)->known, "it knows nothing the next time");
}

/* More open files than the table may have pairs: some are forgotten, most are not. */
static void test_limit(void **state)
{
	uint64_t first = 0, known = 0;
	const unsigned int files = DV_PAIRS_MAX + DV_PAIRS_MAX / 2;

	(void)state;
	for (unsigned int i = 0; i < files; i++) {
		uint64_t id = dv_ctx_new_id();

		first = first ? first : id;
		get(id, &mem)->known = 1 + i % 65535;
	}
	must(total() == DV_PAIRS_MAX, "room for %zu", total());
	for (unsigned int i = 0; i < files; i++) {
		struct dv_pair *pair = dv_pair_find(ring.pairs, first + i, mem.id);

		must(!pair || pair->known == 1 + i % 65535, "the state of file %u", i);
		known += pair != NULL;
	}
	must(known > DV_PAIRS_MAX * 3 / 4 && known <= DV_PAIRS_MAX, "%lu are known", (unsigned long)known);
}

/* Out of memory: pairs are evicted instead. */
static void test_no_memory(void **state)
{
	(void)state;
	for (size_t n = 0; n < 3; n++) {
		fail_after = n;
		must(!dv_pairs_new(), "no table");
	}
	fail_after = 0;
	for (int i = 0; i < 10000; i++) {
		uint64_t id = dv_ctx_new_id();

		get(id, &mem)->known = 7;
		must(get(id, &mem)->known == 7, "the last one is known");
	}
	must(total() == DV_PAIRS_FIRST, "room for %zu", total());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_flight, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_in_flight, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
