/* SPDX-License-Identifier: MIT */
/*
 * Property test: random reads and writes under a kernel that transfers less
 * than it was asked, wants things again, refuses, breaks and is interrupted.
 * What a completion calls good must be good, byte for byte; nothing may be
 * lost, leaked or left over.
 */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include "core/ctx.h"
#include "file/file.h"
#include "rig.h"
#include "unit/double.h"
#include "unit/fake.h"

#define LANES 8
#define LANE (192u << 10)
#define SIZE (LANES * LANE)

/* What may go wrong in a case. */
struct mode {
	const char *name;
	int path;
	unsigned int flags;        /* of the context */
	bool fake;                 /* device memory with slow copies */
	struct double_plan plan;
	struct fake_plan copies;
	bool cancel;
};

struct lane {
	uint64_t moff, len, foff, cookie;
	bool write, busy, canceled;
	unsigned char *old;        /* the file's bytes before the write */
};

struct env {
	const struct mode *mode;
	struct rig_rnd rnd;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_file *file;
	struct devio_ring *ring;
	const char *name;
	unsigned char *shadow, *image, *buf;
	struct lane lane[LANES];
	unsigned long failed;
};

static const int hard[] = { -EIO, -ENOSPC, -EFAULT, 0 };
static const int refusals[] = { -EINVAL, -EOPNOTSUPP, 0 };
static const int both[] = { -EIO, -EINVAL, -EOPNOTSUPP, -ENODATA, 0 };

static void env_open(struct env *e, const struct mode *m, uint64_t seed)
{
	memset(e, 0, sizeof(*e));
	e->mode = m;
	e->rnd.s = seed;
	double_reset(seed);
	memset(&fake_plan, 0, sizeof(fake_plan));
	fake_running = 0;
	e->name = rig_name("misbehave");
	e->shadow = malloc(SIZE);
	e->image = calloc(1, SIZE);
	e->buf = malloc(SIZE);
	for (int i = 0; i < LANES; i++)
		e->lane[i].old = malloc(LANE);
	rig_fill(e->shadow, seed, 0, SIZE);
	rig_file(e->name, SIZE, seed);
	e->ctx = rig_ctx(m->flags);
	e->mem = m->fake ? fake_mem(e->ctx, SIZE, 0) : rig_mem(e->ctx, SIZE);
	must_zero(devio_mem_copy_in(e->mem, 0, e->image, SIZE));
	e->file = rig_open(e->ctx, e->name, O_RDWR, m->path);
	e->ring = rig_ring(e->ctx, 1 + seed % LANES, 128 << 10, 64 << 10);
}

static void env_close(struct env *e)
{
	check_idle(e->ring);
	must(e->file->base.refs == 1 && e->mem->refs == 1, "file has %u holders, memory %u", e->file->base.refs,
	     e->mem->refs);
	devio_ring_close(e->ring);
	devio_file_close(e->file);
	devio_mem_free(e->mem);
	must(e->ctx->refs == 1, "the context has %u holders", e->ctx->refs);
	devio_ctx_close(e->ctx);
	unlink(e->name);
	free(e->shadow);
	free(e->image);
	free(e->buf);
	for (int i = 0; i < LANES; i++)
		free(e->lane[i].old);
}

static uint64_t pick(struct env *e, uint64_t max)
{
	static const uint32_t unit[] = { 1, 512, 4096, 65536 };
	uint64_t v = rig_rnd(&e->rnd) % max;

	return rig_rnd(&e->rnd) % 3 ? v - v % unit[rig_rnd(&e->rnd) % 4] : v;
}

/* The image's bytes into the memory, by a copy that works. */
static void put(struct env *e, uint64_t off, uint64_t len)
{
	const struct fake_plan plan = fake_plan;

	fake_plan.fail = 0;
	must_zero(devio_mem_copy_in(e->mem, off, e->image + off, len));
	fake_plan = plan;
}

/* The memory's bytes into buf. */
static void get(struct env *e, uint64_t off, uint64_t len)
{
	const struct fake_plan plan = fake_plan;

	fake_plan.fail = 0;
	must_zero(devio_mem_copy_out(e->mem, off, e->buf, len));
	fake_plan = plan;
}

/* A random operation inside lane i of file and memory. */
static bool start(struct env *e, int i)
{
	struct lane *l = &e->lane[i];
	uint64_t at = (uint64_t)i * LANE;
	int rc;

	l->write = rig_rnd(&e->rnd) & 1;
	l->moff = at + pick(e, LANE);
	l->foff = at + pick(e, LANE);
	l->len = pick(e, at + LANE - (l->moff > l->foff ? l->moff : l->foff)) ;
	l->cookie = rig_rnd(&e->rnd);
	l->canceled = false;
	if (l->write) {
		rig_fill(e->image + l->moff, l->cookie, 0, l->len);
		put(e, l->moff, l->len);
		memcpy(l->old, e->shadow + l->foff, l->len);
		rc = devio_ring_write(e->ring, e->file, e->mem, l->moff, l->len, l->foff, l->cookie);
	} else {
		rc = devio_ring_read(e->ring, e->file, e->mem, l->moff, l->len, l->foff, l->cookie);
	}
	must(!rc || rc == -EAGAIN, "it is queued: %d %s", rc, devio_errmsg());
	l->busy = !rc;
	return !rc;
}

