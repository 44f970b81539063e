/* SPDX-License-Identifier: MIT */
/* Connections as a program sees them: sizes and offsets, both families, ends, errors, time-outs, many at once. */
#include <errno.h>
#include <pthread.h>
#include "sockrig.h"

#define MIB (1u << 20)

static const int64_t second = 1000000000;

struct feed {
	int fd, out;               /* out: reads and compares instead of writing */
	size_t len, piece;
	unsigned int seed;
	int bad;
};

/* The other end: a stream of `len` bytes of the pattern in pieces. */
static void *peer(void *arg)
{
	struct feed *f = arg;
	unsigned char *want = malloc(f->piece), *got = malloc(f->piece);

	for (size_t n = 0; n < f->len;) {
		size_t k = f->len - n < f->piece ? f->len - n : f->piece;
		ssize_t did;

		if (f->out) {
			did = recv(f->fd, got, k, 0);
			rig_fill(want, f->seed, n, did > 0 ? did : 0);
			f->bad |= did <= 0 || memcmp(want, got, did);
		} else {
			rig_fill(want, f->seed, n, k);
			did = send(f->fd, want, k, MSG_NOSIGNAL);
		}
		if (did <= 0) {
			f->bad = 1;
			break;
		}
		n += did;
	}
	free(want);
	free(got);
	return NULL;
}

/* One stream of `len` bytes each way as `depth` operations, at byte `off` of the memory. */
static void stream(struct devio_ctx *ctx, struct devio_mem *mem, int path, size_t len, size_t off, unsigned int depth,
		   size_t piece)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_ring *ring = rig_ring(ctx, 2 * depth, 0, 0);
	struct devio_completion done;
	struct feed in = { .len = len, .piece = piece, .seed = 5 }, out = in;
	unsigned char *buf = malloc(len);
	struct devio_sock *s;
	size_t part = (len + depth - 1) / depth;
	pthread_t t[2];
	unsigned int n = 0;

	o.path = path;
	s = sock_pair(ctx, &o, &in.fd);
	out.fd = in.fd;
	out.out = 1;
	out.seed = 6;
	rig_fill(buf, 6, 0, len);
	must_zero(devio_mem_copy_in(mem, off, buf, len));
	must(!pthread_create(&t[0], NULL, peer, &in) && !pthread_create(&t[1], NULL, peer, &out), "threads");
	for (size_t at = 0; at < len; at += part, n += 2) {
		size_t k = len - at < part ? len - at : part;

		must_zero(devio_ring_recv(ring, s, mem, off + len + at, k, n));
		must_zero(devio_ring_send(ring, s, mem, off + at, k, n + 1));
	}
	for (; n; n--) {
		rig_wait(ring, &done, 1);
		must(done.result > 0 && done.path == (path ? path : DEVIO_PATH_SOCK_HOST), "%lld by %s",
		     (long long)done.result, devio_path_name(done.path));
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	must(!in.bad && !out.bad, "the peer had no error: %d %d", in.bad, out.bad);
	rig_check(mem, off + len, len, 5, 0);
	devio_sock_close(s);
	devio_ring_close(ring);
	close(in.fd);
	free(buf);
}

static void sizes(void **state)
{
	static const size_t len[] = { 1,    2,	  3,	5,     7,     63,      255,	511,	      1447,
				      1461, 4095, 4097, 65483, 65537, MIB - 1, MIB + 1, 3 * MIB + 333 };
	static const unsigned int depth[] = { 1, 2, 7, 64 };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 8 * MIB);

	(void)state;
	for (unsigned int i = 0; i < sizeof(len) / sizeof(len[0]); i++)
		for (unsigned int d = 0; d < 4; d++)
			for (int path = 0; path < 2; path++)
				stream(ctx, mem, path ? DEVIO_PATH_SOCK_BOUNCE : 0, len[i], (i * 37 + d) % 4097,
				       depth[d], 65536);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

