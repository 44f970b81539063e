/* SPDX-License-Identifier: MIT */
/* The file and the memory that a verdict is about, and recording the results of checks. */
#ifndef DV_TOPO_VERDICT_H
#define DV_TOPO_VERDICT_H

#include "topo/topo.h"

enum dv_object_kind {
	DV_HOST, DV_UDMABUF, DV_DMAHEAP, DV_P2PMEM, DV_VFIO, DV_DRM, DV_AMDGPU, DV_CUDA, DV_HIP, DV_ZE,
};

/* The memory. */
struct dv_object {
	enum dv_object_kind kind;
	const char *spec, *arg;  /* arg: the part after the colon, "" if none */
	int pci;                 /* -1: not a PCI device, or unknown */
	int gpu;
	int bar;                 /* vfio */
};

/* The file. */
struct dv_subject {
	const char *file;
	int fs, block;           /* fs -1: a block device itself; block -1: no block device */
	int dio;                 /* enum devio_can */
	bool readable;
};

/*
 * A verdict starts as DEVIO_CAN. The first "no" is final; the first "maybe" remains
 * unless a "no" follows. fix may be "".
 */
void dv_verdict_no(struct devio_topo_verdict *v, int err, unsigned int reason, const char *fix,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void dv_verdict_maybe(struct devio_topo_verdict *v, unsigned int reason, const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* 0, or -EINVAL with an error message. bdf may be NULL. */
int dv_object_parse(const struct devio_topo *t, const char *spec, const char *bdf, struct dv_object *o);

/* Whether the memory exists and is accessible, for any path. */
void dv_object_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v);

/* Whether it can be exported as a dma-buf. */
void dv_object_export(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v);

/* Whether the bytes are in a device, so that a drive needs peer-to-peer access. */
bool dv_object_is_peer(const struct devio_topo *t, const struct dv_object *o);

#endif
