/* SPDX-License-Identifier: MIT */
/* devio-nicd: messages with descriptors, and what a request may ask for. */
#include "config.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "nicd.h"

int nicd_refuse(char *text, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, NICD_TEXT, fmt, ap);
	va_end(ap);
	return err;
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

const char *nicd_protocol_error(int rc)
{
	return rc == -EPROTONOSUPPORT ? "devio-nicd: protocol version mismatch: use the libdevio of the same version" :
	       rc == -EBADF ? "devio-nicd: a request needs one descriptor: the dma-buf or the socket" :
	       "devio-nicd: protocol error: not a request";
}

/* ---------------------------------------------------------------------- messages */

static void take_fds(struct msghdr *msg, struct nicd_message *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (m->nr_fds < NICD_FDS)
				m->fd[m->nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

void nicd_receive(int fd, struct nicd_message *m)
{
	union {
		char buf[CMSG_SPACE(NICD_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = m->bytes, .iov_len = sizeof(m->bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };

	m->nr_fds = 0;
	m->n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (m->n >= 0)
		take_fds(&msg, m);
}

int nicd_forward(int to, const void *bytes, size_t len, int pass)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (pass >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
							 .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &pass, sizeof(int));
	}
	return sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

/* ------------------------------------------------------------------------- limits */

uint64_t nicd_netns(int fd)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &value, &len) ? 0 : value;
}

static bool is_offered(const struct nicd *d, const char *ifname)
{
	for (unsigned int i = 0; i < d->nr_ifnames; i++)
		if (!strcmp(d->ifname[i], ifname))
			return true;
	return false;
}

/* Payload of other programs must not get into the client's memory, unless --rss allows it. */
static int check_open(const struct nicd *d, const struct dv_nicd_request *q, char *text)
{
	if (!is_offered(d, q->ifname))
		return nicd_refuse(text, -EACCES,
				   "devio-nicd: interface %s is not offered: name it when devio-nicd is started",
				   q->ifname);
	if (q->netns != d->netns)
		return nicd_refuse(text, -EXDEV,
				   "devio-nicd: nic %s: client and devio-nicd are in different network namespaces: "
				   "run a devio-nicd in each", q->ifname);
	if (!d->rss && q->steer != DEVIO_STEER_AUTO && q->steer != DEVIO_STEER_RULES)
		return nicd_refuse(text, -EACCES,
				   "devio-nicd: nic %s: only steering by rules is allowed, so that no client gets "
				   "the payload of others (--rss allows the rest)", q->ifname);
	if (q->queues > d->queues)
		return nicd_refuse(text, -EACCES, "devio-nicd: nic %s: %u queues requested, limit is %u (--queues)",
				   q->ifname, q->queues, d->queues);
	return 0;
}

int nicd_check(const struct nicd *d, const struct dv_nicd_request *q, bool has_nic, char *text)
{
	if (q->op != DV_NICD_OPEN)
		return has_nic ? 0 : nicd_refuse(text, -EINVAL, "devio-nicd: no NIC is set up on this connection");
	if (has_nic)
		return nicd_refuse(text, -EBUSY,
				   "devio-nicd: this connection has set up a NIC already: open another one");
	return check_open(d, q, text);
}
