/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: a hostile data server, and the sources that libdevio-load opens there. The
 * input is what the file is said to be, and how the server deviates: answers that are
 * none, cut off, of other sizes. The client ends with a source or a sentence.
 */
#include "config.h"
#include <arpa/inet.h>
#include <devio.h>
#include <devio/load.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "load/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTROL 16 /* the first bytes of an input: one for each answer, in turn */

/* A copy: the server may still answer a connection of the input before, which its client has closed. */
static struct {
	uint8_t data[65536];
	size_t size;
} input;
static int listener;
static char url[3][64];

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_peer: %s (%s)\n", what, devio_errmsg());
	abort();
}

static uint64_t file_size(void)
{
	uint64_t more = input.data[0] & 0x80 ? (uint64_t)1 << (input.data[0] & 63) : 0;

	return input.size - CONTROL + more;
}

/* The bytes of the file at off, zeros behind what the input has. */
static bool send_data(int fd, uint64_t off, uint32_t len)
{
	static unsigned char zeros[4096];
	uint64_t have = input.size - CONTROL, at = off;

	while (len) {
		const void *from = at < have ? (const void *)(input.data + CONTROL + at) : (const void *)zeros;
		uint64_t n = at < have ? have - at : sizeof(zeros);

		n = n < len ? n : len;
		if (send(fd, from, n, MSG_NOSIGNAL) != (ssize_t)n)
			return false;
		len -= n;
		at += n;
	}
	return true;
}

/* False: the server ends the connection. */
static bool answer(int fd, const struct dv_wire_request *q, uint8_t how)
{
	unsigned char head[DV_WIRE_HEAD];
	uint32_t len = q->op == DV_WIRE_READ ? q->len : 0;

	dv_wire_put(head, q->op, 0, len, q->op == DV_WIRE_OPEN ? file_size() : 0, 1);
	if (how < 16) /* a byte of the header is another one */
		head[input.data[how] % DV_WIRE_HEAD] ^= 1u << (how & 7);
	else if (how < 24)
		dv_wire_put(head, DV_WIRE_REFUSE, input.data[how - 16], 0, 0, 0);
	else if (how < 32)
		dv_wire_put(head, q->op, input.data[how - 24], len, file_size(), how);
	if (send(fd, head, how == 255 ? 7 : sizeof(head), MSG_NOSIGNAL) < 0 || how >= 254)
		return false;
	return send_data(fd, q->off, how == 253 ? len / 2 : len) && how < 253;
}

static void serve(int fd)
{
	unsigned char head[DV_WIRE_HEAD], path[DV_WIRE_PATH];
	struct dv_wire_request q;

	for (unsigned int n = 0; recv(fd, head, sizeof(head), MSG_WAITALL) == sizeof(head); n++) {
		check(dv_wire_get_request(head, &q), "the client's request");
		if (q.op == DV_WIRE_OPEN && recv(fd, path, q.len, MSG_WAITALL) != (ssize_t)q.len)
			break;
		if (!answer(fd, &q, input.data[1 + n % (CONTROL - 1)]))
			break;
	}
	shutdown(fd, SHUT_WR);
	while (recv(fd, path, sizeof(path), 0) > 0)
		;
	close(fd);
}

static void *server(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		check(fd >= 0, "accept");
		serve(fd);
	}
	return NULL;
}

static void begin(void)
{
	static const char *const names[] = { "a.safetensors", "a.json", "a.tar" };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	pthread_t thread;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(listener >= 0 && !bind(listener, (struct sockaddr *)&a, sizeof(a)) && !listen(listener, 8) &&
	      !getsockname(listener, (struct sockaddr *)&a, &len), "a listening socket");
	for (int i = 0; i < 3; i++)
		snprintf(url[i], sizeof(url[i]), "tcp://127.0.0.1:%u/%s", ntohs(a.sin_port), names[i]);
	check(!setenv("DEVIO_TCP_TIMEOUT", "5", 1) && !pthread_create(&thread, NULL, server, NULL), "a server");
}

static void finish(int rc, struct devio_source *s)
{
	struct devio_source_info i = DEVIO_OPTS(i);

	check(rc <= 0 && rc != -ETIMEDOUT && (!rc || (!s && *devio_errmsg())), "an errno and a sentence");
	if (rc)
		return;
	check(!devio_source_get_info(s, &i), "info");
	for (uint64_t n = 0; n < i.items; n++)
		for (int k = devio_source_count(s, n); k-- > 0;) {
			struct devio_field f = DEVIO_OPTS(f);

			check(!devio_source_get_field(s, n, k, &f), "a field");
			check(f.off <= file_size() && f.len <= file_size() - f.off, "the range is in the file");
		}
	devio_source_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *tar = url[2];
	struct devio_source *s = NULL;

	if (size < CONTROL || size > sizeof(input.data))
		return 0;
	if (!listener)
		begin();
	memcpy(input.data, data, size);
	input.size = size;
	if (data[0] & 0x40)
		finish(devio_source_open_tar(&tar, 1, &s), s);
	else
		finish(devio_source_open_safetensors(url[data[0] >> 5 & 1], &s), s);
	return 0;
}
