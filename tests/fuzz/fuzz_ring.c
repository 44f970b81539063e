/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any sequence of calls on files, memories and a ring, on a small
 * file, against a shadow of the file and of each memory. The kernel's side of
 * file-dmabuf is the double of tests/dmabuf, which refuses now and then.
 */
#include "config.h"
#include <devio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../dmabuf/fake.h"

#define FILE_MAX (192u << 10)
#define MEM_SIZE (96u << 10)
#define FILES 4
#define MEMS 4
#define DEPTH 8
#define STEPS 60

struct op {
	bool live, write, loose;   /* loose: cancelled or forced, any outcome is right */
	unsigned int m, gen;       /* memory and its generation */
	uint64_t moff, len, foff;
	unsigned char *data;       /* of a write */
};

static const uint8_t *in, *in_end;
static struct devio_ctx *ctx;
static struct devio_ring *ring;
static struct { struct devio_file *f; int path; } file[FILES];
static struct { struct devio_mem *m; unsigned int gen; unsigned char image[MEM_SIZE]; } mem[MEMS];
static struct op op[DEPTH];
static unsigned char shadow[FILE_MAX + MEM_SIZE];
static uint64_t size, seed;
static char name[64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned int byte(void)
{
	return in < in_end ? *in++ : 0;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_ring: %s (%s)\n", what, devio_errmsg());
	abort();
}

/* An offset or length: blocks, their neighbours, and anything. */
static uint64_t number(uint64_t max)
{
	unsigned int a = byte(), b = byte();
	uint64_t v = ((uint64_t)b << 10) % (max + 1);

	if (a & 1)
		v -= v % 4096;
	if (a & 2)
		v += a >> 2;
	return v > max ? max : v;
}

/* What is not known any more is read again. */
static void reread_file(uint64_t off, uint64_t len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	off_t end = lseek(fd, 0, SEEK_END);

	check(fd >= 0 && end >= 0 && end <= (off_t)sizeof(shadow), "the file is there");
	size = end;
	if (off < size)
		check(pread(fd, shadow + off, size - off < len ? size - off : len, off) >= 0, "pread");
	close(fd);
}

static void reread_mem(unsigned int m, uint64_t off, uint64_t len)
{
	check(!devio_mem_copy_out(mem[m].m, off, mem[m].image + off, len), "copy_out");
}

static void settle_write(struct op *o, const struct devio_completion *c)
{
	if (c && c->result == (int64_t)o->len) {
		memcpy(shadow + o->foff, o->data, o->len);
		if (o->len && o->foff + o->len > size)
			size = o->foff + o->len;
	} else {
		check(o->loose, "a write fails");
		reread_file(o->foff, o->len);
	}
}

static void settle_read(struct op *o, const struct devio_completion *c)
{
	uint64_t want = o->foff >= size ? 0 : size - o->foff < o->len ? size - o->foff : o->len;
	bool here = mem[o->m].m && mem[o->m].gen == o->gen;

	if (c && c->result == (int64_t)want) {
		if (!here)
			return;
		memcpy(mem[o->m].image + o->moff, shadow + o->foff, want);
		reread_mem(o->m, o->moff + want, o->len - want);
		return;
	}
	check(o->loose, "a read fails or is short");
	if (here)
		reread_mem(o->m, o->moff, o->len);
}

static void settle(struct op *o, const struct devio_completion *c)
{
	if (o->write)
		settle_write(o, c);
	else
		settle_read(o, c);
	free(o->data);
	memset(o, 0, sizeof(*o));
}

static unsigned int flying(void)
{
	unsigned int n = 0;

	for (int i = 0; i < DEPTH; i++)
		n += op[i].live;
	return n;
}

static void take(unsigned int min, int64_t timeout)
{
	struct devio_completion c[DEPTH];
	int n = devio_ring_wait(ring, c, min, DEPTH, timeout);

	check(n >= 0 && (n >= (int)min || timeout >= 0), "wait");
	for (int i = 0; i < n; i++) {
		check(c[i].cookie < DEPTH && op[c[i].cookie].live, "a cookie that is in flight");
		settle(&op[c[i].cookie], &c[i]);
	}
}

static void take_all(void)
{
	while (flying())
		take(1, -1);
	check(!devio_ring_inflight(ring), "nothing is in flight");
}

static bool meet(uint64_t a, uint64_t an, uint64_t b, uint64_t bn)
{
	return a < b + bn && b < a + an;
}

/* Operations whose results depend on each other's order are not in flight together. */
static void make_way(const struct op *n)
{
	for (int i = 0; i < DEPTH; i++) {
		const struct op *o = &op[i];

		if (!o->live)
			continue;
		if ((o->m == n->m && meet(o->moff & ~4095ull, o->len + 8192, n->moff & ~4095ull, n->len + 8192)) ||
		    ((o->write || n->write) &&
		     meet(o->foff & ~4095ull, o->len + 8192, n->foff & ~4095ull, n->len + 8192)) ||
		    (o->write && o->foff + o->len > size) || (n->write && n->foff + n->len > size)) {
			take_all();
			return;
		}
	}
}

static void fill(struct op *o)
{
	o->data = malloc(o->len + 1);
	for (uint64_t i = 0; i < o->len; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		o->data[i] = seed >> 56;
	}
	check(!devio_mem_copy_in(mem[o->m].m, o->moff, o->data, o->len), "copy_in");
	memcpy(mem[o->m].image + o->moff, o->data, o->len);
}

/* Paths that this machine or this memory may lack are allowed to fail. */
static bool may_fail(int path)
{
	return path == DEVIO_PATH_FILE_DMABUF || path == DEVIO_PATH_FILE_P2P || path == DEVIO_PATH_FILE_HOST;
}

static void transfer(bool write, bool sync)
{
	unsigned int f = byte() % FILES, m = byte() % MEMS, i = 0;
	struct op o = { .live = true, .write = write, .m = m };
	struct devio_completion c;
	int rc;

	o.moff = number(MEM_SIZE);
	o.len = number(MEM_SIZE - o.moff);
	o.foff = number(FILE_MAX);
	if (!file[f].f || !mem[m].m)
		return;
	o.gen = mem[m].gen;
	o.loose = may_fail(file[f].path);
	make_way(&o);
	if (write)
		fill(&o);
	if (sync) {
		ssize_t n = write ? devio_file_write(file[f].f, mem[m].m, o.moff, o.len, o.foff, &c) :
				    devio_file_read(file[f].f, mem[m].m, o.moff, o.len, o.foff, &c);

		check(n == c.result || n < 0, "the same result twice");
		settle(&o, n < 0 ? NULL : &c);
		return;
	}
	if (flying() == DEPTH)
		take(1, -1);
	while (op[i].live)
		i++;
	op[i] = o;
	rc = write ? devio_ring_write(ring, file[f].f, mem[m].m, o.moff, o.len, o.foff, i) :
		     devio_ring_read(ring, file[f].f, mem[m].m, o.moff, o.len, o.foff, i);
	check(!rc, "queued");
}

static void file_new(void)
{
	static const int paths[] = { 0, 0, DEVIO_PATH_FILE_HOST, DEVIO_PATH_FILE_BOUNCE, DEVIO_PATH_FILE_BUFFERED,
				     DEVIO_PATH_FILE_DMABUF };
	struct devio_file_opts o = DEVIO_OPTS(o);
	unsigned int f = byte() % FILES, how = byte();

	if (file[f].f)
		return;
	o.path = paths[how % 6];
	o.flags = how & 64 ? DEVIO_FILE_NO_CACHE : 0;
	check(!devio_file_open(ctx, name, O_RDWR, &o, &file[f].f), "open");
	file[f].path = o.path;
}

static void mem_new(void)
{
	unsigned int m = byte() % MEMS, how = byte();

	if (mem[m].m)
		return;
	mem[m].gen++;
	if (how & 1)
		check(!devio_mem_alloc(ctx, "host", MEM_SIZE, NULL, &mem[m].m), "alloc");
	else
		check(!fake_mem(ctx, MEM_SIZE, (how >> 2) % 4 * 4096, how & 2, &mem[m].m), "fake_mem");
	memset(mem[m].image, 0, MEM_SIZE);
	check(!devio_mem_copy_in(mem[m].m, 0, mem[m].image, MEM_SIZE), "copy_in");
}

/* The bytes of the memory live as long as an operation that uses them: so do its shadow's. */
static void mem_free(void)
{
	unsigned int m = byte() % MEMS;

	devio_mem_free(mem[m].m);
	mem[m].m = NULL;
}

static void ring_new(void)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);
	unsigned int how = byte();

	o.entries = DEPTH;
	o.slot = 64 << 10;
	o.staging = (how & 1 ? 64 : 256) << 10;
	o.dmabuf_slots = 1 + (how >> 1) % 3;
	check(!devio_ring_open(ctx, &o, &ring), "ring");
}

