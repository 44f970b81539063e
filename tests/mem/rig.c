/* SPDX-License-Identifier: MIT */
/* Setup and teardown of the programs in tests/mem. */
#include "config.h"
#include <sys/wait.h>
#include <unistd.h>
#include "rig.h"
#include "mem/sys.h"

struct devio_ctx *ctx;
const char *sys, *dev;
int fds_before;

static const char *machine_dev;

struct devio_ctx *rig_ctx_on(const char *sysfs, const char *devfs)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *c;

	if (!machine_dev)
		machine_dev = dv_sys_dev;
	dv_sys_dev = devfs;
	o.sysfs_root = sysfs;
	mt_ok(devio_ctx_open(&o, &c));
	return c;
}

void rig_machine_dev(void)
{
	if (machine_dev)
		dv_sys_dev = machine_dev;
}

int nodes_setup(void **state)
{
	(void)state;
	fake_kernel_reset();
	sys = mt_dir();
	dev = mt_dir();
	fds_before = mt_open_fds();
	ctx = rig_ctx_on(sys, dev);
	return 0;
}

int nodes_teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	return mt_open_fds() == fds_before && !fk.syncs && !fk.buffers ? 0 : -1;
}

void rig_fork(int (*use)(struct devio_mem *m), struct devio_mem *m)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		mt_leave(use(m));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
