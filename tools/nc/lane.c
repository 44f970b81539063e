/* SPDX-License-Identifier: MIT */
/* devio-nc: one direction of one connection, block by block. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "nc.h"

static struct nc_block *nth(const struct nc_job *job, const struct nc_lane *lane, uint64_t n)
{
	return &lane->block[n % job->o.depth];
}

static uint64_t mem_off(const struct nc_job *job, const struct nc_lane *lane, const struct nc_block *b)
{
	return lane->base + (uint64_t)(b - lane->block) * job->o.block;
}

static uint64_t cookie_of(const struct nc_lane *lane, const struct nc_block *b, bool disk)
{
	return (uint64_t)lane->index << 32 | (uint64_t)(b - lane->block) << 1 | disk;
}

static bool is_std(const char *name)
{
	return name && !strcmp(name, "-");
}

static bool has_room(const struct nc_job *job, const struct nc_lane *lane)
{
	return lane->filled - lane->freed < job->o.depth;
}

/* The rest of the block, from the file or to it. */
static int queue_disk(struct nc_job *job, struct nc_lane *lane, struct nc_block *b)
{
	uint64_t off = mem_off(job, lane, b) + b->done, len = b->len - b->done, at = b->pos + b->done;
	uint64_t cookie = cookie_of(lane, b, true);
	int rc = lane->send ? devio_ring_read(job->ring, job->in, job->mem, off, len, at, cookie) :
			      devio_ring_write(job->ring, job->out, job->mem, off, len, at, cookie);

	if (rc)
		return tool_fail(&job->error, TOOL_FAILED, "%s: %s", lane->send ? job->o.in : job->o.out,
				 devio_errmsg());
	return 0;
}

/* The next block to send; it is filled from buf or by the ring. */
static struct nc_block *begin_send(struct nc_job *job, struct nc_lane *lane, uint64_t len)
{
	struct nc_block *b = nth(job, lane, lane->filled++);

	*b = (struct nc_block){ .pos = lane->pos, .len = len, .state = NC_FILLING };
	lane->pos += len;
	return b;
}

static int put_in(struct nc_job *job, struct nc_lane *lane, struct nc_block *b)
{
	if (devio_mem_copy_in(job->mem, mem_off(job, lane, b), job->buf, b->len))
		return tool_fail(&job->error, TOOL_FAILED, "mem:%s: %s", job->place.spec, devio_errmsg());
	job->host_copied += b->len;
	b->state = NC_READY;
	return 0;
}

static int fill(struct nc_job *job, struct nc_lane *lane)
{
	while (has_room(job, lane) && lane->pos < lane->end && !is_std(job->o.in)) {
		uint64_t left = lane->end - lane->pos;
		struct nc_block *b = begin_send(job, lane, left < job->o.block ? left : job->o.block);

		if (job->o.has_pattern)
			nc_pattern(job->buf, b->pos, b->len);
		if (job->o.has_pattern ? put_in(job, lane, b) : queue_disk(job, lane, b))
			return -1;
	}
	return 0;
}

bool nc_lane_wants_input(const struct nc_job *job, const struct nc_lane *lane)
{
	return lane->send && is_std(job->o.in) && has_room(job, lane) && lane->pos < lane->end;
}

int nc_lane_feed(struct nc_job *job, struct nc_lane *lane)
{
	int64_t n;

	if (nc_read_in(job, &n))
		return -1;
	if (n > 0)
		return put_in(job, lane, begin_send(job, lane, (uint64_t)n));
	if (!n)
		lane->end = lane->pos;
	return 0;
}

static int net_failed(struct nc_job *job, const struct nc_lane *lane, int64_t err, const char *why)
{
	return tool_fail(&job->error, nc_status(job, err), "%s flow %u, byte %" PRIu64 ": %s",
			 lane->send ? "to" : "from", lane->index % job->o.flows,
			 lane->send ? nth(job, lane, lane->freed)->pos : lane->pos, why);
}

static int send_ready(struct nc_job *job, struct nc_lane *lane)
{
	while (lane->moved < lane->filled && nth(job, lane, lane->moved)->state == NC_READY) {
		struct nc_block *b = nth(job, lane, lane->moved++);
		uint64_t off = mem_off(job, lane, b);
		int rc;

		if (nc_check(job, lane, off, b->pos, b->len))
			return -1;
		b->state = NC_WRITING;
		rc = devio_ring_send(job->ring, lane->sock, job->mem, off, b->len, cookie_of(lane, b, false));
		if (rc)
			return net_failed(job, lane, rc, devio_errmsg());
	}
	return 0;
}

static int end_send(struct nc_job *job, struct nc_lane *lane)
{
	if (lane->pos < lane->end || lane->freed < lane->filled)
		return 0;
	if (!lane->shut && devio_sock_shutdown(lane->sock, DEVIO_SHUT_SEND))
		return net_failed(job, lane, -EIO, devio_errmsg());
	lane->shut = true;
	return 0;
}

