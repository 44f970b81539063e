/* SPDX-License-Identifier: MIT */
/* A file whose header is being read: of this machine, or of a data server. */
#ifndef DV_INPUT_H
#define DV_INPUT_H

#include "load/source.h"

struct dv_input {
	const char *path;        /* the caller's */
	uint64_t size;
	int fd;                  /* -1: of a server */
	struct dv_peer *peer;
	uint32_t server;         /* number of the server, from 1 on */
	uint64_t version;        /* there */
	const char *name;        /* and its name there, in path */
	struct stat st;          /* here */
};

/* Opens a regular file: 0, or -errno with a sentence. A source's inputs are open one at a time. */
int dv_input_open(struct devio_source *s, const char *path, struct dv_input *in);
/* The same, and notes the file as the last shard of the source. */
int dv_input_open_shard(struct devio_source *s, const char *path, struct dv_input *in);
void dv_input_close(struct dv_input *in);

/* Reads len bytes at off: 0, or -errno with a sentence (-EBADMSG: the file ends before). */
int dv_input_read(const struct dv_input *in, void *buf, size_t len, uint64_t off);

#endif
