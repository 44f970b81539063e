/* SPDX-License-Identifier: MIT */
/*
 * Answers arrive in the order of the requests and have the requested length. The
 * destination of every byte is thus known in advance, and the receives are queued
 * on the ring ahead of time. After a protocol error the position in the stream is
 * unknown: the connection is shut down, and all reads in flight on it fail.
 */
#include "config.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <devio/mem.h>
#include <devio/sock.h>
#include "core/err.h"
#include "core/clock.h"
#include "load/links.h"
#include "load/peer.h"

#define REQUEST (2 * DV_WIRE_HEAD + DV_WIRE_PATH + 1) /* OPEN, path, READ */
#define ROOM (REQUEST + 2 * DV_WIRE_HEAD)             /* and the headers of both answers */
#define RETRY_NS 1000000000LL

enum { OP_REQUEST, OP_HEADERS, OP_BYTES };

struct link {
	struct devio_sock *sock;
	int error;                       /* shut down: -errno, and the reason */
	char why[200];
	uint32_t inflight;               /* reads */
	int64_t deadline_ns;             /* of the last of them */
	uint32_t shard[DV_WIRE_FILES];   /* number of the shard open as this file, + 1; 0: none */
};

struct server {
	struct link link[DV_LINKS];
	int error;                       /* of the last connect, with its message and the time of the next attempt */
	char why[400];
	int64_t retry_ns;
};

struct read {
	uint64_t cookie;
	struct link *link;
	uint32_t shard, len;
	uint8_t pending;                 /* operations in flight */
	bool opens;                      /* an OPEN goes before the READ */
	bool failed;                     /* one of the operations failed, and with it the link */
	int error;                       /* status of the server's answer */
	int64_t deadline_ns;             /* answers keep the order: later than that of the read before */
	struct devio_completion bytes;
	struct read *next;               /* in the list of free ones */
};

struct dv_links {
	struct devio_ctx *ctx;
	struct devio_ring *ring;
	const struct devio_source *source;
	struct devio_mem *mem;           /* ROOM bytes per read */
	unsigned char *buf;              /* mem, mapped */
	struct server *servers;
	struct read *reads, *free;
	uint32_t depth;                  /* number of reads[] */
	int path;
	unsigned int flags;
	char cause[300];
};

int dv_links_open(struct devio_ctx *ctx, struct devio_ring *ring, const struct devio_source *s, uint32_t depth,
		  int path, unsigned int flags, struct dv_links **out)
{
	struct dv_links *l = calloc(1, sizeof(*l));
	void *buf = NULL;
	int rc;

	if (!l)
		return dv_err(-ENOMEM, "load: cannot allocate the list of servers");
	*out = l; /* the caller closes it, also after an error */
	l->ctx = ctx;
	l->ring = ring;
	l->source = s;
	l->path = path >= DEVIO_PATH_SOCK_DEVMEM ? path : 0;
	l->flags = flags;
	l->servers = calloc(s->servers.nr, sizeof(*l->servers));
	l->reads = calloc(depth, sizeof(*l->reads));
	l->depth = depth;
	if (!l->servers || !l->reads)
		return dv_err(-ENOMEM, "load: cannot allocate the connections to %llu servers",
			      (unsigned long long)s->servers.nr);
	rc = devio_mem_alloc(ctx, "host", (uint64_t)depth * ROOM, NULL, &l->mem);
	if (!rc)
		rc = devio_mem_map(l->mem, &buf);
	l->buf = buf;
	for (uint32_t i = depth; i-- > 0;) {
		l->reads[i].next = l->free;
		l->free = &l->reads[i];
	}
	return rc;
}

static void for_each(struct dv_links *l, void (*fn)(struct link *k))
{
	for (uint64_t i = 0; l->servers && i < l->source->servers.nr; i++)
		for (unsigned int n = 0; n < DV_LINKS; n++)
			fn(&l->servers[i].link[n]);
}

static void shut(struct link *k)
{
	/* Not devio_sock_shutdown(): if the connection has ended already, it would replace the error message. */
	if (k->sock)
		(void)shutdown(devio_sock_fd(k->sock), SHUT_RDWR);
}

static void drop(struct link *k)
{
	devio_sock_close(k->sock);
	memset(k, 0, sizeof(*k));
}

void dv_links_cut(struct dv_links *l)
{
	if (l)
		for_each(l, shut);
}

void dv_links_close(struct dv_links *l)
{
	if (!l)
		return;
	for_each(l, drop);
	devio_mem_free(l->mem);
	free(l->servers);
	free(l->reads);
	free(l);
}

/* Shuts the link down. The first reason is kept. */
static void fail_link(struct link *k, int error, const char *why)
{
	if (k->error)
		return;
	k->error = error;
	snprintf(k->why, sizeof(k->why), "%s", why);
	shut(k);
}

