/* SPDX-License-Identifier: MIT */
/* devio-nicd: one client. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nicd.h"

#define MAX_FDS 2 /* one more than any request has; the kernel closes the rest */

struct client {
	const struct nicd *d;
	int fd;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_nic *nic;
	char text[400];            /* the message of the error */
};

struct message {
	char bytes[sizeof(struct dv_nicd_request) + 1];
	ssize_t n;
	int fd[MAX_FDS];
	unsigned int nr_fds;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct client *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return err;
}

/* Errors of the library are passed on to the client. */
static int pass_on(struct client *c, int rc)
{
	return rc < 0 ? refuse(c, rc, "devio-nicd: %s", devio_errmsg()) : rc;
}

static void on_error(void *arg, enum devio_log_level level, const char *text)
{
	struct client *c = arg;

	(void)level;
	tool_msg("%s", text);
	(void)refuse(c, -EIO, "devio-nicd: %s", text);
}

void nicd_answer(int fd, uint32_t op, int err, const char *text, const struct devio_nic_info *info)
{
	struct dv_nicd_answer a = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = op, .err = err };

	snprintf(a.text, sizeof(a.text), "%s", text);
	if (info) {
		a.ifindex = info->ifindex;
		a.steer = (uint32_t)info->steer;
		a.queue = info->queue;
		a.queues = info->queues;
		a.binding = info->binding;
		a.rules = info->rules;
		a.buffer = info->buffer;
	}
	(void)!send(fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---------------------------------------------------------------------- requests */

static uint64_t netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint64_t)st.st_ino;
}

static bool is_offered(const struct nicd *d, const char *ifname)
{
	for (unsigned int i = 0; i < d->nr_ifnames; i++)
		if (!strcmp(d->ifname[i], ifname))
			return true;
	return false;
}

/* Payload of other programs must not get into the client's memory, unless --rss allows it. */
static int check_open(struct client *c, const struct dv_nicd_request *q)
{
	if (c->nic)
		return refuse(c, -EBUSY, "devio-nicd: this connection has set up a NIC already: open another one");
	if (!is_offered(c->d, q->ifname))
		return refuse(c, -EACCES, "devio-nicd: interface %s is not offered: name it when devio-nicd is started",
			      q->ifname);
	if (q->netns != netns())
		return refuse(c, -EXDEV,
			      "devio-nicd: nic %s: client and devio-nicd are in different network namespaces: "
			      "run a devio-nicd in each",
			      q->ifname);
	if (!c->d->rss && q->steer != DEVIO_STEER_AUTO && q->steer != DEVIO_STEER_RULES)
		return refuse(c, -EACCES,
			      "devio-nicd: nic %s: only steering by rules is allowed, so that no client gets the "
			      "payload of others (--rss allows the rest)",
			      q->ifname);
	if (q->queues > c->d->queues)
		return refuse(c, -EACCES, "devio-nicd: nic %s: %u queues requested, limit is %u (--queues)", q->ifname,
			      q->queues, c->d->queues);
	return 0;
}

static int do_open(struct client *c, const struct dv_nicd_request *q, int fd)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	int rc = check_open(c, q);

	if (rc)
		return rc;
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

/* The kernel's number of a socket's network namespace. */
static uint64_t cookie(int fd)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &value, &len) ? 0 : value;
}

/* Addresses are what the kernel reports of the socket, never what the client says. */
static int do_steer(struct client *c, int fd)
{
	int rc, own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t here = own < 0 ? 0 : cookie(own);
	struct devio_sock *s;

	if (own >= 0)
		close(own);
	if (!c->nic)
		return refuse(c, -EINVAL, "devio-nicd: no NIC is set up on this connection");
	rc = devio_sock_import(c->ctx, fd, NULL, &s);
	if (rc)
		return pass_on(c, rc);
	if (!here || cookie(fd) != here)
		rc = refuse(c, -EXDEV, "devio-nicd: the connection is in another network namespace than the NIC");
	else
		rc = pass_on(c, devio_nic_steer(c->nic, s));
	devio_sock_close(s);
	return rc;
}

static int do_close(struct client *c)
{
	if (!c->nic)
		return refuse(c, -EINVAL, "devio-nicd: no NIC is set up on this connection");
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
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int n;

	/* With a NIC set up, a client may be idle for ever. */
	do
		n = ppoll(&p, 1, c->nic ? NULL : &ts, &c->d->open);
	while (n < 0 && errno == EINTR && !tool_stop);
	if (!n)
		nicd_answer(c->fd, DV_NICD_REFUSE, -ETIMEDOUT, "devio-nicd: timed out: no request", NULL);
	return n > 0 && !tool_stop;
}

static void take_fds(struct msghdr *msg, struct message *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (m->nr_fds < MAX_FDS)
				m->fd[m->nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

static void receive(const struct client *c, struct message *m)
{
	union {
		char buf[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = m->bytes, .iov_len = sizeof(m->bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };

	m->nr_fds = 0;
	m->n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (m->n >= 0)
		take_fds(&msg, m);
}

static const char *protocol_error(int rc)
{
	return rc == -EPROTONOSUPPORT ? "devio-nicd: protocol version mismatch: use the libdevio of the same version" :
	       rc == -EBADF ? "devio-nicd: a request needs one descriptor: the dma-buf or the socket" :
	       "devio-nicd: protocol error: not a request";
}

/* False: the connection ends. */
static bool process(struct client *c, const struct message *m)
{
	struct devio_nic_info info = DEVIO_OPTS(info);
	struct dv_nicd_request q;
	int rc = dv_nicd_get_request(m->bytes, (size_t)m->n, m->nr_fds, &q);

	if (rc) {
		nicd_answer(c->fd, DV_NICD_REFUSE, rc, protocol_error(rc), NULL);
		return false;
	}
	*c->text = '\0';
	rc = q.op == DV_NICD_OPEN ? do_open(c, &q, m->fd[0]) : q.op == DV_NICD_STEER ? do_steer(c, m->fd[0]) :
	     do_close(c);
	if (!rc && c->nic)
		rc = pass_on(c, devio_nic_get_info(c->nic, &info));
	nicd_answer(c->fd, q.op, rc, c->text, &info);
	/* Without a NIC the connection is over. */
	return c->nic;
}

/* 1: there may be more, 0: the end. */
static int one_request(struct client *c)
{
	struct message m;
	bool more;

	if (!wait_request(c))
		return 0;
	receive(c, &m);
	if (m.n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!m.n && !m.nr_fds)
		return 0;
	more = process(c, &m);
	for (unsigned int i = 0; i < m.nr_fds; i++)
		close(m.fd[i]);
	return more;
}

void nicd_client(const struct nicd *d, int fd)
{
	struct client c = { .d = d, .fd = fd };
	struct devio_ctx_opts co = DEVIO_OPTS(co);

	co.log = on_error;
	co.log_arg = &c;
	co.log_level = DEVIO_LOG_ERROR;
	if (devio_ctx_open(&co, &c.ctx)) {
		nicd_answer(fd, DV_NICD_REFUSE, -ENOMEM, devio_errmsg(), NULL);
		return;
	}
	while (one_request(&c))
		;
	devio_nic_close(c.nic);
	devio_mem_free(c.mem);
	devio_ctx_close(c.ctx);
	close(fd);
}
