/* SPDX-License-Identifier: MIT */
/* Choosing between the paths of an endpoint. */
#include "config.h"
#include "core/ctx.h"
#include "core/err.h"
#include "path/choose.h"

#define MAX_REFUSALS 8 /* consecutive refusals after which the path is no longer tried for the pair */

static unsigned int bit(const struct dv_path *p)
{
	return 1u << p->id;
}

const struct dv_path *dv_path_by_id(const struct dv_op *op, unsigned int id)
{
	const struct dv_path *const *p = op->end->ops->paths;

	while (*p && (*p)->id != id)
		p++;
	return *p;
}

/* Whether the path can be used for op's pair; if not, the reason is in pair->why. */
static bool pair_can(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, const struct dv_op *op)
{
	if (!(pair->known & bit(p))) {
		if (!p->can(r, op, pair, &pair->why[p->id]))
			pair->can |= bit(p);
		pair->known |= bit(p);
	}
	return pair->can & bit(p);
}

/* Sets op's path. 0, or the reason why the path cannot handle an operation of this shape. */
static uint8_t shape_reason(const struct dv_pair *pair, const struct dv_path *p, struct dv_op *op)
{
	op->path = p;
	if (p->select)
		p->select(op, pair);
	return p->suits ? p->suits(op) : 0;
}

uint8_t dv_path_reject_reason(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, struct dv_op *op)
{
	return pair_can(r, pair, p, op) ? shape_reason(pair, p, op) : pair->why[p->id];
}

/* 0 if the path is to be used for the operation, or the reason not to. */
static uint8_t skip_reason(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, struct dv_op *op)
{
	uint8_t why = 0;

	if ((op->tried | pair->refused) & bit(p))
		return DEVIO_REASON_REFUSED;
	if (p->avoid)
		why = p->avoid(pair, op);
	return why ? why : dv_path_reject_reason(r, pair, p, op);
}

/* A path that this memory type never supports, or the NIC's other path, does not count as a better path not taken. */
static bool worth_reporting(const struct dv_path *p, uint8_t why, const struct devio_mem *m)
{
	if (why == DEVIO_REASON_NET_RING && p->id == DEVIO_PATH_SOCK_DEVMEM)
		return false;
	if (why == DEVIO_REASON_NO_P2P_PAGES || why == DEVIO_REASON_NOT_HOST)
		return false;
	return why != DEVIO_REASON_NO_EXPORT || !(m->caps & (DEVIO_MEM_HOST_PAGES | DEVIO_MEM_P2P_PAGES));
}

/* If a better path was available, the reason is that the caller forced another. */
static void report_forced(struct devio_ring *r, struct dv_op *op, struct dv_pair *pair, int chosen)
{
	op->best_unused = 0;
	op->reason = 0;
	for (int i = 0; i < chosen; i++) {
		const struct dv_path *p = op->end->ops->paths[i];
		bool can = pair_can(r, pair, p, op);

		if (!can && (op->best_unused || !worth_reporting(p, pair->why[p->id], op->mem)))
			continue;
		op->best_unused = p->id;
		op->reason = can ? DEVIO_REASON_FORCED : pair->why[p->id];
		if (can)
			return;
	}
}

static int choose_forced(struct devio_ring *r, struct dv_op *op, struct dv_pair *pair, int want)
{
	const struct dv_path *const *table = op->end->ops->paths;

	for (int i = 0; table[i]; i++) {
		const struct dv_path *p = table[i];

		if ((int)p->id != want)
			continue;
		op->path = p;
		op->forced = true;
		if (op->want & DEVIO_FILE_DIRECT_ONLY && !p->direct) {
			op->fail_reason = DEVIO_REASON_FORCED;
			return -EOPNOTSUPP;
		}
		if (!pair_can(r, pair, p, op)) {
			op->fail_reason = pair->why[p->id];
			return -EOPNOTSUPP;
		}
		op->fail_reason = shape_reason(pair, p, op);
		if (op->fail_reason && (op->nr_ranges > 1 || op->want & DEVIO_FILE_DIRECT_ONLY))
			return -EOPNOTSUPP;
		op->fail_reason = 0;
		report_forced(r, op, pair, i);
		return 0;
	}
	return -EINVAL;
}

int dv_path_choose(struct devio_ring *r, struct dv_op *op, int want)
{
	struct dv_pair *pair = dv_pair_get(r, op);
	const struct dv_path *const *table = op->end->ops->paths;
	uint8_t first = 0;

	if (want)
		return choose_forced(r, op, pair, want);
	op->best_unused = 0;
	op->reason = 0;
	for (int i = 0; table[i]; i++) {
		const struct dv_path *p = table[i];
		uint8_t why;

		if (!p->direct && op->want & DEVIO_FILE_DIRECT_ONLY)
			break;
		why = skip_reason(r, pair, p, op);
		if (!why)
			return 0;
		if (!first && worth_reporting(p, why, op->mem)) {
			first = why;
			op->best_unused = p->id;
			op->reason = why;
		}
		op->fail_reason = why;
	}
	if (first)
		op->fail_reason = first;
	return -EOPNOTSUPP;
}

void dv_path_refused(struct devio_ring *r, struct dv_op *op, const struct dv_path *p, int err)
{
	struct dv_pair *pair = dv_pair_get(r, op);

	op->restart = true;
	if (op->tried & bit(p))
		return;
	op->tried |= bit(p);
	dv_stat_add(&r->stat.sum.path[p->id].fell_back, 1);
	if (err == -EBUSY)
		return;
	/* A single hole in a file must not disable the path; a path that never works must be disabled. */
	if (++pair->refusals[p->id] == 1)
		dv_log(r->ctx, DEVIO_LOG_INFO, "path %s: refused by the kernel for mem %s, falling back", p->name,
		       op->mem->spec);
	dv_plans_invalidate(r);
	if (pair->refusals[p->id] >= MAX_REFUSALS)
		pair->refused |= bit(p);
}

void dv_path_worked(struct devio_ring *r, const struct dv_op *op)
{
	struct dv_pair *pair = dv_pair_find(r->pairs, op->end_id, op->mem->id);

	if (pair)
		pair->refusals[op->path->id] = 0;
}
