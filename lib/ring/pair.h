/* SPDX-License-Identifier: MIT */
/* What a ring knows about one file or stream and one memory. */
#ifndef DV_RING_PAIR_H
#define DV_RING_PAIR_H

#include "core/outcome.h"
#include "ring/engine.h"

#define DV_PAIRS 64

/* How the usual operation of a file and a memory is carried out: lib/file/fast.c. */
struct dv_plan {
	unsigned int gen;          /* void unless it is the ring's plan_gen */
	struct dv_frame frame;     /* the kernel's operation, descriptor and buffer */
	uint64_t base;             /* kernel's address of byte 0 of the memory */
	uint64_t off_mask;         /* bits that must be 0 in offsets and lengths */
	uint64_t mem_mask;         /* and in addresses */
	uint64_t max_len;          /* no longer than the memory */
	struct dv_outcome outcome;
	bool ask_cache;            /* the choice depends on the page cache: ask again now and then */
	struct dv_use *use;        /* of the registered buffer */
};

/* A file's half of a pair. */
struct dv_pair_file {
	struct dv_plan plan[2];    /* of reads and writes */
	bool hot;                  /* the data was in the page cache ... */
	int64_t hot_left;          /* ... and so many bytes until the kernel is asked again */
	struct {
		int buf;           /* file-dmabuf: slot of the buffer table at last, */
		uint64_t off;      /* and where byte 0 of the memory is in the dma-buf */
	} dmabuf;
};

struct dv_pair {
	uint64_t key;              /* dv_pair_key() */
	uint16_t known, can;       /* bit: 1 << enum devio_path */
	uint16_t refused;          /* by the kernel, too often to try again */
	uint8_t refusals[DEVIO_PATH_MAX]; /* by the kernel, of operations in a row */
	uint8_t why[DEVIO_PATH_MAX];
	struct dv_pair_file file;
};

/* id: of the file or stream; the context numbers them all. */
static inline uint64_t dv_pair_key(uint64_t id, const struct devio_mem *m)
{
	return id | m->id;
}

static inline struct dv_pair *dv_pair_slot(struct devio_ring *r, uint64_t id, const struct devio_mem *m)
{
	return &r->pairs[((id >> 32) + m->id * 31) % DV_PAIRS];
}

/* The pair of op's endpoint and memory, emptied if the place was another's. */
struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op);

#endif
