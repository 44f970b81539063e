/* SPDX-License-Identifier: MIT */
/*
 * Property test of file-dmabuf: random reads and writes, many in flight, with
 * what the kernel may answer mixed in (spurious -EAGAIN, short results, holes
 * refused), compared with a shadow of the file and of each memory.
 */
#include "dmabuftest.h"

#define FILE_MAX (3u * MIB)
#define MEM_SIZE (1u * MIB)
#define MEMS 3
#define DEPTH 8
#define ROUNDS 400

struct rw {
	struct bed b;
	struct devio_mem *mem[MEMS];
	unsigned char *image[MEMS];
	unsigned char *shadow;
	uint64_t size, seed;
	uint64_t by_path[DEVIO_PATH_MAX];
	/* in flight */
	struct { uint64_t moff, len, foff; int m, write; } fly[DEPTH];
};

struct mode {
	const char *name;
	unsigned int eagain, shorts, slots;
	bool holes, map;
	uint64_t off;
};

static uint64_t rnd(struct rw *e)
{
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return e->seed >> 8;
}

static uint64_t pick(struct rw *e, uint64_t max)
{
	static const uint32_t unit[] = { 1, 512, 4096, 4096, 65536 };
	uint64_t v = rnd(e) % max;

	v -= v % unit[rnd(e) % 5];
	return rnd(e) % 5 ? v : v + rnd(e) % 3;
}

static bool overlap(uint64_t a, uint64_t an, uint64_t b, uint64_t bn)
{
	return a < b + bn && b < a + an;
}

/* Does it touch what another in flight touches? Results would depend on the order. */
static bool clashes(struct rw *e, int n, int m, uint64_t moff, uint64_t len, uint64_t foff, int write)
{
	for (int i = 0; i < n; i++) {
		if (e->fly[i].m == m && overlap(e->fly[i].moff, e->fly[i].len, moff, len))
			return true;
		if ((write || e->fly[i].write) &&
		    overlap(e->fly[i].foff & ~4095ull, e->fly[i].len + 8192, foff & ~4095ull, len + 8192))
			return true;
	}
	return false;
}

static void start(struct rw *e, int i)
{
	uint64_t moff = e->fly[i].moff, len = e->fly[i].len, foff = e->fly[i].foff;
	int m = e->fly[i].m;

	if (!e->fly[i].write) {
		must_zero(devio_ring_read(e->b.ring, e->b.file, e->mem[m], moff, len, foff, i));
		return;
	}
	for (uint64_t k = 0; k < len; k++)
		e->image[m][moff + k] = rnd(e);
	must_zero(devio_mem_copy_in(e->mem[m], moff, e->image[m] + moff, len));
	must_zero(devio_ring_write(e->b.ring, e->b.file, e->mem[m], moff, len, foff, i));
}

static const char *text(const struct devio_completion *c)
{
	static char buf[300];

	devio_completion_text(c, buf, sizeof(buf));
	return buf;
}

/* What the shadow says of a completed operation, and the shadow after it. */
static void settle(struct rw *e, const struct devio_completion *c)
{
	uint64_t moff = e->fly[c->cookie].moff, len = e->fly[c->cookie].len, foff = e->fly[c->cookie].foff;
	uint64_t want = foff >= e->size ? 0 : e->size - foff < len ? e->size - foff : len;
	int m = e->fly[c->cookie].m;

	if (c->path < DEVIO_PATH_MAX)
		e->by_path[c->path]++;
	if (e->fly[c->cookie].write) {
		must(c->result == (int64_t)len, "write of %llu at %llu: %lld: %s", (unsigned long long)len,
		     (unsigned long long)foff, (long long)c->result, text(c));
		memcpy(e->shadow + foff, e->image[m] + moff, len);
		return;
	}
	must(c->result == (int64_t)want, "read of %llu at %llu of %llu: %lld: %s", (unsigned long long)len,
	     (unsigned long long)foff, (unsigned long long)e->size, (long long)c->result, text(c));
	memcpy(e->image[m] + moff, e->shadow + foff, want);
	/* O_DIRECT may zero what the range has behind the end of the file. */
	must_zero(devio_mem_copy_out(e->mem[m], moff + want, e->image[m] + moff + want, len - want));
	if (c->path == DEVIO_PATH_FILE_DMABUF)
		must(c->copied <= 2 * BLOCK, "%llu bytes of a direct read were copied", (unsigned long long)c->copied);
}

