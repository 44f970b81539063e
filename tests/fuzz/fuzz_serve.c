/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: a hostile client of devio-serve. The input is a list of what it sends and
 * takes; then the server must end the connection, and a client as it should be gets its
 * bytes.
 */
#include "config.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "serve/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONNECTIONS 4u
#define SIZE 100000u
#define DEADLINE 10000 /* ms */

static struct serve s = { .connections = CONNECTIONS, .timeout = 300, .share = 2u << 20 };
static struct sockaddr_in address = { .sin_family = AF_INET };
static unsigned char bytes[SIZE], got[DV_WIRE_READ_MAX];
static char dir[] = "/dev/shm/fuzz-serve-XXXXXX";

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_serve: %s (%s)\n", what, devio_errmsg());
	abort();
}

static void leave(void)
{
	check(!unlinkat(s.dir_fd, "a", 0) && !rmdir(dir), "the directory is left");
}

static void *server(void *arg)
{
	sigset_t open;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &open);
	check(!serve_run(&s, &open), s.error.text);
	return NULL;
}

static void begin(void)
{
	struct devio_sock_opts so = DEVIO_OPTS(so);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_sock_info info = DEVIO_OPTS(info);
	pthread_t thread;
	void *in;
	int fd;

	check(mkdtemp(dir) && (s.dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0, "a directory");
	for (unsigned int i = 0; i < SIZE; i++)
		bytes[i] = i * 2654435761u >> 13;
	fd = openat(s.dir_fd, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	check(fd >= 0 && write(fd, bytes, SIZE) == SIZE && !close(fd) && !atexit(leave), "a file");
	so.connect_ns = 1;
	ro.entries = CONNECTIONS * (SERVE_ANSWERS + 1);
	s.conns = calloc(CONNECTIONS, sizeof(*s.conns));
	check(s.conns && !devio_ctx_open(NULL, &s.ctx) &&
	      !devio_mem_alloc(s.ctx, "host", s.share * CONNECTIONS, NULL, &s.mem) &&
	      !devio_mem_alloc(s.ctx, "host", CONNECTIONS * SERVE_INPUT, NULL, &s.in_mem) &&
	      !devio_mem_map(s.in_mem, &in) && !devio_ring_open(s.ctx, &ro, &s.ring) &&
	      !devio_sock_listen(s.ctx, "127.0.0.1", "0", &so, &s.listener) &&
	      !devio_sock_get_info(s.listener, &info), "a server");
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		s.conns[i].index = i;
		s.conns[i].base = i * s.share;
		s.conns[i].in = (unsigned char *)in + (size_t)i * SERVE_INPUT;
	}
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(info.local_port);
	check(!pthread_create(&thread, NULL, server, NULL), "a thread");
}

static int dial(void)
{
	const struct timeval limit = { .tv_sec = DEADLINE / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	      !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "a connection");
	return fd;
}

static void put(int fd, const void *from, size_t n)
{
	(void)!send(fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT); /* it may be closed, or full */
}

static void request(int fd, unsigned int op, unsigned int file, uint32_t len, uint64_t off, uint64_t version)
{
	unsigned char head[DV_WIRE_HEAD + 1] = { 0 };

	dv_wire_put(head, op, file, len, off, version);
	head[DV_WIRE_HEAD] = 'a';
	put(fd, head, DV_WIRE_HEAD + (op == DV_WIRE_OPEN));
}

/* One thing that a client does, by up to 8 bytes of the input. False: it closes. */
static bool step(int fd, const uint8_t *p, const uint8_t *rest, size_t n)
{
	unsigned char head[DV_WIRE_HEAD];

	switch (p[0] % 8) {
	case 0:
	case 1:
		request(fd, DV_WIRE_OPEN, p[1] & 3, 1, 0, p[2] & 1 ? p[3] : 0);
		return true;
	case 2:
	case 3:
		request(fd, DV_WIRE_READ, p[1] & 3, 1 + (p[2] | p[3] << 8), p[4] | p[5] << 8 | (p[6] & 1) << 16, 0);
		return true;
	case 4:
		dv_wire_put(head, 1 + (p[1] & 1), p[2], p[3] | p[4] << 8 | (p[5] & 31) << 16, p[6], p[7]);
		if (n)
			head[4 + p[1] % 28] ^= rest[0];
		put(fd, head, sizeof(head));
		return true;
	case 5:
		put(fd, rest, n < p[1] ? n : p[1]);
		return true;
	case 6:
		(void)!recv(fd, got, 1 + (p[1] | p[2] << 8), MSG_DONTWAIT);
		return true;
	default:
		return p[1] & 7;
	}
}

static void good_client(void)
{
	unsigned char head[DV_WIRE_HEAD];
	struct dv_wire_answer a;
	int fd = dial();

	request(fd, DV_WIRE_OPEN, 0, 1, 0, 0);
	check(recv(fd, head, sizeof(head), MSG_WAITALL) == sizeof(head) &&
	      dv_wire_get_answer(head, DV_WIRE_OPEN, 0, &a), "an answer");
	if (a.op == DV_WIRE_REFUSE) { /* not all earlier connections have ended yet */
		close(fd);
		return;
	}
	check(!a.status && a.size == SIZE, "it is opened");
	request(fd, DV_WIRE_READ, 0, SIZE - 7, 7, 0);
	check(recv(fd, head, sizeof(head), MSG_WAITALL) == sizeof(head) &&
	      dv_wire_get_answer(head, DV_WIRE_READ, SIZE - 7, &a) && !a.status, "it is read");
	check(recv(fd, got, SIZE - 7, MSG_WAITALL) == SIZE - 7 && !memcmp(got, bytes + 7, SIZE - 7), "its bytes");
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool open = true;
	ssize_t n;
	int fd;

	if (!s.ring)
		begin();
	fd = dial();
	for (; open && size >= 8; data += 8, size -= 8)
		open = step(fd, data, data + 8, size - 8);
	if (open) {
		shutdown(fd, SHUT_WR);
		while ((n = recv(fd, got, sizeof(got), 0)) > 0)
			;
		check(!n || errno == ECONNRESET, "the server ends the connection");
	}
	close(fd);
	good_client();
	return 0;
}
