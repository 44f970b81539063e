/* SPDX-License-Identifier: MIT */
/**
 * libdevio: read files from NVMe drives and receive TCP payload directly into
 * device memory. Programs include this header only.
 *
 * Data passes through four stages: an endpoint (devio/file.h, devio/sock.h), a ring
 * (devio/ring.h), a path (enum devio_path in devio/base.h) and a memory
 * (devio/mem.h). devio/topo.h describes the capabilities of the machine.
 */
#ifndef DEVIO_H
#define DEVIO_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/mem.h>
#include <devio/file.h>
#include <devio/sock.h>
#include <devio/frag.h>
#include <devio/nic.h>
#include <devio/ring.h>
#include <devio/stat.h>
#include <devio/stream.h>
#include <devio/topo.h>

#endif