/* What was in flight has completed, whatever its result. */
static void ring_close(void)
{
	devio_ring_close(ring);
	for (int i = 0; i < DEPTH; i++) {
		op[i].loose = true;
		if (op[i].live)
			settle(&op[i], NULL);
	}
}

static void cancel(void)
{
	unsigned int i = byte() % DEPTH;
	int rc = devio_ring_cancel(ring, i);

	check(rc == 1 || rc == -ENOENT, "cancel");
	op[i].loose = true;
}

static void step(void)
{
	unsigned int f, what = byte();

	switch (what % 16) {
	case 0: file_new(); break;
	case 1: mem_new(); break;
	case 2:
		f = byte() % FILES;
		devio_file_close(file[f].f);
		file[f].f = NULL;
		break;
	case 3: mem_free(); break;
	case 4: cancel(); break;
	case 5: take(0, 0); break;
	case 6: take(flying() ? 1 : 0, -1); break;
	case 7: check(devio_ring_submit(ring) >= 0, "submit"); break;
	case 8:
		if (what < 64) {
			ring_close();
			ring_new();
		}
		break;
	case 9: transfer(false, true); break;
	case 10: transfer(true, true); break;
	case 11: case 12: transfer(true, false); break;
	default: transfer(false, false);
	}
}

static void compare(void)
{
	static unsigned char got[sizeof(shadow) + 1];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, got, sizeof(got), 0);

	close(fd);
	check(n == (ssize_t)size, "the file's size is right");
	check(!memcmp(got, shadow, size), "the file is its shadow");
	for (int m = 0; m < MEMS; m++) {
		if (!mem[m].m)
			continue;
		check(!devio_mem_copy_out(mem[m].m, 0, got, MEM_SIZE), "copy_out");
		check(!memcmp(got, mem[m].image, MEM_SIZE), "the memory is its shadow");
	}
}

