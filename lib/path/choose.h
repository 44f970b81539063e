/* SPDX-License-Identifier: MIT */
/*
 * How bytes may be moved: tables of paths, best first, that endpoints own. A
 * path says whether it can, and why not; the choice is made here and nowhere else.
 */
#ifndef DV_PATH_CHOOSE_H
#define DV_PATH_CHOOSE_H

#include "ring/pair.h"

struct dv_path {
	const char *name;
	enum devio_path id;
	bool direct;               /* no copy through host memory */
	/* Can it serve op's endpoint and memory at all? Called once per pair. 0, or -errno and *why. */
	int (*can)(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why);
	/* The reason not to use it for op although it can, or 0; asked before can(). May be NULL. */
	uint8_t (*avoid)(struct dv_pair *pair, const struct dv_op *op);
	/* Copies to op what the pair knows for this path. May be NULL. */
	void (*select)(struct dv_op *op, const struct dv_pair *pair);
	/* Is this operation of a shape that it serves? 0 or the reason against it. May be NULL. */
	uint8_t (*suits)(const struct dv_op *op);
	/* Gives the next part from op->issued on to the kernel: 0, -EAGAIN (wait), -errno. */
	int (*issue)(struct devio_ring *r, struct dv_op *op);
	/* Does this error of the kernel mean "not by this path" (and not "the data is lost")? May be NULL. */
	bool (*refusal)(int err);
};

/* The endpoint's path with this id, or NULL. */
const struct dv_path *dv_path_by_id(const struct dv_op *op, unsigned int id);

/* Sets op->path, best_unused, reason. -errno: none is left; op->fail_reason says why. want: enum devio_path, 0: the best. */
int dv_path_choose(struct devio_ring *r, struct dv_op *op, int want);

/* The kernel refused op's path: remembered for the pair; it took it: forgotten again. */
void dv_path_refused(struct devio_ring *r, struct dv_op *op, const struct dv_path *p);
void dv_path_worked(struct devio_ring *r, const struct dv_op *op);

/* For dv_path_explain(): the reason against the path for op, 0: it serves. */
uint8_t dv_path_against(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, struct dv_op *op);

/*
 * path/explain.c: devio_file_explain() and devio_sock_explain(), for an
 * operation that is never started.
 */
int dv_path_explain(struct dv_op *op, int want, struct devio_completion *verdict, char *buf, size_t size);

#endif
