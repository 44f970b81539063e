/* SPDX-License-Identifier: MIT */
/*
 * Reads a file into device memory, twice: with one synchronous call, and with
 * many reads in flight on a ring.
 *
 *   file-to-gpu cuda:0 model.safetensors
 *   file-to-gpu host   any-file             # on a machine without a GPU
 *
 * cc file-to-gpu.c $(pkg-config --cflags --libs devio)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <devio.h>

#define BLOCK (1u << 20)
#define DEPTH 32u

/* One call. A short count would mean the end of the file. */
static int read_sync(struct devio_file *f, struct devio_mem *gpu, uint64_t size)
{
	struct devio_completion done;
	char text[256];
	ssize_t n = devio_file_read(f, gpu, 0, size, 0, &done);

	if (n < 0) {
		fprintf(stderr, "%s\n", devio_errmsg());
		return -1;
	}
	devio_completion_text(&done, text, sizeof(text));
	printf("%s\n", text);
	return (uint64_t)n == size ? 0 : -1;
}

/* Reaps completions until at most `keep` operations are in flight. */
static int reap(struct devio_ring *ring, unsigned int keep, uint64_t *got)
{
	struct devio_completion done[DEPTH];
	char text[256];

	while (devio_ring_inflight(ring) > keep) {
		int n = devio_ring_wait(ring, done, 1, DEPTH, -1);

		if (n < 0 && n != -EINTR) {
			fprintf(stderr, "%s\n", devio_errmsg());
			return -1;
		}
		for (int i = 0; i < n; i++) {
			if (done[i].result < 0) {
				devio_completion_text(&done[i], text, sizeof(text));
				fprintf(stderr, "block %llu: %s\n", (unsigned long long)done[i].cookie, text);
				return -1;
			}
			*got += (uint64_t)done[i].result;
		}
	}
	return 0;
}

/* Many reads in flight; the cookie is the number of the block. */
static int read_on_ring(struct devio_ctx *ctx, struct devio_file *f, struct devio_mem *gpu, uint64_t size)
{
	struct devio_ring_opts opts = DEVIO_OPTS(opts);
	struct devio_ring *ring;
	uint64_t got = 0;
	int rc = 0;

	opts.entries = DEPTH;
	if (devio_ring_open(ctx, &opts, &ring)) {
		fprintf(stderr, "%s\n", devio_errmsg());
		return -1;
	}
	for (uint64_t off = 0; off < size && !rc; off += BLOCK) {
		uint64_t len = size - off < BLOCK ? size - off : BLOCK;

		rc = reap(ring, DEPTH - 1, &got);
		if (!rc && devio_ring_read(ring, f, gpu, off, len, off, off / BLOCK)) {
			fprintf(stderr, "%s\n", devio_errmsg());
			rc = -1;
		}
	}
	if (!rc)
		rc = reap(ring, 0, &got);
	devio_ring_close(ring);
	if (!rc)
		printf("ring: %llu bytes, %u reads in flight at most\n", (unsigned long long)got, DEPTH);
	return rc || got != size ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	struct devio_ctx *ctx = NULL;
	struct devio_mem *gpu = NULL;
	struct devio_file *f = NULL;
	int ok;

	if (argc != 3) {
		fprintf(stderr, "usage: %s SPEC FILE    (SPEC: cuda:0, hip:0, ze:0, host, ...)\n", argv[0]);
		return 2;
	}
	ok = !devio_ctx_open(NULL, &ctx) && !devio_file_open(ctx, argv[2], O_RDONLY, NULL, &f) &&
	     !devio_file_get_info(f, &info) && !devio_mem_alloc(ctx, argv[1], info.size, NULL, &gpu);
	if (!ok)
		fprintf(stderr, "%s\n", devio_errmsg());
	ok = ok && !read_sync(f, gpu, info.size) && !read_on_ring(ctx, f, gpu, info.size);
	devio_file_close(f);        /* in any order; NULL is allowed */
	devio_mem_free(gpu);
	devio_ctx_close(ctx);
	return ok ? 0 : 1;
}
