/* SPDX-License-Identifier: MIT */
/* What the tests of connections share: a connection to a plain socket, and what to do with that. */
#ifndef SOCKRIG_H
#define SOCKRIG_H

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "rig.h"

/* A plain listener on the loopback address, its port; or -1 where the family is missing. */
static RIG_UNUSED int plain_listen(int family, unsigned int *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *a = family == AF_INET6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = family == AF_INET6 ? sizeof(six) : sizeof(four);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, a, len) || listen(fd, 100) || getsockname(fd, a, &len)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
	return fd;
}

static RIG_UNUSED const char *port_text(unsigned int port)
{
	static char text[8][8];
	static unsigned int next;
	char *t = text[next++ % 8];

	snprintf(t, sizeof(text[0]), "%u", port % 65536);
	return t;
}

/* A connection of ours and the plain descriptor of its other end. */
static RIG_UNUSED struct devio_sock *sock_pair(struct devio_ctx *ctx, const struct devio_sock_opts *o, int *plain)
{
	unsigned int port = 0;
	int l = plain_listen(AF_INET, &port);
	struct devio_sock *s;

	must(l >= 0, "a listener on the loopback interface");
	must_zero(devio_sock_connect(ctx, "127.0.0.1", port_text(port), o, &s));
	*plain = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	must(*plain >= 0, "accept");
	close(l);
	return s;
}

/* close() that the other side sees as a reset. */
static RIG_UNUSED void plain_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	must(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
	close(fd);
}

static RIG_UNUSED void plain_write(int fd, const void *buf, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t k = send(fd, (const char *)buf + n, len - n, MSG_NOSIGNAL);

		must(k > 0, "the peer sends: %s", strerror(errno));
		n += k;
	}
}

static RIG_UNUSED void plain_read(int fd, void *buf, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t k = recv(fd, (char *)buf + n, len - n, 0);

		if (k < 0 && errno == EINTR) /* a ring that is being torn down, where SO_RCVTIMEO is set */
			continue;
		must(k > 0, "the peer receives: %zd %s", k, strerror(errno));
		n += k;
	}
}

/* What is there at once, at most len. -1: the end or an error. */
static RIG_UNUSED ssize_t plain_some(int fd, void *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_DONTWAIT);

	return n < 0 && errno == EAGAIN ? 0 : n ? n : -1;
}

#endif
