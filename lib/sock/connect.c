/* SPDX-License-Identifier: MIT */
/* Name resolution, connect, listen, accept. */
#include "config.h"
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "core/clock.h"
#include "sock/sock.h"

#define DEFAULT_BACKLOG 128

/* Polls fd until it is ready, or until the time `end` (0: no timeout). Signals do not interrupt it. */
static int wait_ready(int fd, short events, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = end ? end - dv_now_ns() : 0;
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
		int n;

		if (end && left <= 0)
			return -ETIMEDOUT;
		n = ppoll(&p, 1, end ? &ts : NULL, NULL);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int64_t end_of(int64_t ns)
{
	return ns ? dv_end_ns(ns) : 0;
}

/* getaddrinfo(), whose errors become -errno with an error message. */
static int resolve(const char *host, const char *service, const struct devio_sock_opts *o, bool passive,
		   struct addrinfo **list)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
	int rc;

	hints.ai_family = o->flags & DEVIO_SOCK_IPV4 ? AF_INET : o->flags & DEVIO_SOCK_IPV6 ? AF_INET6 : AF_UNSPEC;
	hints.ai_flags = passive ? AI_PASSIVE : 0;
	rc = getaddrinfo(host && *host ? host : NULL, service, &hints, list);
	if (!rc)
		return 0;
	return dv_err(rc == EAI_MEMORY ? -ENOMEM : rc == EAI_AGAIN ? -EAGAIN : rc == EAI_SYSTEM ? -errno : -ENOENT,
		      "sock %s port %s: cannot resolve the name: %s; check it with getent ahosts",
		      host && *host ? host : "*", service, gai_strerror(rc));
}

static void set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* Options that may fail harmlessly. */
static void tune(int fd, const struct devio_sock_opts *o)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (o->buffer) {
		set_int(fd, SOL_SOCKET, SO_RCVBUF, o->buffer);
		set_int(fd, SOL_SOCKET, SO_SNDBUF, o->buffer);
	}
}

static int open_socket(const struct addrinfo *a, const struct devio_sock_opts *o, int *fd)
{
	*fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (*fd < 0)
		return -errno;
	tune(*fd, o);
	return 0;
}

static int connect_one(const struct addrinfo *a, const struct devio_sock_opts *o, int64_t end, int *out)
{
	socklen_t len = sizeof(int);
	int fd, err = 0, rc = open_socket(a, o, &fd);

	if (rc)
		return rc;
	if (connect(fd, a->ai_addr, a->ai_addrlen)) {
		rc = errno == EINPROGRESS ? wait_ready(fd, POLLOUT, end) : -errno;
		if (!rc && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
			err = errno;
	}
	if (rc || err) {
		close(fd);
		return rc ? rc : -err;
	}
	*out = fd;
	return 0;
}

static int listen_one(const struct addrinfo *a, const struct devio_sock_opts *o, int *out)
{
	int fd, rc = open_socket(a, o, &fd);

	if (rc)
		return rc;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* One socket for both families, unless only IPv6 was requested. */
	if (a->ai_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !!(o->flags & DEVIO_SOCK_IPV6));
	if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, o->backlog ? o->backlog : DEFAULT_BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int check_names(const char *service, const struct devio_sock_opts *o)
{
	if (!service || !*service)
		return dv_err(-EINVAL, "sock: no service given: use a port number or a service name");
	/* getaddrinfo() silently uses the lower 16 bits of a larger number. */
	if (service[strspn(service, "0123456789")] == '\0' && (strlen(service) > 9 || atoi(service) > UINT16_MAX))
		return dv_err(-EINVAL, "sock: invalid port %s: the highest port number is 65535", service);
	if (o->flags & DEVIO_SOCK_OWN_FD)
		return dv_err(-EINVAL, "sock: DEVIO_SOCK_OWN_FD is valid only for devio_sock_import()");
	return 0;
}

/* The first error, but prefer any other to a missing address family. */
static int more_specific(int old, int rc)
{
	return old && old != -EAFNOSUPPORT && old != -EADDRNOTAVAIL && old != -ENETUNREACH ? old : rc;
}

static int connect_any(const struct addrinfo *list, const struct devio_sock_opts *o, int *fd)
{
	int64_t end = end_of(o->connect_ns);
	int err = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		int rc = connect_one(a, o, end, fd);

		if (!rc)
			return 0;
		err = more_specific(err, rc);
	}
	return err;
}

/* A link-local address without the interface that it is of. */
static bool lacks_scope(const struct addrinfo *list)
{
	const struct sockaddr_in6 *in6 = (const void *)list->ai_addr;

	return list->ai_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) && !in6->sin6_scope_id;
}

