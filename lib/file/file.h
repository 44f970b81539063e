/* SPDX-License-Identifier: MIT */
/* The file endpoint's inside, as paths see it. */
#ifndef DV_FILE_H
#define DV_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <pthread.h>
#include <devio/file.h>

struct devio_file {
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	uint32_t id;               /* dv_ctx_new_id() */
	atomic_bool closed;        /* devio_file_close() was called: caches let go */
	atomic_bool registered;    /* some ring's cache of registrations held it */
	int fd;                    /* through the page cache */
	int access;                /* O_RDONLY, O_WRONLY, O_RDWR */
	int path;                  /* default of operations */
	unsigned int flags;        /* DEVIO_FILE_* */
	atomic_bool nonblock;      /* fd has O_NONBLOCK still: see dv_file_let_wait() */
	bool is_block;
	uint64_t capacity;         /* of a block device when it was opened */
	dev_t dev;                 /* that its bytes lie on, as far as stat(2) knows */
	bool small;                /* was short when opened: O_DIRECT does not repay its set-up */

	pthread_mutex_t lock;      /* guards the making of what follows */
	_Atomic int direct;        /* 0: not tried, 1: dfd works, < 0: -errno */
	int dfd;                   /* O_DIRECT, valid when direct is 1 */
	uint32_t mem_align;        /* of addresses, for dfd */
	uint32_t off_align;        /* of offsets and lengths */
	uint32_t write_align;      /* of writes: no page is shared with what goes by the page cache */
};

void dv_file_destroy(struct devio_file *f);

static inline struct devio_file *dv_file_get(struct devio_file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

static inline void dv_file_put(struct devio_file *f)
{
	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
		dv_file_destroy(f);
}

/* Opens the O_DIRECT descriptor if it was not tried yet: 0 or -errno. Any thread. */
int dv_file_direct(struct devio_file *f);

/*
 * The open wants O_NONBLOCK (a pipe would block it), and regular files do not
 * care; but io_uring answers -EAGAIN on file systems that cannot read without
 * waiting. Takes it off then, which costs nothing where it never happens.
 */
void dv_file_let_wait(struct devio_file *f);

/* Is [off, off + len) mostly in the page cache? */
bool dv_file_cached(const struct devio_file *f, uint64_t off, uint64_t len);

#endif
