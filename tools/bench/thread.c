/* SPDX-License-Identifier: MIT */
/* One thread of a job: set-up and phases. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

static int alloc_io(struct bench_thread *t)
{
	t->io = calloc(t->depth, sizeof(*t->io));
	t->free_io = calloc(t->depth, sizeof(*t->free_io));
	t->queue = calloc(t->depth, sizeof(*t->queue));
	t->done = calloc(t->depth, sizeof(*t->done));
	t->completed = calloc(t->depth, sizeof(*t->completed));
	t->place = calloc(t->nr_files, sizeof(*t->place));
	t->files = calloc(t->nr_files, sizeof(*t->files));
	if (!t->io || !t->free_io || !t->queue || !t->done || !t->completed || !t->place || !t->files)
		return -ENOMEM;
	for (unsigned int i = 0; i < t->depth; i++) {
		t->io[i].index = i;
		t->io[i].mem_off = i * t->slot;
		/* The lowest is used first. */
		t->free_io[t->depth - 1 - i] = &t->io[i];
	}
	t->free = t->depth;
	return 0;
}

static int alloc_verify(struct bench_thread *t)
{
	const struct bench_job *job = t->job;

	if (!job->verify && !(job->rw & RW_WRITE))
		return 0;
	t->scratch = malloc(job->bs_max);
	t->wanted = malloc(job->bs_max);
	if (!t->scratch || !t->wanted)
		return -ENOMEM;
	for (uint64_t i = 0; i < job->bs_max; i++)
		t->wanted[i] = job->pattern_len ? job->pattern[i % job->pattern_len] : 0;
	for (unsigned int f = 0; f < t->nr_files && job->verify && job->rw & RW_WRITE; f++) {
		t->place[f].written = calloc(t->files[f].size / job->bs_min[DIR_WRITE] / 64 + 1, sizeof(uint64_t));
		if (job->verify == VERIFY_XXHASH)
			t->place[f].latest = calloc(t->files[f].size / job->bs_min[DIR_WRITE] + 1,
						    sizeof(*t->place[f].latest));
		if (!t->place[f].written || (job->verify == VERIFY_XXHASH && !t->place[f].latest))
			return -ENOMEM;
	}
	return 0;
}

static void set_pace(struct bench_thread *t)
{
	const struct bench_job *job = t->job;

	for (int d = 0; d < DIR_NR; d++) {
		t->pace[d].per_op = job->rate_iops[d] ? 1000000000 / job->rate_iops[d] : 0;
		t->pace[d].bytes_s = job->rate[d];
		t->limited |= job->rate_iops[d] || job->rate[d];
	}
	t->limited |= job->think > 0;
}

static uint64_t seed_of(const struct bench_job *job, unsigned int clone)
{
	return bench_rand_mix(job->rand_repeat ? job->seed : bench_now() ^ (uint64_t)getpid() << 32) +
	       clone * 0x9e3779b9u;
}

static void take_options(struct bench_thread *t)
{
	const struct bench_job *job = t->job;

	t->engine = job->engine;
	t->depth = (unsigned int)job->iodepth;
	t->batch = (unsigned int)job->batch;
	t->batch_min = (unsigned int)job->batch_min;
	t->batch_max = (unsigned int)job->batch_max;
	t->low = (unsigned int)job->depth_low;
	t->submit_wait = job->submit_wait && !job->engine->sync;
	t->no_slat = job->engine->sync;
	t->slot = (job->bs_max + 4095) & ~4095ull;
	t->rand.state = seed_of(job, t->clone);
	t->verify_id = t->run->id;
	for (int i = 0; i < BENCH_COUNTERS; i++)
		t->counter_fd[i] = -1;
}

int bench_thread_setup(struct bench_thread *t, struct bench_err *err)
{
	const struct bench_job *job = t->job;
	uint64_t blocks = 0;

	t->nr_files = job->nr_files;
	take_options(t);
	if (alloc_io(t))
		return bench_fail(err, TOOL_FAILED, "out of memory");
	for (unsigned int i = 0; i < t->nr_files; i++) {
		t->files[i] = job->file[i + (job->own_files ? t->clone * t->nr_files : 0)];
		if (!job->own_files)
			t->files[i].start += bench_file_offset(job, &t->files[i], t->clone);
		blocks = t->files[i].size / job->bs_min[DIR_READ];
		if (bench_dist_check(job, t->files[i].size, err))
			return -1;
	}
	if (alloc_verify(t))
		return bench_fail(err, TOOL_FAILED, "out of memory");
	t->dist = bench_dist_new(job, blocks);
	if (job->dist != DIST_RANDOM && !t->dist)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	set_pace(t);
	bench_gen_init(t);
	return 0;
}

void bench_thread_free(struct bench_thread *t)
{
	for (unsigned int f = 0; t->place && f < t->nr_files; f++) {
		free(t->place[f].written);
		free(t->place[f].latest);
	}
	free(t->io);
	free(t->free_io);
	free(t->queue);
	free(t->done);
	free(t->completed);
	free(t->place);
	free(t->files);
	free(t->scratch);
	free(t->wanted);
}

