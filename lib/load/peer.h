/* SPDX-License-Identifier: MIT */
/* A data server, asked one thing after the other: for the headers of files. */
#ifndef DV_PEER_H
#define DV_PEER_H

#include <stddef.h>
#include <stdint.h>
#include "load/url.h"

struct dv_peer;
struct devio_ctx;
struct devio_sock;

/* Nanoseconds without a byte until a server is given up: 30 s, or DEVIO_TCP_TIMEOUT of the environment. */
int64_t dv_peer_patience(void);

/* Connects with that patience: 0, or -errno with a sentence. */
int dv_peer_connect(struct devio_ctx *ctx, const char *host, const char *port, struct devio_sock **sock);

/* A connection for headers. 0, or -errno with a sentence. */
int dv_peer_open(const char *host, const char *port, struct dv_peer **peer);
void dv_peer_close(struct dv_peer *peer);

/* May it be asked about a file of this server? Not after a failure of the connection. */
bool dv_peer_serves(const struct dv_peer *peer, const struct dv_url *url);

/* Opens a file, in the place of the last one. 0, or -errno with a sentence that names `text`. */
int dv_peer_open_file(struct dv_peer *peer, const char *text, const char *path, uint64_t *size, uint64_t *version);

/* Reads of it, all of len bytes: 0, or -errno with a sentence. */
int dv_peer_read(struct dv_peer *peer, const char *text, void *buf, size_t len, uint64_t off);

#endif
