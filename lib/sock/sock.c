/* SPDX-License-Identifier: MIT */
/* The handle of a connection: destroy, check, close, shutdown, info. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "sock/rx.h"

void dv_sock_destroy(struct dv_endpoint *e)
{
	struct devio_sock *s = (struct devio_sock *)e;

	dv_ctx_retire_id(s->stream[0].id);
	dv_ctx_retire_id(s->stream[1].id);
	close(s->fd);
	dv_rx_free(s->rx);
	dv_tx_free(s->base.ctx, s->tx);
	dv_ctx_put(s->base.ctx);
	free(s);
}

int dv_sock_check(const struct devio_sock *s)
{
	return s ? dv_ctx_forked(s->base.ctx) : dv_err(-EINVAL, "sock: the connection is NULL");
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
		rc = dv_err(-EINVAL, "sock: shutdown: invalid flags 0x%x: use DEVIO_SHUT_RECV, DEVIO_SHUT_SEND or both",
			    how);
	if (rc)
		return rc;
	if (shutdown(s->fd, how == DEVIO_SHUT_RECV ? SHUT_RD : how == DEVIO_SHUT_SEND ? SHUT_WR : SHUT_RDWR))
		return dv_err(-errno, "sock: shutdown: %s", errno == ENOTCONN ?
			      "the connection has ended, or is a listener" : "failed");
	return 0;
}

/* Queried once: as a rule, a connection stays on its interface. */
enum devio_reason dv_sock_nic_reason(struct devio_sock *s, enum dv_nic_use use, struct devio_ring *r)
{
	uint8_t reason = atomic_load_explicit(&s->nic_reason[use], memory_order_relaxed);
	struct dv_netdev d;

	if (reason)
		return reason;
	if (!dv_netdev_find(s->fd, &d))
		dv_netdev_ask(&d);
	if (use == DV_NIC_ZCRX) {
		d.bind_rx = dv_zcrx_known(&r->q);
		d.right = d.right && d.first_user_ns;
	}
	reason = dv_netdev_why(&d, use == DV_NIC_SEND);
	atomic_store_explicit(&s->nic_reason[use], reason, memory_order_relaxed);
	return reason;
}

static void format_addr(const struct sockaddr_storage *a, char *text, size_t size, uint16_t *port)
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
		return dv_err(-errno, "sock: cannot read the local address");
	i.family = a.ss_family;
	format_addr(&a, i.local, sizeof(i.local), &i.local_port);
	len = sizeof(a);
	if (!getpeername(s->fd, (struct sockaddr *)&a, &len))
		format_addr(&a, i.peer, sizeof(i.peer), &i.peer_port);
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
