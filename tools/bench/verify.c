/* SPDX-License-Identifier: MIT */
/*
 * What is written, and whether it is read back the same. The bytes are generated
 * and compared in host memory, and copied to and from the device memory by its
 * provider, not by the path under test.
 */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#ifdef HAVE_XXHASH
#include <xxhash.h>
#endif
#include "run.h"

#define MAGIC 0x63766564u           /* "devc" */

/* The head of each block of verify=xxhash. */
struct head {
	uint32_t magic, len;
	uint64_t off;               /* its offset in the file */
	uint64_t id;                /* of the run that wrote it */
	uint32_t writer;            /* the thread, from 1 on */
	uint16_t seq;               /* of its writes */
	uint16_t resv;
	uint64_t seed;
	uint64_t hash;              /* of the whole block, this field being 0 */
};

int bench_verify_known(uint64_t kind)
{
#ifndef HAVE_XXHASH
	if (kind == VERIFY_XXHASH)
		return -EOPNOTSUPP;
#endif
	(void)kind;
	return 0;
}

void bench_fill_random(void *buf, size_t len, uint64_t seed)
{
	struct bench_rand r = { bench_rand_mix(seed) };
	uint8_t *p = buf;
	uint64_t x;

	for (; len >= sizeof(x); p += sizeof(x), len -= sizeof(x)) {
		x = bench_rand_next(&r);
		memcpy(p, &x, sizeof(x));
	}
	x = bench_rand_next(&r);
	memcpy(p, &x, len);
}

#ifdef HAVE_XXHASH
static uint64_t hash_of(uint8_t *block, uint32_t len)
{
	struct head h;
	uint64_t stored, hash;

	memcpy(&h, block, sizeof(h));
	stored = h.hash;
	h.hash = 0;
	memcpy(block, &h, sizeof(h));
	hash = XXH3_64bits(block, len);
	h.hash = stored;
	memcpy(block, &h, sizeof(h));
	return hash;
}
#else
static uint64_t hash_of(uint8_t *block, uint32_t len)
{
	(void)block;
	(void)len;
	return 0;
}
#endif

static uint32_t writer_of(const struct bench_thread *t)
{
	return (uint32_t)(t - t->run->thread) + 1;
}

static struct bench_last *latest(const struct bench_thread *t, const struct bench_io *io)
{
	struct bench_last *all = t->place[io->file].latest;

	return all ? &all[(io->off - t->files[io->file].start) / t->job->bs_min[DIR_WRITE]] : NULL;
}

/* A later pass over the same blocks must not take a block of an earlier one for its own. */
static uint16_t begin_write(struct bench_thread *t, const struct bench_io *io)
{
	struct bench_last *l = latest(t, io);

	if (!l)
		return 0;
	l->raced = l->busy;
	l->busy += l->busy < UINT8_MAX;
	l->seq = ++t->write_seq;
	return l->seq;
}

void bench_verify_wrote(struct bench_thread *t, const struct bench_io *io)
{
	struct bench_last *l = latest(t, io);

	/* Past 255 nobody counts any more: the block stays one that races. */
	if (l && l->busy && l->busy < UINT8_MAX)
		l->busy--;
}

int bench_verify_fill(struct bench_thread *t, struct bench_io *io)
{
	struct head h = { .magic = MAGIC, .len = io->len, .off = io->off, .id = t->verify_id, .writer = writer_of(t) };

	if (t->job->verify == VERIFY_NULL)
		return 0;
	if (t->job->verify == VERIFY_PATTERN)
		return t->engine->put(t, io->mem_off, t->wanted, io->len);
	h.seq = begin_write(t, io);
	h.seed = bench_rand_next(&t->rand);
	bench_fill_random(t->scratch + sizeof(h), io->len - sizeof(h), h.seed);
	memcpy(t->scratch, &h, sizeof(h));
	h.hash = hash_of(t->scratch, io->len);
	memcpy(t->scratch, &h, sizeof(h));
	return t->engine->put(t, io->mem_off, t->scratch, io->len);
}

/* Reports the first difference only; all are counted. */
static int differs(struct bench_thread *t, const struct bench_io *io, const char *how, uint64_t at)
{
	if (!t->res->verify_errors++)
		snprintf(t->res->cause, sizeof(t->res->cause),
			 "verify: %s, block of %u bytes at byte %llu: %s (byte %llu)", t->files[io->file].name, io->len,
			 (unsigned long long)io->off, how, (unsigned long long)(io->off + at));
	return -EILSEQ;
}

static int check_pattern(struct bench_thread *t, const struct bench_io *io)
{
	char how[64];
	uint32_t i = 0;

	if (!memcmp(t->scratch, t->wanted, io->len))
		return 0;
	while (t->scratch[i] == t->wanted[i])
		i++;
	snprintf(how, sizeof(how), "is 0x%02x, expected 0x%02x", t->scratch[i], t->wanted[i]);
	return differs(t, io, how, i);
}

static int check_hash(struct bench_thread *t, const struct bench_io *io)
{
	const struct bench_last *l;
	struct head h;

	memcpy(&h, t->scratch, sizeof(h));
	if (h.magic != MAGIC)
		return differs(t, io, "not written by verify=xxhash", 0);
	if (h.len != io->len)
		return differs(t, io, "written with another block size, or incomplete", offsetof(struct head, len));
	if (h.off != io->off)
		return differs(t, io, "has the block of another offset", offsetof(struct head, off));
	if (t->verify_id && t->job->rw & RW_WRITE && h.id != t->verify_id)
		return differs(t, io, "not what this run wrote", offsetof(struct head, id));
	l = t->phase == PHASE_VERIFY ? latest(t, io) : NULL;
	if (l && !l->raced && h.writer == writer_of(t) && h.seq != l->seq)
		return differs(t, io, "written by an earlier pass of this run", offsetof(struct head, seq));
	if (hash_of(t->scratch, io->len) != h.hash)
		return differs(t, io, "wrong checksum", sizeof(h));
	return 0;
}

int bench_verify_check(struct bench_thread *t, struct bench_io *io)
{
	int rc;

	t->res->verified++;
	if (t->job->verify == VERIFY_NULL)
		return 0;
	rc = t->engine->get(t, io->mem_off, t->scratch, io->len);
	if (rc)
		return rc;
	return t->job->verify == VERIFY_PATTERN ? check_pattern(t, io) : check_hash(t, io);
}
