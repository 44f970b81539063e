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

#define TICK_NS 100000000ll    /* how often progress and signals are polled */
#define ACK_NS 2000000ll       /* how often the peer's acknowledgement is polled */
#define REAP 64

static int reap(struct nc_job *job, int64_t timeout)
{
	struct devio_completion done[REAP];
	int n = devio_ring_wait(job->ring, done, timeout ? 1 : 0, REAP, timeout);

	if (n < 0 && n != -EINTR)
		return tool_fail(&job->error, TOOL_FAILED, "ring: %s", devio_errmsg());
	for (int i = 0; i < n; i++)
		if (nc_lane_done(job, &done[i]))
			return -1;
	return n < 0 ? 0 : n;
}

/* Waits for standard input, standard output or the ring. */
static int wait_std(struct nc_job *job, struct nc_lane *wants_input, int64_t timeout)
{
	bool full = job->out_done < job->out_have;
	struct pollfd p[3] = {
		{ .fd = devio_ring_fd(job->ring), .events = POLLIN },
		{ .fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = full ? STDOUT_FILENO : -1, .events = POLLOUT },
	};
	int n = reap(job, 0);

	if (n)
		return n < 0 ? -1 : 0;
	if (poll(p, 3, (int)(timeout / 1000000)) <= 0)
		return 0;
	if (p[1].revents && nc_lane_feed(job, wants_input))
		return -1;
	return p[2].revents ? nc_write_out(job) : 0;
}

/* Sends are over when the peer has acknowledged them. What it has not is lost when it closes the connection. */
static int check_acks(struct nc_job *job, bool *waiting)
{
	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++) {
		int rc = l->send && l->shut && !l->over ? nc_acked(job, l->sock) : -2;

		if (rc == -1)
			return -1;
		if (rc >= 0)
			l->over = rc;
		*waiting |= !rc;
	}
	return 0;
}

/* --timeout. With one direction the library watches it; with two, either may be idle while the other is not. */
static int check_idle(struct nc_job *job, bool waiting)
{
	static uint64_t seen = UINT64_MAX;
	static double since;
	uint64_t now = job->sent + job->received;

	if (now != seen) {
		seen = now;
		since = tool_now();
	}
	if (job->o.timeout && (waiting || (job->o.in && job->o.out)) &&
	    tool_now() - since > (double)job->o.timeout / 1e9)
		return tool_fail(&job->error, TOOL_FAILED, "timed out: no byte was sent or received (--timeout)");
	return 0;
}

/* When the peer has closed its stream, a terminal's end of file is not waited for. */
static void hang_up(struct nc_job *job)
{
	struct nc_lane *send = job->lanes, *recv = job->lanes;

	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++)
		*(l->send ? &send : &recv) = l;
	if (recv->over && nc_lane_wants_input(job, send) && isatty(STDIN_FILENO))
		send->end = send->pos;
}

/* One iteration: 1 when all is done. */
static int turn(struct nc_job *job)
{
	struct nc_lane *wants_input = NULL;
	bool waiting = false, left = false;
	int64_t timeout;
	int rc;

	hang_up(job);
	for (struct nc_lane *l = job->lanes; l < job->lanes + job->nr_lanes; l++) {
		if (!l->over && nc_lane_go(job, l))
			return -1;
		if (nc_lane_wants_input(job, l))
			wants_input = l;
	}
	if (check_acks(job, &waiting) || check_idle(job, waiting))
		return -1;
	for (unsigned int i = 0; i < job->nr_lanes; i++)
		left |= !job->lanes[i].over;
	if (!left)
		return 1;
	timeout = waiting ? ACK_NS : TICK_NS;
	if (wants_input || job->out_done < job->out_have)
		return wait_std(job, wants_input, timeout);
	if (waiting && !devio_ring_inflight(job->ring))
		usleep((useconds_t)(timeout / 1000));
	rc = reap(job, timeout);
	return rc < 0 ? -1 : 0;
}

static void init_lanes(struct nc_job *job)
{
	unsigned int i = 0;

	for (int send = 0; send < 2; send++) {
		if (!(send ? job->o.in : job->o.out))
			continue;
		for (unsigned int f = 0; f < job->o.flows; f++, i++) {
			struct nc_lane *l = &job->lanes[i];

			*l = (struct nc_lane){ .sock = job->socks[f],
					       .block = job->blocks + (size_t)i * job->o.depth,
					       .base = (uint64_t)i * job->o.depth * job->o.block,
					       .index = i,
					       .send = send,
					       .end = UINT64_MAX };
			if (send || job->o.flows > 1)
				nc_stripe(job, f, &l->pos, &l->end);
			l->requested = l->pos;
		}
	}
}

static int open_run(struct nc_job *job)
{
	if (nc_open_ring(job))
		return -1;
	job->lanes = calloc(job->nr_lanes, sizeof(*job->lanes));
	job->blocks = calloc((size_t)job->nr_lanes * job->o.depth, sizeof(*job->blocks));
	if (!job->lanes || !job->blocks)
		return tool_fail(&job->error, TOOL_FAILED, "out of memory");
	init_lanes(job);
	return 0;
}

int nc_run(struct nc_job *job)
{
	double start = tool_now();
	int rc = open_run(job);

	while (!rc && !tool_stop) {
		rc = turn(job);
		nc_progress(job, tool_now() - start);
	}
	if (tool_stop)
		tool_fail(&job->error, TOOL_FAILED, "interrupted after %llu bytes sent and %llu received",
			  (unsigned long long)job->sent, (unsigned long long)job->received);
	devio_ring_close(job->ring);
	job->ring = NULL;
	free(job->lanes);
	free(job->blocks);
	return *job->error.text ? -1 : 0;
}
