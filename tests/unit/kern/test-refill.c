/* SPDX-License-Identifier: MIT */
/* sock-zcrx: the ring by which buffers go back, and what a completion says of its piece. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <devio.h>
#include "kern/zcrx.h"
#include "test.h"

#define ENTRIES 4

static struct { uint32_t head, tail; struct dv_zcrx_rqe rqe[ENTRIES]; } shared;

static void full_ring(void **state)
{
	struct dv_zcrx z = {
		.ring_fd = -1, .entries = ENTRIES, .khead = &shared.head, .ktail = &shared.tail, .rqe = shared.rqe
	};
	uint64_t seen = 0;

	(void)state;
	/* Over the end of the count, too. */
	shared.head = shared.tail = z.head = z.tail = UINT32_MAX - 5;
	for (uint64_t i = 0; i < 1000; i++)
		must_zero(dv_zcrx_back(&z, i << 12, 1));
	must(shared.tail - shared.head == ENTRIES && z.nr_kept == 1000 - ENTRIES, "%u are kept",
	     z.nr_kept); /* tried once to have it emptied */
	must(!dv_zcrx_publish(&z), "reports that some are kept");
	must(z.tail - shared.head == ENTRIES, "never more than it has");
	for (bool all = false; !all; all = dv_zcrx_publish(&z))
		for (; shared.head != shared.tail; shared.head++)
			seen += (shared.rqe[shared.head % ENTRIES].off >> 12) + 1;
	for (; shared.head != shared.tail; shared.head++)
		seen += (shared.rqe[shared.head % ENTRIES].off >> 12) + 1;
	must(seen == 1000 * 1001 / 2, "every buffer once: %llu", (unsigned long long)seen);
	free(z.kept);
}

static void inside(void **state)
{
	(void)state;
	assert_true(dv_zcrx_inside(0, 4096, 4096));
	assert_true(dv_zcrx_inside(4095, 1, 4096));
	assert_false(dv_zcrx_inside(4095, 2, 4096));
	assert_false(dv_zcrx_inside(4097, 0, 4096));
	assert_false(dv_zcrx_inside(UINT64_MAX, 2, 4096));
	assert_false(dv_zcrx_inside(1ull << 48, 1, UINT64_MAX)); /* another area's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_ring),
		cmocka_unit_test(inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
