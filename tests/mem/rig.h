/* SPDX-License-Identifier: MIT */
/* What every case of a program in tests/mem has: a context, the fake kernel reset, and nothing leaked at its end. */
#ifndef MEM_RIG_H
#define MEM_RIG_H

#include "memtest.h"
#include "fake-kernel.h"

extern struct devio_ctx *ctx;

/* A context with this sysfs, whose providers see this /dev until rig_machine_dev(). */
struct devio_ctx *rig_ctx_on(const char *sys, const char *dev);
void rig_machine_dev(void);

/* Setup and teardown of the tests on device nodes: sysfs and /dev of each case's own, no descriptor lost. */
extern const char *sys, *dev;
extern int fds_before;
int nodes_setup(void **state);
int nodes_teardown(void **state);

/* fork(), and in the child `use` must return 0. */
void rig_fork(int (*use)(struct devio_mem *m), struct devio_mem *m);

#endif
