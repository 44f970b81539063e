/* SPDX-License-Identifier: MIT */
/* devio-nicd: sets up and restores the NIC of one client, as the receiver passes its requests on. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "nicd.h"

struct client {
	const struct nicd *d;
	int fd;                    /* to the receiver */
	int conn;                  /* the client's connection, for its end alone: see nicd.h */
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_nic *nic;
	char text[NICD_TEXT];      /* the message of the error */
};

/* Errors of the library are passed on to the client. */
static int pass_on(struct client *c, int rc)
{
	return rc < 0 ? nicd_refuse(c->text, rc, "devio-nicd: %s", devio_errmsg()) : rc;
}

static void on_error(void *arg, enum devio_log_level level, const char *text)
{
	struct client *c = arg;

	(void)level;
	tool_msg("%s", text);
	(void)nicd_refuse(c->text, -EIO, "devio-nicd: %s", text);
}

/* ---------------------------------------------------------------------- requests */

static int do_open(struct client *c, const struct dv_nicd_request *q, int fd)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	int rc;

	o.steer = (int)q->steer;
	o.queues = q->queues;
	o.buffer = q->buffer;
	o.flags = DEVIO_NIC_NO_DAEMON;
	rc = devio_mem_import_dmabuf(c->ctx, fd, 0, q->size, &c->mem);
	if (!rc)
		rc = devio_nic_open(c->ctx, q->ifname, c->mem, &o, &c->nic);
	if (!rc) {
		tool_info("process %d: %s is set up", (int)getpid(), q->ifname);
		return 0;
	}
	(void)pass_on(c, rc);
	devio_mem_free(c->mem);
	c->mem = NULL;
	return rc;
}

/* Addresses are what the kernel reports of the socket, never what the client says. */
static int do_steer(struct client *c, int fd)
{
	struct devio_sock *s;
	int rc;

	rc = devio_sock_import(c->ctx, fd, NULL, &s);
	if (rc)
		return pass_on(c, rc);
	if (!c->d->netns || nicd_netns(fd) != c->d->netns)
		rc = nicd_refuse(c->text, -EXDEV,
				 "devio-nicd: the connection is in another network namespace than the NIC");
	else
		rc = pass_on(c, devio_nic_steer(c->nic, s));
	devio_sock_close(s);
	return rc;
}

static int do_close(struct client *c)
{
	devio_nic_close(c->nic);
	devio_mem_free(c->mem);
	c->nic = NULL;
	c->mem = NULL;
	/* What could not be restored was reported to on_error(). */
	return *c->text ? -EIO : 0;
}

/* ---------------------------------------------------------------------- messages */

/* 1: there is a request, 0: the client or a signal ended it. */
static int wait_request(const struct client *c)
{
	struct timespec ts = { .tv_sec = (time_t)c->d->timeout,
			       .tv_nsec = (long)((c->d->timeout - (double)(time_t)c->d->timeout) * 1e9) };
	/* The receiver may hang in a descriptor of its client: the end of the connection is seen here, too. */
	struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN }, { .fd = c->conn, .events = POLLRDHUP } };
	int n;

	/* With a NIC set up, a client may be idle for ever. */
	do
		n = ppoll(p, 2, c->nic ? NULL : &ts, &c->d->open);
	while (n < 0 && errno == EINTR && !tool_stop);
	if (!n)
		nicd_answer(c->fd, DV_NICD_REFUSE, -ETIMEDOUT, "devio-nicd: timed out: no request", NULL);
	return n > 0 && !tool_stop && p[0].revents;
}

/* False: the connection ends. */
static bool process(struct client *c, const struct nicd_message *m)
{
	struct devio_nic_info info = DEVIO_OPTS(info);
	struct dv_nicd_request q;
	int rc = dv_nicd_get_request(m->bytes, (size_t)m->n, m->nr_fds, &q);

	if (rc) {
		nicd_answer(c->fd, DV_NICD_REFUSE, rc, nicd_protocol_error(rc), NULL);
		return false;
	}
	*c->text = '\0';
	/* The receiver has checked it; but it is the one that a client can attack. */
	rc = nicd_check(c->d, &q, c->nic, c->text);
	if (!rc)
		rc = q.op == DV_NICD_OPEN ? do_open(c, &q, m->fd[0]) : q.op == DV_NICD_STEER ? do_steer(c, m->fd[0]) :
		     do_close(c);
	if (!rc && c->nic)
		rc = pass_on(c, devio_nic_get_info(c->nic, &info));
	/* Before the answer: the receiver closes its own descriptor then, and the last close may block. */
	for (unsigned int i = 0; i < m->nr_fds; i++)
		close(m->fd[i]);
	nicd_answer(c->fd, q.op, rc, c->text, &info);
	/* Without a NIC the connection is over. */
	return c->nic;
}

/* 1: there may be more, 0: the end. */
static int one_request(struct client *c)
{
	struct nicd_message m;

	if (!wait_request(c))
		return 0;
	nicd_receive(c->fd, &m);
	if (m.n < 0)
		return errno == EAGAIN || errno == EINTR;
	return (m.n || m.nr_fds) && process(c, &m);
}

/* The first message has the client's connection. */
static int take_connection(struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct nicd_message m;

	if (send(c->fd, "", 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, 5000) <= 0)
		return -1;
	nicd_receive(c->fd, &m);
	if (m.n != 1 || m.nr_fds != 1)
		return -1;
	c->conn = m.fd[0];
	return 0;
}

void nicd_client(const struct nicd *d, int fd)
{
	struct client c = { .d = d, .fd = fd, .conn = -1 };
	struct devio_ctx_opts co = DEVIO_OPTS(co);

	co.log = on_error;
	co.log_arg = &c;
	co.log_level = DEVIO_LOG_ERROR;
	if (take_connection(&c))
		return;
	if (devio_ctx_open(&co, &c.ctx)) {
		nicd_answer(fd, DV_NICD_REFUSE, -ENOMEM, devio_errmsg(), NULL);
		return;
	}
	while (one_request(&c))
		;
	devio_nic_close(c.nic);
	devio_mem_free(c.mem);
	devio_ctx_close(c.ctx);
}
