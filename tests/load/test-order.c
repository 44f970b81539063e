/* SPDX-License-Identifier: MIT */
/* The shuffle: permutations that are fair, and that stay what the manual says. */
#include "config.h"
#include <devio.h>
#include <stdlib.h>
#include <string.h>
#include "load/batch.h"
#include "test.h"

static void test_permutation(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 16, 255, 256, 257, 1000, 65536, 65537, 100003 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *seen = calloc(1, sizes[i]);
		struct dv_order o;

		dv_order_init(&o, sizes[i], 42, i);
		for (uint64_t k = 0; k < sizes[i]; k++) {
			uint64_t x = dv_order_at(&o, k);

			must(x < sizes[i] && !seen[x], "%llu of %llu comes once", (unsigned long long)x,
			     (unsigned long long)sizes[i]);
			seen[x] = 1;
			must(dv_order_find(&o, x) == k, "find is at's inverse");
		}
		free(seen);
	}
}

/* Of three elements all six orders, of ten each element in each place, about equally often: chi squared. */
static void test_fair(void **state)
{
	unsigned int perms[27] = { 0 }, places[10][10] = { { 0 } };
	double x3 = 0, x10 = 0;
	struct dv_order o;

	(void)state;
	for (uint64_t seed = 0; seed < 6000; seed++) {
		dv_order_init(&o, 3, seed, 1);
		perms[dv_order_at(&o, 0) * 9 + dv_order_at(&o, 1) * 3 + dv_order_at(&o, 2)]++;
		dv_order_init(&o, 10, 7, seed);
		for (int k = 0; k < 10; k++)
			places[k][dv_order_at(&o, k)]++;
	}
	for (int i = 0; i < 27; i++)
		x3 += perms[i] ? (perms[i] - 1000.) * (perms[i] - 1000.) / 1000 : 0;
	for (int i = 0; i < 100; i++)
		x10 += (places[i / 10][i % 10] - 600.) * (places[i / 10][i % 10] - 600.) / 600;
	/* 5 and 81 degrees of freedom: beyond these once in 100000. */
	must(x3 < 31 && x10 < 146, "chi squared %f and %f", x3, x10);
}

/* Values of an independent program after the manual's text: the order of old runs must come again. */
static void test_fixed(void **state)
{
	static const uint64_t want[8] = { 22, 810, 771, 942, 731, 269, 596, 158 };
	struct dv_order o;

	(void)state;
	dv_order_init(&o, 1000, 1234, 5);
	for (int k = 0; k < 8; k++)
		must(dv_order_at(&o, k) == want[k], "element %d is %llu", k, (unsigned long long)dv_order_at(&o, k));
}

static void test_huge(void **state)
{
	struct dv_order o;

	(void)state;
	dv_order_init(&o, UINT64_MAX, 1, 1);
	for (uint64_t k = 0; k < 1000; k++)
		must(dv_order_find(&o, dv_order_at(&o, k * 0x1234567890abcdULL)) == k * 0x1234567890abcdULL, "inverse");
}

/* All parts together have each item once, and the counts are what they say. */
static void test_parts(void **state)
{
	static const uint64_t items[] = { 0, 1, 5, 64, 100, 1001 }, blocks[] = { 1, 3, 16, 2000 },
			      parts[] = { 1, 2, 7, 40 };
	unsigned char seen[1001];

	(void)state;
	for (int i = 0; i < 6 * 4 * 4 * 2; i++) {
		struct dv_cursor c = { .items = items[i % 6], .block = blocks[i / 6 % 4], .shuffle = i / 96 };
		uint64_t n = parts[i / 24 % 4], item, sum = 0;

		memset(seen, 0, sizeof(seen));
		for (uint64_t p = 0; p < n; p++) {
			uint64_t left, got = 0;

			dv_cursor_start(&c, 9, 3, p, n);
			left = dv_cursor_left(&c);
			for (; dv_cursor_peek(&c, &item); got++) {
				must(item < c.items && !seen[item], "item %llu once", (unsigned long long)item);
				seen[item] = 1;
				dv_cursor_take(&c);
			}
			must(got == left, "%llu items, not %llu", (unsigned long long)got, (unsigned long long)left);
			dv_cursor_start(&c, 9, 3, p, n);
			dv_cursor_skip(&c, left / 3);
			must(dv_cursor_left(&c) == left - left / 3, "left behind a skip");
			sum += got;
		}
		must(sum == c.items, "all of them");
	}
}

static void test_fill(void **state)
{
	unsigned int places[5][5] = { { 0 } };
	uint32_t perm[5];
	double x = 0;

	(void)state;
	for (uint64_t key = 0; key < 5000; key++) {
		dv_order_fill(perm, 5, dv_order_mix(key));
		for (int i = 0; i < 5; i++)
			places[i][perm[i]]++;
	}
	for (int i = 0; i < 25; i++) {
		must(places[i / 5][i % 5], "each somewhere");
		x += (places[i / 5][i % 5] - 1000.) * (places[i / 5][i % 5] - 1000.) / 1000;
	}
	must(x < 50, "chi squared %f", x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permutation),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_fill),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
