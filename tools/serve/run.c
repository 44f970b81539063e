/* SPDX-License-Identifier: MIT */
/* devio-serve: connections come and are served until a signal. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "serve.h"

#define TAKE 128

static struct serve_conn *free_conn(const struct serve *s)
{
	for (unsigned int i = 0; i < s->connections; i++)
		if (!s->conns[i].sock)
			return &s->conns[i];
	return NULL;
}

/* One too many: it is told, as far as it can be without waiting. */
static void turn_away(struct serve *s, struct devio_sock *sock)
{
	unsigned char head[DV_WIRE_HEAD];

	s->refused++;
	serve_say(s, "a connection more than %u is turned away", s->connections);
	dv_wire_put(head, DV_WIRE_REFUSE, dv_wire_status(EBUSY), 0, 0, 0);
	(void)!send(devio_sock_fd(sock), head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	devio_sock_close(sock);
}

/* 0, or -1: none can be taken for a while. */
static int accept_one(struct serve *s)
{
	struct devio_sock *sock;
	struct serve_conn *c = free_conn(s);
	int rc = devio_sock_accept(s->listener, &sock);

	if (rc) {
		/* Gone again, or no descriptors are left: those who are served may end and free some. */
		if (rc == -ETIMEDOUT || rc == -ECONNABORTED)
			return 0;
		serve_say(s, "a connection cannot be taken: %s", devio_errmsg());
		return -1;
	}
	if (!c) {
		turn_away(s, sock);
		return 0;
	}
	s->accepted++;
	serve_say(s, "connection %u begins", c->index);
	serve_conn_begin(s, c, sock);
	return 0;
}

/* What has ended, until there is nothing: the descriptor of the ring tells of nothing else. */
static int take_done(struct serve *s)
{
	struct devio_completion done[TAKE];
	int n;

	do {
		n = devio_ring_peek(s->ring, done, TAKE);
		for (int i = 0; i < n; i++)
			serve_conn_done(s, &done[i]);
	} while (n > 0);
	if (n < 0 && n != -EINTR) {
		fprintf(stderr, "devio-serve: %s\n", devio_errmsg());
		return -1;
	}
	return 0;
}

static void end_all(struct serve *s)
{
	for (unsigned int i = 0; i < s->connections; i++)
		if (s->conns[i].sock)
			serve_conn_kill(s, &s->conns[i], "the server ends");
	while (s->nr_conns) {
		struct devio_completion done[TAKE];
		int n = devio_ring_wait(s->ring, done, 1, TAKE, 1000000000);

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
	int rc = 0, tired = 0;

	while (!serve_stop && !rc) {
		int n;

		rc = take_done(s);
		if (rc)
			break;
		n = ppoll(p, tired ? 1 : 2, tired ? &pause : NULL, open);
		tired = n > 0 && !tired && p[1].revents ? accept_one(s) : 0;
		if (n < 0 && errno != EINTR) {
			fprintf(stderr, "devio-serve: poll: %s\n", strerror(errno));
			rc = -1;
		}
	}
	end_all(s);
	return rc;
}
