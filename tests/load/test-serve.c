/* SPDX-License-Identifier: MIT */
/* devio-serve against clients that do what they should not, beside one that does what it should. */
#include "serverig.h"
#include <poll.h>

static int dial(unsigned int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	struct timeval timeout = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), "a socket");
	must(!connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect: %s", strerror(errno));
	return fd;
}

static void ask(int fd, unsigned int op, unsigned int file, uint32_t len, uint64_t off, uint64_t version)
{
	unsigned char head[DV_WIRE_HEAD];

	dv_wire_put(head, op, file, len, off, version);
	plain_write(fd, head, sizeof(head));
}

static void ask_open(int fd, unsigned int file, const char *path, size_t len, uint64_t version)
{
	ask(fd, DV_WIRE_OPEN, file, len, 0, version);
	plain_write(fd, path, len);
}

static struct dv_wire_answer answer(int fd, unsigned int op, uint32_t len)
{
	unsigned char head[DV_WIRE_HEAD];
	struct dv_wire_answer a;

	plain_read(fd, head, sizeof(head));
	must(dv_wire_get_answer(head, op, len, &a), "an answer");
	return a;
}

static struct dv_wire_answer opened(int fd, unsigned int file, const char *path)
{
	ask_open(fd, file, path, strlen(path), 0);
	return answer(fd, DV_WIRE_OPEN, 0);
}

/* The server ends the connection, behind a refusal or without one. */
static void must_end(int fd, int err)
{
	unsigned char buf[65536];
	struct dv_wire_answer a;
	ssize_t n;

	while ((n = recv(fd, buf, DV_WIRE_HEAD, MSG_WAITALL)) < 0 && errno == EINTR)
		;
	if (n == (ssize_t)DV_WIRE_HEAD) {
		must(dv_wire_get_answer(buf, 0, 0, &a) && a.op == DV_WIRE_REFUSE && dv_wire_errno(a.status) == err,
		     "a refusal");
		n = recv(fd, buf, 1, 0);
	}
	must(n == 0 || (n < 0 && errno == ECONNRESET), "the end, not %zd %s", n, n < 0 ? strerror(errno) : "");
	close(fd);
}

/* A client as it should be gets its bytes. */
static void must_serve(int fd, const char *name, uint64_t size, unsigned int seed)
{
	unsigned char *have = malloc(size), *want = malloc(size);
	struct dv_wire_answer a = opened(fd, 3, name);

	must(!a.status && a.size == size && a.version, "it is opened");
	ask(fd, DV_WIRE_READ, 3, size, 0, 0);
	must(!answer(fd, DV_WIRE_READ, size).status, "it is read");
	plain_read(fd, have, size);
	rig_fill(want, seed, 0, size);
	must(!memcmp(have, want, size), "its bytes");
	free(have);
	free(want);
}

#define SIZE 300001u

static const char *a_file(void)
{
	const char *name = rig_name("serve");

	rig_file(name, SIZE, 5);
	return name;
}

