/* SPDX-License-Identifier: MIT */
/* Handles for existing sockets, and the check of their options. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "sock/sock.h"

int dv_sock_opts(struct devio_ctx *ctx, const struct devio_sock_opts *in, struct devio_sock_opts *o, const void *out)
{
	const unsigned int known = DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL | DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6 |
				   DEVIO_SOCK_OWN_FD;
	int rc = dv_opts_copy(o, sizeof(*o), in, "devio_sock_opts");

	if (!rc && (!ctx || !out))
		rc = dv_err(-EINVAL, "sock: the context or the pointer for the new connection is NULL");
	if (!rc && ((o->path && o->path < DEVIO_PATH_SOCK_DEVMEM) || o->path >= DEVIO_PATH_MAX || o->flags & ~known))
		rc = dv_err(-EINVAL, "sock: path %d is not a path for connections, or unknown flags in 0x%x", o->path,
			    o->flags);
	if (!rc && o->flags & DEVIO_SOCK_IPV4 && o->flags & DEVIO_SOCK_IPV6)
		rc = dv_err(-EINVAL, "sock: DEVIO_SOCK_IPV4 and DEVIO_SOCK_IPV6 are both set: set one or neither");
	if (!rc && (o->connect_ns < 0 || o->idle_ns < 0 || o->backlog < 0 || o->buffer < 0))
		rc = dv_err(-EINVAL, "sock: connect_ns, idle_ns, backlog or buffer is negative");
	return rc ? rc : dv_ctx_forked(ctx);
}

int dv_sock_new(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *o, bool listening,
		struct devio_sock **out)
{
	struct devio_sock *s = calloc(1, sizeof(*s));

	if (!s)
		return dv_err(-ENOMEM, "sock: cannot allocate the handle");
	s->base.ops = &dv_sock_endpoint_ops;
	s->base.ctx = dv_ctx_get(ctx);
	s->base.refs = 1;
	s->fd = fd;
	s->listening = listening;
	s->opts = *o;
	if (!s->opts.path && ctx->path >= DEVIO_PATH_SOCK_DEVMEM)
		s->opts.path = ctx->path;
	if (ctx->flags & DEVIO_CTX_DIRECT_ONLY)
		s->opts.flags |= DEVIO_SOCK_DIRECT_ONLY;
	for (int i = 0; i < 2; i++) {
		s->stream[i].id = dv_ctx_new_id();
		s->stream[i].tail = &s->stream[i].head;
		s->stream[i].pending_tail = &s->stream[i].pending;
	}
	*out = s;
	return 0;
}

static int get_int(int fd, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &len) ? -errno : 0;
}

/* Checks that fd is a TCP socket, connected or listening. */
static int check_fd(int fd, bool *listening)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int domain, protocol, accepts = 0, rc = get_int(fd, SO_DOMAIN, &domain);

	if (!rc)
		rc = get_int(fd, SO_PROTOCOL, &protocol);
	if (rc)
		return dv_err(rc, "sock (descriptor %d): %s", fd, rc == -ENOTSOCK ? "not a socket" : "invalid");
	if ((domain != AF_INET && domain != AF_INET6) || protocol != IPPROTO_TCP)
		return dv_err(-EPROTONOSUPPORT, "sock (descriptor %d): not a TCP socket over IPv4 or IPv6", fd);
	(void)get_int(fd, SO_ACCEPTCONN, &accepts);
	*listening = accepts;
	if (!accepts && getpeername(fd, (struct sockaddr *)&peer, &len))
		return dv_err(-errno, "sock (descriptor %d): not connected: connect it first", fd);
	return 0;
}

DEVIO_API int devio_sock_import(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *opts,
				struct devio_sock **out)
{
	struct devio_sock_opts o;
	bool listening, take;
	int own, rc = dv_sock_opts(ctx, opts, &o, out);

	if (!rc)
		rc = check_fd(fd, &listening);
	if (rc)
		return rc;
	take = o.flags & DEVIO_SOCK_OWN_FD;
	o.flags &= ~DEVIO_SOCK_OWN_FD;
	own = take ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return dv_err(-errno, "sock (descriptor %d): cannot duplicate it", fd);
	rc = dv_sock_new(ctx, own, &o, listening, out);
	if (rc && !take)
		close(own);
	return rc;
}
