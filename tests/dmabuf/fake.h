/* SPDX-License-Identifier: MIT */
/*
 * A test double of the kernel interface for dma-bufs as io_uring fixed buffers
 * (posted upstream, v7), for kernels that lack it. Linked with --wrap: registrations
 * are kept here, a "dma-buf" is a memfd, and READ_FIXED/WRITE_FIXED on one
 * becomes READ/WRITE on its mapping, after the checks that the kernel makes.
 * An error is a NOP whose result is rewritten in the completion queue.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <devio/mem.h>

#define FAKE_HOLES 16

struct fake {
	bool absent;               /* as a kernel without the interface: -EINVAL */
	bool no_table;             /* -ENXIO: no buffer table */
	int reg_err;               /* -errno of each registration, 0: by the rules */
	int io_err;                /* -errno of each I/O */
	unsigned int io_err_left;  /* that many I/Os fail, then none */
	unsigned int eagain;       /* of 1000 I/Os that many end with a spurious -EAGAIN */
	unsigned int shorts;       /* of 1000 that many are short */
	bool real_holes;           /* -EOPNOTSUPP where the file has no blocks */
	struct { uint64_t off, len; } hole[FAKE_HOLES]; /* and here */
	unsigned int nr_holes;
	/* what happened */
	unsigned int probes;       /* empty descriptors */
	unsigned int tried;        /* registrations, refused ones too */
	unsigned int live, peak;   /* registrations that exist now, and at most */
	unsigned int ios;          /* carried out */
	unsigned int wrong;        /* -EBADF, -EFAULT, -EINVAL: the library broke a rule */
	unsigned int injected;     /* -EAGAIN, shorts, holes, io_err */
	unsigned int mems;         /* memories of fake_mem() not freed yet */
};
extern struct fake fake;

/* Forgets settings and counts (not registrations); seed of what is random. */
void fake_reset(uint64_t seed);

/* I/O on that memory's dma-buf: -EREMOTEIO from now on, and a new registration -ENXIO. */
void fake_revoke(struct devio_mem *m);

/*
 * A memory of `size` bytes at byte `off` of a "dma-buf". With `map` the CPU
 * reaches it (as it does host memory), else only the copies do.
 */
int fake_mem(struct devio_ctx *ctx, uint64_t size, uint64_t off, bool map, struct devio_mem **mem);

#endif
