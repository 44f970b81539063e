/* SPDX-License-Identifier: MIT */
/* Internals of the topology: a snapshot, filled by one reader per kind of object. */
#ifndef DV_TOPO_H
#define DV_TOPO_H

#include <stdbool.h>
#include <devio/topo.h>
#include "topo/parse.h"

struct dv_topo_text;

struct devio_topo {
	struct devio_ctx *ctx;
	char *root;                    /* "" or the captured machine's directory */
	char *sys;                     /* where sysfs is */
	bool captured;                 /* a captured machine: files are not accessed */
	int err;                       /* the first -ENOMEM while reading */
	struct dv_topo_text *texts;    /* all strings and arrays, freed together */
	struct devio_topo_machine machine;
	struct devio_topo_pci *pci;
	struct devio_topo_block *block;
	struct devio_topo_fs *fs;
	struct devio_topo_gpu *gpu;
	struct devio_topo_nic *nic;
	const char **note;
	unsigned int nr_pci, nr_block, nr_fs, nr_gpu, nr_nic, nr_note;
};

/*
 * Memory with the lifetime of the topology. When out of memory, t->err is set and the
 * text is "", so that readers need not check every call.
 */
const char *dv_topo_text(struct devio_topo *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *dv_topo_alloc(struct devio_topo *t, size_t size);
void dv_topo_free_texts(struct devio_topo *t);

/* Appends a zeroed element of size bytes to *array, which has *n; NULL if out of memory. */
void *dv_topo_add(struct devio_topo *t, void *array, unsigned int *n, size_t size);

void dv_topo_note(struct devio_topo *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The readers, in this order: each uses the results of the earlier ones. */
void dv_topo_read_machine(struct devio_topo *t);
void dv_topo_read_pci(struct devio_topo *t);
void dv_topo_read_iommu(struct devio_topo *t);
void dv_topo_read_block(struct devio_topo *t);
void dv_topo_read_mounts(struct devio_topo *t);
void dv_topo_link_loops(struct devio_topo *t);
void dv_topo_read_gpus(struct devio_topo *t);
void dv_topo_read_nics(struct devio_topo *t);

/* Adds device i to the devices that b is stacked on; no effect if i < 0 (topo/block.c). */
void dv_topo_add_lower(struct devio_topo *t, struct devio_topo_block *b, int i);
/* The last PCI function in a path such as devices/pci0000:00/0000:00:01.0/..., -1 if none. */
int dv_topo_pci_of_path(const struct devio_topo *t, const char *path);
int dv_topo_find_block(const struct devio_topo *t, const char *name);
int dv_topo_find_devt(const struct devio_topo *t, uint32_t major, uint32_t minor);
/* The block device of the node "/dev/...", -1 if none. */
int dv_topo_find_node(const struct devio_topo *t, const char *node);
/* The mount of an absolute path, by name only, -1 if none. */
int dv_topo_find_mount(const struct devio_topo *t, const char *path);

#define DV_KERNEL(a, b) ((a) << 16 | (b) << 8)

#endif
