/* SPDX-License-Identifier: MIT */
/* devio-serve: accepts connections and serves them, until a signal. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "serve.h"

#define BATCH 128
#define ROUNDS 8        /* batches before connections are accepted again */
#define TICK_S 0.25     /* how often deadlines are checked */
#define FAILING_S 30.0  /* errors such as ENOMEM pass; the end if they do not */

static struct serve_conn *free_conn(const struct serve *s)
{
	for (unsigned int i = 0; i < s->connections; i++)
		if (!s->conns[i].sock)
			return &s->conns[i];
	return NULL;
}

/* The network of an IPv6 address, the whole of an IPv4 one. */
static void get_peer(struct devio_sock *sock, unsigned char peer[8])
{
	struct sockaddr_storage a = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(a);

	memset(peer, 0, 8);
	if (getpeername(devio_sock_fd(sock), (struct sockaddr *)&a, &len))
		return;
	if (a.ss_family == AF_INET) {
		memcpy(peer, &((struct sockaddr_in *)&a)->sin_addr, 4);
	} else {
		const struct in6_addr *six = &((struct sockaddr_in6 *)&a)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(six))
			memcpy(peer, six->s6_addr + 12, 4);
		else
			memcpy(peer, six->s6_addr, 8);
	}
}

/* No address takes all connections. */
static bool has_too_many(const struct serve *s, const unsigned char peer[8])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->connections; i++)
		n += s->conns[i].sock && !memcmp(s->conns[i].peer, peer, 8);
	return n >= s->per_address;
}

/* Over the limit: the client is sent a refusal, if that does not block. */
static void reject(struct serve *s, struct devio_sock *sock, bool address)
{
	unsigned char head[DV_WIRE_HEAD];

	s->rejected++;
	tool_info(address ? "connection rejected: its address has %u already" :
		  "connection rejected: there are %u already", address ? s->per_address : s->connections);
	dv_wire_put(head, DV_WIRE_REFUSE, dv_wire_status(EBUSY), 0, 0, 0);
	(void)!send(devio_sock_fd(sock), head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	devio_sock_close(sock);
}

/* 0, or -1: none can be accepted for a while. */
static int accept_one(struct serve *s)
{
	struct devio_sock *sock;
	struct serve_conn *c = free_conn(s);
	unsigned char peer[8];
	int rc = devio_sock_accept(s->listener, &sock);

	if (rc) {
		/* It is gone, or there are no descriptors left until a connection is closed. */
		if (rc == -ETIMEDOUT || rc == -ECONNABORTED)
			return 0;
		tool_info("cannot accept a connection: %s", devio_errmsg());
		return -1;
	}
	get_peer(sock, peer);
	if (!c || has_too_many(s, peer)) {
		reject(s, sock, c);
		return 0;
	}
	memcpy(c->peer, peer, sizeof(peer));
	s->accepted++;
	tool_info("connection %u opened", c->index);
	serve_conn_begin(s, c, sock);
	return 0;
}

/* One that lasts ends the server; a shortage passes, and no client can do more than cause one. */
static int passes(struct serve *s, const char *what, double *since)
{
	double now = tool_now();

	if (*since <= 0)
		tool_msg("%s: retrying", what);
	*since = *since > 0 ? *since : now;
	return now - *since < FAILING_S ? 0 : tool_fail(&s->error, TOOL_FAILED, "%s", what);
}

/*
 * 1: there are more completions, 0: there are none: the ring's descriptor is readable only for new ones. < 0: an
 * error. A connection that is always ready keeps neither others nor signals waiting.
 */
static int reap(struct serve *s)
{
	struct devio_completion done[BATCH];
	int n = BATCH;

	for (int round = 0; round < ROUNDS && n > 0; round++) {
		n = devio_ring_peek(s->ring, done, BATCH);
		for (int i = 0; i < n; i++)
			serve_conn_done(s, &done[i]);
	}
	return n == -EINTR ? 0 : n < 0 ? n : n > 0;
}

static void check_deadlines(struct serve *s, double *next)
{
	double now = tool_now();

	if (now < *next)
		return;
	*next = now + TICK_S;
	for (unsigned int i = 0; i < s->connections; i++)
		if (s->conns[i].sock)
			serve_conn_check(s, &s->conns[i]);
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
	double next = 0, failing = 0;
	int rc = 0, paused = 0;

	while (!tool_stop && !rc) {
		const struct timespec none = { 0 }, pause = { .tv_nsec = 100000000 }, tick = { .tv_nsec = 250000000 };
		int more = reap(s), n;

		check_deadlines(s, &next);
		n = tool_poll(p, paused ? 1 : 2, more > 0 ? &none : paused || more < 0 ? &pause :
			      s->nr_conns ? &tick : NULL, open);
		if (more < 0)
			rc = passes(s, devio_errmsg(), &failing);
		else if (n < 0 && errno != EINTR)
			rc = passes(s, strerror(errno), &failing);
		else
			failing = 0;
		paused = n > 0 && !paused && p[1].revents ? accept_one(s) : 0;
	}
	close_all(s);
	return rc;
}
