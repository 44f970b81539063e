/* SPDX-License-Identifier: MIT */
/**
 * Topology: drives, file systems, GPUs and NICs, peer-to-peer reachability, and
 * which paths can be used between a file and a memory, which cannot, why, and
 * how to fix it.
 *
 * A topology is a snapshot, read once by devio_topo_open() from sysfs and procfs
 * without opening devices, loading libraries or performing I/O. It does not
 * change and may be used by any number of threads. What cannot be read is set to
 * unknown (-1, 0 or "") and reported in a note. Strings and arrays in the
 * structures are owned by the topology and valid until devio_topo_close().
 *
 * The verdicts are deduced. devio_file_explain() queries the paths themselves,
 * and only a transfer is proof.
 */
#ifndef DEVIO_TOPO_H
#define DEVIO_TOPO_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/topo_info.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_topo;

struct devio_topo_opts {
	size_t sz;
	/*
	 * NULL: this machine (with the context's sysfs_root). Otherwise a directory
	 * with the sys, proc and dev of a captured machine; file names are then names
	 * in that machine, and the files are not accessed. Borrowed during the call.
	 */
	const char *root;
	unsigned int flags; /* must be 0 */
};

/**
 * Reads the machine; *topo is owned by the caller and holds a reference to ctx. opts
 * may be NULL. From a broken or incomplete tree, as much as possible is read, and the
 * rest is reported in notes. Errors: -ENOENT (no sysfs below the root), -EACCES,
 * -ENOMEM, -EINVAL, -E2BIG, -ECHILD (ctx was opened before fork()).
 */
DEVIO_API int devio_topo_open(struct devio_ctx *ctx, const struct devio_topo_opts *opts,
			      struct devio_topo **topo);

/** Frees the topology and all its strings; NULL is allowed. */
DEVIO_API void devio_topo_close(struct devio_topo *topo);

/** Kinds of objects; indices run from 0 to devio_topo_count() - 1. */
enum devio_topo_kind {
	DEVIO_TOPO_PCI,   /* PCI functions, sorted by address */
	DEVIO_TOPO_BLOCK, /* block devices, including partitions and stacked devices */
	DEVIO_TOPO_FS,    /* mounts, in the order of mountinfo */
	DEVIO_TOPO_GPU,   /* display and accelerator functions */
	DEVIO_TOPO_NIC,   /* network interfaces */
	DEVIO_TOPO_NOTE,  /* what could not be read, and what only root can read */
};

/** The number of objects of a kind. */
DEVIO_API unsigned int devio_topo_count(const struct devio_topo *topo, enum devio_topo_kind kind);

/** Fills *info for index i (set info->sz first). Errors: -EINVAL (sz), -ERANGE (index out of range). */
DEVIO_API int devio_topo_get_machine(const struct devio_topo *topo, struct devio_topo_machine *info);
DEVIO_API int devio_topo_get_pci(const struct devio_topo *topo, unsigned int i, struct devio_topo_pci *info);
DEVIO_API int devio_topo_get_block(const struct devio_topo *topo, unsigned int i,
				   struct devio_topo_block *info);
DEVIO_API int devio_topo_get_fs(const struct devio_topo *topo, unsigned int i, struct devio_topo_fs *info);
DEVIO_API int devio_topo_get_gpu(const struct devio_topo *topo, unsigned int i, struct devio_topo_gpu *info);
DEVIO_API int devio_topo_get_nic(const struct devio_topo *topo, unsigned int i, struct devio_topo_nic *info);

/** Note i as a sentence, owned by the topology; NULL if the index is out of range. */
DEVIO_API const char *devio_topo_get_note(const struct devio_topo *topo, unsigned int i);

/** Name of an enum devio_pci_type ("switch-down", ...); "?" if unknown. Static. */
DEVIO_API const char *devio_pci_type_name(int type);

/** Name of an enum devio_block_kind ("nvme-head", ...); "?" if unknown. Static. */
DEVIO_API const char *devio_block_kind_name(int kind);

/** The index of a PCI function by address ("0000:01:00.0" or "01:00.0"). Errors: -ENODEV, -EINVAL. */
DEVIO_API int devio_topo_find_pci(const struct devio_topo *topo, const char *bdf);

/** Name of an enum devio_can: "no", "yes", "unknown"; "?" if out of range. Static. */
DEVIO_API const char *devio_can_name(int can);

/**
 * Whether `client` (a drive, a NIC) can access the memory of `provider` peer to peer; both
 * are indices of PCI functions. Set info->sz first. Errors: -ERANGE, -EINVAL (sz).
 */
DEVIO_API int devio_topo_get_p2p(const struct devio_topo *topo, int provider, int client,
				 struct devio_topo_p2p *info);

/**
 * The verdict on `path` (DEVIO_PATH_FILE_*) between a file (regular file, block device,
 * or a directory, which represents the files in it) and the memory `spec`. bdf: the PCI
 * address of that memory if known (devio_mem_info.bdf), otherwise NULL. Only stats the
 * file. Set info->sz first. Errors in the arguments, not of the path: -ENOENT, -EACCES,
 * -ESPIPE (not a suitable file), -EINVAL (spec, path or sz).
 */
DEVIO_API int devio_topo_explain(const struct devio_topo *topo, const char *file, const char *spec,
				 const char *bdf, int path, struct devio_topo_verdict *info);

/**
 * Finds the mount of a file (*fs: its index, -1 for a block device itself) and its block
 * device (*block: its index, -1 if none). Errors: -EINVAL, -ENOENT, -EACCES, -ESPIPE.
 */
DEVIO_API int devio_topo_find_file(const struct devio_topo *topo, const char *file, int *fs, int *block);

/**
 * The drives below a block device, following partitions, dm, md, loop and multipath:
 * stores up to max indices of block devices and returns the total number of drives.
 * Errors: -ERANGE, -ENOMEM.
 */
DEVIO_API int devio_topo_drives(const struct devio_topo *topo, unsigned int block, int *drives,
				unsigned int max);

#ifdef __cplusplus
}
#endif
#endif
