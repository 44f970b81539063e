/* SPDX-License-Identifier: MIT */
/*
 * Things of a process that several memories use together: a vendor's device
 * with its stream, a vfio device (the kernel lets it be opened once). Opened
 * by the first memory, closed with the last.
 */
#ifndef DV_MEM_SHARE_H
#define DV_MEM_SHARE_H

#include <stddef.h>

struct dv_shared {
	struct dv_shared *next;
	const struct dv_share_ops *ops;
	unsigned int refs;
	unsigned int gen; /* the fork generation it belongs to */
	char key[80];
};

/* open and close are called with the lock below held. */
struct dv_share_ops {
	size_t size; /* of the structure that begins with struct dv_shared */
	int (*open)(struct dv_shared *s, const void *arg);
	void (*close)(struct dv_shared *s);
};

/* The one with this key, opened if there is none yet; 0 or open's error. */
int dv_share_get(const struct dv_share_ops *ops, const char *key, const void *arg, struct dv_shared **out);
/* One hold more on what the caller holds already. */
void dv_share_hold(struct dv_shared *s);
void dv_share_put(struct dv_shared *s);

/*
 * One lock of the process for what is opened once. It is taken around fork(),
 * so that a child never inherits it locked.
 */
void dv_share_lock(void);
void dv_share_unlock(void);

#endif
