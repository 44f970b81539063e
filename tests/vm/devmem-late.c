/* SPDX-License-Identifier: MIT */
/*
 * Memory that was taken back, and a NIC that must not access it any more. Behind a
 * strict IOMMU a late access is a fault in the kernel's log, for which the lab looks.
 *
 *   devmem-late moved BDF        the NIC moves to another network namespace, and then
 *                                the memory is taken back, or the program killed
 *   devmem-late restart BDF      the queue cannot be restarted for want of memory
 *   devmem-late restart-zcrx BDF the same with io_uring's zero-copy receive
 *   devmem-late dry              the interface comes up while all of the memory is with a program
 *   devmem-late mixed BDF        one connection sends from two bindings, one of which is taken back
 */
#include "devmem-tcp.h"

#include <sched.h>
#include <sys/time.h>

/* ------------------------------------------------------------------ namespace */

static void enter(const char *ns)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	if (setns(must_open(*ns ? path : "/proc/1/ns/net", O_RDONLY), CLONE_NEWNET))
		die("setns");
}

/* The interface arrives closed and without addresses. */
static void configure(const char *ns)
{
	char in[64] = "";

	if (*ns)
		snprintf(in, sizeof(in), "-n %s ", ns);
	run("ip %saddr add 10.9.0.1/24 dev " NIC, in);
	run("ip %saddr add fd00::1/64 dev " NIC " nodad && ip %slink set " NIC " up", in, in);
	run("for i in $(seq 200); do ip %slink show dev " NIC " | grep -q LOWER_UP && break; sleep 0.05; done", in);
}

static void move(const char *from, const char *to)
{
	char in[64] = "";

	if (*from)
		snprintf(in, sizeof(in), "-n %s ", from);
	run("ip %slink set " NIC " netns %s", in, *to ? to : "1");
	configure(to);
}

/* What comes until nothing does any more, without a look at the memory. */
static uint64_t count_for(int fd, double secs)
{
	static char linear[128 * KIB], control[16 * KIB];
	double end = seconds() + secs;
	struct timeval wait = { .tv_usec = 200000 };
	uint64_t bytes = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (seconds() < end) {
		struct iovec iov = { linear, sizeof(linear) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t ret = recvmsg(fd, &msg, MSG_SOCK_DEVMEM);

		if (ret < 0 && errno != EAGAIN)
			break;
		if (ret > 0)
			bytes += ret;
		for (struct cmsghdr *c = ret > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c)) {
			struct fragment f;

			memcpy(&f, CMSG_DATA(c), sizeof(f));
			if (c->cmsg_type == SO_DEVMEM_DMABUF)
				setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, &(struct token){ f.token, 1 },
					   sizeof(struct token));
		}
	}
	return bytes;
}

/* Receives for a while, lets the exporter take the memory back, receives on. */
static void revoke_under_load(const struct mem *m, int port, bool starve)
{
	struct peer p = { .bytes = 1ull << 40, .port = port };
	struct revoker r = { .m = m, .starve = starve };
	int listener = listen_on(true, p.port), fd;
	uint64_t bytes;
	pthread_t thread;

	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	pthread_create(&thread, NULL, revoke_later, &r);
	bytes = count_for(fd, 2);
	pthread_join(thread, NULL);
	ok(bytes > 0, "receiving when the memory was taken back", bytes);
	ok(r.took < 5, "revocation is prompt", r.took * 1e3);
	p.stop = true;
	close(fd);
	if (starve)
		run("ip link set " NIC " up");
	pthread_join(p.thread, NULL);
	close(listener);
}

static void killed_after_move(const struct mem *m)
{
	pid_t child = fork();
	struct binding b;
	int status;

	if (!child) {
		must_bind(&b, m);
		move("", "moved");
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status), "a program ends whose NIC has moved", status);
	move("moved", "");
}

static int test_moved(const char *bdf)
{
	struct mem m = mem_vfio(bdf);
	struct binding b;

	run("ip netns add moved && ip -n moved link set lo up && "
	    "ip netns exec moved sysctl -qw net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0");
	prepare(true);
	must_bind(&b, &m);
	move("", "moved");
	enter("moved");
	one_stream(&m, b.id, 8 * MIB, false, "in the other namespace");
	revoke_under_load(&m, 4989, false);
	unbind(&b);
	memory_bit(&m, true);
	enter("");
	move("moved", "");
	killed_after_move(&m);
	nic = nic_index();
	await_link();
	prepare(true);
	must_bind(&b, &m);
	one_stream(&m, b.id, 8 * MIB, false, "back again");
	unbind(&b);
	prepare(false);
	run("ip netns del moved");
	return finish();
}

/* ------------------------------------------------------------ want of memory */

static int test_restart(const char *bdf)
{
	struct mem m = mem_vfio(bdf);
	struct binding b;

	prepare(true);
	for (int i = 0; i < 3; i++) {
		must_bind(&b, &m);
		revoke_under_load(&m, 4980 + i, true);
		if (i % 2)
			unbind(&b);
		memory_bit(&m, true);
		if (!(i % 2))
			unbind(&b);
		await_link();
	}
	must_bind(&b, &m);
	one_stream(&m, b.id, 8 * MIB, false, "after revocations");
	unbind(&b);
	prepare(false);
	return finish();
}

/* --------------------------------------------------------------- two bindings */

struct slow_peer {
	pthread_t thread;
	volatile bool read;
	uint64_t got, wrong;
	int error;
};

