/* SPDX-License-Identifier: MIT */
/* devio-nc: all lanes on one ring, and standard input and output beside it. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nc.h"

#define TICK_NS 100000000ll    /* how often the progress and the signals are looked at */
#define CONFIRM_NS 2000000ll   /* how often the peer's confirmation is */
#define REAP 64

static int reap(struct nc_job *job, int64_t patience)
{
	struct devio_completion done[REAP];
	int n = devio_ring_wait(job->ring, done, patience ? 1 : 0, REAP, patience);

	if (n < 0 && n != -EINTR)
		return nc_fail(job, NC_FAILED, "the ring: %s", devio_errmsg());
	for (int i = 0; i < n; i++)
		if (nc_lane_done(job, &done[i]))
			return -1;
	return n < 0 ? 0 : n;
}

/* Standard input and output and the ring: whichever is ready first. */
static int wait_std(struct nc_job *job, struct nc_lane *hungry, int64_t patience)
{
	bool full = job->out_done < job->out_have;
	struct pollfd p[3] = {
		{ .fd = devio_ring_fd(job->ring), .events = POLLIN },
		{ .fd = hungry ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = full ? STDOUT_FILENO : -1, .events = POLLOUT },
	};
	int n = reap(job, 0);

	if (n)
		return n < 0 ? -1 : 0;
	if (poll(p, 3, (int)(patience / 1000000)) <= 0)
		return 0;
	if (p[1].revents && nc_lane_feed(job, hungry))
		return -1;
	return p[2].revents ? nc_write_out(job) : 0;
}

/* Sent, and confirmed. What the peer has not confirmed when it is done with us is lost. */
static int confirm(struct nc_job *job, bool *waiting)
{
	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++) {
		int rc = l->send && l->shut && !l->over ? nc_confirmed(job, l->sock) : -2;

		if (rc == -1)
			return -1;
		if (rc >= 0)
			l->over = rc;
		*waiting |= !rc;
	}
	return 0;
}

/* Of one direction the library keeps the time; where there are two, the silence of one is no fault. */
static int silence(struct nc_job *job, bool waiting)
{
	static uint64_t seen = UINT64_MAX;
	static double since;
	uint64_t now = job->sent + job->received;

	if (now != seen) {
		seen = now;
		since = nc_now();
	}
	if (job->o.timeout && (waiting || (job->o.in && job->o.out)) && nc_now() - since > (double)job->o.timeout / 1e9)
		return nc_fail(job, NC_FAILED, "no byte came or went in the time allowed (--timeout)");
	return 0;
}

/* Nobody waits for a terminal's end of file when the peer has ended the conversation. */
static void hang_up(struct nc_job *job)
{
	struct nc_lane *send = job->lanes, *recv = job->lanes;

	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++)
		*(l->send ? &send : &recv) = l;
	if (recv->over && nc_lane_hungry(job, send) && isatty(STDIN_FILENO))
		send->end = send->pos;
}

/* One turn: 1 when all is done. */
static int turn(struct nc_job *job)
{
	struct nc_lane *hungry = NULL;
	bool waiting = false, left = false;
	int64_t patience;
	int rc;

	hang_up(job);
	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++) {
		if (!l->over && nc_lane_go(job, l))
			return -1;
		if (nc_lane_hungry(job, l))
			hungry = l;
	}
	if (confirm(job, &waiting) || silence(job, waiting))
		return -1;
	for (unsigned int i = 0; i < job->nr_lanes; i++)
		left |= !job->lanes[i].over;
	if (!left)
		return 1;
	patience = waiting ? CONFIRM_NS : TICK_NS;
	if (hungry || job->out_done < job->out_have)
		return wait_std(job, hungry, patience);
	if (waiting && !devio_ring_inflight(job->ring))
		usleep((useconds_t)(patience / 1000));
	rc = reap(job, patience);
	return rc < 0 ? -1 : 0;
}

static void lay_out(struct nc_job *job)
{
	unsigned int i = 0;

	for (int send = 0; send < 2; send++) {
		if (!(send ? job->o.in : job->o.out))
			continue;
		for (unsigned int f = 0; f < job->o.flows; f++, i++) {
			struct nc_lane *l = &job->lanes[i];

			*l = (struct nc_lane){ .sock = job->socks[f], .block = job->blocks + (size_t)i * job->o.depth,
					       .base = (uint64_t)i * job->o.depth * job->o.block, .index = i, .send = send,
					       .end = UINT64_MAX };
			if (send || job->o.flows > 1)
				nc_stripe(job, f, &l->pos, &l->end);
			l->asked = l->pos;
		}
	}
}

int nc_open_ring(struct nc_job *job)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	int rc = 0;

	ro.entries = job->nr_lanes * job->o.depth;
	ro.flags = job->o.path == DEVIO_PATH_SOCK_ZCRX ? DEVIO_RING_ZCRX : 0;
	if (!job->ring)
		rc = devio_ring_open(job->ctx, &ro, &job->ring);
	return rc ? nc_fail(job, nc_status(job, rc), "the ring: %s", devio_errmsg()) : 0;
}

static int open_run(struct nc_job *job)
{
	if (nc_open_ring(job))
		return -1;
	job->lanes = calloc(job->nr_lanes, sizeof(*job->lanes));
	job->blocks = calloc((size_t)job->nr_lanes * job->o.depth, sizeof(*job->blocks));
	if (!job->lanes || !job->blocks)
		return nc_fail(job, NC_FAILED, "no memory for %u flows", job->o.flows);
	lay_out(job);
	return 0;
}

int nc_run(struct nc_job *job)
{
	double start = nc_now();
	int rc = open_run(job);

	while (!rc && !nc_stop) {
		rc = turn(job);
		nc_progress(job, nc_now() - start, false);
	}
	if (nc_stop)
		nc_fail(job, NC_FAILED, "interrupted after %llu bytes sent and %llu received",
			(unsigned long long)job->sent, (unsigned long long)job->received);
	devio_ring_close(job->ring);
	job->ring = NULL;
	free(job->lanes);
	free(job->blocks);
	return *job->error ? -1 : 0;
}
