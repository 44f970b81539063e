/* SPDX-License-Identifier: MIT */
/** Topology: drives, GPUs, NICs, and who reaches whom. */
#ifndef DEVIO_TOPO_H
#define DEVIO_TOPO_H

#include <devio/base.h>
#include <devio/ctx.h>

#endif
