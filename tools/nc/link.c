/* SPDX-License-Identifier: MIT */
/* devio-nc: connections, and which part of the bytes each flow carries. */
#include "config.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "nc.h"

/* With several flows, each begins with this; in network byte order. */
struct head {
	char magic[8];
	uint32_t flow, flows;
	uint64_t total;
	uint64_t resv;
};
#define SLICE_NS 200000000ll
#define CONNECT_NS 30000000000ll
static const char magic[8] = { 'd', 'e', 'v', 'i', 'o', 'n', 'c', '1' };

void nc_stripe(const struct nc_job *job, unsigned int index, uint64_t *start, uint64_t *end)
{
	uint64_t size = (job->total / job->o.flows / 4096 + 1) * 4096;

	*start = 0;
	*end = job->total;
	if (job->o.flows == 1)
		return;
	*start = size * index < job->total ? size * index : job->total;
	*end = size * (index + 1) < job->total ? size * (index + 1) : job->total;
}

static void options(const struct nc_job *job, struct devio_sock_opts *so)
{
	so->path = job->o.path;
	so->flags = job->o.family | (job->o.direct_only ? DEVIO_SOCK_DIRECT_ONLY : 0);
	so->connect_ns = job->o.timeout;
	if (!job->o.in || !job->o.out)
		so->idle_ns = job->o.timeout;
}

static int put_head(struct nc_job *job, unsigned int flow)
{
	struct head h = { .flow = htobe32(flow), .flows = htobe32(job->o.flows), .total = htobe64(job->total) };
	ssize_t n;

	memcpy(h.magic, magic, sizeof(magic));
	if (devio_mem_copy_in(job->mem, 0, &h, sizeof(h)))
		return nc_fail(job, -EIO);
	n = devio_sock_send(job->socks[flow], job->mem, 0, sizeof(h), NULL);
	return n < 0 ? nc_fail(job, n) : 0;
}

/* By the ring, if there is one: only that can read what the NIC received. */
static ssize_t recv_head(struct nc_job *job, struct devio_sock *sock)
{
	struct devio_completion c = { .cookie = 0 };
	char text[512];
	int rc;

	if (!job->ring)
		return devio_sock_recv(sock, job->mem, 0, sizeof(struct head), NULL);
	rc = devio_ring_recv(job->ring, sock, job->mem, 0, sizeof(struct head), 0);
	while (!rc || rc == -EINTR)
		rc = tool_stop ? tool_fail(&job->error, TOOL_FAILED, "interrupted") :
		     devio_ring_wait(job->ring, &c, 1, 1, SLICE_NS);
	if (rc > 0 && c.result < 0) {
		devio_completion_text(&c, text, sizeof(text));
		tool_fail(&job->error, nc_status(job, c.result), "%s", text);
	}
	return rc < 0 ? rc : c.result;
}

/* The number of the flow; the first one has the total, too. */
static int get_head(struct nc_job *job, struct devio_sock *sock, bool first)
{
	ssize_t n = recv_head(job, sock);
	struct head h = { .flow = 0 };

	if (n < 0 || devio_mem_copy_out(job->mem, 0, &h, sizeof(h)))
		return nc_fail(job, n < 0 ? n : -EIO);
	if (n < (ssize_t)sizeof(h) || memcmp(h.magic, magic, sizeof(magic)))
		return tool_fail(&job->error, TOOL_FAILED, "the peer is not devio-nc with --flows");
	if (be32toh(h.flows) != job->o.flows)
		return tool_fail(&job->error, TOOL_FAILED, "the peer has --flows=%u, not %u", be32toh(h.flows),
				 job->o.flows);
	if (first)
		job->total = be64toh(h.total);
	if (be32toh(h.flow) >= job->o.flows || job->socks[be32toh(h.flow)] || be64toh(h.total) != job->total ||
	    job->total > INT64_MAX)
		return tool_fail(&job->error, TOOL_FAILED,
				 "the flows of the peer do not match: is there more than one sender?");
	return (int)be32toh(h.flow);
}

