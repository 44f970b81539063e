/* SPDX-License-Identifier: MIT */
/* The sock endpoint: handles, information, synchronous calls. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "path/choose.h"
#include "ring/idle.h"

_Static_assert(DEVIO_SOCK_DIRECT_ONLY == DEVIO_FILE_DIRECT_ONLY, "lib/path/choose.c asks for either by one name");

int dv_sock_opts(struct devio_ctx *ctx, const struct devio_sock_opts *in, struct devio_sock_opts *o, const void *out)
{
	const unsigned int known = DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_PARTIAL | DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6 |
				   DEVIO_SOCK_OWN_FD;
	int rc = dv_opts_copy(o, sizeof(*o), in, "devio_sock_opts");

	if (!rc && (!ctx || !out))
		rc = dv_err(-EINVAL, "sock: the context or the place for the connection is NULL");
	if (!rc && ((o->path && o->path < DEVIO_PATH_SOCK_DEVMEM) || o->path >= DEVIO_PATH_MAX || o->flags & ~known))
		rc = dv_err(-EINVAL, "sock: path %d is none of connections, or flags 0x%x are unknown", o->path, o->flags);
	if (!rc && o->flags & DEVIO_SOCK_IPV4 && o->flags & DEVIO_SOCK_IPV6)
		rc = dv_err(-EINVAL, "sock: only IPv4 and only IPv6 exclude each other: set neither");
	if (!rc && (o->connect_ns < 0 || o->idle_ns < 0 || o->backlog < 0 || o->buffer < 0))
		rc = dv_err(-EINVAL, "sock: a time, the backlog or the buffer is negative");
	return rc ? rc : dv_ctx_forked(ctx);
}

int dv_sock_new(struct devio_ctx *ctx, int fd, const struct devio_sock_opts *o, bool listening,
		struct devio_sock **out)
{
	struct devio_sock *s = calloc(1, sizeof(*s));

	if (!s)
		return dv_err(-ENOMEM, "sock: no memory for the handle");
	s->ctx = dv_ctx_get(ctx);
	s->refs = 1;
	s->fd = fd;
	s->listening = listening;
	s->opts = *o;
	if (!s->opts.path && ctx->path >= DEVIO_PATH_SOCK_DEVMEM)
		s->opts.path = ctx->path;
	if (ctx->flags & DEVIO_CTX_DIRECT_ONLY)
		s->opts.flags |= DEVIO_SOCK_DIRECT_ONLY;
	for (int i = 0; i < 2; i++) {
		s->flow[i].id = dv_ctx_new_id();
		s->flow[i].tail = &s->flow[i].head;
		s->flow[i].held_tail = &s->flow[i].held;
	}
	*out = s;
	return 0;
}

void dv_sock_destroy(struct devio_sock *s)
{
	close(s->fd);
	dv_rx_free(s->rx);
	dv_tx_free(s->ctx, s->tx);
	dv_ctx_put(s->ctx);
	free(s);
}

int dv_sock_check(const struct devio_sock *s)
{
	return s ? dv_ctx_forked(s->ctx) : dv_err(-EINVAL, "sock: the connection is NULL");
}

static int get_int(int fd, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &len) ? -errno : 0;
}

/* A TCP socket, connected or listening? */
static int check_fd(int fd, bool *listening)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int domain, protocol, accepts = 0, rc = get_int(fd, SO_DOMAIN, &domain);

	if (!rc)
		rc = get_int(fd, SO_PROTOCOL, &protocol);
	if (rc)
		return dv_err(rc, "sock (descriptor %d): it is %s", fd, rc == -ENOTSOCK ? "no socket" : "not usable");
	if ((domain != AF_INET && domain != AF_INET6) || protocol != IPPROTO_TCP)
		return dv_err(-EPROTONOSUPPORT, "sock (descriptor %d): it is not TCP over IPv4 or IPv6", fd);
	(void)get_int(fd, SO_ACCEPTCONN, &accepts);
	*listening = accepts;
	if (!accepts && getpeername(fd, (struct sockaddr *)&peer, &len))
		return dv_err(-errno, "sock (descriptor %d): connect it first", fd);
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
		return dv_err(-errno, "sock (descriptor %d): it cannot be duplicated", fd);
	rc = dv_sock_new(ctx, own, &o, listening, out);
	if (rc && !take)
		close(own);
	return rc;
}

DEVIO_API void devio_sock_close(struct devio_sock *s)
{
	if (s)
		dv_sock_put(s);
}

DEVIO_API int devio_sock_shutdown(struct devio_sock *s, unsigned int how)
{
	int rc = dv_sock_check(s);

	if (!rc && (!how || how & ~(DEVIO_SHUT_RECV | DEVIO_SHUT_SEND)))
		rc = dv_err(-EINVAL, "sock: shutdown: 0x%x names neither stream", how);
	if (rc)
		return rc;
	if (shutdown(s->fd, how == DEVIO_SHUT_RECV ? SHUT_RD : how == DEVIO_SHUT_SEND ? SHUT_WR : SHUT_RDWR))
		return dv_err(-errno, "sock: shutdown: %s", errno == ENOTCONN ? "the connection is gone, or a listener" :
			      "the kernel refused");
	return 0;
}

