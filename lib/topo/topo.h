/* SPDX-License-Identifier: MIT */
/* The topology's inside: one snapshot, filled by a reader per stage. */
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
	bool captured;                 /* files are names only: no stat, no access() */
	int err;                       /* the first -ENOMEM while reading */
	struct dv_topo_text *texts;    /* every string and array, freed at once */
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
 * Memory that lives as long as the topology. Out of memory: t->err is set
 * and text is "", so that the readers need not check each time.
 */
const char *dv_topo_text(struct devio_topo *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *dv_topo_alloc(struct devio_topo *t, size_t size);
void dv_topo_free_texts(struct devio_topo *t);

/* Appends a zeroed element of size bytes to *array of *n; NULL when out of memory. */
void *dv_topo_add(struct devio_topo *t, void *array, unsigned int *n, size_t size);

void dv_topo_note(struct devio_topo *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The readers, in this order: each uses what the ones before found. */
void dv_topo_read_machine(struct devio_topo *t);
void dv_topo_read_pci(struct devio_topo *t);
void dv_topo_read_iommu(struct devio_topo *t);
void dv_topo_read_block(struct devio_topo *t);
void dv_topo_read_mounts(struct devio_topo *t);
void dv_topo_link_loops(struct devio_topo *t);
void dv_topo_read_gpus(struct devio_topo *t);
void dv_topo_read_nics(struct devio_topo *t);

/* topo/block.c: device i becomes one of those that b is made of; i < 0: nothing. */
void dv_topo_add_lower(struct devio_topo *t, struct devio_topo_block *b, int i);
/* The last PCI function in a path such as devices/pci0000:00/0000:00:01.0/..., -1 if none. */
int dv_topo_pci_of_path(const struct devio_topo *t, const char *path);
int dv_topo_find_block(const struct devio_topo *t, const char *name);
int dv_topo_find_devt(const struct devio_topo *t, uint32_t major, uint32_t minor);
/* The device that "/dev/..." names, -1 if none. */
int dv_topo_find_node(const struct devio_topo *t, const char *node);
/* The mount over an absolute path by its name alone, -1 if none. */
int dv_topo_find_mount(const struct devio_topo *t, const char *path);

#define DV_KERNEL(a, b) ((a) << 16 | (b) << 8)

#endif
