/* SPDX-License-Identifier: MIT */
/*
 * The ways that bytes can go: an ordered table, best first. A path says
 * whether it can, and why not; the choice is made here and nowhere else.
 */
#ifndef DV_PATH_H
#define DV_PATH_H

#include "ring/engine.h"
#include "file/file.h"
#include "sock/sock.h"

/* How the usual operation of a pair goes: see lib/fast.c. */
struct dv_plan {
	unsigned int gen;          /* void unless it is the ring's plan_gen */
	struct dv_frame frame;     /* the kernel's operation, descriptor and buffer */
	uint64_t base;             /* kernel's address of byte 0 of the memory */
	uint64_t off_mask;         /* bits that must be 0 in offsets and lengths */
	uint64_t mem_mask;         /* and in addresses */
	uint64_t max_len;          /* no longer than the memory */
	struct dv_told told;
	bool ask_cache;            /* the choice depends on the page cache: look again now and then */
	struct dv_use *use;        /* of the registered buffer */
};

/* What a ring knows about one file or connection and one memory. */
struct dv_pair {
	uint64_t key;              /* dv_pair_key() */
	uint16_t known, can;       /* bit: 1 << enum devio_path */
	uint16_t refused;          /* by the kernel, too often to try again */
	uint8_t strikes[DEVIO_PATH_MAX]; /* refusals in a row of operations */
	uint8_t why[DEVIO_PATH_MAX];
	struct dv_plan plan[2];    /* of reads and writes */
	bool hot;                  /* the data was in the page cache ... */
	int64_t hot_left;          /* ... and bytes to go until we look again */
	int buf;                   /* file-dmabuf: slot of the buffer table at last */
	uint64_t dmabuf_off;
};

struct dv_path {
	const char *name;
	enum devio_path id;
	bool direct;               /* no copy through host memory */
	bool piecewise;            /* the kernel gives several answers to a request: lib/sock/zcrx_flow.c */
	/* Can it serve op's endpoint and memory at all? Called once per pair. 0, or -errno and *why. */
	int (*can)(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why);
	/* Is this operation of a shape that it serves? 0 or the reason against it. */
	uint8_t (*suits)(const struct dv_op *op);
	/* Gives the next part from op->issued on to the kernel: 0, -EAGAIN (wait), -errno. */
	int (*issue)(struct devio_ring *r, struct dv_op *op);
	/* Connections: the kernel's step for a part, if it is not a plain receive or send. */
	void (*frame)(struct dv_part *p, struct dv_net *n);
	/* Received: n bytes of the part are here; puts them where they belong: how many the CPU copied, or -errno: all are lost. */
	int (*landed)(struct devio_ring *r, struct dv_part *p, uint32_t n);
	/* Does this error of the kernel mean "not this way" (and not "the data is lost")? */
	bool (*refusal)(int err);
};

extern const struct dv_path dv_path_file_dmabuf, dv_path_file_p2p, dv_path_file_host, dv_path_file_bounce,
	dv_path_file_buffered, dv_path_sock_devmem, dv_path_sock_zcrx, dv_path_sock_host, dv_path_sock_bounce;

/* Of files and of connections; best first, NULL at the end. */
extern const struct dv_path *const dv_path_table[], *const dv_path_sock_table[];

static inline const struct dv_path *const *dv_paths_of(const struct dv_op *op)
{
	return op->sock ? dv_path_sock_table : dv_path_table;
}

#define DV_DIRECT_MAX (64u << 20) /* of one direct I/O; a multiple of every alignment */
#define DV_CACHE_MAX (1u << 20)   /* of one I/O by the page cache */

/* id: of the file or connection; the context numbers them all. */
static inline uint64_t dv_pair_key(uint32_t id, const struct devio_mem *m)
{
	return (uint64_t)id << 32 | m->id;
}

static inline struct dv_pair *dv_pair_slot(struct devio_ring *r, uint32_t id, const struct devio_mem *m)
{
	return &r->pairs[(id + m->id * 31) % DV_PAIRS];
}

struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op);

/* Fills why and returns whether the path can serve op's pair. */
bool dv_pair_can(struct devio_ring *r, struct dv_pair *pair, const struct dv_path *p, const struct dv_op *op);

/* Sets op->path, better, reason. -errno: none is left; op->fail_reason says why. */
int dv_path_choose(struct devio_ring *r, struct dv_op *op, int want);

/* The kernel refused op's path: remember it for the pair; it took it: forget that. */
void dv_path_refused(struct devio_ring *r, struct dv_op *op, const struct dv_path *p);
void dv_path_worked(struct devio_ring *r, const struct dv_op *op);

/* lib/ring/op.c: the memory at byte x of the operation, and how many bytes follow in that range. */
struct devio_mem *dv_op_at(struct dv_op *op, uint64_t x, uint64_t *mem_off, uint64_t *left);

/* lib/file/staged.c: one part through a slot, or through the page cache alone. */
int dv_staged_issue(struct devio_ring *r, struct dv_op *op, uint64_t x, uint64_t len, enum dv_way way,
		    uint64_t *took);

/* lib/file/direct.c: the shared shape of paths that put bytes where they belong. */
int dv_direct_issue(struct devio_ring *r, struct dv_op *op);
uint8_t dv_direct_suits(const struct dv_op *op);

#endif
