/* SPDX-License-Identifier: MIT */
/* Which path an operation would take, and why not the others. */
#include "config.h"
#include <stdio.h>
#include "core/err.h"
#include "path/choose.h"
#include "ring/idle.h"

/* One line per path: available, or why not; verdict is the choice. */
static void describe(struct devio_ring *r, struct dv_op *op, const struct devio_completion *verdict, char *buf,
		     size_t size)
{
	struct dv_pair *pair = dv_pair_get(r, op);
	size_t n = 0;

	if (size)
		buf[0] = '\0';
	for (const struct dv_path *const *p = op->end->ops->paths; *p; p++) {
		uint8_t why = dv_path_reject_reason(r, pair, *p, op);

		if (!why && (*p)->id == verdict->best_unused)
			why = verdict->reason;
		n += snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0, "%-13s %s: %s\n", (*p)->name,
			      why ? "no " : "yes", (*p)->id == verdict->path ? "taken" : devio_reason_text(why));
	}
}

int dv_path_explain(struct dv_op *op, int want, struct devio_completion *verdict, char *buf, size_t size)
{
	struct devio_ctx *ctx = op->end->ctx;
	struct devio_completion c;
	struct devio_ring *r;
	int rc = dv_idle_take(ctx, &r);

	if (rc)
		return rc;
	rc = dv_path_choose(r, op, want);
	c = (struct devio_completion){
		.result = rc ? rc : (int64_t)op->len, .path = op->path && !rc ? op->path->id : 0,
		.best_unused = op->best_unused, .reason = rc ? op->fail_reason : op->reason,
		.flags = op->write ? DEVIO_DONE_WRITE : 0,
	};
	describe(r, op, &c, buf, size);
	if (verdict)
		*verdict = c;
	dv_idle_put(ctx, r);
	return rc ? dv_err(rc, "%s: no path available: %s", op->end->ops->name, devio_reason_text(c.reason)) : 0;
}
