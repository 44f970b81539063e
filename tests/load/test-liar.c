/* SPDX-License-Identifier: MIT */
/* Servers that are slow, broken or hostile: an error with a sentence, in time, and no byte outside of its place. */
#include "serverig.h"
#include <poll.h>

enum lie {
	HONEST,
	SILENT,
	GARBAGE,
	WRONG_MAGIC,
	WRONG_OP,
	WRONG_LENGTH,
	SHORT,
	HEAD_ONLY,
	REFUSES,
	RESETS,
	UNKNOWN_STATUS,
	TOO_MUCH,
	ANOTHER_SIZE,
	OPEN_GARBAGE,
	OPEN_HUGE,
	OPEN_NO_VERSION,
	OPEN_SILENT,
	OPEN_ENDS,
	OPEN_TRICKLES,
	TRICKLES,
};

#define SIZE 400000u

static void put(int fd, unsigned int op, unsigned int status, uint32_t len, uint64_t size, uint64_t version)
{
	unsigned char head[DV_WIRE_HEAD];

	dv_wire_put(head, op, status, len, size, version);
	(void)!send(fd, head, sizeof(head), MSG_NOSIGNAL);
}

/* Sends, whether or not the peer reads. */
static void put_bytes(int fd, uint64_t off, uint32_t len)
{
	unsigned char *buf = malloc(len);

	rig_fill(buf, 4, off, len);
	for (uint32_t at = 0; at < len;) {
		ssize_t n = send(fd, buf + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += n;
	}
	free(buf);
}

static void lie_open(int fd, enum lie lie, unsigned int round)
{
	if (lie == OPEN_SILENT)
		pause();
	if (lie == OPEN_ENDS)
		_exit(0);
	for (int i = 0; lie == OPEN_TRICKLES; i++) {
		usleep(100000);
		(void)!send(fd, &i, 1, MSG_NOSIGNAL);
	}
	if (lie == OPEN_GARBAGE)
		put_bytes(fd, 0, 1000);
	else if (lie == OPEN_HUGE)
		put(fd, DV_WIRE_OPEN, 0, 0, UINT64_MAX, 1);
	else if (lie == OPEN_NO_VERSION)
		put(fd, DV_WIRE_OPEN, 0, 0, SIZE, 0);
	else
		put(fd, DV_WIRE_OPEN, 0, 0, lie == ANOTHER_SIZE && round ? SIZE + 1 : SIZE, 1);
}

static void lie_read(int fd, enum lie lie, const struct dv_wire_request *q)
{
	switch (lie) {
	case SILENT:
		pause();
		return;
	case GARBAGE:
		put_bytes(fd, 99, 1 << 20);
		return;
	case RESETS:
		plain_reset(fd);
		_exit(0);
	case REFUSES:
		put(fd, DV_WIRE_REFUSE, dv_wire_status(EBUSY), 0, 0, 0);
		_exit(0);
	case WRONG_MAGIC:
		(void)!send(fd, "dvs2............................", DV_WIRE_HEAD, MSG_NOSIGNAL);
		break;
	case UNKNOWN_STATUS:
		put(fd, DV_WIRE_READ, 4711, q->len, 0, 0);
		break;
	default:
		put(fd, lie == WRONG_OP ? DV_WIRE_OPEN : DV_WIRE_READ, 0, q->len + (lie == WRONG_LENGTH), 0, 0);
	}
	if (lie == HEAD_ONLY)
		_exit(0);
	for (uint32_t i = 0; lie == TRICKLES && i < q->len; i++) { /* one at a time, each before the idle timeout */
		put_bytes(fd, q->off + i, 1);
		usleep(300000);
	}
	if (lie == TRICKLES)
		return;
	put_bytes(fd, q->off, lie == SHORT ? q->len - 1 : q->len);
	if (lie == SHORT)
		_exit(0);
	if (lie == TOO_MUCH)
		put_bytes(fd, 7, 100);
}

static bool get(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* One connection. */
static void serve(int fd, enum lie lie, unsigned int round)
{
	unsigned char head[DV_WIRE_HEAD], path[DV_WIRE_PATH];
	struct dv_wire_request q;

	while (get(fd, head, sizeof(head))) {
		if (!dv_wire_get_request(head, &q))
			_exit(3);
		if (q.op == DV_WIRE_READ)
			lie_read(fd, lie, &q);
		else if (get(fd, path, q.len))
			lie_open(fd, lie, round);
	}
}

/* A process for each connection: the first is the index's. Returns the listener's process, a group of its own. */
static pid_t start(enum lie lie, unsigned int *port)
{
	int l = plain_listen(AF_INET, port);
	pid_t pid = fork();

	must(l >= 0 && pid >= 0, "a server");
	if (pid) {
		setpgid(pid, pid);
		close(l);
		return pid;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (unsigned int round = 0;; round++) {
		int fd = accept(l, NULL, NULL);

		if (fd >= 0 && !fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fd, lie, round);
			_exit(0);
		}
		close(fd);
	}
}

static void stop(pid_t pid)
{
	int status;

	must(!kill(-pid, SIGKILL) && waitpid(pid, &status, 0) == pid, "the end of the server");
}

static const struct {
	enum lie lie;
	int error, other;
} lies[] = {
	{ HONEST, 0, 0 },
	{ SILENT, -ETIMEDOUT, 0 },
	{ TRICKLES, -ETIMEDOUT, 0 },
	{ GARBAGE, -EPROTO, 0 },
	{ WRONG_MAGIC, -EPROTO, 0 },
	{ WRONG_OP, -EPROTO, 0 },
	{ WRONG_LENGTH, -EPROTO, 0 },
	{ SHORT, -ECONNRESET, 0 },
	{ HEAD_ONLY, -ECONNRESET, 0 },
	{ REFUSES, -EBUSY, -ECONNRESET },
	{ RESETS, -ECONNRESET, 0 },
	{ UNKNOWN_STATUS, -EPROTO, 0 },
	{ TOO_MUCH, 0, -EPROTO },
	{ ANOTHER_SIZE, -ESTALE, 0 },
};

/* What comes is right or an error, and nothing else of the memory is touched. */
static void check(const struct devio_load_range *g, unsigned int nr, const unsigned char *host, int error, int other)
{
	unsigned char *want = malloc(SIZE);
	unsigned int bad = 0;

	for (unsigned int i = 0; i < nr; i++) {
		bad += g[i].error != 0;
		must(!g[i].error || g[i].error == error || g[i].error == other, "error %d: %s", g[i].error,
		     devio_errmsg());
		rig_fill(want, 4, g[i].off, g[i].len);
		must(g[i].error || !memcmp(want, host + g[i].mem_off, g[i].len), "range %u", i);
		for (unsigned int k = 0; k < 100; k++)
			must(host[g[i].mem_off - 1 - k] == 0xee && host[g[i].mem_off + g[i].len + k] == 0xee, "beside");
	}
	must(!error == !bad || (other && !error), "%u of %u failed", bad, nr);
	must(!bad || strstr(devio_errmsg(), "tcp://"), "a sentence: %s", devio_errmsg());
	free(want);
}

static void test_lies(void **state)
{
	enum { NR = 30, LEN = 12345 };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, NR * 13000 + 1000);
	void *host;

	(void)state;
	must_zero(devio_mem_map(mem, &host));
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct devio_load_range g[NR] = { { 0 } };
		struct devio_source *s;
		unsigned int port;
		pid_t pid = start(lies[i].lie, &port);
		const char *url = server_url(port, "file");
		int rc;

		s = source_records(&url, 1, 100, 0);
		memset(host, 0xee, NR * 13000 + 1000);
		for (int k = 0; k < NR; k++)
			g[k] = (struct devio_load_range){ .off = k * 12999, .len = LEN, .mem_off = 500 + k * 13000 };
		rc = devio_source_read(ctx, s, mem, g, NR, NULL);
		must(rc == 0 || rc == lies[i].error || rc == lies[i].other, "lie %zu: %d %s", i, rc, devio_errmsg());
		check(g, NR, host, lies[i].error, lies[i].other);
		devio_source_close(s);
		stop(pid);
	}
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

/* The index, too. */
static void test_open(void **state)
{
	static const struct { enum lie lie; int error; } bad[] = {
		{ OPEN_GARBAGE, -EPROTO },
		{ OPEN_HUGE, -EPROTO },
		{ OPEN_NO_VERSION, -EPROTO },
		{ OPEN_SILENT, -ETIMEDOUT },
		{ OPEN_ENDS, -ECONNRESET },
		{ OPEN_TRICKLES, -ETIMEDOUT },
		/* these are detected when the header is read */
		{ SILENT, -ETIMEDOUT },
		{ TRICKLES, -ETIMEDOUT },
		{ GARBAGE, -EPROTO },
		{ WRONG_MAGIC, -EPROTO },
		{ WRONG_LENGTH, -EPROTO },
		{ SHORT, -ECONNRESET },
		{ REFUSES, -EBUSY },
		{ RESETS, -ECONNRESET },
		{ UNKNOWN_STATUS, -EPROTO },
		{ HONEST, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct devio_source *s = NULL;
		unsigned int port;
		pid_t pid = start(bad[i].lie, &port);
		const char *url = server_url(port, "file");
		int a = devio_source_open_safetensors(url, &s), b = devio_source_open_tar(&url, 1, &s);

		must(a == bad[i].error && b == bad[i].error && !s, "lie %zu: %d, %d: %s", i, a, b, devio_errmsg());
		must(strstr(devio_errmsg(), url), "a sentence: %s", devio_errmsg());
		stop(pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lies), cmocka_unit_test(test_open),
	};

	setenv("DEVIO_TCP_TIMEOUT", "1.5", 1);
	return cmocka_run_group_tests_name("liar", tests, NULL, NULL);
}
