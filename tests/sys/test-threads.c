/* SPDX-License-Identifier: MIT */
/* Threads: rings of their own with shared files and memories, turns on one ring, synchronous calls; statistics. */
#include "rig.h"

#include <errno.h>
#include <pthread.h>

#define THREADS 8
#define LANE (256u << 10)
#define SIZE (THREADS * LANE)
#define ROUNDS 20
#define PIECE (LANE / ROUNDS) /* of a lane, one a round */

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_file *file;
	struct devio_ring *ring;   /* of all, in turns */
	pthread_mutex_t turn;
	const char *name;
	unsigned int flags;
	_Atomic uint64_t reads, writes, bytes_read, bytes_written;
};

struct job {
	struct env *e;
	unsigned int nr;
	const char *failed;
};

static void env_open(struct env *e, unsigned int flags)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);

	memset(e, 0, sizeof(*e));
	e->flags = flags;
	e->name = rig_name("threads");
	rig_file(e->name, SIZE, 8);
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, SIZE);
	e->file = rig_open(e->ctx, e->name, O_RDWR, 0);
	o.flags = DEVIO_RING_SHARED;
	must_zero(devio_ring_open(e->ctx, &o, &e->ring));
	pthread_mutex_init(&e->turn, NULL);
}

/* The counters are the sums of what was done, over closed rings and synchronous calls. */
static void check_stat(struct env *e)
{
	struct devio_stat s = DEVIO_OPTS(s);
	uint64_t reads = 0, writes = 0, in = 0, out = 0, errors = 0;

	must_zero(devio_stat_get(e->ctx, &s));
	for (int i = 0; i < DEVIO_STAT_PATHS; i++) {
		reads += s.path[i].reads;
		writes += s.path[i].writes;
		in += s.path[i].bytes_read;
		out += s.path[i].bytes_written;
		errors += s.path[i].errors;
		must(s.path[i].copied <= s.path[i].bytes_read + s.path[i].bytes_written, "copied of path %d", i);
	}
	must(reads == e->reads && writes == e->writes, "%llu reads, not %llu; %llu writes, not %llu",
	     (unsigned long long)reads, (unsigned long long)e->reads, (unsigned long long)writes,
	     (unsigned long long)e->writes);
	must(in == e->bytes_read && out == e->bytes_written && !errors, "bytes");
}

static void env_close(struct env *e)
{
	check_stat(e);
	devio_ring_close(e->ring);
	check_stat(e);
	devio_file_close(e->file);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	pthread_mutex_destroy(&e->turn);
	unlink(e->name);
}

static void count(struct env *e, const struct devio_completion *c)
{
	if (c->flags & DEVIO_DONE_WRITE) {
		e->writes++;
		e->bytes_written += c->good;
	} else {
		e->reads++;
		e->bytes_read += c->good;
	}
}

static void *give_up(struct job *j, const char *why)
{
	j->failed = why;
	return NULL;
}

/* Has the lane the file's bytes? cmocka's checks belong to the main thread. */
static int lane_is_right(struct job *j, unsigned int seed)
{
	uint64_t at = (uint64_t)j->nr * LANE;
	unsigned char *buf = malloc(LANE);
	int good = !devio_mem_copy_out(j->e->mem, at, buf, LANE);

	for (unsigned int i = 0; i < LANE && good; i++)
		good = buf[i] == rig_byte(seed, at + i);
	free(buf);
	return good;
}

static void *with_own_ring(void *arg)
{
	struct job *j = arg;
	struct env *e = j->e;
	uint64_t at = (uint64_t)j->nr * LANE;
	struct devio_ring_opts o = DEVIO_OPTS(o);
	struct devio_completion c[8];
	struct devio_ring *r;

	o.entries = 8;
	o.staging = o.slot = 65536;
	if (devio_ring_open(e->ctx, &o, &r))
		return give_up(j, "devio_ring_open");
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < 8; i++) {
			uint64_t off = at + i * (LANE / 8), len = LANE / 8 - (round & 1);

			if ((round & 3 ? devio_ring_read : devio_ring_write)(r, e->file, e->mem, off, len, off, i))
				return give_up(j, "it is queued");
		}
		for (unsigned int n = 0; n < 8;) {
			int rc = devio_ring_wait(r, c, 1, 8, -1);

			if (rc < 0)
				return give_up(j, "devio_ring_wait");
			for (int i = 0; i < rc; i++) {
				if (c[i].result != LANE / 8 - (round & 1))
					return give_up(j, "a short result");
				count(e, &c[i]);
			}
			n += rc;
		}
	}
	devio_ring_close(r);
	return lane_is_right(j, 8) ? NULL : give_up(j, "the bytes");
}

static void *in_turns(void *arg)
{
	struct job *j = arg;
	struct env *e = j->e;
	uint64_t at = (uint64_t)j->nr * LANE;
	struct devio_completion c[32];
	int n;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t off = at + round * PIECE;

		pthread_mutex_lock(&e->turn);
		if (devio_ring_read(e->ring, e->file, e->mem, off, PIECE, off, j->nr))
			j->failed = "it is queued";
		n = devio_ring_wait(e->ring, c, round & 1, 32, -1);
		for (int i = 0; i < n; i++) {
			if (c[i].result != PIECE)
				j->failed = "a short result";
			count(e, &c[i]);
		}
		if (n < 0)
			j->failed = "devio_ring_wait";
		pthread_mutex_unlock(&e->turn);
	}
	return NULL;
}