static void large(void **state)
{
	size_t len = RIG_ASAN || RIG_TSAN ? 8 * MIB : 64 * MIB;

	(void)state;
	for (unsigned int flags = 0; flags < 2; flags++) {
		struct devio_ctx *ctx = rig_ctx(flags ? DEVIO_CTX_NO_URING : 0);
		struct devio_mem *mem = rig_mem(ctx, 2 * len + 99);

		stream(ctx, mem, 0, len, 99, 3, MIB);
		stream(ctx, mem, DEVIO_PATH_SOCK_BOUNCE, len, 1, 64, MIB);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

/* A peer that sends a byte at a time. */
static void dribble(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, MIB);

	(void)state;
	stream(ctx, mem, 0, 5003, 3, 2, 1);
	stream(ctx, mem, DEVIO_PATH_SOCK_BOUNCE, 5003, 3, 3, 1);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

/* Both ends ours, by name, in each family that there is. */
static void families(void **state)
{
	static const char *const host[] = { "127.0.0.1", "::1", "localhost" };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, MIB);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct devio_sock_info info = DEVIO_OPTS(info);
		struct devio_sock *l, *a, *b;

		if (devio_sock_listen(ctx, i == 1 ? "::1" : NULL, "0", NULL, &l)) {
			must(i == 1, "%s", devio_errmsg());
			print_message("# no IPv6: %s\n", devio_errmsg());
			continue;
		}
		must_zero(devio_sock_get_info(l, &info));
		must(info.listening && info.local_port && !info.peer[0], "a listener");
		must_zero(devio_sock_connect(ctx, host[i], port_text(info.local_port), NULL, &a));
		must_zero(devio_sock_accept(l, &b));
		must_zero(devio_sock_get_info(b, &info));
		must(!info.listening && info.peer_port && !strcmp(info.ifname, "lo"), "peer %s port %u by %s",
		     info.peer, info.peer_port, info.ifname);
		must(i == 2 || !strcmp(info.peer, host[i]), "%s", info.peer);
		must_zero(devio_mem_copy_in(mem, 0, "hello", 5));
		must(devio_sock_send(a, mem, 0, 5, NULL) == 5, "send");
		must(devio_sock_recv(b, mem, 1000, 5, NULL) == 5, "receive");
		devio_sock_close(a);
		must(devio_sock_recv(b, mem, 1000, 5, NULL) == 0, "the end");
		devio_sock_close(b);
		devio_sock_close(l);
	}
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

/* The end of the stream: a short receive, then none; what the peer still wants it gets. */
static void half_close(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, MIB);
	struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
	struct devio_completion done[3];
	char buf[3000];
	int fd;

	(void)state;
	for (int path = 0; path < 2; path++) {
		struct devio_sock_opts o = DEVIO_OPTS(o);
		struct devio_sock *s;

		o.path = path ? DEVIO_PATH_SOCK_BOUNCE : 0;
		s = sock_pair(ctx, &o, &fd);
		must_zero(devio_ring_recv(ring, s, mem, 0, 2000, 1));
		must_zero(devio_ring_recv(ring, s, mem, 2000, 2000, 2));
		must_zero(devio_ring_recv(ring, s, mem, 4000, 2000, 3));
		plain_write(fd, buf, 2999);
		shutdown(fd, SHUT_WR);
		rig_wait(ring, done, 3);
		must(done[0].result == 2000 && done[1].result == 999 && done[2].result == 0, "%lld %lld %lld",
		     (long long)done[0].result, (long long)done[1].result, (long long)done[2].result);
		must(devio_sock_recv(s, mem, 0, 10, NULL) == 0, "still the end");
		must(devio_sock_send(s, mem, 0, 2000, NULL) == 2000, "the other stream goes on");
		plain_read(fd, buf, 2000);
		must_zero(devio_sock_shutdown(s, DEVIO_SHUT_SEND));
		must(recv(fd, buf, 1, 0) == 0, "the peer sees the end");
		must_fail(devio_sock_send(s, mem, 0, 10, NULL), -EPIPE);
		devio_sock_close(s);
		close(fd);
	}
	devio_ring_close(ring);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

/* A reset is an error of the current operation and of all behind it, not an end. */
static void reset(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, MIB);
	struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
	struct devio_completion done[3], c;
	char text[300];
	int fd;

	(void)state;
	for (int path = 0; path < 2; path++) {
		struct devio_sock_opts o = DEVIO_OPTS(o);
		struct devio_sock *s;

		o.path = path ? DEVIO_PATH_SOCK_BOUNCE : 0;
		s = sock_pair(ctx, &o, &fd);
		for (int i = 0; i < 3; i++)
			must_zero(devio_ring_recv(ring, s, mem, 0, 2000, i));
		must(devio_ring_wait(ring, done, 1, 3, 1000000) == 0, "nothing yet");
		plain_reset(fd);
		rig_wait(ring, done, 3);
		for (int i = 0; i < 3; i++)
			must(done[i].result == -ECONNRESET && done[i].reason == DEVIO_REASON_RESET && !done[i].good,
			     "%d: %lld", i, (long long)done[i].result);
		devio_completion_text(&done[0], text, sizeof(text));
		must(strstr(text, "receive") && strstr(text, "reset"), "%s", text);
		must_fail(devio_sock_recv(s, mem, 0, 10, &c), -ECONNRESET);
		must(c.reason == DEVIO_REASON_RESET, "and its reason");
		must_fail(devio_sock_send(s, mem, 0, 10, NULL), -EPIPE);
		devio_sock_close(s);
	}
	devio_ring_close(ring);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

/* Bytes before the reset count, and do not hide it. */
static void reset_inside(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct devio_ctx *ctx = rig_ctx(i & 1 ? DEVIO_CTX_NO_URING : 0);
		struct devio_mem *mem = rig_mem(ctx, 1000);
		struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
		struct devio_sock_opts o = DEVIO_OPTS(o);
		struct devio_completion done[2];
		struct devio_sock *s;
		int fd;

		o.path = i & 2 ? DEVIO_PATH_SOCK_BOUNCE : 0;
		s = sock_pair(ctx, &o, &fd);
		for (int k = 0; k < 2; k++)
			must_zero(devio_ring_recv(ring, s, mem, 0, 1000, k));
		plain_write(fd, "0123456789", 10);
		must_zero(devio_ring_wait(ring, done, 1, 2, 50000000));
		plain_reset(fd);
		rig_wait(ring, done, 2);
		must(done[0].result == -ECONNRESET && done[0].good == 10 && done[0].reason == DEVIO_REASON_RESET,
		     "%lld after %llu", (long long)done[0].result, (unsigned long long)done[0].good);
		must(done[1].result < 0, "and nothing behind it: %lld", (long long)done[1].result);
		devio_sock_close(s);
		devio_ring_close(ring);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

static void timeouts(void **state)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_completion c;
	struct devio_sock *s, *l;
	uint64_t t = rig_ns();

	(void)state;
	o.connect_ns = second / 20;
	for (unsigned int flags = 0; flags < 2; flags++) {
		struct devio_ctx *ctx = rig_ctx(flags ? DEVIO_CTX_NO_URING : 0);
		struct devio_mem *mem = rig_mem(ctx, 64 * MIB);
		int fd;

		must_zero(devio_sock_listen(ctx, "127.0.0.1", "0", &o, &l));
		must_fail(devio_sock_accept(l, &s), -ETIMEDOUT);
		devio_sock_close(l);
		for (int path = 0; path < 2; path++) {
			struct devio_sock_opts io = DEVIO_OPTS(io);

			io.idle_ns = second / 20;
			io.path = path ? DEVIO_PATH_SOCK_BOUNCE : 0;
			s = sock_pair(ctx, &io, &fd);
			must_fail(devio_sock_recv(s, mem, 0, 100, &c), -ETIMEDOUT);
			must(c.reason == DEVIO_REASON_TIMEOUT && !c.good, "nothing came");
			plain_write(fd, "abc", 3);
			must_fail(devio_sock_recv(s, mem, 0, 100, &c), -ETIMEDOUT);
			must(c.good == 3, "three bytes came: %llu", (unsigned long long)c.good);
			plain_write(fd, "defg", 4);
			must(devio_sock_recv(s, mem, 0, 4, NULL) == 4, "the stream goes on");
			must_fail(devio_sock_send(s, mem, 0, 64 * MIB, &c), -ETIMEDOUT);
			must(c.good > 0 && c.good < 64 * MIB, "the peer does not read: %llu",
			     (unsigned long long)c.good);
			devio_sock_close(s);
			close(fd);
		}
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
	must(rig_ns() - t < 10ull * second, "in time");
}

/* The longest times that can be said are no times in the past. */
static void endless(void **state)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_completion done[2];

	(void)state;
	o.connect_ns = o.idle_ns = INT64_MAX;
	for (unsigned int flags = 0; flags < 2; flags++) {
		struct devio_ctx *ctx = rig_ctx(flags ? DEVIO_CTX_NO_URING : 0);
		struct devio_mem *mem = rig_mem(ctx, 4096);
		struct devio_ring *ring = rig_ring(ctx, 2, 0, 0);
		int fd;
		struct devio_sock *s = sock_pair(ctx, &o, &fd);

		must_zero(devio_ring_recv(ring, s, mem, 0, 10, 0));
		must_zero(devio_ring_wait(ring, done, 1, 2, second / 20));
		plain_write(fd, "0123456789", 10);
		must(devio_ring_wait(ring, done, 1, 2, INT64_MAX) == 1 && done[0].result == 10, "%lld",
		     (long long)done[0].result);
		devio_sock_close(s);
		close(fd);
		devio_ring_close(ring);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

static void many(void **state)
{
	enum { SOCKS = 64, LEN = 100003 };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, SOCKS * 2 * LEN);
	struct devio_ring *ring = rig_ring(ctx, SOCKS * 2, 0, 0);
	struct devio_sock *a[SOCKS], *b[SOCKS], *l;
	struct devio_sock_info info = DEVIO_OPTS(info);
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_completion done[SOCKS * 2];
	unsigned char *buf = malloc(LEN);

	(void)state;
	must_zero(devio_sock_listen(ctx, "127.0.0.1", "0", NULL, &l));
	must_zero(devio_sock_get_info(l, &info));
	for (int i = 0; i < SOCKS; i++) {
		o.path = i & 1 ? DEVIO_PATH_SOCK_BOUNCE : 0;
		must_zero(devio_sock_connect(ctx, "127.0.0.1", port_text(info.local_port), &o, &a[i]));
		must_zero(devio_sock_accept(l, &b[i]));
		rig_fill(buf, i, 0, LEN);
		must_zero(devio_mem_copy_in(mem, i * LEN, buf, LEN));
		must_zero(devio_ring_recv(ring, b[i], mem, (SOCKS + i) * LEN, LEN, i));
	}
	for (int i = SOCKS - 1; i >= 0; i--)
		must_zero(devio_ring_send(ring, a[i], mem, i * LEN, LEN, SOCKS + i));
	rig_wait(ring, done, SOCKS * 2);
	for (int i = 0; i < SOCKS; i++) {
		must(done[i].result == LEN, "%lld", (long long)done[i].result);
		rig_check(mem, (SOCKS + i) * LEN, LEN, i, 0);
		devio_sock_close(a[i]);
		devio_sock_close(b[i]);
	}
	devio_sock_close(l);
	devio_ring_close(ring);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(buf);
}

static void ranges(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *a = rig_mem(ctx, 5000), *b = rig_mem(ctx, 5000);
	struct devio_range in[3] = { { a, 17, 1001 }, { b, 3, 2001 }, { a, 2000, 777 } };
	struct devio_sock_io io = { .sz = sizeof(io), .ranges = in, .nr_ranges = 3, .cookie = 9 };
	struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
	struct devio_completion done;
	unsigned char buf[3779], got[3779];
	int fd;

	(void)state;
	io.sock = sock_pair(ctx, NULL, &fd);
	rig_fill(buf, 4, 0, sizeof(buf));
	for (int path = 0; path < 2; path++) {
		io.path = path ? DEVIO_PATH_SOCK_BOUNCE : 0;
		io.send = 0;
		plain_write(fd, buf, sizeof(buf));
		must_zero(devio_ring_sock_io(ring, &io));
		rig_wait(ring, &done, 1);
		must(done.result == sizeof(buf) && done.cookie == 9, "all of it");
		rig_check(a, 17, 1001, 4, 0);
		rig_check(b, 3, 2001, 4, 1001);
		rig_check(a, 2000, 777, 4, 3002);
		io.send = 1;
		must_zero(devio_ring_sock_io(ring, &io));
		rig_wait(ring, &done, 1);
		plain_read(fd, got, sizeof(got));
		must(!memcmp(buf, got, sizeof(buf)), "back again");
	}
	io.send = 0;
	io.flags = DEVIO_SOCK_PARTIAL;
	plain_write(fd, buf, 10);
	must_zero(devio_ring_sock_io(ring, &io));
	rig_wait(ring, &done, 1);
	must(done.result == 10, "what is there: %lld", (long long)done.result);
	devio_sock_close(io.sock);
	devio_ring_close(ring);
	devio_mem_free(a);
	devio_mem_free(b);
	devio_ctx_close(ctx);
	close(fd);
}

static void counted(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 5000);
	struct devio_stat st = DEVIO_OPTS(st);
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_sock *s;
	int fd;

	(void)state;
	o.path = DEVIO_PATH_SOCK_BOUNCE;
	s = sock_pair(ctx, &o, &fd);
	must(devio_sock_send(s, mem, 0, 5000, NULL) == 5000, "send");
	plain_write(fd, "0123456789", 10);
	must(devio_sock_recv(s, mem, 0, 10, NULL) == 10, "receive");
	plain_reset(fd);
	must_fail(devio_sock_recv(s, mem, 0, 10, NULL), -ECONNRESET);
	must_zero(devio_stat_get(ctx, &st));
	must(st.path[DEVIO_PATH_SOCK_BOUNCE].writes == 1 && st.path[DEVIO_PATH_SOCK_BOUNCE].bytes_written == 5000 &&
	     st.path[DEVIO_PATH_SOCK_BOUNCE].reads == 2 && st.path[DEVIO_PATH_SOCK_BOUNCE].bytes_read == 10 &&
	     st.path[DEVIO_PATH_SOCK_BOUNCE].copied == 5010 && st.path[DEVIO_PATH_SOCK_BOUNCE].errors == 1, "counts");
	devio_sock_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes), cmocka_unit_test(large), cmocka_unit_test(dribble), cmocka_unit_test(families),
		cmocka_unit_test(half_close), cmocka_unit_test(reset), cmocka_unit_test(reset_inside),
		cmocka_unit_test(timeouts), cmocka_unit_test(endless), cmocka_unit_test(many),
		cmocka_unit_test(ranges), cmocka_unit_test(counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
