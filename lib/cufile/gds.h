/* SPDX-License-Identifier: MIT */
/* What the files of libcufile share: the driver's state, handles, registrations, and how errors become cuFile's. */
#ifndef DV_CUFILE_GDS_H
#define DV_CUFILE_GDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <devio.h>
#include "cufile/conf.h"
#include "cufile/cufile.h"
#include "cufile/table.h"
#include "cufile/usage.h"

/* Where the memory of a process begins: page 0 is nobody's. */
#define DV_HOST_BASE 4096UL

#define GDS_API __attribute__((visibility("default")))

/* A registered file. */
struct dv_handle {
	_Atomic unsigned int refs;
	struct devio_file *file;
	unsigned int session;      /* dv_gds.session when it was registered */
	int fd;                    /* the application's, by which a second registration is found */
	dev_t dev;
	ino_t ino;
	struct dv_usage *usage;    /* NULL: nothing is counted; owned by lib/cufile/usage.c */
	struct dv_handle *next;    /* of those that are dropped */
};

/* Registered memory, or memory that was found by a pointer. */
struct dv_reg {
	_Atomic unsigned int refs;
	uint64_t base, len;
	uint64_t reach;            /* the furthest end of this and all that begin before it */
	struct devio_mem *mem;
	uint64_t mem_off;          /* of base in mem */
	struct dv_reg *host;       /* whose memory is used; NULL: mem is this one's own */
	uint64_t id;               /* of the allocation, where it was found by a pointer */
	int gpu;                   /* -1: host memory */
	unsigned int session;
};

/* Sorted by base. */
struct dv_regs {
	struct dv_reg **v;
	size_t nr, room;
};

struct dv_async;

/* The driver, one for the process. */
struct dv_gds {
	pthread_rwlock_t lock;     /* of everything below but `conf`; taken for reading by each transfer */
	struct devio_ctx *ctx;     /* NULL: closed */
	long uses;
	unsigned int session;      /* how often it was opened */
	struct dv_table handles, batches;
	struct dv_async *async;    /* NULL: no transfer on a stream yet */
	int *by_fd;                /* index into handles + 1, by the application's descriptor */
	int nr_fds;
	struct dv_regs regs;
	struct dv_regs found;      /* unregistered device memory, by pointer */
	struct dv_reg *host;       /* all memory of this process that is no device's */
};
extern struct dv_gds dv_gds;

/* Errors (state.c). */
static inline struct gds_error dv_ok(void)
{
	return (struct gds_error){ 0, 0 };
}
/* Logs devio_errmsg() or what is said here, and returns the status. */
struct gds_error dv_status(int code, const char *what);
/* The same for -errno of libdevio, whose message is logged. */
struct gds_error dv_status_errno(int err, int otherwise, const char *what);
/* The cuFile code for a failed transfer, or 0: it is the file's own errno. */
int dv_transfer_code(int err, unsigned int reason);
/* -(5000 + n) with errno set, or -1 with errno, as Read and Write return it. */
ssize_t dv_transfer_error(int err, unsigned int reason);

/* How often a call opens the driver that another thread closes meanwhile. */
#define DV_TRIES 1000

/* Opens the driver if it is closed. (open.c) */
struct gds_error dv_open_driver(bool count);

/* Tables of what the application holds (handle.c, buffer.c). With the lock held. */
void dv_handle_free(struct dv_handle *h);

static inline void dv_handle_put(struct dv_handle *h)
{
	if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
		dv_handle_free(h);
}

/* All of them, out of the table: a list for dv_handle_put_all(), without the lock. */
struct dv_handle *dv_handle_take_all(void);
void dv_handle_put_all(struct dv_handle *h);

static inline struct dv_reg *dv_reg_get(struct dv_reg *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}
void dv_reg_free(struct dv_reg *r);

static inline void dv_reg_put(struct dv_reg *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		dv_reg_free(r);
}

/* The same for memory: the caller puts each, and frees the arrays. */
void dv_reg_take_all(struct dv_regs *regs, struct dv_regs *found, struct dv_reg **host);
void dv_reg_put_all(struct dv_regs *s);

#endif
