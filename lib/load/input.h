/* SPDX-License-Identifier: MIT */
/* A file whose header is read, local or on a data server. */
#ifndef DV_INPUT_H
#define DV_INPUT_H

#include "load/source.h"

struct dv_input {
	const char *path;        /* the caller's */
	uint64_t size;
	int fd;                  /* local: descriptor; -1: the file is on a server */
	struct stat st;          /* local */
	struct dv_peer *peer;    /* remote: the connection */
	uint32_t server;         /* remote: number of the server, from 1 */
	uint64_t version;        /* remote: version of the file */
	const char *name;        /* remote: name of the file, points into path */
};

/* Opens a regular file: 0, or -errno with an error message. A source has at most one input open at a time. */
int dv_input_open(struct devio_source *s, const char *path, struct dv_input *in);
/* The same, and adds the file to the source as its last shard. */
int dv_input_open_shard(struct devio_source *s, const char *path, struct dv_input *in);
void dv_input_close(struct dv_input *in);

/* Checks that the last shard, which is this input, has not changed since it was opened. 0, or -errno as above. */
int dv_input_unchanged(const struct devio_source *s, const struct dv_input *in);

/* Reads len bytes at off: 0, or -errno with an error message (-EBADMSG: end of the file). */
int dv_input_read(const struct dv_input *in, void *buf, size_t len, uint64_t off);

#endif
