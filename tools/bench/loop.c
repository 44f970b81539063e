/* SPDX-License-Identifier: MIT */
/*
 * The inner loop of a thread: fill the queue, submit, count completions, wait.
 * Nothing is allocated here, and the clock is read once per submission and once
 * per batch of completions.
 */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "run.h"

#define NAP_NS 100000000            /* the longest sleep between checks for a signal */

static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* For the sampler in another thread: whole values, no lock. */
static inline void publish(uint64_t *where, uint64_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELAXED);
}

/* The steps of fio: depth 1, 2, 4, ...; batches of 1-4, 5-8, 9-16, ... */
static inline unsigned int depth_step(unsigned int n)
{
	unsigned int step = n ? 32 - (unsigned int)__builtin_clz(n) : 0;

	return step < BENCH_DEPTHS ? step : BENCH_DEPTHS - 1;
}

static inline unsigned int batch_step(unsigned int n)
{
	unsigned int step = !n ? 0 : n <= 4 ? 1 : 31 - (unsigned int)__builtin_clz(n - 1);

	return step < BENCH_DEPTHS - 1 ? step : BENCH_DEPTHS - 2;
}

/* Stops issuing; operations in flight are still waited for. */
static void end(struct bench_thread *t, int error)
{
	t->stop = true;
	if (error && !t->res->error)
		t->res->error = error;
}

