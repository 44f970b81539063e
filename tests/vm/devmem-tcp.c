/* SPDX-License-Identifier: MIT */
/*
 * TCP into and out of the memory of a dma-buf, with the kernel's own interfaces.
 * Two NICs are one wire: eth0 is here, eth1 is in the network namespace "peer",
 * where a thread with plain sockets is the other end (tests/vm/lab-wire).
 *
 *   devmem-tcp rx MEM MTU            segments of all sizes into the memory
 *   devmem-tcp tx MEM MTU            out of it, by MSG_ZEROCOPY
 *   devmem-tcp slow MEM              nothing is returned until nothing comes any more
 *   devmem-tcp many MEM N            N connections at once
 *   devmem-tcp restart MEM SECONDS   ring sizes, link and queue while receiving
 *   devmem-tcp revoke BDF N          the memory is revoked while receiving and sending
 *   devmem-tcp zcrx MEM N            io_uring's zero-copy receive, and N revocations of BAR memory
 *   devmem-tcp kill MEM N            killed while receiving, and bound again
 *   devmem-tcp errors MEM            what is refused
 *   devmem-tcp plain SECONDS         ordinary traffic, with and without header split
 *
 * MEM: as of tests/vm/uring-dmabuf. Header split and RSS are restored at the end.
 */
#include "devmem-tcp.h"

#include <poll.h>

static int test_rx(const char *spec, int mtu)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct binding b;

	set_mtu(mtu);
	prepare(true);
	must_bind(&b, &m);
	one_stream(&m, b.id, 64 * MIB, false, "large writes");
	one_stream(&m, b.id, 12 * MIB, true, "odd writes");
	unbind(&b);
	prepare(false);
	set_mtu(1500);
	return finish();
}

static int test_tx(const char *spec, int mtu)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct binding b;
	int ret;

	set_mtu(mtu);
	ret = bind_tx(&b, nic, m.fd);
	if (ret) {
		printf("# %s\n", nl_reason());
		errno = -ret;
		die("bind-tx");
	}
	send_stream(&m, b.id, 64 * MIB, false, "large sends");
	send_stream(&m, b.id, 4 * MIB, true, "odd sends");
	unbind(&b);
	set_mtu(1500);
	return finish();
}

/* ------------------------------------------------------- many, slow, restarts */

/* A reader that keeps all it gets: the memory is the limit, and then it goes on. */
static int test_slow(const char *spec)
{
	struct mem m = mem_open(spec, 4 * MIB);
	struct peer p = { .bytes = 12 * MIB, .port = 4997 };
	struct stream s = { .m = &m, .keep = true };
	double start = seconds();
	int listener, rcvbuf = 64 * MIB, starved = 0, idle = 0;
	struct binding b;
	ssize_t ret = -ETIME;

	prepare(true);
	must_bind(&b, &m);
	s.id = b.id;
	listener = listen_on(true, p.port);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf));
	peer_start(&p);
	s.fd = accept(listener, NULL, NULL);
	for (;;) {
		struct pollfd poller = { .fd = s.fd, .events = POLLIN };

		if (!poll(&poller, 1, 1000)) {
			starved++;
			printf("# nothing any more after %lu bytes with %zu tokens kept\n", (long)s.position, s.n_kept);
			/* The sender's timer has backed off meanwhile. */
			if (!s.n_kept && ++idle == 20)
				break;
			release(&s);
			continue;
		}
		idle = 0;
		ret = receive(&s, MSG_DONTWAIT);
		if (ret <= 0 && ret != -EAGAIN)
			break;
	}
	release(&s);
	close(s.fd);
	pthread_join(p.thread, NULL);
	report(&s, "kept", start);
	ok(starved > 0, "the memory was the limit", starved);
	ok(!ret && s.position == p.bytes, "the stream came whole", ret ? ret : (long)s.position);
	ok(!s.wrong, "every byte where it was said to be", s.wrong);
	close(listener);
	unbind(&b);
	prepare(false);
	return finish();
}

