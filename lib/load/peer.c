/* SPDX-License-Identifier: MIT */
/*
 * Reads headers from a data server, one request at a time. A source has no context:
 * the connection has one of its own, and both are closed once the files are indexed,
 * so that a source can be used after fork().
 */
#include "config.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <devio/mem.h>
#include <devio/sock.h>
#include "core/clock.h"
#include "core/err.h"
#include "load/peer.h"
#include "load/wire.h"

#define BLOCK (256u << 10)
#define TIMEOUT_S 30.0

struct dv_peer {
	struct devio_ctx *ctx;
	struct devio_sock *sock;
	struct devio_mem *mem;
	unsigned char *buf;       /* mem, mapped: a request, or a header, or a block */
	char host[256], port[6];
	bool failed;              /* the connection cannot be used any more */
};

int64_t dv_peer_timeout(void)
{
	const char *text = secure_getenv("DEVIO_TCP_TIMEOUT");
	double s = text ? strtod(text, NULL) : TIMEOUT_S;

	return (int64_t)((s >= 0.001 && s <= 1e9 ? s : TIMEOUT_S) * 1e9);
}

int dv_peer_connect(struct devio_ctx *ctx, const char *host, const char *port, struct devio_sock **sock)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	o.connect_ns = o.idle_ns = dv_peer_timeout();
	return devio_sock_connect(ctx, host, port, &o, sock);
}

int dv_peer_open(const char *host, const char *port, struct dv_peer **out)
{
	struct dv_peer *p = calloc(1, sizeof(*p));
	void *buf = NULL;
	int rc;

	if (!p)
		return dv_err(-ENOMEM, "source: cannot allocate a connection");
	memccpy(p->host, host, 0, sizeof(p->host) - 1);
	memccpy(p->port, port, 0, sizeof(p->port) - 1);
	rc = devio_ctx_open(NULL, &p->ctx);
	if (!rc)
		rc = devio_mem_alloc(p->ctx, "host", DV_WIRE_HEAD + BLOCK, NULL, &p->mem);
	if (!rc)
		rc = devio_mem_map(p->mem, &buf);
	if (!rc)
		rc = dv_peer_connect(p->ctx, host, port, &p->sock);
	p->buf = buf;
	if (rc)
		dv_peer_close(p);
	else
		*out = p;
	return rc;
}

void dv_peer_close(struct dv_peer *p)
{
	if (!p)
		return;
	devio_sock_close(p->sock);
	devio_mem_free(p->mem);
	devio_ctx_close(p->ctx);
	free(p);
}

bool dv_peer_serves(const struct dv_peer *p, const struct dv_url *url)
{
	return p && !p->failed && !strcmp(p->host, url->host) && !strcmp(p->port, url->port);
}

static int fail(struct dv_peer *p, int rc)
{
	p->failed = true;
	return rc;
}

/* Waits for bytes: how many of `left` can be received at once, or the end of the stream or an error: 1. */
static int wait_bytes(const struct dv_peer *p, const char *text, int64_t deadline, uint32_t left)
{
	struct pollfd fd = { .fd = devio_sock_fd(p->sock), .events = POLLIN };
	int64_t ms;
	int n = 0;

	do {
		ms = (deadline - dv_now_ns()) / 1000000;
		if (ms < 0)
			return dv_err(-ETIMEDOUT, "source %.300s: the server sends nothing, or too slowly", text);
	} while (poll(&fd, 1, (int)(ms < 1000 ? ms + 1 : 1000)) <= 0);
	if (ioctl(fd.fd, FIONREAD, &n) || n < 1)
		return 1;
	return (uint32_t)n < left ? n : (int)left;
}

/* Receives len bytes to the start of the buffer. */
static int receive(struct dv_peer *p, const char *text, uint32_t len)
{
	int64_t deadline = dv_end_ns(dv_peer_timeout() + dv_peer_allowance(len));

	for (uint32_t at = 0; at < len;) {
		int want = wait_bytes(p, text, deadline, len - at);
		ssize_t n;

		if (want < 0)
			return fail(p, want);
		n = devio_sock_recv(p->sock, p->mem, at, (uint64_t)want, NULL);
		if (n < 0)
			return fail(p, dv_err((int)n, "source %.300s: receive from the server failed", text));
		if (!n)
			return fail(p, dv_err(-ECONNRESET, "source %.300s: the server closed the connection", text));
		at += n;
	}
	return 0;
}

/* Sends the request of len bytes in the buffer and receives the header of its answer. */
static int request(struct dv_peer *p, const char *text, unsigned int op, uint32_t len, uint32_t want,
		   struct dv_wire_answer *a)
{
	ssize_t n = devio_sock_send(p->sock, p->mem, 0, len, NULL);
	int rc;

	if (n < 0)
		return fail(p, dv_err((int)n, "source %.300s: send to the server failed", text));
	rc = receive(p, text, DV_WIRE_HEAD);
	if (rc)
		return rc;
	if (!dv_wire_get_answer(p->buf, op, want, a))
		return fail(p, dv_err(-EPROTO, "source %.300s: invalid answer: the server is not a devio-serve of this "
				      "version", text));
	if (a->op == DV_WIRE_REFUSE)
		p->failed = true;
	return 0;
}

static int status_error(const char *text, uint16_t status, const char *what)
{
	int err = dv_wire_errno(status);

	return err ? dv_err(err, "source %.300s: the server %s", text, what) : 0;
}

int dv_peer_open_file(struct dv_peer *p, const char *text, const char *path, uint64_t *size, uint64_t *version)
{
	struct dv_wire_answer a = { 0 };
	uint32_t len = strlen(path);
	int rc;

	dv_wire_put(p->buf, DV_WIRE_OPEN, 0, len, 0, 0);
	memcpy(p->buf + DV_WIRE_HEAD, path, len);
	rc = request(p, text, DV_WIRE_OPEN, DV_WIRE_HEAD + len, 0, &a);
	if (!rc)
		rc = status_error(text, a.status, p->failed ? "has reached its connection limit" : "cannot open it");
	if (rc)
		return rc;
	*size = a.size;
	*version = a.version;
	return 0;
}

int dv_peer_read(struct dv_peer *p, const char *text, void *buf, size_t len, uint64_t off)
{
	char *to = buf;

	while (len) {
		uint32_t n = len < BLOCK ? len : BLOCK;
		struct dv_wire_answer a = { 0 };
		int rc;

		dv_wire_put(p->buf, DV_WIRE_READ, 0, n, off, 0);
		rc = request(p, text, DV_WIRE_READ, DV_WIRE_HEAD, n, &a);
		if (!rc && !p->failed)
			rc = receive(p, text, n);
		if (!rc)
			rc = status_error(text, a.status, p->failed ? "closed the connection" : "cannot read it");
		if (rc)
			return rc;
		memcpy(to, p->buf, n);
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}