/* One batch: operations that do not depend on each other, all in flight at once. */
static void batch(struct rw *e)
{
	struct devio_completion c[DEPTH];
	int n = 0, got = 0, want = 1 + rnd(e) % DEPTH;

	for (int tries = 0; n < want && tries < 30; tries++) {
		int m = rnd(e) % MEMS, write = rnd(e) % 2;
		uint64_t moff = pick(e, MEM_SIZE), foff = pick(e, FILE_MAX), len = pick(e, MEM_SIZE - moff);

		if (rnd(e) % 2)
			len %= 70000;
		/* A write past the end changes what others read: alone or not at all. */
		if (!len || clashes(e, n, m, moff, len, foff, write) || (write && foff + len > e->size && n))
			continue;
		e->fly[n].m = m;
		e->fly[n].write = write;
		e->fly[n].moff = moff;
		e->fly[n].foff = foff;
		e->fly[n].len = len;
		start(e, n++);
		if (write && foff + len > e->size) {
			e->size = foff + len;
			break;
		}
	}
	while (got < n) {
		int k = devio_ring_wait(e->b.ring, c, 1, DEPTH, 10000000000LL);

		must(k > 0, "completions come: %d %s", k, devio_errmsg());
		for (int i = 0; i < k; i++)
			settle(e, &c[i]);
		got += k;
	}
}

static void compare(struct rw *e)
{
	unsigned char *got = malloc(FILE_MAX + MEM_SIZE);
	int fd = open(e->b.name, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, got, FILE_MAX + MEM_SIZE, 0);

	close(fd);
	must(n == (ssize_t)e->size, "the file has %zd bytes, not %llu", n, (unsigned long long)e->size);
	must(!memcmp(got, e->shadow, n), "the file differs from its shadow");
	for (int m = 0; m < MEMS; m++) {
		must_zero(devio_mem_copy_out(e->mem[m], 0, got, MEM_SIZE));
		for (uint64_t i = 0; i < MEM_SIZE; i++)
			must(got[i] == e->image[m][i], "byte %llu of memory %d is not its shadow's",
			     (unsigned long long)i, m);
	}
	free(got);
}

static void run(const struct mode *mode)
{
	struct rw e = { .seed = 0x9e3779b97f4a7c15ULL, .size = 2 * MIB + 777 };

	bed_open(&e.b, e.size, 0, mode->slots);
	fake.eagain = mode->eagain;
	fake.shorts = mode->shorts;
	fake.real_holes = mode->holes;
	e.shadow = calloc(1, FILE_MAX + MEM_SIZE);
	for (uint64_t i = 0; i < e.size; i++)
		e.shadow[i] = byte_at(i);
	for (int m = 0; m < MEMS; m++) {
		must_zero(fake_mem(e.b.ctx, MEM_SIZE, mode->off, mode->map, &e.mem[m]));
		e.image[m] = calloc(1, MEM_SIZE);
	}
	for (int i = 0; i < ROUNDS; i++) {
		batch(&e);
		if (i % 20 == 19)
			compare(&e);
	}
	print_message("# %s: file-dmabuf %llu, file-bounce %llu, file-buffered %llu; I/Os %u, injected %u, "
		      "registrations %u\n", mode->name, (unsigned long long)e.by_path[DEVIO_PATH_FILE_DMABUF],
		      (unsigned long long)e.by_path[DEVIO_PATH_FILE_BOUNCE],
		      (unsigned long long)e.by_path[DEVIO_PATH_FILE_BUFFERED], fake.ios, fake.injected, fake.tried);
	must(e.by_path[DEVIO_PATH_FILE_DMABUF] > 100, "most went direct");
	for (int m = 0; m < MEMS; m++) {
		devio_mem_free(e.mem[m]);
		free(e.image[m]);
	}
	free(e.shadow);
	bed_close(&e.b);
}

static void test_mode(void **state)
{
	run(*state);
}

int main(void)
{
	static struct mode modes[] = {
		{ .name = "plain, mapped memory", .slots = 8, .map = true },
		{ .name = "plain, device memory", .slots = 8 },
		{ .name = "memory at byte 12288 of its dma-buf", .slots = 8, .off = 12288 },
		{ .name = "memory at byte 512 of its dma-buf", .slots = 8, .off = 512 },
		{ .name = "spurious EAGAIN", .slots = 8, .eagain = 200 },
		{ .name = "short results", .slots = 8, .shorts = 300, .map = true },
		{ .name = "holes refused", .slots = 8, .holes = true },
		{ .name = "two slots for three memories", .slots = 2 },
		{ .name = "one slot and all of it", .slots = 1, .eagain = 100, .shorts = 100, .off = 4096 },
	};
	enum { N = sizeof(modes) / sizeof(modes[0]) };
	struct CMUnitTest tests[N];

	for (int i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ modes[i].name, test_mode, NULL, NULL, &modes[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
