/* SPDX-License-Identifier: MIT */
/*
 * A NIC set up by devio-nicd, for processes without the right. The binding is
 * the daemon's; to receive takes only the number of it. It lasts as long as
 * the connection to the daemon, so a connection that went wrong is shut down.
 */
#include "config.h"
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include "core/ctx.h"
#include "core/err.h"
#include "core/clock.h"
#include "mem/mem.h"
#include "nic/nic.h"
#include "nic/protocol.h"

/* A link takes seconds to come back, and what a dead one left may have to be put back before. */
int dv_nicclient_wait_ms = 40000;

const char *dv_nicclient_socket(void)
{
	const char *name = secure_getenv("DEVIO_NICD_SOCKET");

	return name && *name ? name : DV_NICD_SOCKET;
}

/* Connected, or -errno. */
static int dial(void)
{
	const struct timeval timeout = { dv_nicclient_wait_ms / 1000, dv_nicclient_wait_ms % 1000 * 1000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = dv_nicclient_socket();
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Connecting and sending wait as long as others' connections are not accepted yet. */
	rc = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	for (int tries = 0; !rc && tries < 100; tries++) {
		rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
		if (!rc)
			return fd;
		rc = errno == EINTR ? 0 : -1;
	}
	rc = -errno;
	close(fd);
	return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

static int send_request(int fd, const struct dv_nicd_request *q, int pass)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)q, .iov_len = sizeof(*q) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (pass >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
							 .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &pass, sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int64_t now_ms(void)
{
	return dv_now_ns() / 1000000;
}

static int await(int fd)
{
	int64_t end = now_ms() + dv_nicclient_wait_ms;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return 0;
		if (!n)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int get_answer(int fd, uint32_t op, struct dv_nicd_answer *a)
{
	char buf[sizeof(*a) + 1];
	int rc = await(fd);
	ssize_t n;

	if (rc)
		return rc;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	/* Who is refused before the request was read gets the reset first, and the answer behind it. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno != EAGAIN ? -errno : -ECONNRESET;
	return dv_nicd_get_answer(buf, (size_t)n, op, a);
}

/* The connection is of no more use: at its other end all is put back. */
static int broken(struct devio_nic *nic, int rc)
{
	(void)shutdown(nic->daemon, SHUT_RDWR);
	if (rc == -ETIMEDOUT)
		return dv_err(rc, "nic %s: devio-nicd at %s has said nothing for %d s: is it stopped?", nic->ifname,
			      dv_nicclient_socket(), dv_nicclient_wait_ms / 1000);
	if (rc == -EPROTONOSUPPORT)
		return dv_err(rc, "nic %s: devio-nicd at %s is of another version: use the one that came with this library",
			      nic->ifname, dv_nicclient_socket());
	if (rc == -EPROTO)
		return dv_err(rc, "nic %s: what listens at %s answers nonsense: is it devio-nicd?", nic->ifname,
			      dv_nicclient_socket());
	return dv_err(-ECONNRESET, "nic %s: devio-nicd has ended (%s), which puts the interface back: connections go on in "
		      "ordinary memory; start it, and open the NIC again", nic->ifname, dv_errno_name(rc));
}

static int talk(struct devio_nic *nic, const struct dv_nicd_request *q, int pass, struct dv_nicd_answer *a)
{
	int rc;

	pthread_mutex_lock(&nic->talk);
	rc = send_request(nic->daemon, q, pass);
	/* It may have said why before it hung up. */
	if (!rc || rc == -EPIPE || rc == -ECONNRESET)
		rc = get_answer(nic->daemon, q->op, a);
	if (rc)
		rc = broken(nic, rc);
	else if (a->err)
		rc = dv_err_plain(a->err, a->text);
	pthread_mutex_unlock(&nic->talk);
	if (!rc)
		nic->was.nr_rules = a->rules < DV_JOURNAL_RULES ? a->rules : DV_JOURNAL_RULES;
	return rc;
}

static int ask(struct devio_nic *nic)
{
	struct dv_nicd_request q = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_OPEN,
				     .steer = (uint32_t)nic->steer, .queues = nic->queues, .buffer = nic->buffer, .size = nic->mem->size,
				     .netns = dv_journal_netns() };
	struct dv_nicd_answer a;
	int fd, rc = dv_nic_dmabuf(nic, &fd);

	memcpy(q.ifname, nic->ifname, sizeof(q.ifname));
	if (!rc)
		rc = talk(nic, &q, fd, &a);
	if (rc)
		return rc;
	if (a.ifindex != nic->ifindex || a.queues != nic->queues)
		return dv_err(-EPROTO, "nic %s: devio-nicd set up interface %u and %u queues, which was not asked for",
			      nic->ifname, a.ifindex, a.queues);
	nic->first = a.queue;
	nic->steer = (int)a.steer;
	nic->id = a.binding;
	nic->buffer = a.buffer;
	return 0;
}

int dv_nicclient_open(struct devio_nic *nic)
{
	int rc, fd = dial();

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return 1;
	if (fd == -EACCES)
		return dv_err(fd, "nic %s: this user may not connect to devio-nicd at %s: join the group that it serves "
			      "(--group), or take CAP_NET_ADMIN", nic->ifname, dv_nicclient_socket());
	if (fd < 0)
		return dv_err(fd, "nic %s: devio-nicd at %s cannot be reached", nic->ifname, dv_nicclient_socket());
	nic->daemon = fd;
	rc = ask(nic);
	if (rc) {
		close(fd);
		nic->daemon = -1;
	}
	return rc;
}

int dv_nicclient_steer(struct devio_nic *nic, int sock)
{
	const struct dv_nicd_request q = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_STEER };
	struct dv_nicd_answer a;

	return talk(nic, &q, sock, &a);
}

int dv_nicclient_close(struct devio_nic *nic)
{
	const struct dv_nicd_request q = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_CLOSE };
	struct dv_nicd_answer a;
	uint32_t rules = nic->was.nr_rules;
	int rc = talk(nic, &q, -1, &a);

	nic->was.nr_rules = rules;
	close(nic->daemon);
	nic->daemon = -1;
	return rc;
}
