/* SPDX-License-Identifier: MIT */
/**
 * Loading items of a source into device memory, with many reads in flight.
 *
 *   devio_source_read()   reads a list of ranges into given places
 *   devio_loader_*()      delivers batches through a bounded range of memory
 *
 * Part of libdevio-load (pkg-config devio-load).
 */
#ifndef DEVIO_LOAD_H
#define DEVIO_LOAD_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/mem.h>
#include <devio/file.h>
#include <devio/source.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A range of a file of the source, and the outcome of reading it. */
struct devio_load_range {
	uint64_t off;      /* offset in the file, in bytes */
	uint64_t len;      /* bytes */
	uint64_t mem_off;  /* destination offset in the memory, in bytes */
	uint32_t file;     /* file number: devio_field.file */
	int32_t error;     /* out: 0 or -errno; this and the fields below are as in a completion */
	uint16_t path;     /* out: enum devio_path, of several reads the least direct one */
	uint16_t best_unused; /* out: enum devio_path */
	uint16_t reason;   /* out: enum devio_reason */
	uint16_t flags;    /* out: DEVIO_DONE_* */
};

struct devio_read_opts {
	size_t sz;
	uint32_t max_read;  /* maximum size of a read in bytes, a multiple of 4096; 8 MiB if 0 */
	uint32_t merge_gap; /* merge ranges up to this many bytes apart into one read, see below */
	uint32_t depth;     /* reads in flight; 32 if 0; up to 4096 */
	uint32_t max_files; /* files open at a time, with two descriptors each; 256 if 0 */
	int path;           /* enum devio_path for all reads, 0: the context's */
	unsigned int flags; /* DEVIO_FILE_DIRECT_ONLY, DEVIO_FILE_NO_CACHE */
	int (*interrupt)(void *arg); /* called when a signal interrupts a wait; non-zero: end, -EINTR */
	void *interrupt_arg;
	uint64_t *path_bytes; /* NULL, or DEVIO_PATH_MAX counters: the bytes of each read are added by its path */
	uint64_t *copied;     /* NULL, or a counter: bytes that went through host memory are added */
};

/**
 * Reads nr ranges into mem and waits for all of them. Ranges with the same layout in file
 * and memory, at most merge_gap bytes apart, are merged into one read, which then also
 * overwrites the bytes of mem between them. Nothing else of mem is written, except as
 * documented for devio_file_read(). Long ranges are split into several reads. Returns 0,
 * or the first error of a range; the other ranges are read nevertheless. ranges is
 * borrowed during the call; opts may be NULL. Thread safe; uses a ring of its own and
 * about 100 bytes of memory per range. Errors: -EINVAL, -E2BIG, -ERANGE (outside the file
 * or memory), -ENOMEM, -ESTALE (the file is not the one that was indexed, or was modified
 * while it was read), -ENODATA (it is shorter than its size says), -EINTR (interrupt()
 * returned non-zero), those of devio_file_open() and devio_file_read().
 */
DEVIO_API int devio_source_read(struct devio_ctx *ctx, const struct devio_source *source, struct devio_mem *mem,
				struct devio_load_range *ranges, uint64_t nr, const struct devio_read_opts *opts);

struct devio_loader;

struct devio_loader_opts {
	size_t sz;
	uint64_t mem_off;       /* the loader uses bytes [mem_off, mem_off + budget) of the memory */
	uint64_t budget;        /* bytes; 0: up to the end of the memory */
	uint64_t seed;          /* of the shuffle */
	uint32_t slots;         /* batches in memory at a time; 4 if 0; up to 4096 */
	uint32_t batch;         /* maximum number of items per batch (fewer if its slot is full); 64 if 0 */
	uint32_t shuffle_block; /* number of adjacent items shuffled, and read, as a block; 1 if 0 */
	uint32_t align;         /* a power of two: file and memory offsets are congruent modulo it; 4096 if 0 */
	uint32_t max_read;      /* as in devio_read_opts */
	uint32_t merge_gap;     /* merge items up to this many bytes apart into one read; 4096 if 0 */
	uint32_t depth;         /* reads in flight; 64 if 0 */
	uint32_t max_files;     /* as in devio_read_opts */
	uint32_t rank, world_size;    /* rank of this process among world_size; 0 means 1 */
	uint32_t worker, num_workers; /* number of this worker among num_workers in the process; 0 means 1 */
	int path;               /* enum devio_path, 0: the context's */
	unsigned int flags;     /* DEVIO_LOADER_*; also DEVIO_FILE_DIRECT_ONLY and DEVIO_FILE_NO_CACHE */
};
#define DEVIO_LOADER_SHUFFLE   (1u << 16) /* a new order in each epoch, instead of the source's */
#define DEVIO_LOADER_UNORDERED (1u << 17) /* deliver batches as they complete, instead of in order */
#define DEVIO_LOADER_DROP_LAST (1u << 18) /* drop an incomplete batch at the end of an epoch */