static int test_many(const char *spec, unsigned int n)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct peer p = { .bytes = 1 * MIB, .port = 4996, .connections = n, .odd = true };
	struct stream *s = calloc(n, sizeof(*s));
	uint64_t total = 0, wrong = 0, linear = 0;
	unsigned int open_ones = n;
	struct pollfd pollers[PEER_MAX];
	int listener;
	struct binding b;

	if (!n || n > PEER_MAX) {
		fprintf(stderr, "devmem-tcp many: 1 to %d connections\n", PEER_MAX);
		return 2;
	}
	prepare(true);
	must_bind(&b, &m);
	listener = listen_on(true, p.port);
	peer_start(&p);
	for (unsigned int i = 0; i < n; i++) {
		s[i] = (struct stream){ .m = &m, .id = b.id, .fd = accept(listener, NULL, NULL) };
		pollers[i] = (struct pollfd){ .fd = s[i].fd, .events = POLLIN };
	}
	while (open_ones && poll(pollers, n, 20000) > 0)
		for (unsigned int i = 0; i < n; i++)
			if (pollers[i].revents && receive(&s[i], MSG_DONTWAIT) == 0) {
				pollers[i].fd = -1;
				open_ones--;
			}
	pthread_join(p.thread, NULL);
	for (unsigned int i = 0; i < n; i++) {
		total += s[i].position;
		wrong += s[i].wrong;
		linear += s[i].linear;
		close(s[i].fd);
	}
	printf("# %u connections, %lu bytes, %lu linear\n", n, (long)total, (long)linear);
	ok(!open_ones && total == n * p.bytes, "all streams came whole", total);
	ok(!wrong, "every byte where it was said to be", wrong);
	close(listener);
	unbind(&b);
	prepare(false);
	return finish();
}

struct disturber {
	double until;
	int times, failed;
};

static void *disturb(void *arg)
{
	struct disturber *d = arg;

	for (; seconds() < d->until; d->times++) {
		switch (d->times % 3) {
		case 0:
			d->failed += set_rx_ring(nic, d->times % 2 ? 256 : 512) != 0;
			break;
		case 1:
			run("ip link set " NIC " down && ip link set " NIC " up"); /* lab-wire: the address stays */
			break;
		case 2:
			run("ip link set " NIC " mtu %d", d->times % 2 ? 1500 : 1400);
			break;
		}
		usleep(2500000);
	}
	return NULL;
}

/* Whatever happens to the NIC: bytes may be late, but not wrong or lost. */
static int test_restart(const char *spec, int secs)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct peer p = { .bytes = 1ull << 40, .port = 4995 };
	struct stream s = { .m = &m };
	struct disturber d = { 0 };
	uint64_t at_end;
	pthread_t thread;
	struct binding b;
	int listener;
	double start;

	prepare(true);
	must_bind(&b, &m);
	s.id = b.id;
	listener = listen_on(true, p.port);
	peer_start(&p);
	s.fd = accept(listener, NULL, NULL);
	start = seconds();
	d.until = start + secs;
	pthread_create(&thread, NULL, disturb, &d);
	while (seconds() < d.until)
		if (receive(&s, 0) <= 0)
			break;
	pthread_join(thread, NULL);
	set_rss(NIC, QUEUE);
	at_end = s.position;
	for (start = seconds(); seconds() < start + 30 && s.position < at_end + 4 * MIB;)
		if (receive(&s, 0) <= 0)
			break;
	report(&s, "disturbed", start);
	ok(d.times > 2 && !d.failed, "resets of the NIC", d.times);
	ok(s.position >= at_end + 4 * MIB, "the stream goes on", s.position - at_end);
	ok(!s.wrong, "every byte where it was said to be", s.wrong);
	p.stop = true;
	receive_all(&s);
	pthread_join(p.thread, NULL);
	close(s.fd);
	close(listener);

	/* The queue restarted by binding and unbinding. */
	for (int i = 0; i < 20; i++) {
		unbind(&b);
		must_bind(&b, &m);
	}
	one_stream(&m, b.id, 8 * MIB, false, "bound for the 21st time");
	unbind(&b);
	prepare(false);
	return finish();
}

/* -------------------------------------------------------- exits and refusals */

