/* SPDX-License-Identifier: MIT */
/**
 * libdevio: read files from NVMe and receive TCP payloads straight into
 * device memory. This is all that a program includes.
 *
 * The four stations of the data: an endpoint (devio/file.h, devio/sock.h), a ring
 * (devio/ring.h), a path (devio/base.h names them) and a memory
 * (devio/mem.h). devio/topo.h tells what this machine can do.
 */
#ifndef DEVIO_H
#define DEVIO_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/mem.h>
#include <devio/file.h>
#include <devio/sock.h>
#include <devio/nic.h>
#include <devio/ring.h>
#include <devio/stat.h>
#include <devio/topo.h>

#endif