static void check_read(struct env *e, const struct lane *l, uint64_t good)
{
	get(e, l->moff, l->len);
	if (memcmp(e->buf, e->shadow + l->foff, good))
		fail_msg("%s: read of %llu at %llu: its %llu good bytes are wrong", e->mode->name,
			 (unsigned long long)l->len, (unsigned long long)l->foff, (unsigned long long)good);
	memcpy(e->image + l->moff, e->buf, l->len);
}

/* Good bytes are new; of the others each is old or new. */
static void check_write(struct env *e, const struct lane *l, uint64_t good)
{
	int fd = open(e->name, O_RDONLY);

	must(fd >= 0 && read(fd, e->buf, 0) == 0 && lseek(fd, l->foff, SEEK_SET) >= 0, "open again");
	must(read(fd, e->buf, l->len) == (ssize_t)l->len, "read again");
	close(fd);
	if (memcmp(e->buf, e->image + l->moff, good))
		fail_msg("%s: write of %llu at %llu: its %llu good bytes are wrong", e->mode->name,
			 (unsigned long long)l->len, (unsigned long long)l->foff, (unsigned long long)good);
	for (uint64_t i = good; i < l->len; i++)
		must(e->buf[i] == e->image[l->moff + i] || e->buf[i] == l->old[i], "byte %llu is neither old nor new",
		     (unsigned long long)i);
	memcpy(e->shadow + l->foff, e->buf, l->len);
}

static bool may_fail(const struct env *e, const struct lane *l, int64_t err)
{
	if (l->canceled && err == -ECANCELED)
		return true;
	if (e->mode->copies.fail && err == -EIO)
		return true;
	for (const int *p = e->mode->plan.errors; p && *p; p++)
		if (*p == err && (!e->mode->plan.direct_only || e->mode->path))
			return true;
	return false;
}

static void complete(struct env *e, const struct devio_completion *c)
{
	struct lane *l = e->lane;

	while (l < e->lane + LANES && !(l->busy && l->cookie == c->cookie))
		l++;
	must(l < e->lane + LANES, "a completion for an operation in flight");
	l->busy = false;
	if (c->result >= 0)
		must(c->result == (int64_t)l->len && c->good == l->len, "%s: %s of %llu: %lld, good %llu",
		     e->mode->name, l->write ? "write" : "read", (unsigned long long)l->len, (long long)c->result,
		     (unsigned long long)c->good);
	else
		must(may_fail(e, l, c->result) && c->good < l->len, "%s: %s fails with %lld, good %llu of %llu",
		     e->mode->name, l->write ? "write" : "read", (long long)c->result, (unsigned long long)c->good,
		     (unsigned long long)l->len);
	e->failed += c->result < 0;
	must(c->copied <= c->good && !!(c->flags & DEVIO_DONE_WRITE) == l->write, "copied and flags");
	if (l->write)
		check_write(e, l, c->good);
	else
		check_read(e, l, c->good);
}

static void reap(struct env *e)
{
	struct devio_completion c[LANES];
	int n = devio_ring_wait(e->ring, c, rig_rnd(&e->rnd) % 3, 1 + rig_rnd(&e->rnd) % LANES, 1000000);

	must(n >= 0 || n == -EINTR, "wait: %d %s", n, devio_errmsg());
	for (int i = 0; i < n; i++)
		complete(e, &c[i]);
}

static void cancel(struct env *e)
{
	struct lane *l = &e->lane[rig_rnd(&e->rnd) % LANES];

	if (!l->busy || !e->mode->cancel)
		return;
	l->canceled = true;
	int rc = devio_ring_cancel(e->ring, l->cookie);

	must(rc == 1 || rc == -ENOENT, "cancel: %d", rc);
}

static void play(const struct mode *m, uint64_t seed, int steps)
{
	struct env e;

	env_open(&e, m, seed);
	if (m->path == DEVIO_PATH_FILE_HOST && !rig_direct(e.file)) {
		env_close(&e);
		must_skip("no O_DIRECT in this directory");
	}
	double_plan = m->plan;
	fake_plan = m->copies;
	for (int i = 0; i < steps; i++) {
		unsigned int what = rig_rnd(&e.rnd) % 8;
		int l = rig_rnd(&e.rnd) % LANES;

		if (what < 5 && !e.lane[l].busy) {
			start(&e, l);
		} else if (what == 5) {
			cancel(&e);
		} else {
			reap(&e);
		}
	}
	while (devio_ring_inflight(e.ring))
		reap(&e);
	memset(&double_plan, 0, sizeof(double_plan));
	memset(&fake_plan, 0, sizeof(fake_plan));
	get(&e, 0, SIZE);
	must(!memcmp(e.buf, e.image, SIZE), "%s: the memory has the right bytes", m->name);
	env_close(&e);
}

