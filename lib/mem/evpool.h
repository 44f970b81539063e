/* SPDX-License-Identifier: MIT */
/*
 * A lock-free pool of a device's events, so that copies of several threads do not wait
 * for each other. The first user of a slot creates its event, which then exists until
 * the device is closed.
 */
#ifndef DV_MEM_EVPOOL_H
#define DV_MEM_EVPOOL_H

#include <stdatomic.h>
#include <stdint.h>

#define DV_EV_WORDS 4
#define DV_EV_NR (64 * DV_EV_WORDS)

struct dv_evpool {
	_Atomic uint64_t busy[DV_EV_WORDS];
	void *ev[DV_EV_NR]; /* [i] belongs to the owner of slot i */
};

/* A slot, or -1 if all are in flight. */
static inline int dv_evpool_take(struct dv_evpool *p)
{
	for (int w = 0; w < DV_EV_WORDS; w++) {
		uint64_t seen = atomic_load_explicit(&p->busy[w], memory_order_relaxed);

		while (~seen) {
			int bit = __builtin_ctzll(~seen);

			if (atomic_compare_exchange_weak_explicit(&p->busy[w], &seen, seen | 1ULL << bit,
								  memory_order_acquire, memory_order_relaxed))
				return w * 64 + bit;
		}
	}
	return -1;
}

static inline void dv_evpool_put(struct dv_evpool *p, int i)
{
	atomic_fetch_and_explicit(&p->busy[i / 64], ~(1ULL << (i % 64)), memory_order_release);
}

#endif
