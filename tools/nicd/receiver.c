/* SPDX-License-Identifier: MIT */
/*
 * devio-nicd: the process that takes a client's messages and descriptors. It has
 * no rights. Whatever a descriptor does to the system calls on it, close(2)
 * included, it does to this process alone, which the main process kills.
 */
#include "config.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "nicd.h"

#define DMABUF_FS_MAGIC 0x444d4142

struct receiver {
	const struct nicd *d;
	int conn;                  /* the client's connection */
	int worker;
	uint32_t op;               /* of the request that the worker processes; 0: none */
	struct nicd_message m;     /* its descriptors are open until the answer */
	bool has_nic;
};

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 : value;
}

/* Only what cannot block the worker gets there. */
static int check_fd(uint32_t op, int fd, char *text)
{
	struct statfs st;

	if (op == DV_NICD_OPEN && (fstatfs(fd, &st) || (uint32_t)st.f_type != DMABUF_FS_MAGIC))
		return nicd_refuse(text, -EINVAL, "devio-nicd: the descriptor is not a dma-buf: pass one exported by a "
				   "device's driver or /dev/udmabuf");
	if (op == DV_NICD_STEER && (option_of(fd, SO_PROTOCOL) != IPPROTO_TCP ||
				    (option_of(fd, SO_DOMAIN) != AF_INET && option_of(fd, SO_DOMAIN) != AF_INET6)))
		return nicd_refuse(text, -EINVAL, "devio-nicd: the descriptor is not a TCP socket");
	return 0;
}

static void close_fds(struct receiver *r)
{
	for (unsigned int i = 0; i < r->m.nr_fds; i++)
		close(r->m.fd[i]);
	r->m.nr_fds = 0;
}

/* False: the connection ends. */
static bool pass_request(struct receiver *r)
{
	struct dv_nicd_request q;
	char text[NICD_TEXT] = "";
	int rc = dv_nicd_get_request(r->m.bytes, (size_t)r->m.n, r->m.nr_fds, &q);

	if (rc) {
		nicd_answer(r->conn, DV_NICD_REFUSE, rc, nicd_protocol_error(rc), NULL);
		return false;
	}
	rc = nicd_check(r->d, &q, r->has_nic, text);
	if (!rc && r->m.nr_fds)
		rc = check_fd(q.op, r->m.fd[0], text);
	if (!rc) {
		r->op = q.op;
		return !nicd_forward(r->worker, r->m.bytes, (size_t)r->m.n, r->m.nr_fds ? r->m.fd[0] : -1);
	}
	nicd_answer(r->conn, q.op, rc, text, NULL);
	close_fds(r);
	return r->has_nic;
}

/* False: the connection ends. */
static bool take_request(struct receiver *r)
{
	nicd_receive(r->conn, &r->m);
	if (r->m.n < 0)
		return errno == EAGAIN || errno == EINTR;
	return (r->m.n || r->m.nr_fds) && pass_request(r);
}

/* An answer of the worker, or its end. */
static bool pass_answer(struct receiver *r)
{
	struct dv_nicd_answer a;
	ssize_t n = recv(r->worker, &a, sizeof(a), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n != sizeof(a))
		return false;
	(void)!send(r->conn, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (a.op == DV_NICD_OPEN && !a.err)
		r->has_nic = true;
	r->op = 0;
	close_fds(r);
	return a.op != DV_NICD_REFUSE;
}

/* Waits until there is a worker, and gives it the connection. */
static bool meet_worker(struct receiver *r)
{
	struct pollfd p = { .fd = r->worker, .events = POLLIN };
	char hello;

	return poll(&p, 1, 5000) > 0 && recv(r->worker, &hello, 1, MSG_DONTWAIT) == 1 &&
	       !nicd_forward(r->worker, "", 1, r->conn);
}

void nicd_receiver(const struct nicd *d, int conn, int worker)
{
	struct receiver r = { .d = d, .conn = conn, .worker = worker };
	bool more = meet_worker(&r);

	if (!more)
		nicd_answer(conn, DV_NICD_REFUSE, -EAGAIN, "devio-nicd: cannot start a process", NULL);
	while (more) {
		struct pollfd p[2] = { { .fd = worker, .events = POLLIN },
				       { .fd = conn, .events = r.op ? POLLRDHUP : POLLIN } };

		if (poll(p, 2, -1) < 0)
			more = errno == EINTR;
		else if (p[0].revents)
			more = pass_answer(&r);
		else if (r.op)
			more = false;       /* the client has gone: the worker sees it, too */
		else
			more = take_request(&r);
	}
	/* No close(2) here: descriptors that are closed by the end of a process do not wait for a linger timeout. */
}
