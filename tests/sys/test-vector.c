/* SPDX-License-Identifier: MIT */
/* Lists of ranges against preadv and pwritev: any number, odd sizes, several memories, empty ones. */
#include "rig.h"

#include <errno.h>

#define SIZE (2u << 20)
#define MEMS 3

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem[MEMS];
	struct devio_file *file;
	struct devio_ring *ring;
	const char *name;
	unsigned char *image[MEMS], *shadow, *buf;
	uint64_t size;
	struct rig_rnd rnd;
};

struct mode {
	int path;
	unsigned int flags;
	int one_memory, aligned;
};

static void env_open(struct env *e, const struct mode *m)
{
	memset(e, 0, sizeof(*e));
	e->rnd.s = m->path * 100 + m->flags + m->aligned;
	e->name = rig_name("vector");
	e->size = SIZE - 12345;
	rig_file(e->name, e->size, 6);
	e->shadow = malloc(2 * SIZE);
	e->buf = malloc(2 * SIZE);
	rig_fill(e->shadow, 6, 0, e->size);
	e->ctx = rig_ctx(m->flags);
	e->file = rig_open(e->ctx, e->name, O_RDWR, 0);
	e->ring = rig_ring(e->ctx, 4, 192 << 10, 64 << 10);
	for (int i = 0; i < MEMS; i++) {
		e->mem[i] = rig_mem(e->ctx, SIZE);
		e->image[i] = calloc(1, SIZE);
		must_zero(devio_mem_copy_in(e->mem[i], 0, e->image[i], SIZE));
	}
}

static void env_close(struct env *e)
{
	devio_ring_close(e->ring);
	devio_file_close(e->file);
	for (int i = 0; i < MEMS; i++) {
		devio_mem_free(e->mem[i]);
		free(e->image[i]);
	}
	devio_ctx_close(e->ctx);
	unlink(e->name);
	free(e->shadow);
	free(e->buf);
}

/* Up to 1024 ranges that do not overlap, of `sum` bytes; which[i]: its memory. */
static unsigned int ranges(struct env *e, const struct mode *m, struct devio_range *g, int *which, uint64_t *sum)
{
	static const unsigned int counts[] = { 1, 2, 3, 8, 9, 100, 1023, 1024 };
	unsigned int n = counts[rig_rnd(&e->rnd) % 8];
	uint64_t at[MEMS] = { 0 }, room = SIZE / n;

	*sum = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t gap = rig_rnd(&e->rnd) % 3 ? 0 : rig_rnd(&e->rnd) % (room / 2 + 1);
		uint64_t len = rig_rnd(&e->rnd) % 5 ? rig_rnd(&e->rnd) % (room / 2 + 1) : 0;

		which[i] = m->one_memory ? 0 : rig_rnd(&e->rnd) % MEMS;
		if (m->aligned) {
			gap &= ~4095ULL;
			len &= ~4095ULL;
		}
		g[i] = (struct devio_range){ e->mem[which[i]], at[which[i]] + gap, len };
		at[which[i]] += gap + len;
		*sum += len;
	}
	return n;
}

static void check_memories(struct env *e)
{
	for (int i = 0; i < MEMS; i++) {
		must_zero(devio_mem_copy_out(e->mem[i], 0, e->buf, SIZE));
		must(!memcmp(e->buf, e->image[i], SIZE), "memory %d has the right bytes", i);
	}
}

static void check_file(struct env *e)
{
	int fd = open(e->name, O_RDONLY);

	must(pread(fd, e->buf, 2 * SIZE, 0) == (ssize_t)e->size, "the file's size");
	must(!memcmp(e->buf, e->shadow, e->size), "the file has the right bytes");
	close(fd);
}

/* What preadv would have done. */
static uint64_t expect_read(struct env *e, const struct devio_range *g, const int *which, unsigned int n, uint64_t off)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < n && off + done < e->size; i++) {
		uint64_t left = e->size - off - done, len = g[i].len < left ? g[i].len : left;

		memcpy(e->image[which[i]] + g[i].off, e->shadow + off + done, len);
		done += len;
	}
	return done;
}

static uint64_t expect_write(struct env *e, const struct devio_range *g, const int *which, unsigned int n,
			     uint64_t off)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < n; i++) {
		rig_fill(e->image[which[i]] + g[i].off, rig_rnd(&e->rnd), 0, g[i].len);
		must_zero(devio_mem_copy_in(g[i].mem, g[i].off, e->image[which[i]] + g[i].off, g[i].len));
		memcpy(e->shadow + off + done, e->image[which[i]] + g[i].off, g[i].len);
		done += g[i].len;
	}
	if (done && off + done > e->size) {
		if (off > e->size)
			memset(e->shadow + e->size, 0, off - e->size);
		e->size = off + done;
	}
	return done;
}

