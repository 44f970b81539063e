/* SPDX-License-Identifier: MIT */
/* lib/ring/staging.c against a list of units: runs, exhaustion, registration. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kern/uring.h"
#include "ring/staging.h"
#include "rig.h"

#define MAX_CHUNKS 8

struct model {
	unsigned char taken[MAX_CHUNKS][DV_STAGING_UNITS];
	struct dv_staging_buf slot[MAX_CHUNKS * DV_STAGING_UNITS];
	unsigned int nr;
};

/* Is there a run of n free units in any chunk? */
static int fits(const struct model *m, unsigned int chunks, unsigned int n)
{
	for (unsigned int c = 0; c < chunks; c++)
		for (unsigned int u = 0, run = 0; u < DV_STAGING_UNITS; u++) {
			run = m->taken[c][u] ? 0 : run + 1;
			if (run == n)
				return 1;
		}
	return 0;
}

static void take(struct dv_staging *s, struct model *m, unsigned int chunks, uint32_t len)
{
	struct dv_queue q = { .event_fd = -1 };
	struct dv_staging_buf *slot = &m->slot[m->nr];
	uint32_t unit = s->chunk_size / DV_STAGING_UNITS;
	unsigned int n = (len + unit - 1) / unit;
	int rc = dv_staging_get(s, &q, len, slot);

	if (rc) {
		must(rc == -EAGAIN && !fits(m, chunks, n), "%u units of %u: %d", n, chunks, rc);
		return;
	}
	must(slot->units == n && slot->chunk < chunks && slot->unit + n <= DV_STAGING_UNITS, "the run is in a chunk");
	must(slot->buf == s->arena + (size_t)slot->chunk * s->chunk_size + (size_t)slot->unit * unit, "its address");
	for (unsigned int u = slot->unit; u < slot->unit + n; u++) {
		must(!m->taken[slot->chunk][u], "unit %u of chunk %u was free", u, slot->chunk);
		m->taken[slot->chunk][u] = 1;
	}
	memset(slot->buf, m->nr, len);
	m->nr++;
}

static void give(struct dv_staging *s, struct model *m, unsigned int i)
{
	struct dv_staging_buf slot = m->slot[i];

	memset(&m->taken[slot.chunk][slot.unit], 0, slot.units);
	dv_staging_put(s, &slot);
	must(!slot.buf, "a slot that was put has no buffer");
	dv_staging_put(s, &slot);
	m->slot[i] = m->slot[--m->nr];
}

static void test_random(void **state)
{
	static const struct { uint64_t limit; uint32_t chunk; } shape[] = {
		{ 65536, 65536 }, { 3 * 65536, 65536 }, { 1 << 20, 128 << 10 }, { 2 << 20, 1 << 20 },
	};
	struct rig_rnd r = { 1 };

	(void)state;
	for (unsigned int k = 0; k < 4; k++) {
		struct model m = { .nr = 0 };
		unsigned int chunks = shape[k].limit / shape[k].chunk;
		uint64_t used, peak = 0;
		struct dv_staging s = { 0 };

		must_zero(dv_staging_init(&s, shape[k].limit, shape[k].chunk));
		must(!s.arena, "no memory is taken before it is needed");
		for (int i = 0; i < 20000; i++) {
			if (rig_rnd(&r) % 5 < 3)
				take(&s, &m, chunks,
				     1 + rig_rnd(&r) % (rig_rnd(&r) % 4 ? shape[k].chunk / 8 : shape[k].chunk));
			else if (m.nr)
				give(&s, &m, rig_rnd(&r) % m.nr);
			used = 0;
			for (unsigned int n = 0; n < m.nr; n++)
				used += (uint64_t)m.slot[n].units * (shape[k].chunk / DV_STAGING_UNITS);
			peak = used > peak ? used : peak;
			must(s.used == used && s.peak == peak, "used %llu", (unsigned long long)s.used);
		}
		while (m.nr)
			give(&s, &m, 0);
		must(!s.used, "all is given back");
		dv_staging_exit(&s);
	}
}

/* Whole chunks, one after the other, then none; then single units to the last. */
static void test_exhaustion(void **state)
{
	struct model m = { .nr = 0 };
	struct dv_staging s = { 0 };

	(void)state;
	must_zero(dv_staging_init(&s, 4 * 65536, 65536));
	for (int i = 0; i < 6; i++)
		take(&s, &m, 4, 65536);
	must(m.nr == 4, "four chunks");
	give(&s, &m, 2);
	for (int i = 0; i < 70; i++)
		take(&s, &m, 4, 1024);
	must(m.nr == 3 + 64, "64 units in the one that is free: %u", m.nr);
	while (m.nr)
		give(&s, &m, m.nr - 1);
	take(&s, &m, 4, 65535);
	must(m.slot[0].units == 64, "rounded up");
	dv_staging_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_exhaustion) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
