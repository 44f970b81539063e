/* SPDX-License-Identifier: MIT */
/* devio-serve: one connection. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "serve.h"

/* A cookie is the connection and the number of an answer, or RECEIVE. */
#define RECEIVE SERVE_ANSWERS

static void receive(struct serve *s, struct serve_conn *c)
{
	uint64_t at = (uint64_t)c->index * SERVE_INPUT + c->have;
	struct devio_range range = { s->in_mem, at, SERVE_INPUT - c->have };
	const struct devio_sock_io io = {
		.sz = sizeof(io), .sock = c->sock, .ranges = &range, .nr_ranges = 1,
		.cookie = (uint64_t)c->index << 32 | RECEIVE, .flags = DEVIO_SOCK_PARTIAL,
	};

	if (devio_ring_sock_io(s->ring, &io)) {
		serve_conn_close(c, devio_errmsg());
		return;
	}
	c->receiving = true;
	c->inflight++;
}

static void finish(struct serve *s, struct serve_conn *c)
{
	for (; c->count; c->count--, c->first = (c->first + 1) % SERVE_ANSWERS)
		serve_file_put(c->answers[c->first].file);
	for (unsigned int i = 0; i < DV_WIRE_FILES; i++)
		serve_file_put(c->files[i]);
	devio_sock_close(c->sock);
	c->sock = NULL;
	s->nr_conns--;
}

void serve_conn_close(struct serve_conn *c, const char *why)
{
	if (!c->closing) {
		tool_info("connection %u: %s", c->index, why);
		c->closing = true;
		(void)devio_sock_shutdown(c->sock, DEVIO_SHUT_RECV | DEVIO_SHUT_SEND);
	}
}

