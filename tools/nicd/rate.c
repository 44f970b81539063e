/* SPDX-License-Identifier: MIT */
/* devio-nicd: connections of one user in a minute. Each may set an interface up, which resets its link. */
#include "config.h"
#include "nicd.h"

/* A place that nobody has, or that of the user who has been gone the longest. */
static struct nicd_rate *rate_of(struct nicd *d, uid_t uid)
{
	struct nicd_rate *oldest = d->rates;

	for (struct nicd_rate *r = d->rates; r < d->rates + NICD_RATES; r++) {
		if (r->last > 0 && r->uid == uid)
			return r;
		oldest = r->last < oldest->last ? r : oldest;
	}
	*oldest = (struct nicd_rate){ .uid = uid, .last = tool_now(), .left = d->rate };
	return oldest;
}

static void refill(const struct nicd *d, struct nicd_rate *r)
{
	double now = tool_now();

	r->left += (now - r->last) * d->rate / 60;
	r->left = r->left > d->rate ? d->rate : r->left;
	r->last = now;
}

bool nicd_rate_admits(struct nicd *d, uid_t uid)
{
	struct nicd_rate *r = rate_of(d, uid);

	refill(d, r);
	return r->left >= 1;
}

void nicd_rate_count(struct nicd *d, uid_t uid)
{
	struct nicd_rate *r = rate_of(d, uid);

	refill(d, r);
	r->left -= r->left >= 1;
}