/* One byte more than expected is requested: there must be none. */
static int receive(struct nc_job *job, struct nc_lane *lane)
{
	uint64_t limit = lane->end == UINT64_MAX ? UINT64_MAX : lane->end + 1;

	while (has_room(job, lane) && !lane->ended && lane->requested < limit) {
		struct nc_block *b = nth(job, lane, lane->filled);
		uint64_t left = limit - lane->requested;
		struct devio_range range = { job->mem, mem_off(job, lane, b),
					     left < job->o.block ? left : job->o.block };
		struct devio_sock_io io = { .sz = sizeof(io), .sock = lane->sock, .ranges = &range, .nr_ranges = 1,
					    .cookie = cookie_of(lane, b, false) };

		/* Standard output gets bytes as they arrive, a file gets whole blocks. */
		io.flags = is_std(job->o.out) ? DEVIO_SOCK_PARTIAL : 0;
		*b = (struct nc_block){ .len = range.len, .state = NC_FILLING };
		if (devio_ring_sock_io(job->ring, &io))
			return net_failed(job, lane, -EIO, devio_errmsg());
		lane->filled++;
		lane->requested += range.len;
	}
	return 0;
}

static void release(const struct nc_job *job, struct nc_lane *lane)
{
	while (lane->freed < lane->moved && nth(job, lane, lane->freed)->state == NC_FREE)
		lane->freed++;
}

/* Copies the oldest block for standard output into buf2, from where it is written. */
static int to_stdout(struct nc_job *job, struct nc_lane *lane)
{
	struct nc_block *b = nth(job, lane, lane->freed);

	while (is_std(job->o.out) && lane->freed < lane->moved && job->out_done == job->out_have) {
		if (b->state == NC_WRITING) {
			b->state = NC_FREE;
			release(job, lane);
			b = nth(job, lane, lane->freed);
			continue;
		}
		if (devio_mem_copy_out(job->mem, mem_off(job, lane, b), job->buf2, b->len))
			return tool_fail(&job->error, TOOL_FAILED, "mem:%s: %s", job->place.spec, devio_errmsg());
		b->state = NC_WRITING;
		job->host_copied += b->len;
		job->out_have = b->len;
		job->out_done = 0;
	}
	return 0;
}

static int end_receive(struct nc_job *job, struct nc_lane *lane)
{
	lane->over = lane->ended && lane->freed == lane->filled;
	if (lane->over && lane->end != UINT64_MAX && lane->pos < lane->end)
		return net_failed(job, lane, -EIO, "the peer closed the stream early");
	return 0;
}

int nc_lane_go(struct nc_job *job, struct nc_lane *lane)
{
	if (lane->send)
		return fill(job, lane) || send_ready(job, lane) || end_send(job, lane) ? -1 : 0;
	return to_stdout(job, lane) || receive(job, lane) || end_receive(job, lane) ? -1 : 0;
}

static int received(struct nc_job *job, struct nc_lane *lane, struct nc_block *b, uint64_t len)
{
	lane->ended |= !len || (len < b->len && !is_std(job->o.out));
	*b = (struct nc_block){ .pos = lane->pos, .len = len };
	lane->pos += len;
	lane->moved++;
	job->received += len;
	if (lane->pos > lane->end)
		return net_failed(job, lane, -EIO, "the peer sends more than it announced");
	if (len && nc_check(job, lane, mem_off(job, lane, b), b->pos, len))
		return -1;
	if (len && is_std(job->o.out))
		b->state = NC_READY;
	else if (len && job->out)
		b->state = NC_WRITING;
	release(job, lane);
	return b->state == NC_WRITING ? queue_disk(job, lane, b) : 0;
}

static int net_done(struct nc_job *job, struct nc_lane *lane, struct nc_block *b, const struct devio_completion *c)
{
	char text[512];

	summary_add(&job->net, c);
	if (c->result < 0 || (lane->send && (uint64_t)c->result < b->len)) {
		if (c->path)
			devio_completion_text(c, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "no path: %s", devio_reason_text(c->reason));
		return net_failed(job, lane, c->result, text);
	}
	if (!lane->send)
		return received(job, lane, b, (uint64_t)c->result);
	job->sent += (uint64_t)c->result;
	b->state = NC_FREE;
	release(job, lane);
	return 0;
}

static int disk_done(struct nc_job *job, struct nc_lane *lane, struct nc_block *b, const struct devio_completion *c)
{
	const char *name = lane->send ? job->o.in : job->o.out;
	char text[512];

	summary_add(&job->disk, c);
	if (c->result <= 0) {
		devio_completion_text(c, text, sizeof(text));
		return tool_fail(&job->error, TOOL_FAILED, "%s: at byte %" PRIu64 ": %s", name, b->pos + b->done,
				 c->result ? text : lane->send ? "ends early: it shrank during the transfer" :
				 "cannot write more bytes");
	}
	b->done += (uint64_t)c->result;
	if (b->done < b->len)
		return queue_disk(job, lane, b);
	b->state = lane->send ? NC_READY : NC_FREE;
	release(job, lane);
	return 0;
}

int nc_lane_done(struct nc_job *job, const struct devio_completion *c)
{
	struct nc_lane *lane = &job->lanes[c->cookie >> 32];
	struct nc_block *b = &lane->block[(uint32_t)c->cookie >> 1];

	return c->cookie & 1 ? disk_done(job, lane, b, c) : net_done(job, lane, b, c);
}