static const char *hint(int err, bool no_scope)
{
	switch (err) {
	case -EINVAL: return no_scope ? "a link-local address needs its interface, as in fe80::1%eth0" : "failed";
	case -ECONNREFUSED: return "connection refused";
	case -ETIMEDOUT: return "timed out: check that the host is up and no firewall drops the packets";
	case -ENETUNREACH: case -EHOSTUNREACH: return "no route to the host: check ip route";
	case -EADDRINUSE: return "the port is in use: use another, or 0";
	case -EACCES: case -EPERM:
		return "ports below net.ipv4.ip_unprivileged_port_start require CAP_NET_BIND_SERVICE";
	case -EADDRNOTAVAIL: return "no interface of this machine has the address";
	default: return "failed";
	}
}

/* IPv6 first: a socket bound to [::] accepts IPv4, too. */
static int listen_any(const struct addrinfo *list, const struct devio_sock_opts *o, int *fd)
{
	int err = 0;

	for (int six = 1; six >= 0; six--)
		for (const struct addrinfo *a = list; a; a = a->ai_next) {
			int rc;

			if ((a->ai_family == AF_INET6) != six)
				continue;
			rc = listen_one(a, o, fd);
			if (!rc)
				return 0;
			err = more_specific(err, rc);
		}
	return err;
}

static int open_by_name(struct devio_ctx *ctx, const char *host, const char *service,
			const struct devio_sock_opts *opts, bool listener, struct devio_sock **out)
{
	const char *shown = host && *host ? host : listener ? "*" : "localhost";
	struct devio_sock_opts o;
	struct addrinfo *list;
	int fd = -1, rc = dv_sock_opts(ctx, opts, &o, out);
	bool no_scope;

	if (!rc)
		rc = check_names(service, &o);
	if (!rc)
		rc = resolve(host, service, &o, listener, &list);
	if (rc)
		return rc;
	rc = listener ? listen_any(list, &o, &fd) : connect_any(list, &o, &fd);
	no_scope = lacks_scope(list);
	freeaddrinfo(list);
	if (rc)
		return dv_err(rc, "sock %s port %s: %s: %s", shown, service, listener ? "listen" : "connect",
			      hint(rc, no_scope));
	rc = dv_sock_new(ctx, fd, &o, listener, out);
	if (rc)
		close(fd);
	return rc;
}

DEVIO_API int devio_sock_connect(struct devio_ctx *ctx, const char *host, const char *service,
				 const struct devio_sock_opts *opts, struct devio_sock **out)
{
	return open_by_name(ctx, host, service, opts, false, out);
}

DEVIO_API int devio_sock_listen(struct devio_ctx *ctx, const char *host, const char *service,
				const struct devio_sock_opts *opts, struct devio_sock **out)
{
	return open_by_name(ctx, host, service, opts, true, out);
}

/* Another thread or process may accept the connection between poll and accept. */
static int accept_one(struct devio_sock *l, int *out)
{
	int64_t end = end_of(l->opts.connect_ns);

	for (;;) {
		int rc, fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			*out = fd;
			return 0;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			return -errno;
		rc = wait_ready(l->fd, POLLIN, end);
		if (rc)
			return rc;
	}
}

static const char *accept_hint(int err)
{
	return err == -ETIMEDOUT ? "no connection arrived within the timeout" :
	       err == -EMFILE || err == -ENFILE ? "no free file descriptor (see RLIMIT_NOFILE)" : "failed";
}

DEVIO_API int devio_sock_accept(struct devio_sock *l, struct devio_sock **out)
{
	int fd = -1, rc = dv_sock_check(l);

	if (!rc && !out)
		rc = dv_err(-EINVAL, "sock: the pointer for the new connection is NULL");
	if (!rc && !l->listening)
		rc = dv_err(-EINVAL, "sock: accept: not a listener: use devio_sock_listen()");
	if (rc)
		return rc;
	rc = accept_one(l, &fd);
	if (rc)
		return dv_err(rc, "sock: accept: %s", accept_hint(rc));
	tune(fd, &l->opts);
	rc = dv_sock_new(l->base.ctx, fd, &l->opts, false, out);
	if (rc)
		close(fd);
	return rc;
}