/* Each violation ends its connection, and no other. */
static void test_violations(void **state)
{
	static const struct { unsigned int op, file; uint32_t len; uint64_t off; } bad[] = {
		{ 0, 0, 1, 0 },
		{ 3, 0, 1, 0 },
		{ DV_WIRE_REFUSE, 0, 1, 0 },
		{ DV_WIRE_READ, DV_WIRE_FILES, 1, 0 },
		{ DV_WIRE_READ, 0, 0, 0 },
		{ DV_WIRE_READ, 0, DV_WIRE_READ_MAX + 1, 0 },
		{ DV_WIRE_READ, 0, UINT32_MAX, 0 },
		{ DV_WIRE_READ, 0, 1, (uint64_t)INT64_MAX + 1 },
		{ DV_WIRE_OPEN, 0, 0, 0 },
		{ DV_WIRE_OPEN, 0, DV_WIRE_PATH + 1, 0 },
		{ DV_WIRE_OPEN, 65535, 1, 0 },
	};
	struct server s = server_start(0, NULL);
	const char *name = a_file();
	int good = dial(s.port), fd;
	unsigned char junk[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = dial(s.port);
		ask(fd, bad[i].op, bad[i].file, bad[i].len, bad[i].off, 0);
		must_end(fd, -EPROTO);
		must_serve(good, name, SIZE, 5);
	}
	for (unsigned int i = 0; i < 20; i++) {
		rig_fill(junk, i, 0, sizeof(junk));
		fd = dial(s.port);
		(void)!send(fd, junk, 32 + i * 248, MSG_NOSIGNAL);
		must_end(fd, -EPROTO);
	}
	must_serve(good, name, SIZE, 5);
	close(good);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

/* Names that lead out, and things that are no files. */
static void test_names(void **state)
{
	char dir[64], inner[96], out[96], fifo[96], link[96];
	struct server s = server_start(0, NULL);
	const char *name = a_file();
	int fd = dial(s.port);

	(void)state;
	snprintf(dir, sizeof(dir), "serve-dir-%d.tmp", (int)getpid());
	snprintf(inner, sizeof(inner), "%s/in", dir);
	snprintf(link, sizeof(link), "../%s", name);
	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	must(!mkdir(dir, 0700) && !symlink(link, inner) && !symlink("/etc/passwd", out) && !mkfifo(fifo, 0600),
	     "a directory");
	must(!opened(fd, 0, inner).status, "a link that stays beneath");
	must(dv_wire_errno(opened(fd, 0, "/etc/passwd").status) == -EACCES, "absolute");
	must(dv_wire_errno(opened(fd, 0, "..").status) == -EACCES, "above");
	must(dv_wire_errno(opened(fd, 0, "../../../../../../../etc/passwd").status) == -EACCES, "far above");
	must(dv_wire_errno(opened(fd, 0, out).status) == -EACCES, "a link that leads out");
	must(dv_wire_errno(opened(fd, 0, dir).status) == -EISDIR, "a directory");
	must(dv_wire_errno(opened(fd, 0, fifo).status) == -EINVAL, "a FIFO");
	must(dv_wire_errno(opened(fd, 0, "no-such-file").status) == -ENOENT, "nothing");
	must(dv_wire_errno(opened(fd, 0, "/proc/self/mem").status) == -EACCES, "proc");
	ask_open(fd, 0, "a\0b", 3, 0);
	must(dv_wire_errno(answer(fd, DV_WIRE_OPEN, 0).status) == -EINVAL, "a zero in the name");
	ask_open(fd, 0, name, strlen(name), 12345);
	must(dv_wire_errno(answer(fd, DV_WIRE_OPEN, 0).status) == -ESTALE, "another version");
	must_serve(fd, name, SIZE, 5);
	close(fd);
	must(!server_stop(&s, SIGTERM), "it ends well");
	must(!unlink(inner) && !unlink(out) && !unlink(fifo) && !rmdir(dir) && !unlink(name), "tidied up");
}

static void must_fail_read(int fd, unsigned int file, uint32_t len, uint64_t off, int err)
{
	unsigned char *have = malloc(len);
	struct dv_wire_answer a;

	ask(fd, DV_WIRE_READ, file, len, off, 0);
	a = answer(fd, DV_WIRE_READ, len);
	must(dv_wire_errno(a.status) == err, "status %u", a.status);
	plain_read(fd, have, len);
	for (uint32_t i = 0; i < len; i++)
		must(!have[i], "byte %u is none of the memory before", i);
	free(have);
}

static void test_reads(void **state)
{
	struct server s = server_start(0, NULL);
	const char *name = a_file();
	int fd = dial(s.port);

	(void)state;
	must_serve(fd, name, SIZE, 5);
	must_fail_read(fd, 7, 100000, 0, -EINVAL);
	must_fail_read(fd, 3, 1, SIZE, -ERANGE);
	must_fail_read(fd, 3, DV_WIRE_READ_MAX, 0, -ERANGE);
	must_fail_read(fd, 3, 1, INT64_MAX, -ERANGE);
	must(dv_wire_errno(opened(fd, 7, "nothing").status) == -ENOENT, "nothing");
	must_fail_read(fd, 7, 5, 0, -ENOENT);
	must_serve(fd, name, SIZE, 5);
	must(!truncate(name, 1000), "truncate");
	must_fail_read(fd, 3, 200000, 0, -ESTALE);
	must_fail_read(fd, 3, 10, 0, -ESTALE);
	close(fd);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

/* Requests come in pieces of any size, many before the first answer is read. */
static void test_pieces(void **state)
{
	enum { NR = 500, LEN = 777 };
	struct server s = server_start(0, NULL);
	const char *name = a_file();
	unsigned char all[NR * DV_WIRE_HEAD], have[LEN], want[LEN];
	int fd = dial(s.port);
	size_t at = 0;

	(void)state;
	must(!opened(fd, 9, name).status, "open");
	for (unsigned int i = 0; i < NR; i++)
		dv_wire_put(all + i * DV_WIRE_HEAD, DV_WIRE_READ, 9, LEN, i * 599, 0);
	for (unsigned int i = 1; at < sizeof(all); i = i % 97 + 1) {
		size_t n = sizeof(all) - at < i ? sizeof(all) - at : i;

		plain_write(fd, all + at, n);
		at += n;
	}
	for (unsigned int i = 0; i < NR; i++) {
		must(!answer(fd, DV_WIRE_READ, LEN).status, "read %u", i);
		plain_read(fd, have, LEN);
		rig_fill(want, 5, i * 599, LEN);
		must(!memcmp(have, want, LEN), "bytes of read %u", i);
	}
	close(fd);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

/* Reads of all sizes in a circle of memory that is as small as it may be. */
static void test_room(void **state)
{
	static const char *const options[] = { "-c2", "-M2200k", NULL };
	struct server s = server_start(0, options);
	const char *name = rig_name("serve");
	unsigned char *have = malloc(1 << 20), *want = malloc(1 << 20);
	struct rig_rnd r = { 11 };
	int fd = dial(s.port);

	(void)state;
	rig_file(name, 3 << 20, 6);
	must(!opened(fd, 1, name).status, "open");
	for (int round = 0; round < 12; round++) {
		uint32_t len[40];
		uint64_t off[40];

		for (int i = 0; i < 40; i++) {
			len[i] = 1 + rig_rnd(&r) % (i % 5 ? 20000 : 1 << 20);
			off[i] = rig_rnd(&r) % ((3 << 20) - len[i] + 1);
			ask(fd, DV_WIRE_READ, 1, len[i], off[i], 0);
		}
		for (int i = 0; i < 40; i++) {
			must(!answer(fd, DV_WIRE_READ, len[i]).status, "read %d", i);
			plain_read(fd, have, len[i]);
			rig_fill(want, 6, off[i], len[i]);
			must(!memcmp(have, want, len[i]), "bytes of read %d of round %d", i, round);
		}
	}
	free(have);
	free(want);
	close(fd);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

static uint64_t resident_kib(pid_t pid)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %llu kB", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* Clients that request and never read delay no other, take no more memory, and are disconnected; so are silent ones. */
static void test_deaf(void **state)
{
	static const char *const options[] = { "-w2", "-c20", "-p20", "-M40M", NULL };
	struct server s = server_start(0, options);
	const char *name = rig_name("serve");
	unsigned char head[DV_WIRE_HEAD];
	int deaf[10], silent = dial(s.port), half = dial(s.port), good;
	struct pollfd p = { .events = POLLRDHUP };

	(void)state;
	rig_file(name, 1 << 20, 5);
	dv_wire_put(head, DV_WIRE_OPEN, 0, 10, 0, 0);
	plain_write(half, head, 20);
	for (int i = 0; i < 10; i++) {
		deaf[i] = dial(s.port);
		ask_open(deaf[i], 0, name, strlen(name), 0);
		for (int k = 0; k < 200; k++)
			ask(deaf[i], DV_WIRE_READ, 0, 1 << 20, 0, 0);
	}
	good = dial(s.port);
	for (int i = 0; i < 20; i++)
		must_serve(good, name, 1 << 20, 5);
	close(good);
	must(RIG_ASAN || RIG_TSAN || resident_kib(s.pid) < 80 << 10, "its memory: %llu KiB",
	     (unsigned long long)resident_kib(s.pid));
	must_end(silent, 0);
	must_end(half, 0);
	for (int i = 0; i < 10; i++) {
		p.fd = deaf[i];
		must(poll(&p, 1, 20000) == 1, "it is cut off");
		close(deaf[i]);
	}
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

/* A connection as soon as the server has seen that another one ended. */
static int dial_served(unsigned int port, const char *name)
{
	for (int i = 0; i < 100; i++) {
		unsigned char head[DV_WIRE_HEAD], request[DV_WIRE_HEAD + 200];
		struct dv_wire_answer a;
		int fd = dial(port);

		dv_wire_put(request, DV_WIRE_OPEN, 0, strlen(name), 0, 0);
		memcpy(request + DV_WIRE_HEAD, name, strlen(name));
		(void)!send(fd, request, DV_WIRE_HEAD + strlen(name), MSG_NOSIGNAL);
		if (recv(fd, head, sizeof(head), MSG_WAITALL) == (ssize_t)sizeof(head) &&
		    dv_wire_get_answer(head, DV_WIRE_OPEN, 0, &a) && a.op == DV_WIRE_OPEN)
			return fd;
		close(fd);
		usleep(100000);
	}
	must(0, "a place is free again");
	return -1;
}

/* One connection too many is refused with the cause. */
static void test_full(void **state)
{
	static const char *const options[] = { "-c3", "-p3", NULL };
	struct server s = server_start(0, options);
	const char *name = a_file();
	struct devio_source *source;
	const char *url = server_url(s.port, name);
	int fd[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		fd[i] = dial(s.port);
		must_serve(fd[i], name, SIZE, 5);
	}
	for (int i = 0; i < 5; i++)
		must_end(dial(s.port), -EBUSY);
	must(devio_source_open_tar(&url, 1, &source) < 0, "a reader gets the cause, too");
	must_serve(fd[0], name, SIZE, 5);
	close(fd[1]);
	fd[1] = dial_served(s.port, name);
	must_serve(fd[1], name, SIZE, 5);
	for (int i = 0; i < 3; i++)
		plain_reset(fd[i]);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

/* One address takes half of the connections. */
static void test_address(void **state)
{
	static const char *const options[] = { "-c4", "-a*", "-4", NULL };
	struct server s = server_start(0, options);
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *name = a_file();
	int fd[2], theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(s.port);
		must_serve(fd[i], name, SIZE, 5);
	}
	for (int i = 0; i < 3; i++)
		must_end(dial(s.port), -EBUSY);
	to.sin_port = htons((uint16_t)s.port);
	must(!bind(theirs, (struct sockaddr *)&other, sizeof(other)), "another address");
	must(!connect(theirs, (struct sockaddr *)&to, sizeof(to)), "its connection");
	must_serve(theirs, name, SIZE, 5);
	close(theirs);
	for (int i = 0; i < 2; i++)
		close(fd[i]);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

static double rig_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* A byte now and then keeps no connection: neither of an answer that is read, nor of a request that is written. */
static void test_slow(void **state)
{
	static const char *const options[] = { "-w2", NULL };
	struct server s = server_start(0, options);
	const char *name = rig_name("serve");
	int reader = dial(s.port), writer = dial(s.port), small = 4096;
	bool over = false, wrote = true;
	double start;
	char byte;

	(void)state;
	rig_file(name, 8 << 20, 5);
	must(!setsockopt(reader, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), "SO_RCVBUF");
	ask_open(reader, 0, name, strlen(name), 0);
	for (int i = 0; i < 60; i++)
		ask(reader, DV_WIRE_READ, 0, 1 << 20, 0, 0);
	start = rig_seconds();
	while ((!over || wrote) && rig_seconds() - start < 30) {
		struct pollfd p = { .fd = reader, .events = POLLRDHUP };

		(void)!recv(reader, &byte, 1, MSG_DONTWAIT);
		wrote = wrote && send(writer, "\1", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
		over = over || (poll(&p, 1, 300) > 0 && p.revents);
	}
	must(over && !wrote && rig_seconds() - start < 20, "both are cut off: %d %d", over, !wrote);
	close(reader);
	close(writer);
	must(!server_stop(&s, SIGTERM), "it ends well");
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_violations), cmocka_unit_test(test_names), cmocka_unit_test(test_reads),
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_room), cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_full), cmocka_unit_test(test_address), cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
