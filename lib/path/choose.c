/* SPDX-License-Identifier: MIT */
/* The table of paths and the choice between them. */
#include "config.h"
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "path/choose.h"

const struct dv_path *const dv_path_table[] = {
	&dv_path_file_dmabuf,
	&dv_path_file_p2p,
	&dv_path_file_host,
	&dv_path_file_bounce,
	&dv_path_file_buffered,
	NULL
};

const struct dv_path *const dv_path_sock_table[] = {
	&dv_path_sock_devmem,
	&dv_path_sock_zcrx,
	&dv_path_sock_host,
	&dv_path_sock_bounce,
	NULL
};

#define HOT_WINDOW (4 << 20)  /* bytes for which one look at the page cache counts */

static unsigned int bit(const struct dv_path *p)
{
	return 1u << p->id;
}

static uint32_t end_id(const struct dv_op *op)
{
	return op->sock ? op->sock->flow[op->write].id : op->file->id;
}

struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op)
{
	uint64_t key = dv_pair_key(end_id(op), op->mem);
	struct dv_pair *pair = dv_pair_slot(r, end_id(op), op->mem);

	if (pair->key != key) {
		memset(pair, 0, sizeof(*pair));
		pair->key = key;
	}
	return pair;
}

bool dv_pair_can(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, const struct dv_op *op)
{
	if (!(pair->known & bit(p))) {
		if (!p->can(r, op, pair, &pair->why[p->id]))
			pair->can |= bit(p);
		pair->known |= bit(p);
	}
	return pair->can & bit(p);
}

/* Does the page cache hold what a read wants? Looked up once in HOT_WINDOW bytes. */
static bool is_hot(struct dv_pair *pair, const struct dv_op *op)
{
	pair->hot_left -= op->len;
	if (pair->hot_left < 0) {
		pair->hot = dv_file_cached(op->file, op->file_off, op->len > HOT_WINDOW ? op->len : HOT_WINDOW);
		pair->hot_left = HOT_WINDOW;
	}
	return pair->hot;
}

/*
 * 0 if the path can take the operation as it is, or the reason against it.
 * The page cache is preferred only to paths through or into host memory: a
 * transfer between devices costs no CPU either way.
 */
static uint8_t against(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, struct dv_op *op)
{
	uint8_t why;

	if ((op->tried | pair->refused) & bit(p))
		return DEVIO_REASON_REFUSED;
	if ((p->id == DEVIO_PATH_FILE_HOST || p->id == DEVIO_PATH_FILE_BOUNCE) &&
	    !(op->want & (DEVIO_FILE_NO_CACHE | DEVIO_FILE_DIRECT_ONLY))) {
		if (op->file->small && !op->file->direct)
			return DEVIO_REASON_SMALL;
		if (!op->write && is_hot(pair, op))
			return DEVIO_REASON_CACHED;
	}
	if (!dv_pair_can(r, pair, p, op))
		return pair->why[p->id];
	op->path = p;
	op->hint = pair->buf;
	op->dmabuf_off = pair->dmabuf_off;
	why = p->suits ? p->suits(op) : 0;
	return why;
}

/* A path that this kind of memory never has, or the other one of a NIC, is not "better, but not taken". */
static bool worth_telling(const struct dv_path *p, uint8_t why, const struct devio_mem *m)
{
	if (why == DEVIO_REASON_NET_RING && p->id == DEVIO_PATH_SOCK_DEVMEM)
		return false;
	if (why == DEVIO_REASON_NO_P2P_PAGES || why == DEVIO_REASON_NOT_HOST)
		return false;
	return why != DEVIO_REASON_NO_EXPORT || !(m->caps & (DEVIO_MEM_HOST_PAGES | DEVIO_MEM_P2P_PAGES));
}

/* The caller's choice is the reason, if anything better could have been had. */
static void tell_forced(struct devio_ring *r, struct dv_op *op, struct dv_pair *pair, int chosen)
{
	op->best_unused = 0;
	op->reason = 0;
	for (int i = 0; i < chosen; i++) {
		const struct dv_path *p = dv_paths_of(op)[i];
		bool can = dv_pair_can(r, pair, p, op);

		if (!can && (op->best_unused || !worth_telling(p, pair->why[p->id], op->mem)))
			continue;
		op->best_unused = p->id;
		op->reason = can ? DEVIO_REASON_FORCED : pair->why[p->id];
		if (can)
			return;
	}
}

static int choose_forced(struct devio_ring *r, struct dv_op *op, struct dv_pair *pair, int want)
{
	const struct dv_path *const *table = dv_paths_of(op);

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
		if (!dv_pair_can(r, pair, p, op)) {
			op->fail_reason = pair->why[p->id];
			return -EOPNOTSUPP;
		}
		op->hint = pair->buf;
		op->dmabuf_off = pair->dmabuf_off;
		if (op->nr_ranges > 1 || op->want & DEVIO_FILE_DIRECT_ONLY) {
			op->fail_reason = p->suits ? p->suits(op) : 0;
			if (op->fail_reason)
				return -EOPNOTSUPP;
		}
		tell_forced(r, op, pair, i);
		return 0;
	}
	return -EINVAL;
}

int dv_path_choose(struct devio_ring *r, struct dv_op *op, int want)
{
	struct dv_pair *pair = dv_pair_get(r, op);
	const struct dv_path *const *table = dv_paths_of(op);
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
		why = against(r, pair, p, op);
		if (!why)
			return 0;
		if (!first && worth_telling(p, why, op->mem)) {
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

void dv_path_refused(struct devio_ring *r, struct dv_op *op, const struct dv_path *p)
{
	struct dv_pair *pair = dv_pair_get(r, op);

	op->restart = true;
	if (op->tried & bit(p))
		return;
	op->tried |= bit(p);
	dv_stat_add(&r->stat.path[p->id].fell_back, 1);
	/* One hole does not condemn the file; a path that never works does. */
	if (++pair->strikes[p->id] == 1)
		dv_log(r->ctx, DEVIO_LOG_INFO, "path %s: refused for mem %s, another way is taken", p->name,
		       op->mem->spec);
	r->plan_gen++;
	if (pair->strikes[p->id] >= 8)
		pair->refused |= bit(p);
}

void dv_path_worked(struct devio_ring *r, const struct dv_op *op)
{
	struct dv_pair *pair = dv_pair_slot(r, end_id(op), op->mem);

	if (pair->key == dv_pair_key(end_id(op), op->mem))
		pair->strikes[op->path->id] = 0;
}
