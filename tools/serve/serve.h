/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-serve:
 *   main.c      options, memory, signals
 *   run.c       the loop: connections come, completions come
 *   conn.c      a connection: requests in, answers out, in their order
 *   buffer.c    its part of the memory, in the order of the answers
 *   file.c      files beneath the directory
 *
 * One thread and one ring. All that a connection can take is its own from the
 * start: memory, answers, numbers of files. So none can be kept waiting by
 * another, and no request makes the server take more.
 */
#ifndef TOOLS_SERVE_H
#define TOOLS_SERVE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <devio.h>
#include "load/wire.h"

#define SERVE_ANSWERS 64u             /* of a connection at once; further requests wait */
#define SERVE_INPUT 4096u             /* bytes of requests that are not carried out yet */
#define SERVE_BLOCK 4096u             /* what drives read directly */
#define SERVE_SHARE_MIN (DV_WIRE_READ_MAX + 4 * SERVE_BLOCK)

/* A file that was opened, kept by its number and by the answers under way. */
struct serve_file {
	unsigned int refs;
	int fd;
	struct devio_file *file;
	uint64_t size, version;
};

enum serve_state { SERVE_READING, SERVE_READY, SERVE_SENDING };

struct serve_answer {
	enum serve_state state;
	struct serve_file *file;      /* READ alone */
	uint64_t from, start, end;    /* in the connection's memory: all of it, the head, behind the bytes */
	uint64_t len;
	struct dv_wire_answer head;
};

struct serve_conn {
	struct devio_sock *sock;      /* NULL: free */
	unsigned int index;
	uint64_t base;                /* of its memory */
	unsigned char *in;            /* `have` bytes of requests */
	unsigned int have;
	bool receiving, ended, dying;
	bool stalled;                 /* the next request waits for the end of an answer */
	unsigned int inflight;        /* operations of the ring */
	unsigned int first, count;    /* answers, circular */
	double last;                  /* when something was done last */
	struct serve_answer answers[SERVE_ANSWERS];
	struct serve_file *files[DV_WIRE_FILES];
	uint16_t failed[DV_WIRE_FILES]; /* status of a number that has no file */
};

struct serve {
	const char *dir, *port, *address, *mem_spec;
	uint64_t memory, share;
	unsigned int connections, family;
	double timeout;
	bool verbose;
	int dir_fd;
	struct devio_ctx *ctx;
	struct devio_sock *listener;
	struct devio_ring *ring;
	struct devio_mem *mem, *in_mem;
	struct serve_conn *conns;
	unsigned int nr_conns;
	uint64_t accepted, refused, requests, bytes;
};

extern volatile sig_atomic_t serve_stop;

double serve_now(void);
/* With --verbose, what happens to connections. */
void serve_say(const struct serve *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Until a signal. 0 or -1, with a sentence on stderr. The signals come only while it waits: `open` is the mask for that. */
int serve_run(struct serve *s, const sigset_t *open);

void serve_conn_begin(struct serve *s, struct serve_conn *c, struct devio_sock *sock);
void serve_conn_done(struct serve *s, const struct devio_completion *done);
/* Ends it, at the latest when its operations have ended. */
void serve_conn_kill(struct serve *s, struct serve_conn *c, const char *why);

/* Room for an answer with len bytes from `off` of a file; false: not now. */
bool serve_room_take(const struct serve *s, const struct serve_conn *c, struct serve_answer *a, uint64_t off);

/* Opens a regular file beneath the directory: 0 or an errno (positive). */
int serve_file_open(const struct serve *s, const char *path, struct serve_file **file);
void serve_file_put(struct serve_file *f);
/* Is it still as it was when it was opened? */
bool serve_file_same(const struct serve_file *f);
/* Can paths be held beneath the directory on this kernel? 0 or -1. */
int serve_file_check(const struct serve *s);

#endif
