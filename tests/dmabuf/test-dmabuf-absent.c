/* SPDX-License-Identifier: MIT */
/* A kernel without dma-buf fixed buffers is probed once in a process, and every operation reports it. */
#include "dmabuftest.h"

static void read_bounced(struct bed *b, struct devio_mem *m)
{
	struct devio_completion c = ring_read(b, m, 0, MIB, 0);

	must(c.result == MIB && c.path == DEVIO_PATH_FILE_BOUNCE, "by %s", devio_path_name(c.path));
	must(c.best_unused == DEVIO_PATH_FILE_DMABUF && c.reason == DEVIO_REASON_NO_DMABUF_IO, "reason %u", c.reason);
	must_hold(m, 0, MIB, 0);
}

static void test_absent(void **state)
{
	struct devio_mem *m[2];
	unsigned int probes;
	struct bed b;

	(void)state;
	for (int i = 0; i < 3; i++) {
		bed_open(&b, MIB, 0, 4);
		fake.absent = true;
		must_zero(fake_mem(b.ctx, MIB, 0, false, &m[0]));
		must_zero(fake_mem(b.ctx, MIB, 0, true, &m[1]));
		read_bounced(&b, m[0]);
		read_bounced(&b, m[1]);
		probes = fake.probes;
		must(probes == !i, "context %d: %u probes", i, probes);
		must(!fake.tried && !fake.ios, "no registration was tried");
		devio_mem_free(m[0]);
		devio_mem_free(m[1]);
		bed_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_absent) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
