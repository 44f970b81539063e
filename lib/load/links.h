/* SPDX-License-Identifier: MIT */
/*
 * Reads from data servers on a ring: a few connections to each server, several
 * requests in flight on each. A read is three operations of the ring: the
 * request goes out, the head of the answer comes into host memory, the bytes
 * straight to their place.
 */
#ifndef DV_LINKS_H
#define DV_LINKS_H

#include <stdbool.h>
#include <devio/ring.h>
#include "load/source.h"
#include "load/wire.h"

#define DV_LINKS 4u                  /* connections to a server */
#define DV_LINKS_OPS 3u              /* operations of a read */
#define DV_LINKS_COOKIE (1u << 31)   /* set in all cookies of their operations, and in no others */

struct dv_links;

/* For `depth` reads in flight. path and flags are for the bytes; a path of files counts as none. */
int dv_links_open(struct devio_ctx *ctx, struct devio_ring *ring, const struct devio_source *s, uint32_t depth, int path,
		  unsigned int flags, struct dv_links **links);

/* Ends the connections, and with them what is in flight, soon. NULL is allowed, here and below. */
void dv_links_cut(struct dv_links *l);

/* Once the ring is closed. */
void dv_links_close(struct dv_links *l);

/*
 * Begins a read of 1 to DV_WIRE_READ_MAX bytes at byte `from` of the shard.
 * Connects if need be, and waits for that. 0, -EAGAIN: all connections are
 * ending, wait for a completion; or -errno with a sentence.
 */
int dv_links_read(struct dv_links *l, uint32_t shard, const struct devio_range *to, uint64_t from, uint64_t cookie);

/* Takes the completion of one of the operations. true: with it a read ended, and *c is the read's now. */
bool dv_links_done(struct dv_links *l, struct devio_completion *c);

/* Why the read that dv_links_done() told of last had failed. */
const char *dv_links_cause(const struct dv_links *l);

#endif
