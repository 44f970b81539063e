/* SPDX-License-Identifier: MIT */
/*
 * A short look at an io_uring before a wait sleeps in it. A fast drive answers
 * while a thread that went to sleep is still being woken. Where no look in
 * eight sees anything they become rare: slow drives, and those whose work
 * needs this very processor, lose next to nothing.
 */
#ifndef DV_KERN_SPIN_H
#define DV_KERN_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <liburing.h>
#include "core/clock.h"

#define DV_SPIN_NS 1000          /* where nobody says otherwise */
#define DV_SPIN_MAX_NS 1000000
#define DV_SPIN_MISSES 5         /* one look for 2^5 waits at the least */
#define DV_SPIN_CREDIT 8         /* looks in vain that one which sees something pays for */

struct dv_spin {
	uint32_t ns;             /* how long to look; 0: not at all */
	uint8_t credit;          /* looks in vain that are paid for */
	uint8_t misses;          /* looks on end that were not, DV_SPIN_MISSES at most */
	uint8_t skip;            /* waits that do not look now */
};

/*
 * Is there something to take? With IORING_SETUP_DEFER_TASKRUN completions lie
 * in the kernel until the next call, and only IORING_SETUP_TASKRUN_FLAG (Linux
 * 5.19) tells of them.
 */
static inline bool dv_spin_sees(const struct io_uring *u, unsigned int nr)
{
	return IO_URING_READ_ONCE(*u->sq.kflags) & IORING_SQ_TASKRUN || io_uring_cq_ready(u) >= nr;
}

/* Before a wait for nr completions with nothing to submit; timeout_ns < 0: for ever. */
static inline void dv_spin(struct dv_spin *s, const struct io_uring *u, unsigned int nr, int64_t timeout_ns)
{
	int64_t begin, ns = timeout_ns >= 0 && timeout_ns < s->ns ? timeout_ns : s->ns;

	if (s->skip) {
		s->skip--;
		return;
	}
	if (!ns)
		return;
	if (!dv_spin_sees(u, nr)) {
		begin = dv_now_ns();
		while (!dv_spin_sees(u, nr)) {
			if (dv_now_ns() - begin < ns)
				continue;
			if (s->credit) {
				s->credit--;
				return;
			}
			s->misses += s->misses < DV_SPIN_MISSES;
			s->skip = (uint8_t)((1u << s->misses) - 1);
			return;
		}
	}
	s->credit = DV_SPIN_CREDIT;
	s->misses = 0;
}

#endif