/* For an idle link: whether the server has closed it or sent unexpected bytes. */
static bool is_closed(const struct link *k)
{
	struct pollfd p = { .fd = devio_sock_fd(k->sock), .events = POLLIN | POLLRDHUP };

	return k->error || poll(&p, 1, 0) != 0;
}

/* After a failure there is a pause before the next attempt, as each may take the whole timeout. */
static int connect_link(struct dv_links *l, uint32_t number, struct server *v, struct link *k)
{
	const struct dv_server *to = dv_source_server(l->source, number);
	int64_t begin = dv_now_ns();

	if (v->error && begin < v->retry_ns)
		return dv_err_plain(v->error, v->why);
	v->error = dv_peer_connect(l->ctx, to->host, to->port, &k->sock);
	if (!v->error)
		return 0;
	snprintf(v->why, sizeof(v->why), "%s", devio_errmsg());
	v->retry_ns = dv_now_ns() + RETRY_NS + (dv_now_ns() - begin);
	return dv_err_plain(v->error, v->why);
}

/* Connects the link with the fewest reads in flight. 0, -EAGAIN: all are shut down; or -errno with an error message. */
static int take_link(struct dv_links *l, uint32_t number, struct link **out)
{
	struct server *v = &l->servers[number];
	struct link *k = NULL;

	for (unsigned int i = 0; i < DV_LINKS; i++) {
		struct link *x = &v->link[i];

		if ((!x->error || !x->inflight) && (!k || x->inflight < k->inflight))
			k = x;
	}
	if (!k)
		return -EAGAIN;
	*out = k;
	if (k->sock && !k->inflight && is_closed(k))
		drop(k);
	return k->sock ? 0 : connect_link(l, number, v, k);
}

/* Writes the request; returns its length. */
static uint32_t write_request(const struct dv_links *l, struct read *q, uint64_t from)
{
	unsigned char *to = l->buf + (q - l->reads) * ROOM;
	const struct dv_shard *sh = dv_source_shard(l->source, q->shard);
	uint32_t file = q->shard % DV_WIRE_FILES, len = strlen(sh->name);

	q->opens = q->link->shard[file] != q->shard + 1;
	if (!q->opens) {
		dv_wire_put(to, DV_WIRE_READ, file, q->len, from, 0);
		return DV_WIRE_HEAD;
	}
	q->link->shard[file] = q->shard + 1;
	dv_wire_put(to, DV_WIRE_OPEN, file, len, 0, sh->version);
	memcpy(to + DV_WIRE_HEAD, sh->name, len);
	dv_wire_put(to + DV_WIRE_HEAD + len, DV_WIRE_READ, file, q->len, from, 0);
	return 2 * DV_WIRE_HEAD + len;
}

static int post(struct dv_links *l, struct read *q, int op, const struct devio_range *range)
{
	const struct devio_sock_io io = {
		.sz = sizeof(io), .sock = q->link->sock, .ranges = range, .nr_ranges = 1, .send = op == OP_REQUEST,
		.cookie = (uint64_t)(q - l->reads) << 32 | DV_LINKS_COOKIE | (unsigned int)op,
		.path = op == OP_BYTES ? l->path : 0, .flags = op == OP_BYTES ? l->flags : 0,
	};
	int rc = devio_ring_sock_io(l->ring, &io);

	if (!rc)
		q->pending++;
	return rc;
}

static int post_all(struct dv_links *l, struct read *q, const struct devio_range *to, uint64_t from)
{
	uint64_t at = (uint64_t)(q - l->reads) * ROOM;
	int rc = post(l, q, OP_REQUEST, &(struct devio_range){ l->mem, at, write_request(l, q, from) });

	if (!rc)
		rc = post(l, q, OP_HEADERS, &(struct devio_range){ l->mem, at + REQUEST, DV_WIRE_HEAD << q->opens });
	return rc ? rc : post(l, q, OP_BYTES, to);
}

int dv_links_read(struct dv_links *l, uint32_t shard, const struct devio_range *to, uint64_t from, uint64_t cookie)
{
	struct read *q = l->free;
	struct link *k;
	int rc = q ? take_link(l, dv_source_shard(l->source, shard)->server - 1, &k) : -EAGAIN;

	if (rc)
		return rc;
	l->free = q->next;
	*q = (struct read){ .cookie = cookie, .link = k, .shard = shard, .len = to->len };
	if (!k->inflight++)
		k->deadline_ns = dv_end_ns(dv_peer_timeout());
	k->deadline_ns += dv_peer_allowance(to->len);
	q->deadline_ns = k->deadline_ns;
	rc = post_all(l, q, to, from);
	if (!rc)
		return 0;
	fail_link(k, rc, devio_errmsg());
	q->failed = true;
	if (q->pending)
		return 0; /* reported when the posted operations have completed */
	k->inflight--;
	q->next = l->free;
	l->free = q;
	return rc;
}

