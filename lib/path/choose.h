/* SPDX-License-Identifier: MIT */
/*
 * Paths: how bytes are moved. Each endpoint has a table, best path first. A path reports
 * whether it can be used, and if not, why; the choice is made only here.
 */
#ifndef DV_PATH_CHOOSE_H
#define DV_PATH_CHOOSE_H

#include "ring/pair.h"

struct dv_path {
	const char *name;
	enum devio_path id;
	bool direct;               /* no copy through host memory */
	/* Whether it can be used for op's endpoint and memory at all. Called once per pair. 0, or -errno and *why. */
	int (*can)(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why);
	/* A reason not to prefer it for op even if it can be used, or 0; called before can(). May be NULL. */
	uint8_t (*avoid)(struct dv_pair *pair, const struct dv_op *op);
	/* Copies the pair's cached state for this path to op. May be NULL. */
	void (*select)(struct dv_op *op, const struct dv_pair *pair);
	/* Whether it can handle the shape of this operation: 0, or the reason why not. May be NULL. */
	uint8_t (*suits)(const struct dv_op *op);
	/* Issues the next part, starting at op->issued, to the kernel: 0, -EAGAIN (wait), -errno. */
	int (*issue)(struct devio_ring *r, struct dv_op *op);
	/* Whether this error means that the kernel refuses the path (not that the data is lost). May be NULL. */
	bool (*refusal)(int err);
};

/* The endpoint's path with this id, or NULL. */
const struct dv_path *dv_path_by_id(const struct dv_op *op, unsigned int id);

/*
 * Sets op->path, best_unused and reason. -errno if no path is left, with the reason in
 * op->fail_reason. want: enum devio_path, 0: the best.
 */
int dv_path_choose(struct devio_ring *r, struct dv_op *op, int want);

/*
 * The kernel refused op's path with err, which is recorded for the pair unless it is -EBUSY, a
 * temporary condition; it accepted it, which resets the record.
 */
void dv_path_refused(struct devio_ring *r, struct dv_op *op, const struct dv_path *p, int err);
void dv_path_worked(struct devio_ring *r, const struct dv_op *op);

/* For dv_path_explain(): the reason why the path cannot be used for op, 0: it can. */
uint8_t dv_path_reject_reason(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, struct dv_op *op);

/*
 * path/explain.c: implements devio_file_explain() and devio_sock_explain(), with an
 * operation that is never started.
 */
int dv_path_explain(struct dv_op *op, int want, struct devio_completion *verdict, char *buf, size_t size);

#endif
