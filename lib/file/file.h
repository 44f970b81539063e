/* SPDX-License-Identifier: MIT */
/* Internals of files. */
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
	uint64_t id;               /* dv_ctx_new_id() */
	atomic_bool closed;        /* devio_file_close() was called: caches drop their references */
	atomic_bool registered;    /* has been in a ring's registration cache */
	int fd;                    /* for I/O through the page cache */
	int access;                /* O_RDONLY, O_WRONLY, O_RDWR */
	int path;                  /* enum devio_path, default of operations */
	unsigned int flags;        /* DEVIO_FILE_* */
	atomic_bool nonblock;      /* fd still has O_NONBLOCK: see dv_file_clear_nonblock() */
	bool is_block;
	uint64_t capacity;         /* of a block device, when it was opened */
	dev_t dev;                 /* the device of its data, according to stat(2) */
	_Atomic uint64_t end;      /* size of a regular file when last queried; no limit for a block device */
	bool small;                /* was short when opened: setting up O_DIRECT does not pay off */

	pthread_mutex_t lock;      /* protects the initialization of the fields below */
	_Atomic int direct;        /* 0: not tried, 1: dfd works, < 0: -errno */
	int dfd;                   /* opened with O_DIRECT, valid if direct is 1 */
	uint32_t mem_align;        /* O_DIRECT alignment of addresses */
	uint32_t off_align;        /* of offsets and lengths */
	uint32_t write_align;      /* of writes: they must not share a page with writes through the page cache */
};

#define DV_DIRECT_MAX (64u << 20) /* bytes of one direct I/O; a multiple of every alignment */
#define DV_CACHE_MAX (1u << 20)   /* bytes of one I/O through the page cache */

static inline bool dv_is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static inline struct devio_file *dv_file_of(const struct dv_op *op)
{
	return (struct devio_file *)op->end;
}

/* Initializes the file-specific fields of an operation. */
static inline void dv_file_op_init(struct dv_op *op, struct devio_file *f, uint64_t off)
{
	op->end_id = f->id;
	op->want = f->flags;
	op->file.off = off;
	op->file.end = UINT64_MAX;
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

/* A read of a short file into host memory: uses the page cache, since setting up O_DIRECT would not pay off. */
static inline bool dv_file_is_small_read(const struct devio_file *f, const struct devio_mem *m, uint64_t mem_off,
					 uint64_t len)
{
	return f->small && !f->direct && !f->path && !f->flags && m->caps & DEVIO_MEM_HOST_PAGES &&
	       f->access != O_WRONLY && f->base.ctx == m->ctx && mem_off <= m->size && len <= m->size - mem_off;
}

/* Opens the O_DIRECT descriptor, unless tried before: 0 or -errno. Thread safe. */
int dv_file_direct(struct devio_file *f);

/*
 * Files are opened with O_NONBLOCK, so that opening a pipe cannot block. It has no effect
 * on regular files, except that io_uring returns -EAGAIN on file systems that cannot read
 * without blocking. This clears the flag after the first -EAGAIN.
 */
void dv_file_clear_nonblock(struct devio_file *f);

/* file/file.c */
/*
 * The size of the file if that is less than `want`, which is queried then; else what is known of it. Direct I/O stays
 * in front of it: behind the end of a file it would overwrite memory up to the length asked for.
 */
uint64_t dv_file_end(struct devio_file *f, uint64_t want);
/* Is [off, off + len) mostly in the page cache? */
bool dv_file_cached(const struct devio_file *f, uint64_t off, uint64_t len);
/* Called when the last reference is dropped. */
void dv_file_destroy(struct dv_endpoint *e);

/* file/endpoint.c */
extern const struct dv_endpoint_ops dv_file_endpoint_ops;

/* file/paths.c: the path table. */
extern const struct dv_path *const dv_file_paths[];
extern const struct dv_path dv_path_file_dmabuf, dv_path_file_p2p, dv_path_file_host, dv_path_file_bounce,
	dv_path_file_buffered;

/* file/avoid.c: dv_path.avoid of O_DIRECT paths through or into host memory: cached data, short files. */
uint8_t dv_file_avoid(struct dv_pair *pair, const struct dv_op *op);

/* file/submit.c */
/* Checks the arguments of an operation: 0 and its length, or -errno with an error message. */
int dv_file_check(const struct devio_ctx *ctx, const struct devio_io *io, uint64_t *len);
int dv_file_start(struct devio_ring *r, const struct devio_io *io);
void dv_file_advance(struct devio_ring *r, struct dv_op *op);
/* file/promote.c */
void dv_file_promote(struct devio_ring *r, struct dv_part *p);

/* file/plan.c */
/* Stores how op is executed as the plan for similar operations. */
void dv_plan_learn(struct devio_ring *r, const struct dv_op *op);
#define DV_FAR_OFFSET (1ULL << 62) /* offsets from here on take the slow path, which checks them */

/* file/io.c */
/* dv_part_get() for a file, initialized without a registered buffer. */
struct dv_part *dv_io_get(struct devio_ring *r, struct dv_op *op, uint64_t x, uint32_t take);
/* Queues the I/O, or defers the part until the queue has room. */
void dv_io_queue(struct devio_ring *r, struct dv_part *p);

/* file/events.c */
void dv_file_event(struct devio_ring *r, struct dv_part *p, int res);
void dv_file_copied(struct devio_ring *r, struct dv_part *p, int err);

/* file/staged.c: issues one part through a staging buffer, or through the page cache only. */
int dv_staged_issue(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, enum dv_mode mode,
		    uint64_t *taken);

/* file/direct.c: common code of the direct paths. */
int dv_direct_issue(struct devio_ring *r, struct dv_op *op);
uint8_t dv_direct_suits(const struct dv_op *op);

#endif
