/* SPDX-License-Identifier: MIT */
/**
 * Loading: items of a source into device memory, many reads in flight.
 *
 *   devio_source_read()   ranges to where the caller wants them, all at once
 *   devio_loader_*()      batch after batch through a bounded piece of memory
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

/** A range of a file of the source, and what became of it. */
struct devio_load_range {
	uint64_t off;      /* bytes, in the file */
	uint64_t len;      /* bytes */
	uint64_t mem_off;  /* where it goes */
	uint32_t file;     /* number of the file: devio_field.file */
	int32_t error;     /* out: 0 or -errno; this and what follows is as in a completion */
	uint16_t path;     /* out: enum devio_path, of several the least direct one */
	uint16_t best_unused;   /* out */
	uint16_t reason;   /* out: enum devio_reason */
	uint16_t flags;    /* out: DEVIO_DONE_* */
};

struct devio_read_opts {
	size_t sz;
	uint32_t max_read;  /* bytes of one read at most, a multiple of 4096; 8 MiB if 0 */
	uint32_t merge_gap; /* reads this many bytes between two ranges too, see below; 0: none */
	uint32_t depth;     /* reads in flight; 32 if 0; at most 4096 */
	uint32_t max_files; /* files open at once; 256 if 0 */
	int path;           /* enum devio_path of all of them, 0: the context's */
	unsigned int flags; /* DEVIO_FILE_DIRECT_ONLY, DEVIO_FILE_NO_CACHE */
};

/**
 * Reads nr ranges into mem and waits for all. Ranges that lie in the file as
 * they lie in the memory, no more than merge_gap bytes apart, become one read;
 * with a merge_gap the bytes of mem between them are overwritten. Nothing else
 * of mem is, but as devio_file_read() says. Long ranges become several reads.
 * Returns 0, or the first error of a range: the others are read all the same.
 * Thread safe; the ring is the call's own. Memory: 100 bytes a range.
 * Errors: -EINVAL, -ERANGE (out of the file or memory), -ENOMEM, -ESTALE (the
 * file is not the one that was opened), -ENODATA (it became shorter), those of
 * devio_file_open() and devio_file_read().
 */
DEVIO_API int devio_source_read(struct devio_ctx *ctx, const struct devio_source *source, struct devio_mem *mem,
				struct devio_load_range *ranges, uint64_t nr, const struct devio_read_opts *opts);

struct devio_loader;

struct devio_loader_opts {
	size_t sz;
	uint64_t mem_off;       /* the loader uses [mem_off, mem_off + budget) of the memory */
	uint64_t budget;        /* bytes; 0: to the end of the memory */
	uint64_t seed;          /* of the shuffle */
	uint32_t slots;         /* batches in the memory at once; 4 if 0; at most 4096 */
	uint32_t batch;         /* items of a batch at most (fewer if the slot is full); 64 if 0 */
	uint32_t shuffle_block; /* neighbours that stay together, and so are read together; 1 if 0 */
	uint32_t align;         /* a power of two: places in file and memory agree modulo it; 4096 if 0 */
	uint32_t max_read;      /* as in devio_read_opts */
	uint32_t merge_gap;     /* neighbours with up to this many bytes between them are one read; 4096 if 0 */
	uint32_t depth;         /* reads in flight; 64 if 0 */
	uint32_t max_files;     /* files open at once; 256 if 0 */
	uint32_t rank, world_size;    /* this process of how many; world_size 0 is 1 */
	uint32_t worker, num_workers; /* this worker of how many in the process; num_workers 0 is 1 */
	int path;               /* enum devio_path, 0: the context's */
	unsigned int flags;     /* DEVIO_LOADER_*; also DEVIO_FILE_DIRECT_ONLY and DEVIO_FILE_NO_CACHE */
};
#define DEVIO_LOADER_SHUFFLE   (1u << 16) /* a new order each epoch; else the order of the source */
#define DEVIO_LOADER_UNORDERED (1u << 17) /* batches as they come; else in their order */
#define DEVIO_LOADER_DROP_LAST (1u << 18) /* no batch of fewer than `batch` items at the end of an epoch */

/** A field of an item, in the memory. Fixed size; resv is zero. */
struct devio_item {
	uint64_t id;       /* the item's number in the source */
	uint64_t mem_off;  /* where its first byte lies in the memory */
	uint64_t len;      /* bytes */
	uint32_t field;    /* number of the field in the item */
	int32_t error;     /* 0, or -errno: its bytes are not there */
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
	const struct devio_item *items; /* fields of one item stand together. Valid until the release */
	uint64_t seq;      /* the batch's number in the epoch's order, from 0 */
	uint32_t nr;       /* of items[] */
	uint32_t failed;   /* of these with an error; devio_errmsg() tells of one */
	uint32_t slot;     /* for devio_loader_release() */
};

struct devio_loader_info {
	size_t sz;
	uint64_t items;      /* of this epoch, for this rank and worker */
	uint64_t slot_bytes; /* of memory for one batch */
	uint64_t reads;      /* reads that ended, since the opening; this and what follows */
	uint64_t read_bytes; /* bytes that they brought */
	uint64_t item_bytes; /* of these asked for by items of delivered batches */
	uint64_t batches;    /* delivered */
	uint32_t slots;
};

/**
 * Opens a loader of the source's items into mem, and starts epoch 0. It holds
 * ctx and source; mem is borrowed until it closes. The memory's bytes in the
 * budget are the loader's, those of a delivered batch until its release the
 * caller's. A loader belongs to one thread. opts may be NULL.
 * Errors: -EINVAL, -ERANGE, -ENOMEM, -EMSGSIZE (the largest item does not fit
 * in budget / slots; the sentence tells what would), those of devio_ring_open().
 */
DEVIO_API int devio_loader_open(struct devio_ctx *ctx, struct devio_source *source, struct devio_mem *mem,
				const struct devio_loader_opts *opts, struct devio_loader **loader);

/**
 * Waits for what is in flight, then closes. NULL is allowed. Batches not
 * released are gone: their bytes stay, their items[] do not.
 */
DEVIO_API void devio_loader_close(struct devio_loader *loader);

/**
 * Begins an epoch, passing over the first `skip` items of this part (to go on
 * where a run was cut off). What the last epoch had in flight is waited for and
 * dropped; batches that the caller holds stay his. The order depends on source,
 * options, seed and epoch alone; devio_loader(3) has the generator.
 * Errors: those of devio_ring_wait().
 */
DEVIO_API int devio_loader_start(struct devio_loader *loader, uint64_t epoch, uint64_t skip);

/**
 * The next batch (set batch->sz first): 1, or 0 at the end of the epoch. An item that
 * could not be read carries its errno and stops nothing. timeout_ns: < 0 waits
 * for ever. Errors, with nothing lost: -ETIMEDOUT, -EINTR, -EAGAIN (all slots
 * are with the caller: release one), those of devio_ring_wait().
 */
DEVIO_API int devio_loader_next(struct devio_loader *loader, struct devio_batch *batch, int64_t timeout_ns);

/** Gives a batch's memory back, in any order, and reads on. Errors: -EINVAL (no batch is out in that slot). */
DEVIO_API int devio_loader_release(struct devio_loader *loader, uint32_t slot);

/** Fills info (set info->sz first). */
DEVIO_API int devio_loader_get_info(const struct devio_loader *loader, struct devio_loader_info *info);

#ifdef __cplusplus
}
#endif
#endif
