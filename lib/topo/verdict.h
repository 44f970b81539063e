/* SPDX-License-Identifier: MIT */
/* A question about one file and one memory, and the marks that checks leave. */
#ifndef DV_TOPO_VERDICT_H
#define DV_TOPO_VERDICT_H

#include "topo/topo.h"

enum dv_object_kind {
	DV_HOST, DV_UDMABUF, DV_DMAHEAP, DV_P2PMEM, DV_VFIO, DV_DRM, DV_AMDGPU, DV_CUDA, DV_HIP, DV_ZE,
};

/* The memory. */
struct dv_object {
	enum dv_object_kind kind;
	const char *spec, *arg;  /* arg: behind the colon, "" without */
	int pci;                 /* -1: not a PCI device, or not known which */
	int gpu;
	int bar;                 /* vfio */
};

/* The file. */
struct dv_subject {
	const char *file;
	int fs, block;           /* -1: a block device itself; no block device */
	int dio;                 /* enum devio_can */
	bool readable;
};

/*
 * A verdict starts as "can". The first refusal stays, the first doubt stays
 * until a refusal comes. cure may be "".
 */
void dv_refuse(struct devio_topo_verdict *v, int err, unsigned int reason, const char *cure,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void dv_doubt(struct devio_topo_verdict *v, unsigned int reason, const char *cure, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* 0 or -EINVAL with its sentence. bdf may be NULL. */
int dv_object_parse(const struct devio_topo *t, const char *spec, const char *bdf, struct dv_object *o);

/* Whether the memory is there at all, for any path. */
void dv_object_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v);

/* Whether it can be given out as a dma-buf. */
void dv_object_export(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v);

/* 1: the bytes lie in a device, so that a drive must reach it peer to peer. */
bool dv_object_is_peer(const struct devio_topo *t, const struct dv_object *o);

#endif
