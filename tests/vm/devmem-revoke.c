/* SPDX-License-Identifier: MIT */
/* The exporter revokes the memory while it is received into and sent from. */
#include "devmem-tcp.h"

#define FAIL "/sys/kernel/debug/fail_page_alloc/"

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Workers of the kernel, and those that are made of it, get no page while it is on. */
void starve_workers(bool on)
{
	static const char *const names[][2] = {
		{ "task-filter", "Y" }, { "ignore-gfp-wait", "N" }, { "ignore-gfp-highmem", "N" },
		{ "min-order", "0" }, { "times", "-1" }, { "verbose", "0" },
	};
	char path[128];

	if (on && access(FAIL "probability", W_OK))
		die(FAIL);
	if (on)
		printf("# allow-log: page allocation failure|Call Trace|Unable to allocate memory\n");
	for (size_t i = 0; on && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), FAIL "%s", names[i][0]);
		put(path, names[i][1]);
	}
	if (!on)
		put(FAIL "probability", "0");
	run("for t in 2 $(pgrep kworker); do echo %d >/proc/$t/make-it-fail; done 2>/dev/null; true", on);
	if (on)
		put(FAIL "probability", "100");
}

void memory_bit(const struct mem *m, bool on)
{
	uint16_t command;

	if (pread(m->device, &command, 2, m->config + 4) != 2)
		die("PCI_COMMAND");
	command = on ? command | 2 : command & ~2;
	if (pwrite(m->device, &command, 2, m->config + 4) != 2)
		die("PCI_COMMAND");
}

void *revoke_later(void *arg)
{
	struct revoker *r = arg;
	double start;

	usleep(300000);
	if (r->starve)
		starve_workers(true);
	start = seconds();
	memory_bit(r->m, false);
	r->took = seconds() - start;
	if (r->starve)
		starve_workers(false);
	return NULL;
}

/*
 * Only counts: the memory must not be read while it is gone. Ends with
 * -EXDEV when packets do not go to the memory any more.
 */
static ssize_t count_all(int fd, uint64_t *bytes)
{
	static char linear[128 * KIB], control[16 * KIB];
	ssize_t ret;

	do {
		struct iovec iov = { linear, sizeof(linear) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control, .msg_controllen = sizeof(control) };
		struct token tokens[128];
		int n = 0;

		ret = recvmsg(fd, &msg, MSG_SOCK_DEVMEM);
		if (ret < 0)
			return -errno;
		*bytes += ret;
		if (ret > 1000 && !msg.msg_controllen)
			return -EXDEV;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct fragment f;

			memcpy(&f, CMSG_DATA(c), sizeof(f));
			if (c->cmsg_type == SO_DEVMEM_DMABUF)
				tokens[n++] = (struct token){ f.token, 1 };
			if (n == 128) {
				setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, tokens, sizeof(tokens));
				n = 0;
			}
		}
		if (n)
			setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, tokens, n * sizeof(tokens[0]));
	} while (ret > 0);
	return ret;
}

static bool revoke_receiving(const struct mem *m, int i, double *longest)
{
	struct peer p = { .bytes = 1ull << 40, .port = 4994 };
	struct revoker r = { .m = m };
	struct binding b;
	int listener, fd;
	pthread_t thread;
	uint64_t bytes = 0;
	bool lost;
	ssize_t ret;

	must_bind(&b, m);
	listener = listen_on(true, p.port);
	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	pthread_create(&thread, NULL, revoke_later, &r);
	ret = count_all(fd, &bytes);
	pthread_join(thread, NULL);
	if (r.took > *longest)
		*longest = r.took;
	ok(bytes && (ret == -ENODEV || ret == -EXDEV), "an error, or nothing was lost", ret);
	lost = ret == -ENODEV;
	p.stop = true;
	close(fd); /* with unread data: a reset */
	pthread_join(p.thread, NULL);
	close(listener);
	if (i % 2)
		unbind(&b);
	memory_bit(m, true);
	if (!(i % 2))
		unbind(&b);
	return lost;
}

static void revoke_sending(const struct mem *m, int i, double *longest)
{
	struct peer p = { .receives = true, .port = 4993 };
	int listener = listen_on(true, p.port);
	struct revoker r = { .m = m };
	pthread_t thread;
	struct binding b;
	struct sender s;
	ssize_t ret;

	if (bind_tx(&b, nic, m->fd))
		die("bind-tx");
	memcpy(m->map, pattern, PERIOD);
	peer_start(&p);
	s = sender_for(listener);
	pthread_create(&thread, NULL, revoke_later, &r);
	for (uint64_t sent = 0;; sent += ret > 0 ? ret : 0) {
		size_t len = PERIOD - sent % PERIOD;

		ret = send_from(&s, b.id, sent % PERIOD, len > 64 * KIB ? 64 * KIB : len);
		if (ret == -ENOBUFS)
			reap_zerocopy(&s, 1000);
		else if (ret < 0)
			break;
	}
	ok(ret == -ENODEV, "sending ends with an error", ret);
	pthread_join(thread, NULL);
	if (r.took > *longest)
		*longest = r.took;
	ret = send_from(&s, b.id, 0, 4096);
	ok(ret == -ENODEV || ret == -EPIPE, "nothing can be sent any more", ret);
	/* What was not sent yet is not sent any more: the connection is reset by the kernel. */
	if (i % 2)
		close(s.fd);
	pthread_join(p.thread, NULL);
	if (!(i % 2))
		close(s.fd);
	ok(p.error != EILSEQ, "no wrong byte was sent", p.error);
	close(listener);
	unbind(&b);
	memory_bit(m, true);
}

int test_revoke(const char *bdf, int n)
{
	struct mem m = mem_vfio(bdf);
	double longest = 0;
	struct binding b;
	int ret, lost = 0;

	prepare(true);
	for (int i = 0; i < n; i++)
		lost += revoke_receiving(&m, i, &longest);
	ok(lost > 0, "some of them while the socket had data", lost);
	memory_bit(&m, false);
	ret = bind_rx(&b, nic, m.fd, QUEUE);
	ok(ret == -ENODEV, "memory that is gone cannot be bound", ret);
	memory_bit(&m, true);
	must_bind(&b, &m);
	one_stream(&m, b.id, 8 * MIB, false, "after revocations");
	unbind(&b);
	prepare(false);
	for (int i = 0; i < n; i++)
		revoke_sending(&m, i, &longest);
	ret = bind_tx(&b, nic, m.fd);
	is(ret, 0, "bind-tx afterwards");
	send_stream(&m, b.id, 4 * MIB, false, "after revocations");
	unbind(&b);
	printf("# the longest revocation took %.1f ms\n", longest * 1e3);
	ok(longest < 5, "revocation is prompt", longest * 1e3);
	return finish();
}
