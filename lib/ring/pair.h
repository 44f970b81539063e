/* SPDX-License-Identifier: MIT */
/* A ring's cached state for a pair of a file or stream and a memory. */
#ifndef DV_RING_PAIR_H
#define DV_RING_PAIR_H

#include "core/outcome.h"
#include "ring/engine.h"

#define DV_PAIRS 64

/* How the common kind of operation on a file and a memory is executed: lib/file/fast.c. */
struct dv_plan {
	unsigned int gen;          /* valid if equal to dv_plan_gen() */
	struct dv_frame frame;     /* SQE template: opcode, descriptor and buffer */
	uint64_t base;             /* address of byte 0 of the memory, as the kernel expects it */
	uint64_t off_mask;         /* bits that must be 0 in offsets and lengths */
	uint64_t mem_mask;         /* bits that must be 0 in addresses */
	uint64_t max_len;          /* at most the size of the memory, and end */
	uint64_t end;              /* offset behind the last byte; at most 2^62 */
	struct dv_outcome outcome;
	bool ask_cache;            /* the choice depends on the page cache: query it periodically */
	struct dv_use *use;        /* usage of the registered buffer */
};

/* The file-specific fields of a pair. */
struct dv_pair_file {
	struct dv_plan plan[2];    /* of reads and writes */
	bool hot;                  /* the data was in the page cache when last queried */
	int64_t hot_left;          /* bytes left until the page cache is queried again */
	struct {
		int buf;           /* file-dmabuf: buffer table slot used last */
		uint64_t off;      /* offset of byte 0 of the memory in the dma-buf */
	} dmabuf;
};

struct dv_pair {
	uint64_t key;              /* dv_pair_key() */
	uint16_t known, can;       /* bit: 1 << enum devio_path */
	uint16_t refused;          /* refused by the kernel too often to try again */
	uint8_t refusals[DEVIO_PATH_MAX]; /* consecutive operations refused by the kernel */
	uint8_t why[DEVIO_PATH_MAX]; /* enum devio_reason if it cannot be used */
	struct dv_pair_file file;
};

/* id: of the file or stream, in the upper 32 bits. */
static inline uint64_t dv_pair_key(uint64_t id, const struct devio_mem *m)
{
	return id | m->id;
}

static inline struct dv_pair *dv_pair_slot(struct devio_ring *r, uint64_t id, const struct devio_mem *m)
{
	return &r->pairs[((id >> 32) + m->id * 31) % DV_PAIRS];
}

/* The pair of op's endpoint and memory; cleared if the slot was in use for another pair. */
struct dv_pair *dv_pair_get(struct devio_ring *r, const struct dv_op *op);

#endif