static void name_of(const struct sockaddr_storage *a, char *text, size_t size, uint16_t *port)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;

	*port = ntohs(a->ss_family == AF_INET6 ? six->sin6_port : four->sin_port);
	if (a->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &four->sin_addr, text, size);
	else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		(void)inet_ntop(AF_INET, (const char *)&six->sin6_addr + 12, text, size);
	else
		(void)inet_ntop(AF_INET6, &six->sin6_addr, text, size);
}

DEVIO_API int devio_sock_get_info(struct devio_sock *s, struct devio_sock_info *info)
{
	struct devio_sock_info i = { 0 };
	struct sockaddr_storage a;
	struct dv_netdev dev;
	socklen_t len = sizeof(a);
	int rc = dv_sock_check(s);

	if (rc)
		return rc;
	i.listening = s->listening;
	memset(&a, 0, sizeof(a));
	if (getsockname(s->fd, (struct sockaddr *)&a, &len))
		return dv_err(-errno, "sock: the local address");
	i.family = a.ss_family;
	name_of(&a, i.local, sizeof(i.local), &i.local_port);
	len = sizeof(a);
	if (!getpeername(s->fd, (struct sockaddr *)&a, &len))
		name_of(&a, i.peer, sizeof(i.peer), &i.peer_port);
	if (!s->listening && !dv_netdev_find(s->fd, &dev)) {
		i.ifindex = dev.ifindex;
		memcpy(i.ifname, dev.name, sizeof(i.ifname));
	}
	return dv_info_copy(info, &i, sizeof(i), "devio_sock_info");
}

DEVIO_API int devio_sock_fd(struct devio_sock *s)
{
	int rc = dv_sock_check(s);

	return rc ? rc : s->fd;
}

DEVIO_API int devio_ring_sock_io(struct devio_ring *r, const struct devio_sock_io *io)
{
	struct devio_sock_io known;
	int rc = dv_ring_check(r);

	if (!rc)
		rc = dv_opts_copy(&known, sizeof(known), io, "devio_sock_io");
	return rc ? rc : dv_flow_start(r, &known, NULL);
}

static int start(struct devio_ring *r, struct devio_sock *s, const struct devio_range *range, uint64_t cookie, int send)
{
	const struct devio_sock_io io = {
		.sz = sizeof(io), .sock = s, .ranges = range, .nr_ranges = 1, .send = send, .cookie = cookie,
	};
	int rc = dv_ring_check(r);

	return rc ? rc : dv_flow_start(r, &io, NULL);
}

DEVIO_API int devio_ring_recv(struct devio_ring *r, struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off,
			      uint64_t len, uint64_t cookie)
{
	return start(r, s, &(struct devio_range){ mem, mem_off, len }, cookie, 0);
}

DEVIO_API int devio_ring_send(struct devio_ring *r, struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off,
			      uint64_t len, uint64_t cookie)
{
	return start(r, s, &(struct devio_range){ mem, mem_off, len }, cookie, 1);
}

static ssize_t transfer(struct devio_sock *s, const struct devio_range *range, int send, struct devio_completion *done)
{
	struct devio_completion c;
	struct devio_ring *r;
	int rc = dv_sock_check(s);

	if (!rc)
		rc = dv_sync_take(s->ctx, &r);
	if (rc)
		return rc;
	rc = start(r, s, range, 0, send);
	if (!rc)
		rc = dv_sync_wait(r, &c);
	dv_sync_give(s->ctx, r);
	if (rc)
		return rc;
	if (done)
		*done = c;
	if (c.result >= 0)
		return c.result;
	return dv_err((int)c.result, "sock: %s by %s failed after %llu bytes: %s", send ? "send" : "receive",
		      devio_path_name(c.path), (unsigned long long)c.good, devio_reason_text(c.reason));
}

DEVIO_API ssize_t devio_sock_recv(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done)
{
	return transfer(s, &(struct devio_range){ mem, mem_off, len }, 0, done);
}

DEVIO_API ssize_t devio_sock_send(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len,
				  struct devio_completion *done)
{
	return transfer(s, &(struct devio_range){ mem, mem_off, len }, 1, done);
}

DEVIO_API int devio_sock_explain(struct devio_sock *s, struct devio_mem *mem, uint64_t mem_off, uint64_t len, int send,
				 struct devio_completion *verdict, char *buf, size_t size)
{
	struct devio_range range = { mem, mem_off, len };
	const struct devio_sock_io io = { .sock = s, .ranges = &range, .nr_ranges = 1, .send = send };
	struct dv_op op = { .sock = s, .mem = mem, .ranges = &range, .nr_ranges = 1, .write = send, .buf = -1,
			    .eof_x = UINT64_MAX };
	int rc = dv_sock_check(s);

	if (!rc && (!mem || (size && !buf)))
		rc = dv_err(-EINVAL, "sock: the memory or the buffer is NULL");
	if (!rc)
		rc = dv_flow_check(s->ctx, &io, &op.len);
	if (rc)
		return rc;
	op.want = s->opts.flags;
	return dv_sync_explain(s->ctx, &op, s->opts.path, verdict, buf, size);
}