static void test_mode(void **state)
{
	const struct mode *m = *state;

	for (uint64_t seed = 1; seed <= 6; seed++)
		play(m, seed, 120);
}

/*
 * A program that only polls the ring's descriptor: whatever io_uring_enter()
 * answers, the descriptor wakes it as long as an operation is in flight.
 */
static void test_wakeups(void **state)
{
	struct mode m = { "wakeups", DEVIO_PATH_AUTO, 0, false, { .enter = 600 }, { 0 }, false };

	(void)state;
	for (uint64_t seed = 8; seed < 24; seed++) {
		struct devio_completion c[LANES];
		struct pollfd p = { .events = POLLIN };
		struct env e;

		m.fake = seed & 1;
		m.copies.polls = seed & 1 ? 3 : 0;
		env_open(&e, &m, seed);
		p.fd = devio_ring_fd(e.ring);
		double_plan = m.plan;
		fake_plan = m.copies;
		for (unsigned int i = 0; i <= seed % LANES; i++)
			must_zero(devio_ring_read(e.ring, e.file, e.mem, i * LANE, LANE - i, i * LANE, i));
		(void)devio_ring_submit(e.ring);
		while (devio_ring_inflight(e.ring)) {
			int n = poll(&p, 1, 10000);

			must(n == 1, "%u operations in flight, and nothing wakes who polls",
			     devio_ring_inflight(e.ring));
			n = devio_ring_peek(e.ring, c, LANES);
			must(n >= 0 || n == -EINTR, "peek: %d %s", n, devio_errmsg());
			for (int i = 0; i < n; i++)
				must(c[i].result == (int64_t)(LANE - c[i].cookie), "%lld", (long long)c[i].result);
		}
		memset(&double_plan, 0, sizeof(double_plan));
		memset(&fake_plan, 0, sizeof(fake_plan));
		for (unsigned int i = 0; i <= seed % LANES; i++)
			rig_check(e.mem, i * LANE, LANE - i, seed, i * LANE);
		env_close(&e);
	}
}

#define SHORT { .shorten = 300, .again = 100, .enter = 100 }
#define BREAK { .shorten = 200, .again = 100, .enter = 100, .error = 60, .errors = hard }
#define REFUSE { .shorten = 200, .again = 50, .enter = 50, .error = 100, .errors = refusals, .direct_only = true }
#define ALL { .shorten = 200, .again = 100, .enter = 100, .error = 60, .errors = both }
#define SLOW { .polls = 3 }
#define BROKEN { .polls = 3, .fail = 50 }
#define LATE { .polls = 3, .fail = 50, .fail_late = true }

static struct mode modes[] = {
	{ "host short", DEVIO_PATH_FILE_HOST, 0, false, SHORT, { 0 }, false },
	{ "host break", DEVIO_PATH_FILE_HOST, 0, false, BREAK, { 0 }, false },
	{ "host all cancel", DEVIO_PATH_FILE_HOST, 0, false, ALL, { 0 }, true },
	{ "auto refuse", DEVIO_PATH_AUTO, 0, false, REFUSE, { 0 }, false },
	{ "auto refuse cancel", DEVIO_PATH_AUTO, 0, false, REFUSE, { 0 }, true },
	{ "auto all cancel threads", DEVIO_PATH_AUTO, DEVIO_CTX_NO_URING, false, ALL, { 0 }, true },
	{ "bounce short", DEVIO_PATH_FILE_BOUNCE, 0, true, SHORT, SLOW, false },
	{ "bounce break cancel", DEVIO_PATH_FILE_BOUNCE, 0, true, BREAK, SLOW, true },
	{ "bounce broken copies", DEVIO_PATH_FILE_BOUNCE, 0, true, SHORT, BROKEN, false },
	{ "bounce broken copies late", DEVIO_PATH_FILE_BOUNCE, 0, true, SHORT, LATE, true },
	{ "bounce threads", DEVIO_PATH_FILE_BOUNCE, DEVIO_CTX_NO_URING, true, ALL, LATE, true },
	{ "buffered short", DEVIO_PATH_FILE_BUFFERED, 0, false, SHORT, { 0 }, false },
	{ "buffered device", DEVIO_PATH_FILE_BUFFERED, 0, true, ALL, BROKEN, true },
	{ "device refuse cancel", DEVIO_PATH_AUTO, 0, true, REFUSE, SLOW, true },
};

int main(void)
{
	enum { N = sizeof(modes) / sizeof(modes[0]) };
	struct CMUnitTest tests[N + 1];

	for (int i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ modes[i].name, test_mode, NULL, NULL, &modes[i] };
	tests[N] = (struct CMUnitTest)cmocka_unit_test(test_wakeups);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
