/* SPDX-License-Identifier: MIT */
/*
 * Per-process resources shared by several memories: a vendor's device and its streams,
 * a vfio device (which can be opened only once). Opened for the first memory, closed
 * with the last.
 */
#ifndef DV_MEM_SHARE_H
#define DV_MEM_SHARE_H

#include <stddef.h>

struct dv_shared {
	struct dv_shared *next;
	const struct dv_share_ops *ops;
	unsigned int refs;
	unsigned int gen; /* fork generation in which it was opened */
	char key[80];
};

/* open and close are called with dv_share_lock() held. */
struct dv_share_ops {
	size_t size; /* of the structure whose first member is struct dv_shared */
	int (*open)(struct dv_shared *s, const void *arg);
	void (*close)(struct dv_shared *s);
};

/* Gets the resource with this key, opening it if necessary. 0 or the error of open. */
int dv_share_get(const struct dv_share_ops *ops, const char *key, const void *arg, struct dv_shared **out);
/* Takes another reference. */
void dv_share_ref(struct dv_shared *s);
void dv_share_put(struct dv_shared *s);

/*
 * The process-wide lock for shared resources. It is taken around fork(), so that a
 * child never inherits it locked.
 */
void dv_share_lock(void);
void dv_share_unlock(void);

#endif