/* Runtime of a direction, to its last completion; what ramp_time excludes is not a part of it. */
static void add_runtime(struct bench_thread *t, uint64_t from)
{
	from = from > t->measured_from ? from : t->measured_from;
	for (int d = 0; d < DIR_NR; d++) {
		bool used = t->phase == PHASE_VERIFY ? d == DIR_READ :
			    t->job->rw & (d == DIR_READ ? RW_READ : RW_WRITE);

		if (used && t->now > from)
			t->res->dir[d].runtime += t->now - from;
	}
}

static void end_fsync(struct bench_thread *t)
{
	if (!(t->job->rw & RW_WRITE) || !t->job->end_fsync)
		return;
	for (unsigned int f = 0; f < t->nr_files; f++) {
		int rc = t->engine->flush(t, f);

		if (rc && !t->res->error)
			t->res->error = rc;
	}
	t->now = bench_now();
}

static void verify_phase(struct bench_thread *t)
{
	uint64_t end = t->end, from;

	if (!t->job->verify || !t->job->do_verify || !(t->job->rw & RW_WRITE) || t->engine->net ||
	    t->res->error || tool_stop)
		return;
	t->phase = PHASE_VERIFY;
	t->verify_file = 0;
	t->verify_pos = 0;
	t->end = UINT64_MAX;
	from = bench_now();
	bench_loop(t);
	add_runtime(t, from);
	t->end = end;
}

static void all_phases(struct bench_thread *t)
{
	for (uint64_t loop = 0; loop < t->job->loops; loop++) {
		uint64_t from;

		t->phase = PHASE_MAIN;
		t->left = t->job->time_based ? UINT64_MAX : t->job->io_total;
		from = bench_now();
		bench_loop(t);
		end_fsync(t);
		add_runtime(t, from);
		verify_phase(t);
		if (t->res->error || tool_stop || t->now >= t->end)
			break;
	}
}

static void end_cost(struct bench_thread *t)
{
	struct bench_cost *c = &t->res->cost, now = { 0 };

	bench_cost_get(t, &now);
	c->usr = now.usr - t->before.usr;
	c->sys = now.sys - t->before.sys;
	c->ctx = now.ctx - t->before.ctx;
	c->majf = now.majf - t->before.majf;
	c->minf = now.minf - t->before.minf;
	for (int i = 0; i < BENCH_COUNTERS; i++) {
		c->have[i] = now.have[i] && t->before.have[i];
		c->counter[i] = c->have[i] ? now.counter[i] - t->before.counter[i] : 0;
	}
}

static void sleep_until(uint64_t when)
{
	for (uint64_t now = bench_now(); now < when && !tool_stop; now = bench_now()) {
		uint64_t ns = when - now < 100000000 ? when - now : 100000000;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ 0, (long)ns }, NULL);
	}
}

/* All start together, when the last one is ready. */
static bool wait_for_go(struct bench_thread *t)
{
	struct bench_run *run = (struct bench_run *)t->run;
	bool go;

	pthread_mutex_lock(&run->lock);
	t->ready = true;
	run->nr_ready++;
	if (t->err.status)
		run->abort = true;
	pthread_cond_broadcast(&run->cond);
	while (!run->go && !run->abort)
		pthread_cond_wait(&run->cond, &run->lock);
	go = run->go && !run->abort;
	pthread_mutex_unlock(&run->lock);
	return go;
}

/* Data for writes that are not verified: it does not compress. */
static int fill_memory(struct bench_thread *t)
{
	int rc = 0;

	if (!(t->job->rw & RW_WRITE))
		return 0;
	for (unsigned int i = 0; i < t->depth && !rc; i++) {
		bench_fill_random(t->scratch, t->job->bs_max, bench_rand_next(&t->rand));
		rc = t->engine->put(t, i * t->slot, t->scratch, t->job->bs_max);
	}
	return rc;
}

static void prepare(struct bench_thread *t)
{
	int rc;

	if (bench_cpu_bind(t, &t->err) || t->engine->open(t, &t->err))
		return;
	rc = fill_memory(t);
	if (rc)
		bench_fail(&t->err, TOOL_FAILED, "%s: cannot fill the memory: %s", t->job->name, strerror(-rc));
	bench_cost_open(t);
}

/* A job that ends in its ramp_time reports that, as fio does. */
static void measure(struct bench_thread *t)
{
	t->begin = t->now = bench_now();
	t->end = t->job->runtime ? t->now + t->job->ramp + t->job->runtime : UINT64_MAX;
	t->ramp_end = t->now + t->job->ramp;
	bench_cost_get(t, &t->before);
	if (!t->job->ramp)
		bench_measure_begin(t);
	all_phases(t);
	end_cost(t);
	t->res->elapsed = bench_now() - t->begin;
}

void *bench_thread_main(void *arg)
{
	struct bench_thread *t = arg;
	struct bench_run *run = (struct bench_run *)t->run;

	t->res->tid = (unsigned int)gettid();
	prepare(t);
	if (wait_for_go(t)) {
		sleep_until(run->begin + t->job->start_delay);
		if (!tool_stop)
			measure(t);
	}
	bench_cost_close(t);
	t->engine->close(t);
	pthread_mutex_lock(&run->lock);
	t->finished = true;
	run->nr_finished++;
	pthread_cond_broadcast(&run->cond);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}