static void __attribute__((noinline)) failed(struct bench_thread *t, struct bench_io *io,
					     const struct devio_completion *c)
{
	struct bench_result *res = t->res;
	int rc = c->result < 0 ? (int)c->result : -ENODATA;
	uint64_t may = rc == -EILSEQ ? CONTINUE_VERIFY : io->dir == DIR_READ ? CONTINUE_READ : CONTINUE_WRITE;

	if (!*res->cause) {
		char text[300];

		if (c->path)
			devio_completion_text(c, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", rc == -ENODATA ? "end of file" : strerror(-rc));
		snprintf(res->cause, sizeof(res->cause), "%.60s: %s %u bytes at byte %llu: %s", t->files[io->file].name,
			 io->dir == DIR_READ ? "read" : "write", io->len, (unsigned long long)io->off, text);
	}
	res->dir[io->dir].errors++;
	res->total_errors++;
	res->first_error = res->first_error ? res->first_error : rc;
	if (!(t->job->continue_on & may))
		end(t, rc);
}

static void __attribute__((noinline)) verify(struct bench_thread *t, struct bench_io *io)
{
	struct devio_completion c = { .result = bench_verify_check(t, io) };

	/* Differences are counted and do not stop the job, unless they are fatal. */
	if (c.result == -EILSEQ) {
		if (!t->res->error)
			t->res->error = -EILSEQ;
		if (t->job->verify_fatal)
			end(t, -EILSEQ);
	} else if (c.result) {
		failed(t, io, &c);
	}
}

static void __attribute__((noinline)) wrote(struct bench_thread *t, struct bench_io *io)
{
	uint64_t block = (io->off - t->files[io->file].start) / t->job->bs_min[DIR_WRITE];

	if (t->place[io->file].written)
		t->place[io->file].written[block / 64] |= 1ull << block % 64;
	if (t->job->fsync && ++t->since_flush >= t->job->fsync) {
		int rc = t->engine->flush(t, io->file);

		t->since_flush = 0;
		if (rc)
			end(t, rc);
	}
}

static inline void count_path(struct bench_paths *w, const struct devio_completion *c)
{
	unsigned int path = c->path % BENCH_PATHS;

	publish(&w->ops[path], w->ops[path] + 1);
	w->bytes[path] += (uint64_t)c->result;
	w->copied[path] += c->copied;
	if (c->best_unused)
		w->why[path] = (uint32_t)c->best_unused << 16 | c->reason;
	if (c->flags & DEVIO_DONE_FELL_BACK)
		w->fell_back++;
}

/* What has to be done before the slot of a completion is used again. */
static inline void settle(struct bench_thread *t, const struct devio_completion *c)
{
	struct bench_io *io = (struct bench_io *)(uintptr_t)c->cookie;

	t->free_io[t->free++] = io;
	if (t->job->verify && io->dir == DIR_WRITE)
		bench_verify_wrote(t, io);
	if (__builtin_expect(c->result <= 0, 0)) {
		if (!c->result && t->engine->net)
			end(t, 0); /* end of the stream */
		else
			failed(t, io, c);
		return;
	}
	t->completed[t->nr_completed++] = (struct bench_completed){
		.c = c, .lat = t->now - io->start, .clat = t->now - io->issue, .dir = io->dir,
		.is_short = c->result < io->len,
	};
	if (io->check)
		verify(t, io);
	else if (io->dir == DIR_WRITE)
		wrote(t, io);
}

/* The rest of the accounting, while the next operations are in flight. */
static inline void count(struct bench_thread *t)
{
	for (unsigned int i = 0; i < t->nr_completed; i++) {
		const struct bench_completed *done = &t->completed[i];
		struct bench_stat *s = &t->res->dir[done->dir];

		s->shorts += done->is_short;
		hist_add(&s->clat, done->clat);
		hist_add(&s->lat, done->lat);
		publish(&s->lat_sum, s->lat_sum + done->lat);
		publish(&s->n, s->n + 1);
		publish(&s->bytes, s->bytes + (uint64_t)done->c->result);
		count_path(&t->res->paths, done->c);
	}
	t->nr_completed = 0;
}

/* The next block that was written, in order. */
static bool next_written(struct bench_thread *t, struct bench_io *io)
{
	uint64_t bs = t->job->bs_min[DIR_WRITE];

	for (; t->verify_file < t->nr_files; t->verify_file++, t->verify_pos = 0) {
		uint64_t blocks = t->files[t->verify_file].size / bs;
		const uint64_t *bits = t->place[t->verify_file].written;

		while (t->verify_pos < blocks && !(bits[t->verify_pos / 64] >> t->verify_pos % 64 & 1))
			t->verify_pos++;
		if (t->verify_pos == blocks)
			continue;
		io->file = t->verify_file;
		io->off = t->files[io->file].start + t->verify_pos++ * bs;
		io->len = (uint32_t)bs;
		io->dir = DIR_READ;
		io->check = true;
		return true;
	}
	return false;
}

static bool draw(struct bench_thread *t, struct bench_io *io)
{
	if (t->phase == PHASE_VERIFY)
		return next_written(t, io);
	if (!t->left || !bench_gen_next(t, io))
		return false;
	if (t->left < io->len) {
		io->len = (uint32_t)(t->left / t->job->bs_min[io->dir] * t->job->bs_min[io->dir]);
		if (!io->len)
			return false;
	}
	t->left -= io->len;
	if (t->job->verify && io->dir == DIR_WRITE) {
		int rc = bench_verify_fill(t, io);

		t->now = clock_ns();
		if (rc) {
			end(t, rc);
			return false;
		}
	}
	return true;
}

/* Whether io may start by rate, rate_iops and thinktime; keeps account of them. */
static bool due(struct bench_thread *t, struct bench_io *io)
{
	struct bench_pace *p = &t->pace[io->dir];

	if (p->next > t->now) {
		t->pending = io;
		return false;
	}
	/* A job that is late may not catch up with a burst of more than 100 ms. */
	if (p->next + NAP_NS < t->now)
		p->next = t->now;
	p->next += p->per_op > 0 ? p->per_op : 0;
	if (p->bytes_s) {
		uint64_t ns = (uint64_t)((double)io->len * 1e9 / (double)p->bytes_s);

		p->next += p->per_op > ns ? 0 : ns - p->per_op;
	}
	return true;
}

static struct bench_io *next_io(struct bench_thread *t)
{
	struct bench_io *io = t->pending;

	if (io) {
		t->pending = NULL;
	} else {
		io = t->free_io[t->free - 1];
		if (!draw(t, io)) {
			t->stop = true;
			return NULL;
		}
		t->free--;
	}
	if (__builtin_expect(t->limited, 0) && t->phase == PHASE_MAIN && !due(t, io))
		return NULL;
	return io;
}

static inline void issued(struct bench_thread *t, bool timed)
{
	unsigned int n = t->queued;

	if (timed)
		t->now = clock_ns();
	for (unsigned int i = 0; i < n; i++) {
		struct bench_io *io = t->queue[i];

		io->issue = timed ? t->now : io->start;
		hist_add(&t->res->dir[io->dir].slat, io->issue - io->start);
	}
	t->inflight += n;
	t->queued = 0;
	t->res->depth[depth_step(t->inflight)] += n;
	t->res->submit[batch_step(n)]++;
}

static inline void commit(struct bench_thread *t)
{
	int rc = t->engine->submit(t);

	if (__builtin_expect(rc && rc != -EAGAIN && rc != -EBUSY && rc != -EINTR, 0))
		end(t, rc);
	issued(t, !t->no_slat);
}

static void refused(struct bench_thread *t, struct bench_io *io, int rc)
{
	struct devio_completion c = { .result = rc };

	if (rc == -EAGAIN) {
		t->pending = io;
		return;
	}
	snprintf(t->res->cause, sizeof(t->res->cause), "%s: %s", t->files[io->file].name,
		 t->engine->host ? strerror(-rc) : devio_errmsg());
	t->free_io[t->free++] = io;
	failed(t, io, &c);
}

static inline void fill(struct bench_thread *t)
{
	while (!t->stop && (t->free || t->pending)) {
		struct bench_io *io = next_io(t);
		int rc;

		if (!io)
			break;
		io->start = t->now;
		rc = t->engine->queue(t, io);
		if (__builtin_expect(rc, 0)) {
			refused(t, io, rc);
			if (rc == -EAGAIN)
				break;
			continue;
		}
		t->queue[t->queued++] = io;
		if (t->queued >= t->batch && !t->submit_wait)
			commit(t);
	}
	if (t->queued) {
		if (t->submit_wait)
			issued(t, false);
		else
			commit(t);
	}
	t->filling = false;
}

/* Time until something can be issued; < 0: only after a completion. */
static inline int64_t issue_in(const struct bench_thread *t)
{
	uint64_t next;

	if (!t->pending || !t->limited)
		return -1;
	next = t->pace[t->pending->dir].next;
	return next > t->now ? (int64_t)(next - t->now) : 0;
}

static void nap(struct bench_thread *t)
{
	int64_t ns = issue_in(t);
	struct timespec ts = { 0, ns > NAP_NS ? NAP_NS : ns > 0 ? ns : 0 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	t->now = clock_ns();
}

static inline void reap(struct bench_thread *t)
{
	unsigned int min = t->batch_min < t->inflight ? t->batch_min : t->inflight;
	int64_t timeout = __builtin_expect(t->pending != NULL, 0) ? issue_in(t) : -1;
	int n = t->engine->reap(t, timeout >= 0 ? 1 : min, t->batch_max, timeout);

	t->now = clock_ns();
	if (__builtin_expect(n < 0, 0)) {
		if (n != -EINTR && n != -EAGAIN && n != -ETIME) {
			end(t, n);
			t->inflight = 0;
		}
		return;
	}
	t->inflight -= (unsigned int)n;
	t->res->complete[batch_step((unsigned int)n)]++;
	for (int i = 0; i < n; i++)
		settle(t, &t->done[i]);
	/* A synchronous engine runs the next operation in queue(), which overwrites done[]. */
	if (t->engine->sync)
		count(t);
	if (__builtin_expect(t->job->think && t->limited, 0))
		for (int d = 0; d < DIR_NR; d++)
			t->pace[d].next = t->now + t->job->think;
}

static inline void check_time(struct bench_thread *t)
{
	if (__builtin_expect(!t->measuring, 0) && t->now >= t->ramp_end) {
		count(t);
		bench_measure_begin(t);
	}
	if (__builtin_expect(t->now >= t->end || tool_stop, 0)) {
		t->stop = true;
		if (t->engine->halt)
			t->engine->halt(t);
	}
}

void bench_measure_begin(struct bench_thread *t)
{
	if (t->job->ramp)
		bench_result_clear(t->res);
	t->measuring = true;
	t->measured_from = t->now;
	if (t->job->runtime)
		t->end = t->now + t->job->runtime;
	bench_cost_get(t, &t->before);
}

void bench_loop(struct bench_thread *t)
{
	t->stop = tool_stop != 0;
	t->filling = true;
	t->now = clock_ns();
	while (!t->stop || t->inflight) {
		if (!t->stop && (t->filling || t->inflight <= t->low))
			fill(t);
		count(t);
		if (t->inflight)
			reap(t);
		else if (!t->stop)
			nap(t);
		check_time(t);
	}
	count(t);
	if (t->pending)
		t->free_io[t->free++] = t->pending;
	t->pending = NULL;
}
