/* SPDX-License-Identifier: MIT */
/*
 * TCP into GPU memory without libdevio, and TCP alone: what it is compared with.
 *
 *   gpu-tcp send PORT BYTES             to 127.0.0.1; retries until there is a listener
 *   gpu-tcp recv PORT BLOCK             TCP alone, into one pinned buffer
 *   gpu-tcp recv-copy PORT BLOCK        recv(), then cuMemcpyHtoD
 *   gpu-tcp double-buffer PORT BLOCK    recv() into one pinned buffer while the other is copied
 *
 * A receiver prints one line of JSON; timed is from the first byte to the last one on the device.
 */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "app.h"
#include "perf/clock.h"

#define PLACES 64    /* blocks of device memory, used again and again */

static size_t block;
static cu_ptr dest;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "gpu-tcp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void need(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "gpu-tcp: %s: error %d\n", what, rc);
		exit(1);
	}
}

static struct sockaddr_in address(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int send_all(const char *port, uint64_t bytes)
{
	struct sockaddr_in a = address(port);
	char *buf = malloc(1 << 20);
	int fd = -1;

	hw_pattern((unsigned char *)buf, 1 << 20, 1);
	for (int i = 0; i < 300; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
			break;
		close(fd);
		fd = -1;
		usleep(100000);
	}
	if (fd < 0)
		die("connect");
	while (bytes) {
		ssize_t n = send(fd, buf, bytes < 1 << 20 ? bytes : 1 << 20, MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		bytes -= (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	while (read(fd, buf, 1) > 0) /* until the peer has all of it */
		;
	free(buf);
	return 0;
}

static int accept_one(const char *port)
{
	struct sockaddr_in a = address(port);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, fd;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 1))
		die("listen");
	fd = accept(l, NULL, NULL);
	if (fd < 0)
		die("accept");
	close(l);
	return fd;
}

/* A whole block, or what there is before the end. */
static size_t take(int fd, void *buf)
{
	ssize_t n = recv(fd, buf, block, MSG_WAITALL);

	if (n < 0)
		die("recv");
	return (size_t)n;
}

static uint64_t recv_copy(int fd, bool copy)
{
	uint64_t sum = 0, i = 0;
	void *buf;
	size_t n;

	if (copy)
		buf = malloc(block);
	else
		need(cu.host_alloc(&buf, block, 0), "cuMemHostAlloc");
	while ((n = take(fd, buf)) > 0) {
		if (copy)
			need(cu.to_device(dest + i++ % PLACES * block, buf, n), "cuMemcpyHtoD");
		sum += n;
	}
	need(cu.ctx_sync(), "cuCtxSynchronize");
	return sum;
}

static uint64_t double_buffer(int fd)
{
	void *buf[2], *event[2], *stream;
	uint64_t sum = 0, i;
	size_t n;

	need(cu.stream_create(&stream, CU_NON_BLOCKING), "cuStreamCreate");
	for (int k = 0; k < 2; k++) {
		need(cu.host_alloc(&buf[k], block, 0), "cuMemHostAlloc");
		need(cu.event_create(&event[k], CU_NO_TIMING), "cuEventCreate");
	}
	for (i = 0;; i++) {
		if (i >= 2)
			need(cu.event_sync(event[i & 1]), "cuEventSynchronize");
		n = take(fd, buf[i & 1]);
		if (!n)
			break;
		need(cu.to_device_async(dest + i % PLACES * block, buf[i & 1], n, stream), "cuMemcpyHtoDAsync");
		need(cu.event_record(event[i & 1], stream), "cuEventRecord");
		sum += n;
	}
	need(cu.stream_sync(stream), "cuStreamSynchronize");
	return sum;
}

static int receive(const char *how, const char *port)
{
	const char *why = hw_load();
	double t, c;
	uint64_t sum;
	void *ctx;
	char b;
	int fd, dev;

	if (why) {
		fprintf(stderr, "gpu-tcp: %s\n", why);
		return 1;
	}
	need(cu.device(&dev, hw_device()), "cuDeviceGet");
	need(cu.primary_retain(&ctx, dev), "cuDevicePrimaryCtxRetain");
	need(cu.ctx_set(ctx), "cuCtxSetCurrent");
	need(cu.alloc(&dest, PLACES * block), "cuMemAlloc");
	fd = accept_one(port);
	if (recv(fd, &b, 1, MSG_PEEK) < 0)
		die("recv");
	t = perf_clock(CLOCK_MONOTONIC);
	c = perf_clock(CLOCK_PROCESS_CPUTIME_ID);
	sum = !strcmp(how, "double-buffer") ? double_buffer(fd) : recv_copy(fd, !strcmp(how, "recv-copy"));
	t = perf_clock(CLOCK_MONOTONIC) - t;
	c = perf_clock(CLOCK_PROCESS_CPUTIME_ID) - c;
	printf("{\"method\": \"%s\", \"seconds\": %.6f, \"cpu\": %.6f, \"received\": %llu}\n", how, t, c,
	       (unsigned long long)sum);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "send"))
		return send_all(argv[2], strtoull(argv[3], NULL, 10));
	block = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	if (!block || (strcmp(argv[1], "recv") && strcmp(argv[1], "recv-copy") && strcmp(argv[1], "double-buffer"))) {
		fprintf(stderr, "usage: gpu-tcp send PORT BYTES | gpu-tcp recv|recv-copy|double-buffer PORT BLOCK\n");
		return 2;
	}
	return receive(argv[1], argv[2]);
}
