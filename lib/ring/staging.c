/* SPDX-License-Identifier: MIT */
/* Staging buffers, shared by the paths that copy. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "kern/uring.h"
#include "mem/mem.h"
#include "ring/staging.h"

int dv_staging_init(struct dv_staging *s, uint64_t limit, uint32_t chunk_size)
{
	uint64_t n = limit / chunk_size;

	s->chunk_size = chunk_size;
	s->unit_shift = __builtin_ctz(chunk_size / DV_STAGING_UNITS);
	s->nr_chunks = n ? n : 1;
	s->buf = -1;
	s->free = malloc(s->nr_chunks * sizeof(*s->free));
	if (!s->free)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->nr_chunks; i++)
		s->free[i] = ~0ULL;
	return 0;
}

static size_t arena_size(const struct dv_staging *s)
{
	return (size_t)s->nr_chunks * s->chunk_size;
}

static int make_arena(struct dv_staging *s, struct dv_queue *q)
{
	void *p = mmap(NULL, arena_size(s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	(void)madvise(p, arena_size(s), MADV_HUGEPAGE);
	/* Targets of DMA must not become copy-on-write at fork(). */
	(void)madvise(p, arena_size(s), MADV_DONTFORK);
	s->arena = p;
	/* If registration fails (RLIMIT_MEMLOCK), pages are pinned per I/O: slower, but correct. */
	if (!dv_queue_table(q))
		s->buf = dv_queue_register(q, 0, p, arena_size(s)) ? -1 : 0;
	return 0;
}

void dv_staging_unpin(struct dv_staging *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->pins[i].handle)
			s->pins[i].ops->unpin(s->pins[i].handle, s->arena, arena_size(s));
	s->nr_pins = 0;
}

void dv_staging_exit(struct dv_staging *s)
{
	if (s->arena)
		munmap(s->arena, arena_size(s));
	free(s->free);
}

void dv_staging_pin(struct dv_staging *s, struct devio_mem *m)
{
	void *handle = NULL;

	if (!m->ops->pin)
		return;
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->pins[i].ops == m->ops)
			return;
	if (s->nr_pins == DV_STAGING_PINS)
		return;
	/* Copies from pageable memory work, too; record a failure, so that it is not retried each time. */
	if (m->ops->pin(m, s->arena, arena_size(s), &handle))
		handle = NULL;
	s->pins[s->nr_pins].ops = m->ops;
	s->pins[s->nr_pins++].handle = handle;
}

/* The lowest bit at which a run of n ones starts in m, or -1. */
static int find_run(uint64_t m, unsigned int n)
{
	unsigned int have = 1;

	while (m && have < n) {
		unsigned int step = have < n - have ? have : n - have;

		m &= m >> step;
		have += step;
	}
	return m ? __builtin_ctzll(m) : -1;
}

int dv_staging_get(struct dv_staging *s, struct dv_queue *q, uint32_t len, struct dv_staging_buf *slot)
{
	unsigned int n = ((uint64_t)len + (1u << s->unit_shift) - 1) >> s->unit_shift;

	if (!s->arena && make_arena(s, q))
		return -ENOMEM;
	while (s->first_partial < s->nr_chunks && !s->free[s->first_partial])
		s->first_partial++;
	for (uint32_t c = s->first_partial; c < s->nr_chunks; c++) {
		int u = find_run(s->free[c], n);

		if (u < 0)
			continue;
		s->free[c] &= ~((n == 64 ? ~0ULL : (1ULL << n) - 1) << u);
		slot->buf = s->arena + (size_t)c * s->chunk_size + ((size_t)u << s->unit_shift);
		slot->chunk = c;
		slot->unit = u;
		slot->units = n;
		s->used += (uint64_t)n << s->unit_shift;
		if (s->used > s->peak)
			s->peak = s->used;
		return 0;
	}
	return -EAGAIN;
}

void dv_staging_put(struct dv_staging *s, struct dv_staging_buf *slot)
{
	unsigned int n = slot->units;

	if (!slot->buf)
		return;
	s->free[slot->chunk] |= (n == 64 ? ~0ULL : (1ULL << n) - 1) << slot->unit;
	if (slot->chunk < s->first_partial)
		s->first_partial = slot->chunk;
	s->used -= (uint64_t)n << s->unit_shift;
	slot->buf = NULL;
}
