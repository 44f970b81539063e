/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-serve:
 *   main.c      options, memory, signals
 *   run.c       the loop: connections are accepted, completions are reaped
 *   conn.c      one connection: requests in, answers out, in the same order
 *   buffer.c    its part of the memory, a circular buffer of answers
 *   file.c      files beneath the directory
 *
 * One thread and one ring. Each connection has its own share of memory,
 * answers and file numbers from the start: none can starve another, and no
 * request makes the server allocate more. Completions are taken in rounds of
 * bounded length, between which connections are accepted and deadlines checked.
 */
#ifndef TOOLS_SERVE_H
#define TOOLS_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <devio.h>
#include "common/tool.h"
#include "load/wire.h"

#define SERVE_ANSWERS 64u             /* of one connection at a time; further requests wait */
#define SERVE_INPUT 4096u             /* bytes of pending requests */
#define SERVE_BLOCK 4096u             /* alignment that O_DIRECT needs */
#define SERVE_SHARE_MIN (DV_WIRE_READ_MAX + 4 * SERVE_BLOCK)

/* An open file, referenced by its number and by answers in progress. */
struct serve_file {
	unsigned int refs;
	int fd;
	struct devio_file *file;
	uint64_t size, version;
};

enum serve_state { SERVE_READING, SERVE_READY, SERVE_SENDING };

struct serve_answer {
	enum serve_state state;
	struct serve_file *file;      /* of READ only */
	uint64_t from, start, end;    /* in the connection's memory: its first byte, its head, its end */
	uint64_t len;
	struct dv_wire_answer head;
};

struct serve_conn {
	struct devio_sock *sock;      /* NULL: free */
	unsigned int index;
	uint64_t base;                /* of its memory */
	unsigned char *in;            /* `have` bytes of requests */
	unsigned int have;
	bool receiving, ended, closing;
	bool stalled;                 /* the next request waits until an answer has been sent */
	unsigned int inflight;        /* operations of the ring */
	unsigned int first, count;    /* answers, circular */
	double last;                  /* time of the last activity */
	double sending;               /* since when the first answer is being sent */
	unsigned char peer[8];        /* its address; of IPv6 the network, all of which one host may have */
	struct serve_answer answers[SERVE_ANSWERS];
	struct serve_file *files[DV_WIRE_FILES];
	uint16_t failed[DV_WIRE_FILES]; /* status of a number that has no file */
};

struct serve {
	const char *dir, *port, *address, *mem_spec;
	uint64_t memory, share;
	unsigned int connections, per_address, family;
	double timeout;
	int dir_fd;
	struct devio_ctx *ctx;
	struct devio_sock *listener;
	struct devio_ring *ring;
	struct devio_mem *mem, *in_mem;
	struct serve_conn *conns;
	unsigned int nr_conns;
	uint64_t accepted, rejected, requests, bytes;
	struct tool_error error;
};

/* Until a signal, which is let in by the mask `open` while it waits. 0, or -1 with s->error. */
int serve_run(struct serve *s, const sigset_t *open);

void serve_conn_begin(struct serve *s, struct serve_conn *c, struct devio_sock *sock);
void serve_conn_done(struct serve *s, const struct devio_completion *done);
/* Closes it if it has taken too long. */
void serve_conn_check(struct serve *s, struct serve_conn *c);
/* Closes it when its operations have ended. */
void serve_conn_close(struct serve_conn *c, const char *why);

/* Allocates the memory for an answer of a->len bytes from `off` of a file; false: there is not enough now. */
bool serve_buffer_alloc(const struct serve *s, const struct serve_conn *c, struct serve_answer *a, uint64_t off);

/* Opens a regular file beneath the directory: 0 or an errno (positive). */
int serve_file_open(const struct serve *s, const char *path, struct serve_file **file);
void serve_file_put(struct serve_file *f);
/* Is it unchanged since it was opened? */
bool serve_file_same(const struct serve_file *f);
/* Can this kernel confine paths to the directory? 0 or -1. */
int serve_file_check(const struct serve *s);

#endif
