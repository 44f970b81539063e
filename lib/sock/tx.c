/* SPDX-License-Identifier: MIT */
/* Sending from device memory: binds memory to interfaces, shared by all connections of a context. */
#include "config.h"
#include <stdlib.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/netdev.h"
#include "sock/rx.h"

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
		dv_log(m->ctx, DEVIO_LOG_INFO, "path sock-devmem: cannot send from mem %s: %s [%s]", m->spec,
		       *b->bind.nl.why ? b->bind.nl.why : "the kernel gives no reason", dv_errno_name(rc));
	b->refs = 1;
	b->ifindex = ifindex;
	b->mem = m->id;
	return rc;
}

/* A reference to the binding of the memory to the interface, which is created if necessary. */
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

const struct dv_txbind *dv_tx_bind_of(const struct dv_tx *tx, const struct devio_mem *m)
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

int dv_tx_open(struct devio_sock *s, struct devio_mem *m, uint8_t *why)
{
	struct dv_netdev d;
	int i = 0;

	*why = DEVIO_REASON_NET_BIND;
	if (!s->tx)
		s->tx = tx_new(s);
	if (!s->tx)
		return -EOPNOTSUPP;
	if (dv_tx_bind_of(s->tx, m))
		return 0;
	while (i < DV_TX_MEMS && s->tx->bind[i])
		i++;
	if (i == DV_TX_MEMS) {
		*why = DEVIO_REASON_NO_SLOT;
		return -EOPNOTSUPP;
	}
	if (dv_netdev_find(s->fd, &d))
		return -EOPNOTSUPP;
	return get_bind(s->base.ctx, d.ifindex, m, &s->tx->bind[i]) ? -EOPNOTSUPP : 0;
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