/* Puts the flow into job->socks, or closes the connection. */
static int add_flow(struct nc_job *job, struct devio_sock *sock, unsigned int i)
{
	int at = (int)i;

	if (job->o.flows > 1 && !job->o.in)
		at = get_head(job, sock, !i);
	if (at < 0) {
		devio_sock_close(sock);
		return -1;
	}
	job->socks[at] = sock;
	return job->o.flows > 1 && job->o.in ? put_head(job, (unsigned int)at) : 0;
}

static int start_listening(struct nc_job *job)
{
	struct devio_sock_info info = DEVIO_OPTS(info);
	struct devio_sock_opts so = DEVIO_OPTS(so);

	options(job, &so);
	if (job->nic)
		so.connect_ns = SLICE_NS;
	if (devio_sock_listen(job->ctx, job->o.host, job->o.port, &so, &job->listener) ||
	    devio_sock_get_info(job->listener, &info))
		return nc_fail(job, -EIO);
	if (nc_steer(job, job->listener))
		return -1;
	if (tool_verbose || !strcmp(job->o.port, "0"))
		tool_msg("listening on %s port %u", info.local, info.local_port);
	return 0;
}

/* With a NIC to restore, the wait ends now and then to check for a signal. */
static int accept_one(struct nc_job *job, struct devio_sock **sock)
{
	double end = tool_now() + (double)job->o.timeout / 1e9;
	int rc;

	do {
		rc = devio_sock_accept(job->listener, sock);
	} while (rc == -ETIMEDOUT && job->nic && !tool_stop && (!job->o.timeout || tool_now() < end));
	return rc;
}

static int open_flow(struct nc_job *job, struct devio_sock **sock)
{
	struct devio_sock_opts so = DEVIO_OPTS(so);
	int rc;

	options(job, &so);
	if (job->nic && !so.connect_ns)
		so.connect_ns = CONNECT_NS;
	rc = job->o.listen ? accept_one(job, sock) : devio_sock_connect(job->ctx, job->o.host, job->o.port, &so, sock);
	if (rc)
		return nc_fail(job, rc);
	return job->o.listen ? 0 : nc_steer(job, *sock);
}

int nc_connect(struct nc_job *job)
{
	struct devio_sock *sock;

	job->socks = calloc(job->o.flows, sizeof(*job->socks));
	if (!job->socks)
		return tool_fail(&job->error, TOOL_FAILED, "out of memory");
	if (job->o.listen && start_listening(job))
		return -1;
	for (unsigned int i = 0; i < job->o.flows; i++)
		if (open_flow(job, &sock) || add_flow(job, sock, i))
			return -1;
	job->info.sz = sizeof(job->info);
	if (devio_sock_get_info(job->socks[0], &job->info))
		return nc_fail(job, -EIO);
	devio_sock_close(job->listener);
	job->listener = NULL;
	tool_info("connected: %s port %u to %s port %u, interface %s", job->info.local, job->info.local_port,
		  job->info.peer, job->info.peer_port, *job->info.ifname ? job->info.ifname : "unknown");
	return 0;
}

/* The state is read first: what is not acknowledged when the connection has ended will never be. */
int nc_acked(struct nc_job *job, struct devio_sock *sock)
{
	int fd = devio_sock_fd(sock), left = 0, err = 0;
	struct tcp_info info = { .tcpi_state = 0 };
	socklen_t len = sizeof(err), infolen = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &infolen) || ioctl(fd, TIOCOUTQ, &left))
		return tool_fail(&job->error, TOOL_FAILED, "connection: %s", strerror(errno));
	if (!left)
		return 1;
	if (err || info.tcpi_state == TCP_CLOSE)
		return tool_fail(&job->error, TOOL_FAILED,
				 "the peer closed the connection before it acknowledged all bytes: %s",
				 strerror(err ? err : ECONNRESET));
	return 0;
}
