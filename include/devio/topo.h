/* SPDX-License-Identifier: MIT */
/**
 * Topology: drives, file systems, GPUs and NICs, who reaches whom peer to
 * peer, and for a file and a memory which path can be taken, which cannot,
 * why, and what to do about it.
 *
 * A topology is a snapshot: it is read once in devio_topo_open() from sysfs
 * and proc, nothing is opened, loaded or tried, and it does not change. It may
 * be used by any number of threads. What cannot be read is left unknown (-1,
 * 0 or "") and told as a note. Strings and arrays in the structures belong to
 * the topology and live until devio_topo_close().
 *
 * The verdicts here are deductions. devio_file_explain() asks the paths
 * themselves, and a transfer is the only proof.
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
	 * NULL: this machine (sysfs below the context's sysfs_root). Else a
	 * directory with a captured machine: its sys, proc and dev. Files named
	 * to devio_topo_explain() are then names in that machine, not opened.
	 */
	const char *root;
	unsigned int flags; /* must be 0 */
};

/**
 * Reads the machine. opts may be NULL. A broken or partial tree gives what is
 * readable, plus notes. Errors: -ENOENT (no such root), -ENOMEM, -EINVAL, -E2BIG.
 */
DEVIO_API int devio_topo_open(struct devio_ctx *ctx, const struct devio_topo_opts *opts,
			      struct devio_topo **topo);

/** Frees it and every string that it gave; NULL is allowed. */
DEVIO_API void devio_topo_close(struct devio_topo *topo);

/** What devio_topo_count() counts; indices below run from 0 to count - 1. */
enum devio_topo_kind {
	DEVIO_TOPO_PCI,   /* PCI functions, sorted by address */
	DEVIO_TOPO_BLOCK, /* block devices, partitions and stacked ones too */
	DEVIO_TOPO_FS,    /* mounts, in the order of mountinfo */
	DEVIO_TOPO_GPU,   /* display and accelerator functions */
	DEVIO_TOPO_NIC,   /* network interfaces */
	DEVIO_TOPO_NOTE,  /* what could not be read, and what root would add */
};
DEVIO_API unsigned int devio_topo_count(const struct devio_topo *topo, enum devio_topo_kind kind);

/** Fill *info for index i (set info->sz first). Errors: -EINVAL (sz), -ERANGE (no such index). */
DEVIO_API int devio_topo_get_machine(const struct devio_topo *topo, struct devio_topo_machine *info);
DEVIO_API int devio_topo_get_pci(const struct devio_topo *topo, unsigned int i, struct devio_topo_pci *info);
DEVIO_API int devio_topo_get_block(const struct devio_topo *topo, unsigned int i,
				   struct devio_topo_block *info);
DEVIO_API int devio_topo_get_fs(const struct devio_topo *topo, unsigned int i, struct devio_topo_fs *info);
DEVIO_API int devio_topo_get_gpu(const struct devio_topo *topo, unsigned int i, struct devio_topo_gpu *info);
DEVIO_API int devio_topo_get_nic(const struct devio_topo *topo, unsigned int i, struct devio_topo_nic *info);

/** A note as a sentence; NULL past the last. */
DEVIO_API const char *devio_topo_get_note(const struct devio_topo *topo, unsigned int i);

/** "switch-down", "nvme-head", ...; "?" for an unknown number. Static. */
DEVIO_API const char *devio_pci_type_name(int type);
DEVIO_API const char *devio_block_kind_name(int kind);

/** The index of a PCI address ("0000:01:00.0", "01:00.0"), or -ENODEV, or -EINVAL. */
DEVIO_API int devio_topo_find_pci(const struct devio_topo *topo, const char *bdf);

/** "no", "yes", "unknown". Static. */
DEVIO_API const char *devio_can_name(int can);

/** Whether `client` (a drive) may reach memory of `provider`; both are indices of PCI functions. */
DEVIO_API int devio_topo_get_p2p(const struct devio_topo *topo, int provider, int client,
				 struct devio_topo_p2p *info);

/**
 * The verdict on `path` (enum devio_path, not AUTO) between a file (regular or
 * block device; a directory stands for files in it) and the memory that spec
 * names. bdf: the PCI address of that memory if the caller knows it
 * (devio_mem_info.bdf), else NULL. Only stats the file. Errors are of the
 * question, not of the path: -ENOENT, -EACCES, -ESPIPE (no such or no fitting
 * file), -EINVAL (spec or path).
 */
DEVIO_API int devio_topo_explain(const struct devio_topo *topo, const char *file, const char *spec,
				 const char *bdf, int path, struct devio_topo_verdict *info);

/** Where a file lies: indices of its mount (-1: a block device itself) and block device (-1 if none). */
DEVIO_API int devio_topo_find_file(const struct devio_topo *topo, const char *file, int *fs, int *block);

/**
 * The drives under a block device, through partitions, dm, md, loop and
 * multipath: fills up to max indices of block devices, returns how many there are.
 */
DEVIO_API int devio_topo_drives(const struct devio_topo *topo, unsigned int block, int *drives,
				unsigned int max);

#ifdef __cplusplus
}
#endif
#endif
