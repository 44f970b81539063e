/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a child process received over loopback into host memory, and what
 * it costs the receiver.
 *
 *   perf-net PATH BYTES BLOCK DEPTH     by libdevio
 *   perf-net recv BYTES BLOCK 1         recv() of blocks and a memcpy
 *
 * The memory is used again from the start when it is full. Prints: seconds,
 * CPU seconds, path taken.
 */
#include "config.h"
#include <devio.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "perf.h"

#define MAX_DEPTH 64
#define MEMORY (64ull << 20)

struct job {
	uint64_t size, block;
	unsigned int depth;
	int fd;
	double wall, cpu;
};

static _Noreturn void die(const char *what)
{
	perf_die("perf-net", what);
}

/* Of the kernel's worker threads for this process too, not of the child. */
static _Noreturn void feed(const struct sockaddr_in *to, uint64_t size)
{
	static char buf[1 << 20];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(buf, 'x', sizeof(buf));
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		_exit(1);
	while (size) {
		ssize_t n = send(fd, buf, size < sizeof(buf) ? size : sizeof(buf), MSG_NOSIGNAL);

		if (n <= 0)
			_exit(1);
		size -= n;
	}
	_exit(0);
}

static void open_feed(struct job *j)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	if (l < 0 || bind(l, (struct sockaddr *)&a, len) || listen(l, 1) || getsockname(l, (struct sockaddr *)&a, &len))
		die("listen");
	child = fork();
	if (!child)
		feed(&a, j->size);
	j->fd = child < 0 ? -1 : accept(l, NULL, NULL);
	if (j->fd < 0)
		die("accept");
	close(l);
}

static void by_recv(struct job *j)
{
	char *mem = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char *buf = mmap(NULL, j->block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	double t, c;

	if (mem == MAP_FAILED || buf == MAP_FAILED)
		die("memory");
	open_feed(j);
	t = perf_now();
	c = perf_cpu();
	for (uint64_t at = 0; at < j->size; at += j->block) {
		if (recv(j->fd, buf, j->block, MSG_WAITALL) != (ssize_t)j->block)
			die("recv");
		memcpy(mem + at % MEMORY, buf, j->block);
	}
	j->wall = perf_now() - t;
	j->cpu = perf_cpu() - c;
}

static void loop(const struct job *j, struct devio_ring *ring, struct devio_sock *s, struct devio_mem *m)
{
	struct devio_completion done[MAX_DEPTH];
	unsigned int flying = 0;
	uint64_t at = 0;

	while (at < j->size || flying) {
		int n;

		for (; at < j->size && flying < j->depth; at += j->block, flying++)
			if (devio_ring_recv(ring, s, m, at % MEMORY, j->block, at))
				die("receive");
		n = devio_ring_wait(ring, done, 1, MAX_DEPTH, -1);
		if (n < 0)
			die("wait");
		for (int i = 0; i < n; i++)
			if (done[i].result != (int64_t)j->block)
				die("result");
		flying -= n;
	}
}

static void by_devio(struct job *j, const char *path)
{
	struct devio_sock_opts so = DEVIO_OPTS(so);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_ring *ring = NULL;
	struct devio_sock *s = NULL;
	struct devio_ctx *ctx = NULL;
	struct devio_mem *m = NULL;
	void *touch;
	double t, c;

	so.path = devio_path_parse(path);
	ro.entries = j->depth;
	if (so.path < 0 || devio_ctx_open(NULL, &ctx) || devio_mem_alloc(ctx, "host", MEMORY, NULL, &m) ||
	    devio_mem_map(m, &touch) || devio_ring_open(ctx, &ro, &ring))
		die("set-up");
	memset(touch, 1, MEMORY);
	open_feed(j);
	if (devio_sock_import(ctx, j->fd, &so, &s))
		die("import");
	t = perf_now();
	c = perf_cpu();
	loop(j, ring, s, m);
	j->wall = perf_now() - t;
	j->cpu = perf_cpu() - c;
	devio_ring_close(ring);
	devio_sock_close(s);
	devio_mem_free(m);
	devio_ctx_close(ctx);
}

int main(int argc, char **argv)
{
	struct job j = { 0 };
	int status;

	if (argc != 5) {
		fprintf(stderr, "usage: perf-net PATH|recv BYTES BLOCK DEPTH\n");
		return 2;
	}
	j.size = strtoull(argv[2], NULL, 10);
	j.block = strtoull(argv[3], NULL, 10);
	j.depth = strtoul(argv[4], NULL, 10);
	if (!j.block || j.size % j.block || MEMORY % j.block || !j.depth || j.depth > MAX_DEPTH)
		die("whole blocks, please");
	if (!strcmp(argv[1], "recv"))
		by_recv(&j);
	else
		by_devio(&j, argv[1]);
	printf("%.6f %.6f %s\n", j.wall, j.cpu, argv[1]);
	return wait(&status) < 0 || status;
}