static void one(struct env *e, const struct mode *m, int round)
{
	static struct devio_range g[1024];
	static int which[1024];
	struct devio_io io = { .sz = sizeof(io), .file = e->file, .ranges = g, .path = m->path };
	struct devio_completion c;
	uint64_t sum, want;

	io.nr_ranges = ranges(e, m, g, which, &sum);
	io.write = rig_rnd(&e->rnd) & 1;
	io.file_off = rig_rnd(&e->rnd) % (SIZE - sum);
	io.cookie = round;
	if (m->aligned)
		io.file_off &= ~4095ULL;
	want = io.write ? expect_write(e, g, which, io.nr_ranges, io.file_off) :
	       expect_read(e, g, which, io.nr_ranges, io.file_off);
	must_zero(devio_ring_io(e->ring, &io));
	rig_wait(e->ring, &c, 1);
	must(c.result == (int64_t)want && c.good == want && (int)c.cookie == round, "%s of %u ranges, %llu bytes: %lld",
	     io.write ? "write" : "read", io.nr_ranges, (unsigned long long)sum, (long long)c.result);
	if (m->path == DEVIO_PATH_FILE_HOST && want)
		must(c.path == DEVIO_PATH_FILE_HOST && !c.copied, "direct: path %u", c.path);
}

static void test_mode(void **state)
{
	const struct mode *m = *state;
	struct env e;

	env_open(&e, m);
	if (m->path && m->path != DEVIO_PATH_FILE_BUFFERED && !rig_direct(e.file)) {
		env_close(&e);
		must_skip("no O_DIRECT in this directory");
	}
	if (m->path == DEVIO_PATH_FILE_HOST) {
		/* Every range aligned, the end of the file too. */
		e.size = SIZE - 8192;
		must(!truncate(e.name, e.size), "truncate");
		rig_fill(e.shadow, 6, 0, SIZE - 12345);
		memset(e.shadow + SIZE - 12345, 0, 12345 - 8192);
	}
	for (int i = 0; i < 60; i++) {
		one(&e, m, i);
		if (i % 10 == 9) {
			check_memories(&e);
			check_file(&e);
		}
	}
	env_close(&e);
}

/* Nothing but empty ranges, and an empty one in another memory does not spoil the direct path. */
static void test_empty(void **state)
{
	const struct mode m = { 0, 0, 0, 0 };
	struct devio_range g[12] = { { 0 } };
	struct devio_io io = { .sz = sizeof(io), .ranges = g };
	struct devio_completion c;
	struct env e;

	(void)state;
	env_open(&e, &m);
	io.file = e.file;
	for (unsigned int n = 1; n <= 12; n++) {
		for (unsigned int i = 0; i < n; i++)
			g[i] = (struct devio_range){ e.mem[i % MEMS], SIZE, 0 };
		io.nr_ranges = n;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must(c.result == 0 && c.good == 0, "%u empty ranges: %lld", n, (long long)c.result);
	}
	if (rig_direct(e.file)) {
		g[0] = (struct devio_range){ e.mem[1], 3, 0 };
		g[1] = (struct devio_range){ e.mem[0], 0, 65536 };
		g[2] = (struct devio_range){ e.mem[2], 7, 0 };
		io.nr_ranges = 3;
		io.flags = DEVIO_FILE_DIRECT_ONLY;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must(c.result == 65536 && c.path == DEVIO_PATH_FILE_HOST, "%lld", (long long)c.result);
		g[2].len = 4096;
		g[2].off = 0;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must(c.result == -EOPNOTSUPP && c.reason == DEVIO_REASON_RANGES, "%lld, %u", (long long)c.result,
		     c.reason);
	}
	env_close(&e);
}

static struct mode modes[] = {
	{ 0, 0, 0, 0 }, { 0, 0, 1, 0 }, { 0, 0, 1, 1 }, { DEVIO_PATH_FILE_HOST, 0, 1, 1 },
	{ DEVIO_PATH_FILE_BOUNCE, 0, 0, 0 }, { DEVIO_PATH_FILE_BUFFERED, 0, 0, 0 }, { 0, DEVIO_CTX_NO_URING, 0, 0 },
	{ DEVIO_PATH_FILE_BOUNCE, DEVIO_CTX_NO_URING, 0, 0 },
};

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "auto", test_mode, NULL, NULL, &modes[0] }, { "auto, one memory", test_mode, NULL, NULL, &modes[1] },
		{ "auto, one memory, aligned", test_mode, NULL, NULL, &modes[2] },
		{ "file-host, aligned", test_mode, NULL, NULL, &modes[3] },
		{ "file-bounce", test_mode, NULL, NULL, &modes[4] },
		{ "file-buffered", test_mode, NULL, NULL, &modes[5] },
		{ "auto, threads", test_mode, NULL, NULL, &modes[6] },
		{ "file-bounce, threads", test_mode, NULL, NULL, &modes[7] },
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
