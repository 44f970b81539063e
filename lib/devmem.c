/* SPDX-License-Identifier: MIT */
/* sock-devmem, received: what the kernel tells of pieces and tokens. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "ctx.h"
#include "devmem.h"
#include "err.h"
#include "kern/netdev.h"

/* One message of the kernel as a piece; 0, 1: none of ours, or -errno. */
static int piece_of(struct cmsghdr *c, uint32_t binding, uint64_t size, struct dv_piece *out)
{
	struct dv_dmabuf_cmsg f;

	if (c->cmsg_level != SOL_SOCKET || (c->cmsg_type != SO_DEVMEM_LINEAR && c->cmsg_type != SO_DEVMEM_DMABUF))
		return 1;
	if (c->cmsg_len < CMSG_LEN(sizeof(f)))
		return -EPROTO;
	memcpy(&f, CMSG_DATA(c), sizeof(f));
	*out = (struct dv_piece){ .linear = c->cmsg_type == SO_DEVMEM_LINEAR, .len = f.frag_size, .off = f.frag_offset,
				  .token = f.frag_token };
	if (out->linear)
		return 0;
	if (f.dmabuf_id != binding)
		return -ENOMSG;
	return f.frag_offset > size || f.frag_size > size - f.frag_offset ? -EPROTO : 0;
}

int dv_rx_parse(struct msghdr *msg, uint32_t n, uint32_t binding, uint64_t size, struct dv_piece *out)
{
	uint64_t sum = 0;
	int nr = 0, bad = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		int rc = nr < DV_RX_PIECES ? piece_of(c, binding, size, &out[nr]) : -EPROTO;

		if (rc == 1)
			continue;
		if (rc == -EPROTO)
			return rc;
		bad = rc ? rc : bad;
		sum += out[nr++].len;
	}
	/* Packets without anything in device memory come by themselves, and without a word. */
	if (!nr) {
		out[0] = (struct dv_piece){ .linear = true, .len = n };
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

int dv_rx_open(struct devio_sock *s)
{
	struct devio_nic *nic;
	struct dv_netdev d;

	if (s->rx)
		return 0;
	if (dv_netdev_find(s->fd, &d))
		return -EOPNOTSUPP;
	nic = dv_nic_find(s->ctx, d.ifindex);
	if (!nic)
		return -EOPNOTSUPP;
	s->rx = rx_new(nic);
	return s->rx ? 0 : -ENOMEM;
}

void dv_rx_free(struct dv_rx *rx)
{
	if (!rx)
		return;
	dv_nic_put(rx->nic);
	free(rx->linear);
	free(rx->bounce);
	free(rx->lent);
	free(rx);
}

void dv_rx_prepare(struct dv_rx *rx, void *host, uint32_t bytes, unsigned int pieces)
{
	size_t room = pieces * CMSG_SPACE(sizeof(struct dv_dmabuf_cmsg));

	rx->iov = (struct iovec){ .iov_base = host ? host : rx->linear, .iov_len = bytes < DV_RX_BYTES ? bytes : DV_RX_BYTES };
	rx->msg = (struct msghdr){ .msg_iov = &rx->iov, .msg_iovlen = 1, .msg_control = rx->control,
				   .msg_controllen = pieces < DV_RX_PIECES ? room : sizeof(rx->control) };
}

bool dv_back_collect(struct dv_back *b, uint32_t token)
{
	struct dv_dmabuf_token *last = b->nr ? &b->range[b->nr - 1] : NULL;

	if (b->frags == DV_DONTNEED_FRAGS)
		return false;
	if (last && token == last->token_start + last->token_count) {
		last->token_count++;
	} else if (last && token + 1 == last->token_start) {
		last->token_start--;
		last->token_count++;
	} else if (b->nr == DV_DONTNEED_TOKENS) {
		return false;
	} else {
		b->range[b->nr++] = (struct dv_dmabuf_token){ token, 1 };
	}
	b->frags++;
	return true;
}

int dv_back_flush(struct dv_back *b, int fd)
{
	int want = (int)b->frags, rc = 0;

	if (want)
		rc = setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, b->range, b->nr * sizeof(b->range[0]));
	b->nr = b->frags = 0;
	return rc < 0 ? -errno : want - rc;
}

int dv_back_put(struct dv_back *b, int fd, uint32_t token)
{
	int rc;

	if (dv_back_collect(b, token))
		return 0;
	rc = dv_back_flush(b, fd);
	(void)dv_back_collect(b, token);
	return rc;
}

uint32_t dv_tx_overlap(uint32_t first, uint32_t n, uint32_t lo, uint32_t hi)
{
	int64_t from = (int32_t)(lo - first), to = (int64_t)(int32_t)(hi - first) + 1;

	if (from < 0)
		from = 0;
	if (to > n)
		to = n;
	return to > from ? (uint32_t)(to - from) : 0;
}
