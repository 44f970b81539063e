/* SPDX-License-Identifier: MIT */
/* The file endpoint's inside. */
#ifndef DV_FILE_FILE_H
#define DV_FILE_FILE_H

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <devio/file.h>
#include "core/ctx.h"
#include "path/choose.h"

struct devio_file {
	struct dv_endpoint base;
	uint64_t id;               /* dv_ctx_new_id() << 32: half of the key of its pairs */
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

#define DV_DIRECT_MAX (64u << 20) /* of one direct I/O; a multiple of every alignment */
#define DV_CACHE_MAX (1u << 20)   /* of one I/O by the page cache */

static inline bool dv_is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static inline struct devio_file *dv_file_of(const struct dv_op *op)
{
	return (struct devio_file *)op->end;
}

/* The file's half of an operation. */
static inline void dv_file_op_init(struct dv_op *op, struct devio_file *f, uint64_t off)
{
	op->end_id = f->id;
	op->want = f->flags;
	op->file.off = off;
	op->file.nr_edges = 0;
	op->file.dmabuf.buf = -1;
}

static inline struct devio_file *dv_file_get(struct devio_file *f)
{
	dv_endpoint_get(&f->base);
	return f;
}

static inline void dv_file_put(struct devio_file *f)
{
	dv_endpoint_put(&f->base);
}

/* A short file that is read into host memory: by the page cache, and setting up more would not repay. */
static inline bool dv_file_is_small_read(const struct devio_file *f, const struct devio_mem *m, uint64_t mem_off, uint64_t len)
{
	return f->small && !f->direct && !f->path && !f->flags && m->caps & DEVIO_MEM_HOST_PAGES &&
	       f->access != O_WRONLY && f->base.ctx == m->ctx && mem_off <= m->size && len <= m->size - mem_off;
}

/* Opens the O_DIRECT descriptor if it was not tried yet: 0 or -errno. Any thread. */
int dv_file_direct(struct devio_file *f);

/*
 * The open wants O_NONBLOCK (a pipe would block it), and regular files do not
 * care; but io_uring answers -EAGAIN on file systems that cannot read without
 * waiting. Takes it off then, which costs nothing where it never happens.
 */
void dv_file_let_wait(struct devio_file *f);

/* file/file.c */
/* Is [off, off + len) mostly in the page cache? */
bool dv_file_cached(const struct devio_file *f, uint64_t off, uint64_t len);
/* The last reference is gone. */
void dv_file_destroy(struct dv_endpoint *e);

/* file/endpoint.c */
extern const struct dv_endpoint_ops dv_file_endpoint_ops;

/* file/paths.c: the table, and dv_path.avoid of the paths through or into host memory: data in the page cache, short files. */
extern const struct dv_path *const dv_file_paths[];
extern const struct dv_path dv_path_file_dmabuf, dv_path_file_p2p, dv_path_file_host, dv_path_file_bounce,
	dv_path_file_buffered;

/* file/avoid.c */
uint8_t dv_file_avoid(struct dv_pair *pair, const struct dv_op *op);

/* file/submit.c */
/* The arguments of an operation: 0 and its length, or -errno with its sentence. */
int dv_file_check(const struct devio_ctx *ctx, const struct devio_io *io, uint64_t *len);
int dv_file_start(struct devio_ring *r, const struct devio_io *io);
void dv_file_advance(struct devio_ring *r, struct dv_op *op);
/* file/promote.c */
void dv_file_promote(struct devio_ring *r, struct dv_part *p);

/* file/plan.c */
/* Remembers how op is carried out, for those that are like it. */
void dv_plan_learn(struct devio_ring *r, const struct dv_op *op);
#define DV_FAR_OFFSET (3ULL << 62) /* offsets this far are checked at leisure */
/* A plan from before a fork() is void too. */
static inline unsigned int dv_plan_gen(const struct devio_ring *r)
{
	return r->plan_gen + (dv_fork_gen << 24);
}
/* Added on an application's io_uring, whose queue may be full: the hot path does not take such plans for its own. */
#define DV_PLAN_BORROWED (1u << 23)

/* file/io.c */
/* dv_part_get() for a file, without a registered buffer. */
struct dv_part *dv_io_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Hands the I/O to the queue, or keeps the part until there is room. */
void dv_io_queue(struct devio_ring *r, struct dv_part *p);

/* file/events.c */
void dv_file_event(struct devio_ring *r, struct dv_part *p, int res);
void dv_file_copied(struct devio_ring *r, struct dv_part *p, int err);

/* file/staged.c: one part through a staging buffer, or through the page cache alone. */
int dv_staged_issue(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, enum dv_mode mode,
		    uint64_t *took);

/* file/direct.c: the shared shape of paths that put bytes where they belong. */
int dv_direct_issue(struct devio_ring *r, struct dv_op *op);
uint8_t dv_direct_suits(const struct dv_op *op);

#endif
