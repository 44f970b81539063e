/* SPDX-License-Identifier: MIT */
/* devio-nc: the ring, and the exit status of an error. */
#include "config.h"
#include <errno.h>
#include "nc.h"

int nc_status(const struct nc_job *job, int64_t err)
{
	return err == -EOPNOTSUPP && (job->o.direct_only || job->o.path) ? TOOL_NO_PATH : TOOL_FAILED;
}

int nc_fail(struct nc_job *job, int64_t err)
{
	return tool_fail(&job->error, nc_status(job, err), "%s", devio_errmsg());
}

int nc_open_ring(struct nc_job *job)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	int rc = 0;

	ro.entries = job->nr_lanes * job->o.depth;
	ro.flags = job->o.path == DEVIO_PATH_SOCK_ZCRX ? DEVIO_RING_ZCRX : 0;
	if (!job->ring)
		rc = devio_ring_open(job->ctx, &ro, &job->ring);
	return rc ? tool_fail(&job->error, nc_status(job, rc), "ring: %s", devio_errmsg()) : 0;
}
