/* SPDX-License-Identifier: MIT */
/*
 * Receives a TCP connection into device memory, with several receives in flight.
 *
 *   tcp-to-gpu cuda:0 5201 1073741824              # room for that many bytes
 *   nc -N thismachine 5201 < model.safetensors     # on the other machine
 *
 * cc tcp-to-gpu.c $(pkg-config --cflags --libs devio)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <devio.h>

#define BLOCK (1u << 20)
#define DEPTH 8u

/* Prints the path that was used, and why no better one was. */
static void print_path(const struct devio_completion *done)
{
	char text[256];

	devio_completion_text(done, text, sizeof(text));
	printf("%s\n", text);
}

/*
 * Receives complete in stream order, each with all of its bytes except the one in
 * which the stream ends; those after it complete with 0.
 */
static int reap(struct devio_ring *ring, uint64_t *got)
{
	struct devio_completion done[DEPTH];
	int n = devio_ring_wait(ring, done, 1, DEPTH, -1);

	if (n < 0 && n != -EINTR) {
		fprintf(stderr, "%s\n", devio_errmsg());
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (!*got || done[i].result < 0)
			print_path(&done[i]);
		if (done[i].result < 0)
			return -1;
		*got += (uint64_t)done[i].result;
	}
	return 0;
}

static int receive(struct devio_ring *ring, struct devio_sock *sock, struct devio_mem *gpu, uint64_t size)
{
	uint64_t submitted = 0, got = 0;
	int rc = 0;

	while (!rc && (submitted < size || devio_ring_inflight(ring))) {
		while (!rc && submitted < size && devio_ring_inflight(ring) < DEPTH) {
			uint64_t len = size - submitted < BLOCK ? size - submitted : BLOCK;

			rc = devio_ring_recv(ring, sock, gpu, submitted, len, submitted);
			if (rc)
				fprintf(stderr, "%s\n", devio_errmsg());
			submitted += len;
		}
		if (!rc)
			rc = reap(ring, &got);
		if (got < submitted && !devio_ring_inflight(ring))
			break; /* end of the stream */
	}
	printf("%llu bytes in device memory\n", (unsigned long long)got);
	return rc;
}

/* Waits for one connection. */
static int open_sock(struct devio_ctx *ctx, const char *port, struct devio_sock **sock)
{
	struct devio_sock_info info = DEVIO_OPTS(info);
	struct devio_sock *listener;
	int rc = devio_sock_listen(ctx, NULL, port, NULL, &listener);

	if (rc)
		return rc;
	rc = devio_sock_get_info(listener, &info);
	if (!rc) {
		printf("listening on port %u\n", info.local_port);
		fflush(stdout);
		rc = devio_sock_accept(listener, sock);
	}
	devio_sock_close(listener);
	return rc;
}

int main(int argc, char **argv)
{
	struct devio_ring *ring = NULL;
	struct devio_sock *sock = NULL;
	struct devio_ctx *ctx = NULL;
	struct devio_mem *gpu = NULL;
	uint64_t size;
	int ok;

	if (argc != 4) {
		fprintf(stderr, "usage: %s SPEC PORT BYTES    (SPEC: cuda:0, hip:0, ze:0, host, ...)\n", argv[0]);
		return 2;
	}
	size = strtoull(argv[3], NULL, 10);
	ok = !devio_ctx_open(NULL, &ctx) && !devio_mem_alloc(ctx, argv[1], size, NULL, &gpu) &&
	     !devio_ring_open(ctx, NULL, &ring) && !open_sock(ctx, argv[2], &sock);
	if (!ok)
		fprintf(stderr, "%s\n", devio_errmsg());
	ok = ok && !receive(ring, sock, gpu, size);
	devio_sock_close(sock);
	devio_ring_close(ring);
	devio_mem_free(gpu);
	devio_ctx_close(ctx);
	return ok ? 0 : 1;
}
