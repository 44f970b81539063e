/* SPDX-License-Identifier: MIT */
/* devio-serve: accepts connections and serves them, until a signal. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "serve.h"

#define BATCH 128

static struct serve_conn *free_conn(const struct serve *s)
{
	for (unsigned int i = 0; i < s->connections; i++)
		if (!s->conns[i].sock)
			return &s->conns[i];
	return NULL;
}

/* Over the limit: the client is sent a refusal, if that does not block. */
static void reject(struct serve *s, struct devio_sock *sock)
{
	unsigned char head[DV_WIRE_HEAD];

	s->rejected++;
	tool_info("connection rejected: there are %u already", s->connections);
	dv_wire_put(head, DV_WIRE_REFUSE, dv_wire_status(EBUSY), 0, 0, 0);
	(void)!send(devio_sock_fd(sock), head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	devio_sock_close(sock);
}

/* 0, or -1: none can be accepted for a while. */
static int accept_one(struct serve *s)
{
	struct devio_sock *sock;
	struct serve_conn *c = free_conn(s);
	int rc = devio_sock_accept(s->listener, &sock);

	if (rc) {
		/* It is gone, or there are no descriptors left until a connection is closed. */
		if (rc == -ETIMEDOUT || rc == -ECONNABORTED)
			return 0;
		tool_info("cannot accept a connection: %s", devio_errmsg());
		return -1;
	}
	if (!c) {
		reject(s, sock);
		return 0;
	}
	s->accepted++;
	tool_info("connection %u opened", c->index);
	serve_conn_begin(s, c, sock);
	return 0;
}

/* Reaps until nothing is left: the ring's descriptor is readable only for new completions. */
static int reap(struct serve *s)
{
	struct devio_completion done[BATCH];
	int n;

	do {
		n = devio_ring_peek(s->ring, done, BATCH);
		for (int i = 0; i < n; i++)
			serve_conn_done(s, &done[i]);
	} while (n > 0);
	if (n < 0 && n != -EINTR)
		return tool_fail(&s->error, TOOL_FAILED, "%s", devio_errmsg());
	return 0;
}

static void close_all(struct serve *s)
{
	for (unsigned int i = 0; i < s->connections; i++)
		if (s->conns[i].sock)
			serve_conn_close(&s->conns[i], "the server is shutting down");
	while (s->nr_conns) {
		struct devio_completion done[BATCH];
		int n = devio_ring_wait(s->ring, done, 1, BATCH, 1000000000);

		if (n < 0 && n != -EINTR)
			return;
		for (int i = 0; i < n; i++)
			serve_conn_done(s, &done[i]);
	}
}

int serve_run(struct serve *s, const sigset_t *open)
{
	struct pollfd p[2] = { { .fd = devio_ring_fd(s->ring), .events = POLLIN },
			       { .fd = devio_sock_fd(s->listener), .events = POLLIN } };
	const struct timespec pause = { .tv_nsec = 100000000 };
	int rc = 0, paused = 0;

	while (!tool_stop && !rc) {
		int n;

		rc = reap(s);
		if (rc)
			break;
		n = tool_poll(p, paused ? 1 : 2, paused ? &pause : NULL, open);
		paused = n > 0 && !paused && p[1].revents ? accept_one(s) : 0;
		if (n < 0 && errno != EINTR)
			rc = tool_fail(&s->error, TOOL_FAILED, "poll: %s", strerror(errno));
	}
	close_all(s);
	return rc;
}