/*
 * Connects with a window that is soon full, and reads when it may. A reset that is not exactly at
 * the next byte is only a hint to the peer, so it may wait in vain.
 */
static void *slow_peer_main(void *arg)
{
	struct slow_peer *p = arg;
	struct timeval wait = { .tv_sec = 5 };
	char *buf = host_memory(64 * KIB);
	int fd = connect_from_peer(4988, 8192);
	ssize_t ret;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (!p->read)
		usleep(10000);
	while ((ret = recv(fd, buf, 64 * KIB, 0)) > 0) {
		p->wrong += !same(buf, p->got, ret);
		p->got += ret;
	}
	p->error = ret ? errno : 0;
	close(fd);
	free(buf);
	return NULL;
}

/* Small pieces by turns, so that a packet has some of each. */
static uint64_t send_mixed(struct sender *s, const struct binding *a, const struct binding *b, bool b_first)
{
	uint64_t sent = 0;

	for (int i = 0; i < 120; i++) {
		ssize_t ret = send_from(s, (i + b_first) % 2 ? b->id : a->id, sent, 1000);

		if (ret <= 0)
			break;
		sent += ret;
	}
	return sent;
}

static void mixed(const struct mem *ours, const struct mem *bar, bool bar_first)
{
	int listener = listen_on(true, 4988);
	struct slow_peer p = { 0 };
	struct revoker r = { .m = bar };
	struct binding a, b;
	int sndbuf = 256 * KIB, ret;
	struct sender s;
	uint64_t sent;
	char byte;

	if (bind_tx(&a, nic, ours->fd) || bind_tx(&b, nic, bar->fd))
		die("bind-tx");
	memcpy(ours->map, pattern, PERIOD);
	memcpy(bar->map, pattern, PERIOD);
	pthread_create(&p.thread, NULL, slow_peer_main, &p);
	s = sender_for(listener);
	setsockopt(s.fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
	fcntl(s.fd, F_SETFL, O_NONBLOCK);
	sent = send_mixed(&s, &a, &b, bar_first);
	ok(sent > 32 * KIB, "sent more than the window", sent);
	revoke_later(&r);
	ok(r.took < 5, "revocation is prompt", r.took * 1e3);
	p.read = true;
	pthread_join(p.thread, NULL);
	printf("# of %lu bytes the peer got %lu, and then %s\n", (long)sent, (long)p.got, strerror(p.error));
	ok(!p.wrong && p.got < sent, "no byte was sent from memory that is gone", p.wrong);
	usleep(100000);
	ret = recv(s.fd, &byte, 1, MSG_DONTWAIT);
	ok(ret < 0 && errno == ENODEV, "the connection ended with ENODEV", ret < 0 ? errno : 0);
	close(s.fd);
	close(listener);
	unbind(&a);
	unbind(&b);
	memory_bit(bar, true);
}

static int test_mixed(const char *bdf)
{
	struct mem bar = mem_vfio(bdf), ours = mem_open("udmabuf", 16 * MIB);
	struct binding b;

	for (int i = 0; i < 4; i++)
		mixed(&ours, &bar, i % 2);
	if (bind_tx(&b, nic, bar.fd))
		die("bind-tx");
	send_stream(&bar, b.id, 4 * MIB, false, "after revocations");
	unbind(&b);
	return finish();
}

/* ------------------------------------------------------------- an empty pool */

/* All tokens are kept, the interface goes down and comes up, and they are returned. */
static int dry(const struct mem *m, int port)
{
	struct peer p = { .bytes = 6 * MIB, .port = port };
	struct stream s = { .m = m, .keep = true };
	int listener = listen_on(true, p.port), rcvbuf = 64 * MIB;
	struct timeval wait = { .tv_sec = 1 };
	struct binding b;
	uint64_t before;
	double end;

	must_bind(&b, m);
	s.id = b.id;
	setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf));
	peer_start(&p);
	s.fd = accept(listener, NULL, NULL);
	setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (receive(&s, 0) > 0)
		;
	before = s.position;
	run("ip link set " NIC " down && ip link set " NIC " up");
	await_link();
	usleep(500000);
	release(&s);
	s.keep = false;
	/* The sender's timer has backed off meanwhile. */
	for (end = seconds() + 20; seconds() < end && s.position < p.bytes;)
		if (receive(&s, 0) == 0)
			break;
	printf("# %lu bytes when the memory was used up, %lu in the end\n", (long)before, (long)s.position);
	ok(before < p.bytes, "the memory was the limit", before);
	ok(s.position == p.bytes && !s.wrong, "the stream goes on", s.position);
	p.stop = true;
	close(s.fd);
	pthread_join(p.thread, NULL);
	close(listener);
	unbind(&b);
	free(s.kept);
	return s.position == p.bytes;
}

static int test_dry(void)
{
	struct mem m = mem_open("udmabuf", 4 * MIB);

	prepare(true);
	for (int i = 0; i < 5 && dry(&m, 4970 + i); i++)
		;
	prepare(false);
	return finish();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	start_up();
	if (!strcmp(what, "dry"))
		return test_dry();
	if (argc < 3)
		what = "";
	if (!strcmp(what, "moved"))
		return test_moved(argv[2]);
	if (!strcmp(what, "restart"))
		return test_restart(argv[2]);
	if (!strcmp(what, "restart-zcrx"))
		return test_zcrx_restart(argv[2]);
	if (!strcmp(what, "mixed"))
		return test_mixed(argv[2]);
	fprintf(stderr, "usage: see the top of tests/vm/devmem-late.c\n");
	return 2;
}
