/* SPDX-License-Identifier: MIT */
/* Receiving into a NIC's memory: a connection's state, and parsing the kernel's control messages. */
#include "config.h"
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "kern/sysfs.h"

/* Decodes one control message as a fragment. 0, 1: not a devmem message, or -errno. */
static int parse_cmsg(struct cmsghdr *c, uint32_t binding, uint64_t size, struct dv_rx_frag *out)
{
	struct dv_dmabuf_cmsg f;

	if (c->cmsg_level != SOL_SOCKET || (c->cmsg_type != SO_DEVMEM_LINEAR && c->cmsg_type != SO_DEVMEM_DMABUF))
		return 1;
	if (c->cmsg_len < CMSG_LEN(sizeof(f)))
		return -EPROTO;
	memcpy(&f, CMSG_DATA(c), sizeof(f));
	*out = (struct dv_rx_frag){ .linear = c->cmsg_type == SO_DEVMEM_LINEAR, .len = f.frag_size,
				    .off = f.frag_offset, .token = f.frag_token };
	if (out->linear)
		return 0;
	if (f.dmabuf_id != binding)
		return -ENOMSG;
	return f.frag_offset > size || f.frag_size > size - f.frag_offset ? -EPROTO : 0;
}

/* Almost every control message of the kernel. struct cmsghdr ends in a flexible array: it cannot be a member here. */
struct dmabuf_cmsg {
	size_t len;
	int level, type;
	struct dv_dmabuf_cmsg f;
};

_Static_assert(sizeof(struct dmabuf_cmsg) == CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg)) &&
	       offsetof(struct dmabuf_cmsg, level) == offsetof(struct cmsghdr, cmsg_level) &&
	       offsetof(struct dmabuf_cmsg, type) == offsetof(struct cmsghdr, cmsg_type) &&
	       offsetof(struct dmabuf_cmsg, f) == CMSG_LEN(0), "layout of a control message");

/* Fast path: decodes the leading valid dma-buf messages (one per packet) in few instructions. Returns their number. */
static int parse_dmabuf(const struct msghdr *msg, uint32_t binding, uint64_t size, struct dv_rx_frag *out,
			uint64_t *sum)
{
	const struct dmabuf_cmsg *m = msg->msg_control, *end = m + msg->msg_controllen / sizeof(*m);
	struct dv_rx_frag *o = out;

	end = end - m > DV_RX_FRAGS ? m + DV_RX_FRAGS : end;
	for (; m < end; m++, o++) {
		if (m->len != CMSG_LEN(sizeof(m->f)) || m->level != SOL_SOCKET || m->type != SO_DEVMEM_DMABUF ||
		    m->f.dmabuf_id != binding || m->f.frag_offset > size || m->f.frag_size > size - m->f.frag_offset)
			break;
		o->linear = false;
		o->len = m->f.frag_size;
		o->off = m->f.frag_offset;
		o->token = m->f.frag_token;
		*sum += m->f.frag_size;
	}
	return (int)(o - out);
}

/* The control message after the first n, which parse_dmabuf() has decoded. */
static struct cmsghdr *cmsg_after(struct msghdr *msg, int n)
{
	struct dmabuf_cmsg *first = msg->msg_control;

	return n ? CMSG_NXTHDR(msg, (struct cmsghdr *)(void *)&first[n - 1]) : CMSG_FIRSTHDR(msg);
}

int dv_rx_parse(struct msghdr *msg, uint32_t n, uint32_t binding, uint64_t size, struct dv_rx_frag *out)
{
	uint64_t sum = 0;
	int nr = parse_dmabuf(msg, binding, size, out, &sum), bad = 0;

	for (struct cmsghdr *c = cmsg_after(msg, nr); c; c = CMSG_NXTHDR(msg, c)) {
		int rc = nr < DV_RX_FRAGS ? parse_cmsg(c, binding, size, &out[nr]) : -EPROTO;

		if (rc == 1)
			continue;
		if (rc == -EPROTO)
			return rc;
		bad = rc ? rc : bad;
		sum += out[nr++].len;
	}
	/* The kernel returns packets in ordinary memory separately, without a control message. */
	if (!nr) {
		out[0] = (struct dv_rx_frag){ .linear = true, .len = n };
		return 1;
	}
	return bad ? bad : sum == n ? nr : -EPROTO;
}

static struct dv_rx *rx_new(struct devio_nic *nic)
{
	struct dv_rx *rx = calloc(1, sizeof(*rx));

	if (rx) {
		rx->linear = malloc(DV_RX_BYTES);
		rx->bounce = malloc(DV_RX_BYTES);
	}
	if (!rx || !rx->linear || !rx->bounce) {
		if (rx) {
			free(rx->linear);
			free(rx->bounce);
		}
		free(rx);
		dv_nic_put(nic);
		return NULL;
	}
	rx->nic = nic;
	return rx;
}

/* The limit of the kernel's receive buffer auto-tuning. */
static uint64_t tcp_rmem_max(void)
{
	unsigned long long max;
	char text[80];

	if (dv_sysfs_read("/proc/sys", text, sizeof(text), "net/ipv4/tcp_rmem") < 0 ||
	    sscanf(text, "%*u %*u %llu", &max) != 1)
		max = 6u << 20;
	return max;
}

void dv_rx_limit(int fd, uint64_t size)
{
	uint64_t share = size / DV_RX_SHARE > DV_RX_WAIT_MIN ? size / DV_RX_SHARE : DV_RX_WAIT_MIN;
	int half = (int)(share / 2 < INT_MAX / 2 ? share / 2 : INT_MAX / 2), now = 0, lock = 0;
	socklen_t len = sizeof(int);

	/* Keep the application's own SO_RCVBUF if it is smaller. */
	if (!getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, &len) && lock & DV_RCVBUF_LOCK &&
	    !getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &len) && (uint64_t)now <= share)
		return;
	if (!(lock & DV_RCVBUF_LOCK) && share >= tcp_rmem_max())
		return;
	/* The kernel doubles the value. Without CAP_NET_ADMIN, net.core.rmem_max is the limit. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
}

int dv_rx_open(struct devio_sock *s)
{
	struct devio_nic *nic;
	struct dv_netdev d;

	if (s->rx)
		return 0;
	if (dv_netdev_find(s->fd, &d))
		return -EOPNOTSUPP;
	nic = dv_nic_find(s->base.ctx, d.ifindex);
	if (!nic)
		return -EOPNOTSUPP;
	s->rx = rx_new(nic);
	if (!s->rx)
		return -ENOMEM;
	dv_rx_limit(s->fd, nic->mem->size);
	return 0;
}

void dv_rx_free(struct dv_rx *rx)
{
	if (!rx)
		return;
	dv_nic_put(rx->nic);
	free(rx->linear);
	free(rx->bounce);
	free(rx->borrowed.place);
	free(rx);
}

void dv_rx_prepare(struct dv_rx *rx, void *host, uint32_t bytes, unsigned int frags)
{
	size_t room = frags * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg));

	rx->iov = (struct iovec){ .iov_base = host ? host : rx->linear,
				  .iov_len = bytes < DV_RX_BYTES ? bytes : DV_RX_BYTES };
	rx->msg = (struct msghdr){ .msg_iov = &rx->iov, .msg_iovlen = 1, .msg_control = rx->control,
				   .msg_controllen = frags < DV_RX_FRAGS ? room : sizeof(rx->control) };
}
