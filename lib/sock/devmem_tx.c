/* SPDX-License-Identifier: MIT */
/*
 * sock-devmem, sent: the NIC reads the payload from the memory itself. The
 * kernel tells by the socket's error queue when it has let go of it; until
 * then the operation lasts.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "core/err.h"
#include "kern/netdev.h"

#define MAX_PART (1u << 20)

static void put_bind(struct devio_ctx *ctx, struct dv_txbind *b)
{
	struct dv_txbind **at;

	pthread_mutex_lock(&ctx->lock);
	if (--b->refs) {
		b = NULL;
	} else {
		for (at = &ctx->txbinds; *at != b; at = &(*at)->next)
			;
		*at = b->next;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (b)
		dv_netbind_close(&b->bind);
	free(b);
}

void dv_tx_free(struct devio_ctx *ctx, struct dv_tx *tx)
{
	for (int i = 0; tx && i < DV_TX_MEMS; i++)
		if (tx->bind[i])
			put_bind(ctx, tx->bind[i]);
	free(tx);
}

static int bind_new(unsigned int ifindex, struct devio_mem *m, struct dv_txbind *b)
{
	int fd, rc = dv_mem_dmabuf(m, &fd, &b->off);

	if (!rc)
		rc = dv_netbind_tx(&b->bind, ifindex, fd);
	if (rc)
		dv_log(m->ctx, DEVIO_LOG_INFO, "path sock-devmem: mem %s cannot be sent from: %s [%s]", m->spec,
		       *b->bind.nl.why ? b->bind.nl.why : "the kernel gives no words", dv_errno_name(rc));
	b->refs = 1;
	b->ifindex = ifindex;
	b->mem = m->id;
	return rc;
}

/* The binding of the memory to the interface: one for all connections. */
static int get_bind(struct devio_ctx *ctx, unsigned int ifindex, struct devio_mem *m, struct dv_txbind **out)
{
	struct dv_txbind *b;
	int rc = 0;

	pthread_mutex_lock(&ctx->lock);
	for (b = ctx->txbinds; b && (b->ifindex != ifindex || b->mem != m->id); b = b->next)
		;
	if (b) {
		b->refs++;
	} else {
		b = calloc(1, sizeof(*b));
		rc = b ? bind_new(ifindex, m, b) : -ENOMEM;
		if (!rc) {
			b->next = ctx->txbinds;
			ctx->txbinds = b;
		}
	}
	pthread_mutex_unlock(&ctx->lock);
	if (rc)
		free(b);
	else
		*out = b;
	return rc;
}

static struct dv_txbind *bind_of(const struct dv_tx *tx, const struct devio_mem *m)
{
	for (int i = 0; tx && i < DV_TX_MEMS; i++)
		if (tx->bind[i] && tx->bind[i]->mem == m->id)
			return tx->bind[i];
	return NULL;
}

static struct dv_tx *tx_new(const struct devio_sock *s)
{
	struct dv_tx *tx = calloc(1, sizeof(*tx));
	int one = 1;

	if (tx && setsockopt(s->fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one))) {
		free(tx);
		return NULL;
	}
	return tx;
}

int dv_tx_can(struct devio_ring *r, const struct dv_op *op, uint8_t *why)
{
	struct devio_sock *s = op->sock;
	struct dv_netdev d;
	int i = 0;

	(void)r;
	*why = DEVIO_REASON_NET_BIND;
	if (!s->tx)
		s->tx = tx_new(s);
	if (!s->tx)
		return -EOPNOTSUPP;
	if (bind_of(s->tx, op->mem))
		return 0;
	while (i < DV_TX_MEMS && s->tx->bind[i])
		i++;
	if (i == DV_TX_MEMS) {
		*why = DEVIO_REASON_NO_SLOT;
		return -EOPNOTSUPP;
	}
	if (dv_netdev_find(s->fd, &d))
		return -EOPNOTSUPP;
	return get_bind(s->ctx, d.ifindex, op->mem, &s->tx->bind[i]) ? -EOPNOTSUPP : 0;
}

int dv_tx_issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t off, left;
	const struct devio_mem *m = dv_op_at(op, op->issued, &off, &left);
	const struct dv_txbind *b = bind_of(op->sock->tx, m);
	struct dv_part *p;

	if (!b)
		return -EOPNOTSUPP; /* not seen: suits() looked */
	p = dv_part_get(r, op, op->issued, left < MAX_PART ? (uint32_t)left : MAX_PART);
	if (!p)
		return -EAGAIN;
	p->way = DV_WAY_DIRECT;
	p->step = DV_STEP_READY;
	p->addr = b->off + off;
	p->buf = (int)b->bind.id;
	p->len = p->take;
	op->issued += p->len;
	dv_flow_part(r, p);
	return 0;
}

/* Not MSG_WAITALL: io_uring would send the rest without saying which memory. */
void dv_tx_frame(struct dv_part *p, struct dv_net *n)
{
	struct dv_tx *tx = p->op->sock->tx;
	uint32_t id = (uint32_t)p->buf;

	tx->iov = (struct iovec){ .iov_base = (void *)(uintptr_t)(p->addr + p->done), .iov_len = p->len - p->done };
	tx->msg = (struct msghdr){ .msg_iov = &tx->iov, .msg_iovlen = 1, .msg_control = tx->control.buf,
				   .msg_controllen = sizeof(tx->control.buf) };
	tx->control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = DV_SCM_DEVMEM_TX,
					      .cmsg_len = CMSG_LEN(sizeof(id)) };
	memcpy(CMSG_DATA(&tx->control.align), &id, sizeof(id));
	n->what = DV_NET_SENDMSG;
	n->addr = (uintptr_t)&tx->msg;
	n->flags |= MSG_ZEROCOPY;
}
