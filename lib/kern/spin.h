/* SPDX-License-Identifier: MIT */
/*
 * Short busy polling of an io_uring before a wait blocks. A fast drive completes
 * before a sleeping thread could be woken. If fewer than one poll in eight finds a
 * completion, polling backs off: slow drives, and drives that need this CPU to make
 * progress, lose next to nothing.
 */
#ifndef DV_KERN_SPIN_H
#define DV_KERN_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <liburing.h>
#include "core/clock.h"

#define DV_SPIN_NS 1000          /* default */
#define DV_SPIN_MAX_NS 1000000
#define DV_SPIN_MISSES 5         /* maximum back-off: one poll per 2^5 waits */
#define DV_SPIN_CREDIT 8         /* failed polls tolerated after a successful one */

struct dv_spin {
	uint32_t ns;             /* how long to poll; 0: not at all */
	uint8_t credit;          /* failed polls still tolerated without backing off */
	uint8_t misses;          /* consecutive failed polls beyond that, DV_SPIN_MISSES at most */
	uint8_t skip;            /* waits left that do not poll */
};

/*
 * Are nr completions available? With IORING_SETUP_DEFER_TASKRUN, completions stay
 * in the kernel until the next call, and only IORING_SETUP_TASKRUN_FLAG (Linux
 * 5.19) indicates them.
 */
static inline bool dv_spin_ready(const struct io_uring *u, unsigned int nr)
{
	return IO_URING_READ_ONCE(*u->sq.kflags) & IORING_SQ_TASKRUN || io_uring_cq_ready(u) >= nr;
}

/* Called before a wait for nr completions with nothing to submit; timeout_ns < 0: no timeout. */
static inline void dv_spin(struct dv_spin *s, const struct io_uring *u, unsigned int nr, int64_t timeout_ns)
{
	int64_t begin, ns = timeout_ns >= 0 && timeout_ns < s->ns ? timeout_ns : s->ns;

	if (s->skip) {
		s->skip--;
		return;
	}
	if (!ns)
		return;
	if (!dv_spin_ready(u, nr)) {
		begin = dv_now_ns();
		while (!dv_spin_ready(u, nr)) {
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
