/* SPDX-License-Identifier: MIT */
/*
 * Reads from data servers on a ring: a few connections per server, with several
 * requests in flight on each. A read is three operations on the ring: send the
 * request, receive the header of the answer into host memory, receive the bytes
 * directly into their destination.
 */
#ifndef DV_LINKS_H
#define DV_LINKS_H

#include <stdbool.h>
#include <devio/ring.h>
#include "load/source.h"
#include "load/wire.h"

#define DV_LINKS 4u                  /* connections per server */
#define DV_LINKS_OPS 3u              /* ring operations per read */
#define DV_LINKS_COOKIE (1u << 31)   /* set in the cookies of these operations, and in no others */

struct dv_links;

/* For `depth` reads in flight. path and flags apply to the bytes; a path for files is ignored. */
int dv_links_open(struct devio_ctx *ctx, struct devio_ring *ring, const struct devio_source *s, uint32_t depth,
		  int path, unsigned int flags, struct dv_links **links);

/* Shuts the connections down, so that operations in flight complete soon. NULL is allowed, here and below. */
void dv_links_cut(struct dv_links *l);

/* After the ring is closed. */
void dv_links_close(struct dv_links *l);

/*
 * Submits a read of 1 to DV_WIRE_READ_MAX bytes at byte `from` of the shard. If
 * necessary it connects first, which blocks. 0, -EAGAIN: all connections are being
 * shut down, wait for a completion; or -errno with an error message.
 */
int dv_links_read(struct dv_links *l, uint32_t shard, const struct devio_range *to, uint64_t from, uint64_t cookie);

/* Processes the completion of an operation. True: the read is complete, and *c is now its completion. */
bool dv_links_done(struct dv_links *l, struct devio_completion *c);

/* Shuts connections down whose servers take too long for a read; to be called now and then. NULL is allowed. */
void dv_links_expire(struct dv_links *l);
#define DV_LINKS_SLICE_NS 200000000LL /* how often, at least */

/* Why the last read that dv_links_done() completed has failed. */
const char *dv_links_cause(const struct dv_links *l);

#endif