/* A protocol error: the client is sent a refusal, if that does not block, and disconnected. */
static void refuse(struct serve_conn *c, int err, const char *why)
{
	unsigned char head[DV_WIRE_HEAD];

	dv_wire_put(head, DV_WIRE_REFUSE, dv_wire_status(err), 0, 0, 0);
	if (!c->count)
		(void)!send(devio_sock_fd(c->sock), head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	serve_conn_close(c, why);
}

void serve_conn_begin(struct serve *s, struct serve_conn *c, struct devio_sock *sock)
{
	c->sock = sock;
	c->have = c->inflight = c->first = c->count = 0;
	c->receiving = c->ended = c->closing = false;
	c->last = tool_now();
	memset(c->files, 0, sizeof(c->files));
	memset(c->failed, 0, sizeof(c->failed));
	s->nr_conns++;
	receive(s, c);
	if (c->closing && !c->inflight)
		finish(s, c);
}

/* Zeroes instead of the bytes that could not be read: nothing of an earlier answer may leak. */
static int clear_data(const struct serve *s, const struct serve_conn *c, const struct serve_answer *a)
{
	static const unsigned char zeroes[65536];
	uint64_t at = c->base + a->start + DV_WIRE_HEAD;

	for (uint64_t left = a->len, n; left; left -= n, at += n) {
		n = left < sizeof(zeroes) ? left : sizeof(zeroes);
		if (devio_mem_copy_in(s->mem, at, zeroes, n))
			return -1;
	}
	return 0;
}

/* The answer is complete: puts its head before its data. */
static void make_ready(struct serve *s, struct serve_conn *c, struct serve_answer *a)
{
	unsigned char head[DV_WIRE_HEAD];

	dv_wire_put(head, a->head.op, a->head.status, a->head.len, a->head.size, a->head.version);
	if ((a->head.status && clear_data(s, c, a)) ||
	    devio_mem_copy_in(s->mem, c->base + a->start, head, sizeof(head)))
		serve_conn_close(c, devio_errmsg());
	a->state = SERVE_READY;
}

static void do_open(struct serve *s, struct serve_conn *c, const struct dv_wire_request *q, struct serve_answer *a)
{
	struct serve_file *f = NULL;
	char path[DV_WIRE_PATH + 1];
	int err;

	memcpy(path, c->in + DV_WIRE_HEAD, q->len);
	path[q->len] = '\0';
	err = strlen(path) == q->len ? serve_file_open(s, path, &f) : EINVAL;
	if (!err && q->version && q->version != f->version) {
		serve_file_put(f);
		f = NULL;
		err = ESTALE;
	}
	serve_file_put(c->files[q->file]);
	c->files[q->file] = f;
	c->failed[q->file] = a->head.status = dv_wire_status(err);
	a->head.size = f ? f->size : 0;
	a->head.version = f ? f->version : 0;
	make_ready(s, c, a);
}

static void do_read(struct serve *s, struct serve_conn *c, const struct dv_wire_request *q, struct serve_answer *a)
{
	struct serve_file *f = c->files[q->file];
	uint64_t cookie = (uint64_t)c->index << 32 | (uint64_t)(a - c->answers);

	if (!f)
		a->head.status = c->failed[q->file] ? c->failed[q->file] : dv_wire_status(EINVAL);
	else if (q->off > f->size || q->len > f->size - q->off)
		a->head.status = dv_wire_status(ERANGE);
	else if (devio_ring_read(s->ring, f->file, s->mem, c->base + a->start + DV_WIRE_HEAD, q->len, q->off, cookie))
		a->head.status = dv_wire_status(EIO);
	if (a->head.status) {
		make_ready(s, c, a);
		return;
	}
	a->file = f;
	f->refs++;
	a->state = SERVE_READING;
	c->inflight++;
}

/* Processes one request; false: none is complete, or there is no memory for its answer yet. */
static bool take_request(struct serve *s, struct serve_conn *c)
{
	struct serve_answer *a = &c->answers[(c->first + c->count) % SERVE_ANSWERS];
	struct serve_answer fresh = { .len = 0 };
	struct dv_wire_request q;
	unsigned int bytes;

	c->stalled = false;
	if (c->have < DV_WIRE_HEAD || c->closing)
		return false;
	if (!dv_wire_get_request(c->in, &q)) {
		refuse(c, EPROTO, "protocol error: not a request");
		return false;
	}
	bytes = DV_WIRE_HEAD + (q.op == DV_WIRE_OPEN ? q.len : 0);
	fresh.len = q.op == DV_WIRE_READ ? q.len : 0;
	if (c->have < bytes)
		return false;
	c->stalled = c->count == SERVE_ANSWERS || !serve_buffer_alloc(s, c, &fresh, q.off);
	if (c->stalled)
		return false;
	*a = fresh;
	a->head.op = q.op;
	a->head.len = (uint32_t)a->len;
	c->count++;
	if (q.op == DV_WIRE_OPEN)
		do_open(s, c, &q, a);
	else
		do_read(s, c, &q, a);
	c->have -= bytes;
	memmove(c->in, c->in + bytes, c->have);
	c->last = tool_now();
	s->requests++;
	return true;
}

/* Sends the answers that are complete, in order. */
static void send_ready(struct serve *s, struct serve_conn *c)
{
	for (unsigned int i = 0; i < c->count && !c->closing; i++) {
		unsigned int n = (c->first + i) % SERVE_ANSWERS;
		struct serve_answer *a = &c->answers[n];

		if (a->state == SERVE_READING)
			return;
		if (a->state == SERVE_SENDING)
			continue;
		if (devio_ring_send(s->ring, c->sock, s->mem, c->base + a->start, DV_WIRE_HEAD + a->len,
				    (uint64_t)c->index << 32 | n)) {
			serve_conn_close(c, devio_errmsg());
			return;
		}
		if (!i)
			c->sending = tool_now();
		a->state = SERVE_SENDING;
		c->inflight++;
	}
}

static void read_done(struct serve *s, struct serve_conn *c, struct serve_answer *a,
		      const struct devio_completion *done)
{
	/* Checked after the read: a write before or during it is noticed. */
	if (done->result < 0)
		a->head.status = dv_wire_status((int)-done->result);
	else if (!serve_file_same(a->file))
		a->head.status = dv_wire_status(ESTALE);
	else if ((uint64_t)done->result < a->len)
		a->head.status = dv_wire_status(ENODATA);
	make_ready(s, c, a);
}

static void send_done(struct serve *s, struct serve_conn *c, const struct serve_answer *a,
		      const struct devio_completion *done)
{
	if (done->result != (int64_t)(DV_WIRE_HEAD + a->len)) {
		serve_conn_close(c, done->result == -ETIMEDOUT ? "timed out: it reads no answers" : "connection lost");
		return;
	}
	s->bytes += a->len;
	c->last = c->sending = tool_now();
	/* Sends complete in order: it is the first. */
	serve_file_put(a->file);
	c->first = (c->first + 1) % SERVE_ANSWERS;
	c->count--;
}

static void received(struct serve_conn *c, const struct devio_completion *done)
{
	c->receiving = false;
	if (done->result > 0)
		c->have += (unsigned int)done->result;
	else if (!done->result)
		c->ended = true;
	else if (done->result != -ETIMEDOUT)
		serve_conn_close(c, "connection lost");
}

/*
 * A client that waits for answers may be idle. An incomplete request counts as none, and an answer has to be taken as
 * a whole: a byte now and then keeps no connection.
 */
static void check_deadlines(const struct serve *s, struct serve_conn *c)
{
	const struct linger reset = { 1, 0 };
	double now = tool_now();

	if (!c->count && !c->ended && now - c->last > s->timeout)
		serve_conn_close(c, "timed out: no request");
	if (!c->count || c->answers[c->first].state != SERVE_SENDING || now - c->sending <= s->timeout)
		return;
	/* What is in the socket's buffer would keep it in the kernel for as long as the client reads. */
	(void)setsockopt(devio_sock_fd(c->sock), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	serve_conn_close(c, "timed out: it reads too slowly");
}

/* Does all that can be done now, and closes the connection if it is over. */
static void advance(struct serve *s, struct serve_conn *c)
{
	while (!c->receiving && take_request(s, c))
		;
	send_ready(s, c);
	check_deadlines(s, c);
	if (c->ended && !c->count)
		serve_conn_close(c, "closed by the client");
	/* A receive appends to the pending requests: they are not moved until it has completed. */
	if (!c->closing && !c->receiving && !c->ended && !c->stalled)
		receive(s, c);
	if (c->closing && !c->inflight)
		finish(s, c);
}

void serve_conn_check(struct serve *s, struct serve_conn *c)
{
	if (!c->closing)
		check_deadlines(s, c);
	if (c->closing && !c->inflight)
		finish(s, c);
}

void serve_conn_done(struct serve *s, const struct devio_completion *done)
{
	struct serve_conn *c = &s->conns[done->cookie >> 32];
	unsigned int n = (uint32_t)done->cookie;
	struct serve_answer *a = n == RECEIVE ? NULL : &c->answers[n];

	c->inflight--;
	if (!a)
		received(c, done);
	else if (a->state == SERVE_READING)
		read_done(s, c, a, done);
	else
		send_done(s, c, a, done);
	advance(s, c);
}
