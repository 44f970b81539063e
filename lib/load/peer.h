/* SPDX-License-Identifier: MIT */
/* A connection to a data server, for headers of files: one request at a time. */
#ifndef DV_PEER_H
#define DV_PEER_H

#include <stddef.h>
#include <stdint.h>
#include "load/url.h"

struct dv_peer;
struct devio_ctx;
struct devio_sock;

/* The idle timeout of connections to servers in ns: 30 s, or the environment variable DEVIO_TCP_TIMEOUT in seconds. */
int64_t dv_peer_timeout(void);

/* What a server gets at least for len bytes, beside the timeout: so slow a byte now and then does not hold a reader. */
static inline int64_t dv_peer_allowance(uint64_t len)
{
	return (int64_t)(len * 1000000000 / (64u << 10)); /* 64 KiB/s */
}

/* Connects with that timeout. 0, or -errno with an error message. */
int dv_peer_connect(struct devio_ctx *ctx, const char *host, const char *port, struct devio_sock **sock);

/* Opens a connection for headers. 0, or -errno with an error message. */
int dv_peer_open(const char *host, const char *port, struct dv_peer **peer);
void dv_peer_close(struct dv_peer *peer);

/* Whether the connection can be used for this URL: same server, and it has not failed. */
bool dv_peer_serves(const struct dv_peer *peer, const struct dv_url *url);

/* Opens a file, which replaces the previous one. 0, or -errno with an error message that names `text`. */
int dv_peer_open_file(struct dv_peer *peer, const char *text, const char *path, uint64_t *size, uint64_t *version);

/* Reads all of len bytes from it. 0, or -errno with an error message. */
int dv_peer_read(struct dv_peer *peer, const char *text, void *buf, size_t len, uint64_t off);

#endif