/** A field of an item, in the memory. The size is part of the ABI and never changes; resv is zero. */
struct devio_item {
	uint64_t id;       /* number of the item in the source */
	uint64_t mem_off;  /* offset of its first byte in the memory */
	uint64_t len;      /* bytes */
	uint32_t field;    /* number of the field in the item */
	int32_t error;     /* 0, or -errno: its bytes are not valid */
	uint16_t path;     /* as in a completion */
	uint16_t best_unused;
	uint16_t reason;
	uint16_t flags;
	uint64_t resv[3];
};
#ifdef __cplusplus
static_assert(sizeof(struct devio_item) == 64, "the item never changes its size");
#else
_Static_assert(sizeof(struct devio_item) == 64, "the item never changes its size");
#endif

struct devio_batch {
	size_t sz;
	const struct devio_item *items; /* fields of an item are adjacent. Valid until the batch is released */
	uint64_t seq;      /* number of the batch in the epoch's order, from 0 */
	uint32_t nr;       /* number of entries in items[] */
	uint32_t failed;   /* number of these with an error; devio_errmsg() describes one */
	uint32_t slot;     /* for devio_loader_release() */
};

struct devio_loader_info {
	size_t sz;
	uint64_t items;      /* number of items of this epoch for this rank and worker */
	uint64_t slot_bytes; /* memory for one batch, in bytes */
	uint64_t reads;      /* completed reads since the loader was opened, as are the counters below */
	uint64_t read_bytes; /* bytes read */
	uint64_t item_bytes; /* of these, bytes of items in delivered batches */
	uint64_t batches;    /* batches delivered */
	uint32_t slots;      /* number of slots */
};

/**
 * Opens a loader of the source's items into mem, and starts epoch 0. *loader is owned by
 * the caller and holds references to ctx and source; mem is borrowed until it is closed.
 * The memory in the budget belongs to the loader, that of a delivered batch to the caller
 * until its release. A loader belongs to one thread. opts may be NULL. Errors: -EINVAL,
 * -E2BIG, -ERANGE, -ENOMEM, -EMSGSIZE (the largest item does not fit in budget / slots;
 * the error message states the required budget), those of devio_ring_open().
 */
DEVIO_API int devio_loader_open(struct devio_ctx *ctx, struct devio_source *source, struct devio_mem *mem,
				const struct devio_loader_opts *opts, struct devio_loader **loader);

/**
 * Waits for the reads in flight and closes the loader; NULL is allowed. For batches not
 * released, items[] becomes invalid; their bytes in mem remain.
 */
DEVIO_API void devio_loader_close(struct devio_loader *loader);

/**
 * Starts an epoch, skipping the first `skip` items of this part (to resume an interrupted
 * run). Reads in flight for the previous epoch are waited for and discarded; batches owned
 * by the caller remain valid. The order depends only on source, options, seed and epoch;
 * the algorithm is in devio_loader(3). Errors: those of devio_ring_wait().
 */
DEVIO_API int devio_loader_start(struct devio_loader *loader, uint64_t epoch, uint64_t skip);

/**
 * Returns 1 and the next batch (set batch->sz first), or 0 at the end of the epoch. An
 * item that could not be read has its error set; this does not stop the loader.
 * timeout_ns in nanoseconds, < 0: none. Errors, after which the call can be repeated:
 * -ETIMEDOUT, -EINTR, -EAGAIN (the caller owns all slots: release one), those of
 * devio_ring_wait().
 */
DEVIO_API int devio_loader_next(struct devio_loader *loader, struct devio_batch *batch, int64_t timeout_ns);

/** Releases a batch, in any order, and starts further reads. Errors: -EINVAL (the slot has no delivered batch). */
DEVIO_API int devio_loader_release(struct devio_loader *loader, uint32_t slot);

/** Fills info (set info->sz first). Errors: -EINVAL (sz). */
DEVIO_API int devio_loader_get_info(const struct devio_loader *loader, struct devio_loader_info *info);

#ifdef __cplusplus
}
#endif
#endif