void dv_links_expire(struct dv_links *l)
{
	int64_t now = dv_now_ns();

	for (uint32_t i = 0; l && i < l->depth; i++)
		if (l->reads[i].pending && now > l->reads[i].deadline_ns)
			fail_link(l->reads[i].link, -ETIMEDOUT, "the server sends nothing, or too slowly");
}

static const unsigned char *headers_of(const struct dv_links *l, const struct read *q)
{
	return l->buf + (q - l->reads) * ROOM + REQUEST;
}

/* Whether the server sent REFUSE instead of an answer. */
static bool is_refusal(struct read *q, const unsigned char *header)
{
	struct dv_wire_answer a;

	if (!dv_wire_get_answer(header, DV_WIRE_OPEN, 0, &a) || a.op != DV_WIRE_REFUSE)
		return false;
	fail_link(q->link, dv_wire_errno(a.status), a.status == dv_wire_status(EBUSY) ?
		  "the server has reached its connection limit" : "the server refused the connection");
	return true;
}

/* Checks the headers of the answers to a read's requests. */
static void check_headers(struct dv_links *l, struct read *q)
{
	const unsigned char *at = headers_of(l, q);
	const struct dv_shard *sh = dv_source_shard(l->source, q->shard);
	struct dv_wire_answer a = { 0 };
	bool ok = true;

	if (q->opens) {
		ok = dv_wire_get_answer(at, DV_WIRE_OPEN, 0, &a) && a.op == DV_WIRE_OPEN;
		if (ok && !a.status && (a.version != sh->version || a.size != sh->size))
			q->error = -ESTALE;
		at += ok ? DV_WIRE_HEAD : 0;
	}
	ok = ok && dv_wire_get_answer(at, DV_WIRE_READ, q->len, &a) && a.op == DV_WIRE_READ;
	if (!ok) {
		q->failed = true;
		if (!is_refusal(q, at))
			fail_link(q->link, -EPROTO, "invalid answer: the server is not a devio-serve of this version");
		return;
	}
	if (a.status)
		q->error = dv_wire_errno(a.status);
	if (q->error && q->link->shard[q->shard % DV_WIRE_FILES] == q->shard + 1)
		q->link->shard[q->shard % DV_WIRE_FILES] = 0; /* opened again by the next read */
}

static bool is_complete(const struct read *q, int op, const struct devio_completion *c)
{
	if (c->result < 0)
		return false;
	return op == OP_REQUEST || c->result == (op == OP_BYTES ? q->len : DV_WIRE_HEAD << q->opens);
}

/* An operation of the read failed. header: of the answer, if it was received; NULL: not. */
static void fail_read(struct read *q, const struct devio_completion *c, const unsigned char *header)
{
	char text[180];

	q->failed = true;
	if (header && is_refusal(q, header))
		return;
	if (c->result >= 0 || c->result == -EPIPE) { /* the end of the stream, seen by a receive or a send */
		fail_link(q->link, -ECONNRESET, "the server closed the connection");
		return;
	}
	devio_completion_text(c, text, sizeof(text));
	fail_link(q->link, (int)c->result, text);
}

static void set_cause(struct dv_links *l, const struct read *q, int error)
{
	if (q->failed)
		snprintf(l->cause, sizeof(l->cause), "%s", q->link->why);
	else if (error == -ESTALE)
		snprintf(l->cause, sizeof(l->cause), "the server's file was replaced or modified since it was indexed: "
			 "open the source again");
	else
		snprintf(l->cause, sizeof(l->cause), "the server cannot read it: %s", strerrordesc_np(-error));
}

bool dv_links_done(struct dv_links *l, struct devio_completion *c)
{
	struct read *q = &l->reads[c->cookie >> 32];
	int op = c->cookie & 3, error;

	q->pending--;
	if (op == OP_BYTES)
		q->bytes = *c;
	if (!is_complete(q, op, c))
		fail_read(q, c, op == OP_HEADERS && c->good >= DV_WIRE_HEAD ? headers_of(l, q) : NULL);
	else if (op == OP_HEADERS)
		check_headers(l, q);
	if (q->pending)
		return false;
	error = q->failed ? q->link->error : q->error;
	*c = q->bytes;
	c->cookie = q->cookie;
	if (error) {
		c->result = error;
		c->good = 0; /* the bytes are zeroes or undefined */
		c->reason = q->failed && q->bytes.result < 0 ? q->bytes.reason : DEVIO_REASON_NET;
		set_cause(l, q, error);
	}
	q->link->inflight--;
	q->next = l->free;
	l->free = q;
	return true;
}

const char *dv_links_cause(const struct dv_links *l)
{
	return l->cause;
}
