/* SPDX-License-Identifier: MIT */
/*
 * The protocol of devio-nicd, over an AF_UNIX socket of type SOCK_SEQPACKET. There
 * is one connection per NIC, which stays set up as long as the connection is open.
 * Both ends are on one machine: integers are in host byte order.
 *
 * A request is one struct dv_nicd_request, with a descriptor by SCM_RIGHTS: the
 * dma-buf for OPEN, the TCP socket for STEER, none for CLOSE. Each has one answer,
 * one struct dv_nicd_answer. An invalid request is answered by REFUSE and the
 * connection is closed; a client that is not admitted gets the same before it
 * sends anything.
 *
 * Magic and version keep their offsets in every version, as do err and text of
 * an answer. Neither side trusts the other: every field is checked.
 */
#ifndef DV_NICWIRE_H
#define DV_NICWIRE_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define DV_NICD_SOCKET "/run/devio/nic.sock"
#define DV_NICD_MAGIC 0x646e7664u     /* "dvnd" */
#define DV_NICD_VERSION 3u
#define DV_NICD_QUEUES_MAX 1024u
#define DV_NICD_STEER_MAX 3u          /* enum devio_steer */

enum { DV_NICD_REFUSE, DV_NICD_OPEN, DV_NICD_STEER, DV_NICD_CLOSE };

struct dv_nicd_request {
	uint32_t magic, version;
	uint32_t op;
	uint32_t steer, queues;       /* OPEN: of devio_nic_opts */
	uint32_t buffer;              /* OPEN: of devio_nic_opts */
	uint64_t size;                /* OPEN: bytes of the memory, which spans the dma-buf */
	uint64_t netns;               /* OPEN: SO_NETNS_COOKIE of the client's sockets */
	char ifname[16];              /* OPEN */
};

struct dv_nicd_answer {
	uint32_t magic, version;
	uint32_t op;                  /* of the request, or REFUSE */
	int32_t err;                  /* 0, or -errno with an error message in text */
	char text[448];
	uint32_t ifindex, steer, queue, queues, binding, rules; /* OPEN, STEER: of devio_nic_info */
	uint32_t buffer, resv;
};

_Static_assert(sizeof(struct dv_nicd_request) == 56 && sizeof(struct dv_nicd_answer) == 496, "no holes");

/*
 * Decodes a request of n bytes that came with fds descriptors. 0,
 * -EPROTONOSUPPORT (another version), -EBADF (wrong number of descriptors) or
 * -EPROTO.
 */
static inline int dv_nicd_get_request(const void *from, size_t n, unsigned int fds, struct dv_nicd_request *q)
{
	const struct dv_nicd_request none = { .magic = 0 };

	*q = none;
	memcpy(q, from, n < sizeof(*q) ? n : sizeof(*q));
	if (n < 8 || q->magic != DV_NICD_MAGIC)
		return -EPROTO;
	if (q->version != DV_NICD_VERSION)
		return -EPROTONOSUPPORT;
	if (n != sizeof(*q) || q->op < DV_NICD_OPEN || q->op > DV_NICD_CLOSE)
		return -EPROTO;
	if (fds != (q->op != DV_NICD_CLOSE))
		return -EBADF;
	if (q->op != DV_NICD_OPEN)
		return q->steer || q->queues || q->buffer || q->size || q->netns ||
		       memcmp(q->ifname, none.ifname, sizeof(q->ifname)) ? -EPROTO : 0;
	if (!memchr(q->ifname, '\0', sizeof(q->ifname)) || !*q->ifname || q->steer > DV_NICD_STEER_MAX || !q->queues ||
	    q->queues > DV_NICD_QUEUES_MAX || !q->size || q->size > INT64_MAX)
		return -EPROTO;
	return 0;
}

/* Decodes n bytes as the answer to op; REFUSE answers every op. 0, -EPROTONOSUPPORT or -EPROTO. */
static inline int dv_nicd_get_answer(const void *from, size_t n, uint32_t op, struct dv_nicd_answer *a)
{
	memset(a, 0, sizeof(*a));
	memcpy(a, from, n < sizeof(*a) ? n : sizeof(*a));
	if (n < 8 || a->magic != DV_NICD_MAGIC)
		return -EPROTO;
	if (a->version != DV_NICD_VERSION)
		return -EPROTONOSUPPORT;
	if (n != sizeof(*a) || a->err > 0 || a->err < -4095 || !memchr(a->text, '\0', sizeof(a->text)))
		return -EPROTO;
	if (a->err)
		return *a->text && (a->op == op || a->op == DV_NICD_REFUSE) ? 0 : -EPROTO;
	if (a->op != op)
		return -EPROTO;
	if (op == DV_NICD_OPEN && (!a->binding || !a->queue || !a->queues || a->queues > DV_NICD_QUEUES_MAX ||
				   !a->steer || !a->buffer || a->steer > DV_NICD_STEER_MAX))
		return -EPROTO;
	return 0;
}

#endif
