/* SPDX-License-Identifier: MIT */
/* The pattern that is sent, the two ends of the wire, and the end that is a thread. */
#include "devmem-tcp.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>

char *pattern;
int nic;

void start_up(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	pattern = host_memory(PERIOD + MIB / 2);
	fill(pattern, PERIOD, 7);
	memcpy(pattern + PERIOD, pattern, MIB / 2);
	nic = nic_index();
}

int nic_index(void)
{
	return if_nametoindex(NIC);
}

double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

const char *expected(uint64_t position)
{
	return pattern + position % PERIOD;
}

bool same(const char *got, uint64_t position, size_t len)
{
	return !memcmp(got, expected(position), len);
}

/* ------------------------------------------------------------------ sockets */

static struct sockaddr_in6 address(bool here, int port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, here ? "fd00::1" : "fd00::2", &sa.sin6_addr);
	return sa;
}

int listen_on(bool here, int port)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in6 sa = address(here, port);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&sa, sizeof(sa)) || listen(fd, 64))
		die("listen");
	return fd;
}

static int connect_to(bool here, int port, int rcvbuf)
{
	struct sockaddr_in6 sa = address(here, port);
	int fd, tries;

	for (tries = 0; tries < 100; tries++) {
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (rcvbuf)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
		if (!connect(fd, (void *)&sa, sizeof(sa)))
			return fd;
		close(fd);
		usleep(50000);
	}
	die("connect");
	return -1;
}

static void enter_peer(void)
{
	if (setns(must_open("/run/netns/peer", O_RDONLY), CLONE_NEWNET))
		die("setns peer");
}

int connect_from_peer(int port, int rcvbuf)
{
	enter_peer();
	return connect_to(true, port, rcvbuf);
}

void run(const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (system(line))
		ok(0, line, 0);
}

/* Both ends: a change of the MTU or of the header split resets a NIC. */
void await_link(void)
{
	int up = 0;

	for (int i = 0; i < 200 && !up; i++) {
		up = !system("grep -qx 1 /sys/class/net/" NIC "/carrier && "
			     "ip netns exec peer grep -qx 1 /sys/class/net/eth1/carrier");
		if (!up)
			usleep(50000);
	}
	ok(up, "", 0);
}

void set_mtu(int mtu)
{
	run("ip link set " NIC " mtu %d && ip -n peer link set eth1 mtu %d", mtu, mtu);
	await_link();
}

/* Header split, all TCP to the one queue: what a receiver needs. */
void prepare(bool split)
{
	int ret = set_split(nic, split);

	/* A ring that was closed gives its queue back a little later. */
	for (int i = 0; i < 40 && ret == -EINVAL; i++) {
		usleep(50000);
		ret = set_split(nic, split);
	}
	if (ret) {
		errno = -ret;
		die("tcp-data-split");
	}
	ret = set_rss(NIC, split ? QUEUE : 0);
	if (ret) {
		errno = -ret;
		die("RSS table");
	}
	await_link();
}

void must_bind(struct binding *b, const struct mem *m)
{
	int ret = bind_rx(b, nic, m->fd, QUEUE);

	if (ret) {
		printf("# %s\n", nl_reason());
		errno = -ret;
		die("bind-rx");
	}
}

/* --------------------------------------------------------------------- peer */


/* Sizes that leave no boundary where it was: 1, 2, ... and large ones. */
size_t next_size(size_t i)
{
	static const size_t sizes[] = { 1,    255,  256,  257,	1400, 1439,  1440, 1441,
					4095, 4096, 4097, 8191, 9001, 20011, 65521 };

	return i % 2 ? 1 + i / 2 % 3001 : sizes[i / 2 % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void peer_sends(struct peer *p, int *fds)
{
	uint64_t sent[PEER_MAX] = { 0 }, left = p->connections * p->bytes;

	for (size_t i = 0; left && !p->stop; i++) {
		unsigned int which = i % p->connections;
		size_t len = p->odd ? next_size(i) : 256 * KIB;
		ssize_t ret;

		if (len > p->bytes - sent[which])
			len = p->bytes - sent[which];
		if (!len)
			continue;
		ret = send(fds[which], expected(sent[which]), len, MSG_NOSIGNAL);
		if (ret < 0 && errno == EINTR) /* the machine slept */
			continue;
		if (ret < 0) {
			p->error = errno;
			break;
		}
		sent[which] += ret;
		left -= ret;
		p->done += ret;
		if (p->odd && i % 3 == 0)
			usleep(100);
	}
}

/* A machine that sleeps interrupts its calls. */
static ssize_t some(int fd, char *buf)
{
	ssize_t ret;

	do
		ret = recv(fd, buf, 256 * KIB, 0);
	while (ret < 0 && errno == EINTR);
	return ret;
}

static void peer_receives(struct peer *p, int fd)
{
	struct timeval timeout = { .tv_sec = 20 }; /* a reset may be lost, and is not sent again */
	char *buf = host_memory(256 * KIB);
	ssize_t ret = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	while (!(p->resets && p->done >= p->bytes) && (ret = some(fd, buf)) > 0) {
		if (!same(buf, p->done, ret)) {
			p->error = EILSEQ;
			break;
		}
		p->done += ret;
	}
	if (ret < 0)
		p->error = errno;
	free(buf);
}

static void *peer_main(void *arg)
{
	const struct linger now = { .l_onoff = 1 };
	struct peer *p = arg;
	int fds[PEER_MAX], one = 1;

	enter_peer();
	for (unsigned int i = 0; i < p->connections; i++) {
		fds[i] = connect_to(true, p->port, 0);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (p->receives)
		peer_receives(p, fds[0]);
	else
		peer_sends(p, fds);
	while (p->holds && !p->stop)
		usleep(10000);
	for (unsigned int i = 0; i < p->connections; i++) {
		if (p->resets)
			setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fds[i]);
	}
	return NULL;
}

void peer_start(struct peer *p)
{
	static int port = 5000;

	if (!p->port)
		p->port = ++port;
	if (!p->connections)
		p->connections = 1;
	if (p->connections > PEER_MAX) {
		errno = E2BIG;
		die("connections of a peer");
	}
	pthread_create(&p->thread, NULL, peer_main, p);
}
