/* SPDX-License-Identifier: MIT */
/*
 * A NIC set up by devio-nicd, for processes without CAP_NET_ADMIN. The daemon
 * owns the binding; receiving takes only its id. The binding lasts as long as
 * the connection to the daemon, which is shut down when an exchange fails.
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

/* A link takes seconds to come up again, and the settings of a dead process may have to be restored first. */
int dv_nicclient_wait_ms = 40000;

const char *dv_nicclient_socket(void)
{
	const char *name = secure_getenv("DEVIO_NICD_SOCKET");

	return name && *name ? name : DV_NICD_SOCKET;
}

/* A connected descriptor, or -errno. */
static int connect_daemon(void)
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
	/* connect() and sendmsg() block while the daemon's backlog is full. */
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

static int wait_readable(int fd)
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

static int recv_answer(int fd, uint32_t op, struct dv_nicd_answer *a)
{
	char buf[sizeof(*a) + 1];
	int rc = wait_readable(fd);
	ssize_t n;

	if (rc)
		return rc;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	/* A client that is refused before its request was read sees the reset first, and the answer after it. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno != EAGAIN ? -errno : -ECONNRESET;
	return dv_nicd_get_answer(buf, (size_t)n, op, a);
}

/* The connection is unusable. Shutting it down makes the daemon restore the interface. */
static int connection_error(struct devio_nic *nic, int rc)
{
	(void)shutdown(nic->daemon, SHUT_RDWR);
	if (rc == -ETIMEDOUT)
		return dv_err(rc, "nic %s: devio-nicd at %s did not answer within %d s: check that it is not stopped",
			      nic->ifname, dv_nicclient_socket(), dv_nicclient_wait_ms / 1000);
	if (rc == -EPROTONOSUPPORT)
		return dv_err(rc, "nic %s: devio-nicd at %s has another protocol version: use the one that belongs to "
			      "this library", nic->ifname, dv_nicclient_socket());
	if (rc == -EPROTO)
		return dv_err(rc, "nic %s: invalid answer from %s: check that devio-nicd listens there", nic->ifname,
			      dv_nicclient_socket());
	return dv_err(-ECONNRESET, "nic %s: devio-nicd has ended (%s) and the interface is restored: connections "
		      "continue in ordinary memory; start devio-nicd and open the NIC again", nic->ifname,
		      dv_errno_name(rc));
}

/* One request and its answer. */
static int transact(struct devio_nic *nic, const struct dv_nicd_request *q, int pass, struct dv_nicd_answer *a)
{
	int rc;

	pthread_mutex_lock(&nic->request_lock);
	rc = send_request(nic->daemon, q, pass);
	/* The daemon may have sent the reason before it closed the connection. */
	if (!rc || rc == -EPIPE || rc == -ECONNRESET)
		rc = recv_answer(nic->daemon, q->op, a);
	if (rc)
		rc = connection_error(nic, rc);
	else if (a->err)
		rc = dv_err_plain(a->err, a->text);
	pthread_mutex_unlock(&nic->request_lock);
	if (!rc)
		nic->saved.nr_rules = a->rules < DV_JOURNAL_RULES ? a->rules : DV_JOURNAL_RULES;
	return rc;
}

static int request_open(struct devio_nic *nic)
{
	struct dv_nicd_request q = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_OPEN,
				     .steer = (uint32_t)nic->steer, .queues = nic->queues, .buffer = nic->buffer,
				     .size = nic->mem->size, .netns = dv_journal_netns() };
	struct dv_nicd_answer a;
	int fd, rc = dv_nic_dmabuf(nic, &fd);

	memcpy(q.ifname, nic->ifname, sizeof(q.ifname));
	if (!rc)
		rc = transact(nic, &q, fd, &a);
	if (rc)
		return rc;
	if (a.ifindex != nic->ifindex || a.queues != nic->queues)
		return dv_err(-EPROTO, "nic %s: devio-nicd set up %u queues of interface %u: %u of %u were requested",
			      nic->ifname, a.queues, a.ifindex, nic->queues, nic->ifindex);
	nic->first = a.queue;
	nic->steer = (int)a.steer;
	nic->id = a.binding;
	nic->buffer = a.buffer;
	return 0;
}

int dv_nicclient_open(struct devio_nic *nic)
{
	int rc, fd = connect_daemon();

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return 1;
	if (fd == -EACCES)
		return dv_err(fd, "nic %s: this user may not connect to devio-nicd at %s: join its group (devio-nicd "
			      "--group), or run with CAP_NET_ADMIN", nic->ifname, dv_nicclient_socket());
	if (fd < 0)
		return dv_err(fd, "nic %s: cannot connect to devio-nicd at %s: check that it is running", nic->ifname,
			      dv_nicclient_socket());
	nic->daemon = fd;
	rc = request_open(nic);
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

	return transact(nic, &q, sock, &a);
}

int dv_nicclient_close(struct devio_nic *nic)
{
	const struct dv_nicd_request q = { .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_CLOSE };
	struct dv_nicd_answer a;
	uint32_t rules = nic->saved.nr_rules;
	int rc = transact(nic, &q, -1, &a);

	nic->saved.nr_rules = rules;
	close(nic->daemon);
	nic->daemon = -1;
	return rc;
}
