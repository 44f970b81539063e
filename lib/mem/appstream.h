/* SPDX-License-Identifier: MIT */
/*
 * Ordering with a stream of the application: a host function behind the work that is on it,
 * and a wait for a word of memory in front of the work that follows.
 */
#ifndef DV_MEM_APPSTREAM_H
#define DV_MEM_APPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dv_appstream_ops {
	const char *name;
	/* Loads the vendor's library. 0, or -errno with an error message. */
	int (*load)(void);
	/*
	 * Enters the stream's context, *where. The calls until leave() return 0 or -errno with an error
	 * message.
	 */
	int (*enter)(void *stream, void **where);
	void (*leave)(void);
	/* fn(arg) is called in a thread of the vendor's when the work before it has ended; it calls nothing of it. */
	int (*call)(void *stream, void (*fn)(void *arg), void *arg);
	/* The work that follows waits until *word, in memory that was made known by share(), is at least value. */
	int (*wait)(void *stream, uint32_t *word, uint32_t value);
	/* Waits for all that is on the stream. */
	int (*drain)(void *stream);
	/* Page-locks memory for the devices. */
	int (*share)(void *p, size_t len);
	/* The reverse, not between enter() and leave(): where share() was called. */
	void (*unshare)(void *p, void *where);
};

extern const struct dv_appstream_ops dv_appstream_cuda;

/* NULL, with an error message: none of this name. */
const struct dv_appstream_ops *dv_appstream_find(const char *name);

#endif