static int test_kill(const char *spec, int n)
{
	struct mem m = mem_open(spec, 16 * MIB);
	struct binding b;

	prepare(true);
	for (int i = 0; i < n; i++) {
		pid_t child = fork();

		if (!child) {
			struct peer p = { .bytes = 1ull << 40, .port = 4900 + i };
			struct stream s = { .m = &m, .keep = true };
			int listener;

			must_bind(&b, &m);
			s.id = b.id;
			listener = listen_on(true, p.port);
			peer_start(&p);
			s.fd = accept(listener, NULL, NULL);
			for (;;) {
				if (receive(&s, 0) <= 0)
					pause();
				if (s.n_kept > 500)
					release(&s);
			}
		}
		usleep(400000 + i * 50000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	ok(1, "killed while receiving", n);
	must_bind(&b, &m);
	one_stream(&m, b.id, 16 * MIB, false, "bound again");
	unbind(&b);
	prepare(false);
	return finish();
}

static int test_errors(const char *spec)
{
	struct mem m = mem_open(spec, 4 * MIB);
	struct binding b, other;

	is(bind_rx(&b, nic, m.fd, QUEUE), -EINVAL, "bind without header split");
	printf("# %s\n", nl_reason());
	prepare(true);
	is(bind_rx(&b, nic, m.fd, 77), -EINVAL, "a queue that there is not");
	is(bind_rx(&b, nic, 0, QUEUE), -EINVAL, "no dma-buf");
	must_bind(&b, &m);
	is(bind_rx(&other, nic, m.fd, QUEUE), -EEXIST, "bind the queue twice");
	is(set_split(nic, false), -EINVAL, "header split off while bound");
	printf("# %s\n", nl_reason());
	unbind(&b);
	is(bind_rx(&b, nic, m.fd, QUEUE), 0, "bind after that");
	unbind(&b);
	prepare(false);
	is(set_split(nic, false), 0, "header split off when it is off");
	return finish();
}

/* ------------------------------------------------------------------ ordinary */

static void plain_stream(double secs, bool to_peer, const char *what)
{
	struct peer p = { .bytes = 1ull << 40, .receives = to_peer, .port = 4992 };
	int listener = listen_on(true, p.port), fd;
	char *buf = host_memory(256 * KIB);
	double start = seconds();
	uint64_t bytes = 0;
	bool good = true;
	ssize_t ret = 1;

	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	while (seconds() < start + secs) {
		size_t len = 1 + bytes % 200003;

		ret = to_peer ? send(fd, expected(bytes), len, MSG_NOSIGNAL) : recv(fd, buf, 256 * KIB, 0);
		if (ret <= 0)
			break;
		if (!to_peer && !same(buf, bytes, ret))
			good = false;
		bytes += ret;
	}
	printf("# %s, %s: %.1f MiB/s\n", what, to_peer ? "sending" : "receiving", bytes / (seconds() - start) / MIB);
	if (ret <= 0)
		printf("# ended with %zd, %s; the peer with %s\n", ret, strerror(errno), strerror(p.error));
	p.stop = true;
	close(fd);
	pthread_join(p.thread, NULL);
	ok(good && ret > 0 && bytes > MIB / 2 && p.error != EILSEQ, what, bytes);
	close(listener);
	free(buf);
}

static int test_plain(double secs)
{
	struct mem m = mem_open("udmabuf", 16 * MIB);
	struct binding b;

	plain_stream(secs, false, "header split off");
	plain_stream(secs, true, "header split off");
	prepare(true);
	plain_stream(secs, false, "header split on");
	plain_stream(secs, true, "header split on");
	is(set_rss(NIC, 0), 0, "ordinary traffic to the other queue");
	must_bind(&b, &m);
	plain_stream(secs, false, "the other queue is bound");
	plain_stream(secs, true, "the other queue is bound");
	unbind(&b);
	prepare(false);
	plain_stream(secs, false, "header split off again");
	for (int i = 0; i < 2; i++) {
		set_mtu(i ? 9000 : 1280);
		plain_stream(secs, false, "other MTU");
		prepare(true);
		plain_stream(secs, false, "other MTU, header split on");
		prepare(false);
	}
	set_mtu(1500);
	return finish();
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
	int n = argc > 3 ? atoi(argv[3]) : 1;

	start_up();
	if (!strcmp(what, "rx"))
		return test_rx(arg, n);
	if (!strcmp(what, "tx"))
		return test_tx(arg, n);
	if (!strcmp(what, "slow"))
		return test_slow(arg);
	if (!strcmp(what, "many"))
		return test_many(arg, (unsigned int)n);
	if (!strcmp(what, "restart"))
		return test_restart(arg, n);
	if (!strcmp(what, "revoke"))
		return test_revoke(arg, n);
	if (!strcmp(what, "zcrx"))
		return test_zcrx(arg, n);
	if (!strcmp(what, "kill"))
		return test_kill(arg, n);
	if (!strcmp(what, "errors"))
		return test_errors(arg);
	if (!strcmp(what, "plain"))
		return test_plain(atof(arg));
	fprintf(stderr, "usage: see the top of tests/vm/devmem-tcp.c\n");
	return 2;
}
