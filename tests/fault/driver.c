/* SPDX-License-Identifier: MIT */
/*
 * Does everything once, by one path, while run-faults.sh lets a system call
 * fail: opens, reads, writes, cancels, polls, closes. Exits with 0 if every
 * call gave the right data or an error with a sentence, and nothing is left
 * behind; else it says what was wrong and exits with 1.
 *
 *   driver PATH uring|threads FILE
 */
#include "fault.h"

#define SIZE (512u << 10)
#define N 8

static unsigned char want[SIZE], got[SIZE];
static const char *name;
static unsigned int flags;
static int path, own_fd;

static void check(const char *what, struct devio_mem *m, unsigned int off, unsigned int len)
{
	if (!len || !fine("copy_out", devio_mem_copy_out(m, off, got, len), 0))
		return;
	if (memcmp(got, want + off, len))
		complain(what, len);
}

static void by_calls(struct devio_file *f, struct devio_mem *m)
{
	struct devio_file_info i = DEVIO_OPTS(i);
	struct devio_completion c = { 0 };
	char text[1000];

	fine("get_info", devio_file_get_info(f, &i), 0);
	fine("explain", devio_file_explain(f, m, 0, SIZE, 0, 0, &c, text, sizeof(text)), 0);
	memset(&c, 0, sizeof(c));
	fine("read", devio_file_read(f, m, 1, SIZE - 3, 1, &c), SIZE - 3);
	check("what was read", m, 1, c.good);
	memset(&c, 0, sizeof(c));
	fine("read again", devio_file_read(f, m, 0, SIZE, 0, &c), SIZE);
	check("what was read again", m, 0, c.good);
	if (devio_mem_copy_in(m, 0, want, SIZE))
		complain("copy_in", -1);
	fine("write", devio_file_write(f, m, 0, SIZE, 0, NULL), SIZE);
	fine("write odd", devio_file_write(f, m, 777, 70000, 777, NULL), 70000);
	fine("sync", devio_file_sync(f), 0);
}

static void take(struct devio_ring *r, struct devio_mem *m)
{
	struct devio_completion c[N];
	int tries = 0;

	while (devio_ring_inflight(r) && tries++ < 100) {
		int n = devio_ring_wait(r, c, 1, N, 1000000000);

		if (n < 0 && !fine("wait", n, 0))
			continue;
		for (int i = 0; i < n; i++) {
			if (c[i].result >= 0 && c[i].result != SIZE / N - 1)
				complain("a short result", c[i].result);
			errors += c[i].result < 0;
			check("what the ring read", m, c[i].cookie, c[i].good);
		}
	}
	if (devio_ring_inflight(r) && tries < 100)
		complain("operations are lost", devio_ring_inflight(r));
}

static void by_ring(struct devio_ctx *ctx, struct devio_file *f, struct devio_mem *m)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);
	struct devio_ring *r = NULL;

	o.entries = N;
	o.staging = 128 << 10;
	o.slot = 64 << 10;
	if (!fine("ring_open", devio_ring_open(ctx, &o, &r), 0))
		return;
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < N; i++) {
			uint64_t off = i * (SIZE / N);

			fine("ring_read", devio_ring_read(r, f, m, off, SIZE / N - 1, off, off), 0);
		}
		if (round == 1 && devio_ring_fd(r) < 0)
			errors++;
		if (round == 2 && devio_ring_cancel(r, 0) < 0)
			errors++;
		take(r, m);
	}
	/* Closed with work in flight. */
	for (uint64_t i = 0; i < N; i++)
		fine("ring_write", devio_ring_write(r, f, m, i << 16, 4096, i << 16, i), 0);
	devio_ring_submit(r);
	devio_ring_close(r);
}

static void all(void)
{
	struct devio_file_opts fo = DEVIO_OPTS(fo);
	struct devio_stat s = DEVIO_OPTS(s);
	struct devio_file *f = NULL, *g = NULL;
	struct devio_mem *m = NULL;
	struct devio_ctx *ctx = NULL;

	fo.path = path;
	fo.flags = path ? 0 : DEVIO_FILE_NO_CACHE;
	if (!open_ctx(flags, &ctx))
		return;
	if (fine("mem_alloc", devio_mem_alloc(ctx, "host", SIZE, NULL, &m), 0) &&
	    fine("file_open", devio_file_open(ctx, name, O_RDWR, &fo, &f), 0)) {
		by_calls(f, m);
		by_ring(ctx, f, m);
		fine("stat", devio_stat_get(ctx, &s), 0);
	}
	if (fine("import", devio_file_import(ctx, own_fd, NULL, &g), 0))
		devio_file_close(g);
	devio_mem_free(m);
	devio_file_close(f);
	devio_ctx_close(ctx);
}

int main(int argc, char **argv)
{
	path = argc == 4 ? devio_path_parse(argv[1]) : -1;
	if (path < 0)
		return 2;
	flags = !strcmp(argv[2], "threads") ? DEVIO_CTX_NO_URING : 0;
	name = argv[3];
	own_fd = open(name, O_RDWR);
	for (unsigned int i = 0; i < SIZE; i++)
		want[i] = i * 2654435761u >> 13;
	if (own_fd < 0 || pwrite(own_fd, want, SIZE, 0) != SIZE)
		return 2;
	return run_all(all);
}
