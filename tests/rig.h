/* SPDX-License-Identifier: MIT */
/* What the tests of files share: random numbers, files with a known pattern, a cold cache. */
#ifndef RIG_H
#define RIG_H

#include <devio.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define RIG_UNUSED __attribute__((unused))

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RIG_ASAN 1
#endif
#endif
#if !defined(RIG_ASAN) && defined(__SANITIZE_ADDRESS__)
#define RIG_ASAN 1
#endif
#ifndef RIG_ASAN
#define RIG_ASAN 0
#endif
#ifdef __SANITIZE_THREAD__
#define RIG_TSAN 1
#else
#define RIG_TSAN 0
#endif

struct rig_rnd {
	uint64_t s;
};

static RIG_UNUSED uint64_t rig_rnd(struct rig_rnd *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* The byte at `off` of the pattern `seed`: no two pages are alike. */
static RIG_UNUSED unsigned char rig_byte(unsigned int seed, uint64_t off)
{
	struct rig_rnd r = { (off >> 3) * 0x100000001b3ULL + seed };

	return rig_rnd(&r) >> ((off & 7) * 8);
}

/* A word at a time, as sanitizers make it slow. */
__attribute__((no_sanitize("address", "thread", "undefined")))
static RIG_UNUSED void rig_fill(unsigned char *buf, unsigned int seed, uint64_t off, size_t len)
{
	size_t i = 0;

	for (; i < len && (off + i) & 7; i++)
		buf[i] = rig_byte(seed, off + i);
	for (; i + 8 <= len; i += 8) {
		struct rig_rnd r = { ((off + i) >> 3) * 0x100000001b3ULL + seed };
		uint64_t word = rig_rnd(&r);

		memcpy(buf + i, &word, 8);
	}
	for (; i < len; i++)
		buf[i] = rig_byte(seed, off + i);
}

/* A name of this process's own in the current directory. */
static RIG_UNUSED const char *rig_name(const char *what)
{
	static char names[8][96];
	static unsigned int next;
	char *name = names[next++ % 8];

	snprintf(name, sizeof(names[0]), "%s-%d.tmp", what, (int)getpid());
	return name;
}

/* Makes the file `name` of size bytes of the pattern, on the disk and out of the page cache. */
static RIG_UNUSED void rig_file(const char *name, uint64_t size, unsigned int seed)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t piece = 1 << 20;
	unsigned char *buf = malloc(piece);

	must(fd >= 0 && buf, "file %s", name);
	for (uint64_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		rig_fill(buf, seed, at, n);
		must(pwrite(fd, buf, n, at) == (ssize_t)n, "pwrite to %s", name);
	}
	must(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "drop the cache of %s", name);
	close(fd);
	free(buf);
}

/* Puts the file into the page cache, or takes it out. */
static RIG_UNUSED void rig_cache(const char *name, int hot)
{
	static char buf[1 << 16];
	int fd = open(name, O_RDONLY);

	must(fd >= 0, "open %s", name);
	if (!hot)
		must(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "drop the cache");
	while (hot && read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

/* [mem_off, mem_off + len) of mem must hold the pattern from file_off on. */
static RIG_UNUSED void rig_check(struct devio_mem *mem, uint64_t mem_off, uint64_t len, unsigned int seed,
				 uint64_t file_off)
{
	unsigned char *got = malloc(len + 1), *want = malloc(len + 1);
	uint64_t i = 0;

	must_zero(devio_mem_copy_out(mem, mem_off, got, len));
	rig_fill(want, seed, file_off, len);
	while (i < len && got[i] == want[i] && (i & 4095 || memcmp(got + i, want + i, len - i)))
		i++;
	if (i < len && got[i] != want[i])
		fail_msg("memory byte %llu is not file byte %llu", (unsigned long long)(mem_off + i),
			 (unsigned long long)(file_off + i));
	free(got);
	free(want);
}

static RIG_UNUSED struct devio_ctx *rig_ctx(unsigned int flags)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	struct devio_ctx *ctx;

	o.flags = flags;
	must_zero(devio_ctx_open(&o, &ctx));
	return ctx;
}

static RIG_UNUSED struct devio_mem *rig_mem(struct devio_ctx *ctx, uint64_t size)
{
	struct devio_mem *mem;

	must_zero(devio_mem_alloc(ctx, "host", size, NULL, &mem));
	return mem;
}

static RIG_UNUSED struct devio_file *rig_open(struct devio_ctx *ctx, const char *name, int flags, int path)
{
	struct devio_file_opts o = DEVIO_OPTS(o);
	struct devio_file *file;

	o.path = path;
	o.mode = 0600;
	must_zero(devio_file_open(ctx, name, flags, &o, &file));
	return file;
}

static RIG_UNUSED struct devio_ring *rig_ring(struct devio_ctx *ctx, unsigned int entries, uint64_t staging,
					      uint32_t slot)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);
	struct devio_ring *ring;

	o.entries = entries;
	o.staging = staging;
	o.slot = slot;
	must_zero(devio_ring_open(ctx, &o, &ring));
	return ring;
}

/* What most tests have: a file of the pattern, opened, and what reads it. */
struct rig_env {
	const char *name;          /* removed at the end; NULL: not ours */
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_file *file;
	struct devio_ring *ring;
};

static RIG_UNUSED void rig_env_open(struct rig_env *e, const char *what, uint64_t size, unsigned int seed,
				    unsigned int flags, int path, unsigned int entries)
{
	e->name = rig_name(what);
	rig_file(e->name, size, seed);
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, size);
	e->file = rig_open(e->ctx, e->name, O_RDWR, path);
	e->ring = rig_ring(e->ctx, entries, 0, 0);
}

/* Closes one of the four, so that a test can choose the order. */
static RIG_UNUSED void rig_env_close_nth(const struct rig_env *e, unsigned int n)
{
	switch (n % 4) {
	case 0:
		devio_ring_close(e->ring);
		break;
	case 1:
		devio_file_close(e->file);
		break;
	case 2:
		devio_mem_free(e->mem);
		break;
	default:
		devio_ctx_close(e->ctx);
	}
}

static RIG_UNUSED void rig_env_close(const struct rig_env *e)
{
	for (unsigned int n = 0; n < 4; n++)
		rig_env_close_nth(e, n);
	if (e->name)
		unlink(e->name);
}

/* Does the file do O_DIRECT here? The build directory may lie in a tmpfs. */
static RIG_UNUSED int rig_direct(struct devio_file *file)
{
	struct devio_file_info i = DEVIO_OPTS(i);

	must_zero(devio_file_get_info(file, &i));
	return i.dio_off_align != 0;
}

static RIG_UNUSED uint64_t rig_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Open descriptors of this process. */
static RIG_UNUSED int rig_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Completions until `want` are there; fails after ten seconds. */
static RIG_UNUSED void rig_wait(struct devio_ring *ring, struct devio_completion *done, unsigned int want)
{
	for (unsigned int n = 0; n < want;) {
		int rc = devio_ring_wait(ring, done + n, 1, want - n, 10000000000LL);

		must(rc > 0, "a completion comes: %d %s", rc, devio_errmsg());
		n += rc;
	}
}

#endif