static void *synchronous(void *arg)
{
	struct job *j = arg;
	struct env *e = j->e;
	uint64_t at = (uint64_t)j->nr * LANE;
	struct devio_completion c;

	for (int round = 0; round < ROUNDS; round++) {
		struct devio_mem *m;

		if (devio_file_read(e->file, e->mem, at, LANE, at, &c) != LANE)
			return give_up(j, "devio_file_read");
		count(e, &c);
		if (devio_mem_alloc(e->ctx, "host", 9999, NULL, &m))
			return give_up(j, "devio_mem_alloc");
		if (devio_file_read(e->file, m, 0, 9999, at, &c) != 9999)
			return give_up(j, "devio_file_read");
		count(e, &c);
		devio_mem_free(m);
		if (devio_file_write(e->file, e->mem, at, LANE, at, &c) != LANE)
			return give_up(j, "devio_file_write");
		count(e, &c);
	}
	return lane_is_right(j, 8) ? NULL : give_up(j, "the bytes");
}

static void run(struct env *e, void *(*fn)(void *))
{
	pthread_t t[THREADS];
	struct job j[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		j[i] = (struct job){ e, i, NULL };
		must_zero(pthread_create(&t[i], NULL, fn, &j[i]));
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned int i = 0; i < THREADS; i++)
		must(!j[i].failed, "thread %u: %s", i, j[i].failed);
}

static void test_one_ring_each(void **state)
{
	struct env e;

	env_open(&e, *(unsigned int *)*state);
	/* The first round writes: the memory must have the file's content before. */
	must(devio_file_read(e.file, e.mem, 0, SIZE, 0, NULL) == SIZE, "read");
	e.reads++;
	e.bytes_read += SIZE;
	run(&e, with_own_ring);
	env_close(&e);
}

static void test_turns(void **state)
{
	struct devio_completion c[THREADS * ROUNDS];
	struct env e;
	int n;

	env_open(&e, *(unsigned int *)*state);
	run(&e, in_turns);
	while (devio_ring_inflight(e.ring)) {
		n = devio_ring_wait(e.ring, c, 1, THREADS, -1);
		must(n > 0, "the main thread takes the rest: %d %s", n, devio_errmsg());
		for (int i = 0; i < n; i++)
			count(&e, &c[i]);
	}
	must(e.reads == THREADS * ROUNDS, "each completed");
	for (uint64_t i = 0; i < THREADS; i++)
		rig_check(e.mem, i * LANE, ROUNDS * PIECE, 8, i * LANE);
	env_close(&e);
}

static void test_synchronous(void **state)
{
	struct env e;

	env_open(&e, *(unsigned int *)*state);
	run(&e, synchronous);
	rig_check(e.mem, 0, SIZE, 8, 0);
	env_close(&e);
}

/* Small files and errors are counted too. */
static void test_counts(void **state)
{
	struct devio_stat s = DEVIO_OPTS(s);
	struct devio_completion c;
	struct env e;
	struct devio_file *f;
	const char *little = rig_name("little");

	env_open(&e, *(unsigned int *)*state);
	rig_file(little, 1000, 1);
	f = rig_open(e.ctx, little, O_RDONLY, 0);
	must(devio_file_read(f, e.mem, 0, 4096, 0, &c) == 1000, "small");
	count(&e, &c);
	devio_file_close(f);
	unlink(little);
	check_stat(&e);
	f = rig_open(e.ctx, e.name, O_RDONLY, DEVIO_PATH_FILE_P2P);
	must(devio_file_read(f, e.mem, 0, 4096, 0, &c) == -EOPNOTSUPP, "no such path here");
	devio_file_close(f);
	must_zero(devio_stat_get(e.ctx, &s));
	must(s.path[DEVIO_PATH_FILE_P2P].errors == 1 && s.path[DEVIO_PATH_FILE_P2P].reads == 1, "an error counts");
	devio_ring_close(e.ring);
	devio_file_close(e.file);
	devio_mem_free(e.mem);
	devio_ctx_close(e.ctx);
	unlink(e.name);
}

int main(void)
{
	static unsigned int with[] = { 0, DEVIO_CTX_NO_URING };
	const struct CMUnitTest tests[] = {
		{ "one ring each", test_one_ring_each, NULL, NULL, &with[0] },
		{ "one ring each, threads", test_one_ring_each, NULL, NULL, &with[1] },
		{ "turns on one ring", test_turns, NULL, NULL, &with[0] },
		{ "turns on one ring, threads", test_turns, NULL, NULL, &with[1] },
		{ "synchronous", test_synchronous, NULL, NULL, &with[0] },
		{ "synchronous, threads", test_synchronous, NULL, NULL, &with[1] },
		{ "counts", test_counts, NULL, NULL, &with[0] },
		{ "counts, threads", test_counts, NULL, NULL, &with[1] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