static void begin(void)
{
	int fd;

	fake_reset(1 + byte());
	fake.eagain = byte() & 1 ? 200 : 0;
	fake.shorts = byte() & 1 ? 200 : 0;
	fake.real_holes = byte() & 1;
	seed = 1;
	size = 70000;
	memset(shadow, 0, sizeof(shadow));
	for (unsigned int i = 0; i < size; i++)
		shadow[i] = i * 7 + (i >> 12);
	snprintf(name, sizeof(name), "fuzz-ring-%d.tmp", (int)getpid());
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && write(fd, shadow, size) == (ssize_t)size, "the file is made");
	close(fd);
	check(!devio_ctx_open(NULL, &ctx), "context");
	ring_new();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	in = data;
	in_end = data + len;
	begin();
	for (int i = 0; i < STEPS && in < in_end; i++)
		step();
	take_all();
	compare();
	devio_ring_close(ring);
	for (int i = 0; i < FILES; i++)
		devio_file_close(file[i].f);
	for (int i = 0; i < MEMS; i++)
		devio_mem_free(mem[i].m);
	memset(file, 0, sizeof(file));
	for (int i = 0; i < MEMS; i++)
		mem[i].m = NULL;
	devio_ctx_close(ctx);
	unlink(name);
	check(!fake.live && !fake.mems, "nothing is left registered");
	check(!fake.wrong, "no rule of the kernel was broken");
	return 0;
}
