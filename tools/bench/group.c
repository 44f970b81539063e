/* SPDX-License-Identifier: MIT */
/* The threads of jobs that run together: started, sampled, summed up. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

#define STACK (256u << 10)
#define TICK_NS 4000000

static int make_threads(struct bench_run *run, struct bench_job *const *job, unsigned int nr, struct bench_err *err)
{
	unsigned int total = 0;

	for (unsigned int j = 0; j < nr; j++)
		total += (unsigned int)job[j]->numjobs;
	run->thread = calloc(total, sizeof(*run->thread));
	if (!run->thread)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	for (unsigned int j = 0; j < nr; j++)
		for (unsigned int c = 0; c < job[j]->numjobs; c++) {
			struct bench_thread *t = &run->thread[run->nr++];

			t->job = job[j];
			t->clone = c;
			t->run = run;
			t->res = bench_result_new(job[j], err);
			if (!t->res || bench_thread_setup(t, err))
				return -1;
		}
	return 0;
}

/* invalidate=1: what is in the page cache would not be read from the drive. */
static void drop_cache(const struct bench_thread *t)
{
	for (unsigned int i = 0; t->job->invalidate && i < t->nr_files; i++) {
		int fd = open(t->files[i].name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			continue;
		fdatasync(fd);
		posix_fadvise(fd, (off_t)t->files[i].start, (off_t)t->files[i].size, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

static int start_threads(struct bench_run *run, struct bench_err *err)
{
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK * 4);
	for (unsigned int i = 0; i < run->nr && !rc; i++) {
		drop_cache(&run->thread[i]);
		rc = pthread_create(&run->thread[i].thread, &attr, bench_thread_main, &run->thread[i]);
		run->thread[i].started = !rc;
	}
	pthread_attr_destroy(&attr);
	return rc ? bench_fail(err, TOOL_FAILED, "cannot create a thread: %s", strerror(rc)) : 0;
}

static void wait_until(struct bench_run *run, uint64_t when)
{
	struct timespec ts = { (time_t)(when / 1000000000), (long)(when % 1000000000) };

	pthread_cond_timedwait(&run->cond, &run->lock, &ts);
}

/*
 * With one request at a time a thread sleeps twice per request. If no timer is due soon,
 * the kernel stops the tick of an idle processor and restarts it afterwards, and in a
 * virtual machine each of these is an exit to the host: such a job gets a timer every
 * 4 ms, a tick at 250 Hz, to keep some of that out of the measurement. Other jobs do not:
 * a thread that wakes earlier finds fewer completions and wakes more often. docs/measurements/devio-bench.md
 * has the figures.
 */
static bool one_at_a_time(const struct bench_run *run)
{
	for (unsigned int i = 0; i < run->nr; i++)
		if (run->thread[i].depth == 1)
			return true;
	return false;
}

static void watch(struct bench_run *run, struct bench_live *live)
{
	uint64_t tick = one_at_a_time(run) ? TICK_NS : UINT64_MAX / 2, due = bench_live_poll(live, run, false), next;

	pthread_mutex_lock(&run->lock);
	while (run->nr_finished < run->nr) {
		next = bench_now() + tick;
		wait_until(run, next < due ? next : due);
		if (bench_now() < due)
			continue;
		pthread_mutex_unlock(&run->lock);
		due = bench_live_poll(live, run, false);
		pthread_mutex_lock(&run->lock);
	}
	pthread_mutex_unlock(&run->lock);
	bench_live_poll(live, run, true);
}

/* Waits until all threads are ready and starts them; an error of one ends all. */
static int begin(struct bench_run *run, unsigned int started, struct bench_live *live, struct bench_err *err)
{
	int rc = err->status ? -1 : 0;

	pthread_mutex_lock(&run->lock);
	run->abort |= rc;
	while (run->nr_ready < started)
		pthread_cond_wait(&run->cond, &run->lock);
	if (!run->abort)
		bench_live_begin(live);
	run->begin = bench_now();
	run->go = true;
	pthread_cond_broadcast(&run->cond);
	pthread_mutex_unlock(&run->lock);
	for (unsigned int i = 0; i < started && !rc; i++)
		if (run->thread[i].err.status) {
			*err = run->thread[i].err;
			rc = -1;
		}
	return rc;
}

/* One result for each thread, or for all of a group with group_reporting. */
static int collect(struct bench_run *run, struct bench_results *results, struct bench_err *err)
{
	for (unsigned int i = 0; i < run->nr; i++) {
		struct bench_result *r = run->thread[i].res, *with = NULL;

		for (unsigned int k = 0; k < results->nr && r->job->group_reporting; k++)
			if (results->r[k]->group == r->group && results->r[k]->job->group_reporting)
				with = results->r[k];
		if (with) {
			bench_result_merge(with, r);
			continue;
		}
		if (bench_results_add(results, r, err))
			return -1;
		run->thread[i].res = NULL;
	}
	return 0;
}

static int init_run(struct bench_run *run, struct devio_ctx *ctx)
{
	pthread_condattr_t attr;

	memset(run, 0, sizeof(*run));
	run->ctx = ctx;
	run->id = bench_rand_mix(bench_now() ^ (uint64_t)getpid() << 40) | 1;
	pthread_mutex_init(&run->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&run->cond, &attr);
	return pthread_condattr_destroy(&attr);
}

static void free_run(struct bench_run *run)
{
	for (unsigned int i = 0; i < run->nr; i++) {
		free(run->thread[i].res);
		bench_thread_free(&run->thread[i]);
	}
	free(run->thread);
	pthread_cond_destroy(&run->cond);
	pthread_mutex_destroy(&run->lock);
}

int bench_group_run(struct devio_ctx *ctx, struct bench_job *const *job, unsigned int nr, struct bench_live *live,
		    struct bench_results *results, struct bench_err *err)
{
	struct bench_run run;
	unsigned int started = 0;
	int rc;

	init_run(&run, ctx);
	rc = make_threads(&run, job, nr, err);
	if (!rc)
		rc = bench_live_open(live, job, nr, err);
	if (!rc) {
		rc = start_threads(&run, err);
		while (started < run.nr && run.thread[started].started)
			started++;
		if (begin(&run, started, live, err))
			rc = -1;
		if (!rc)
			watch(&run, live);
		for (unsigned int i = 0; i < started; i++)
			pthread_join(run.thread[i].thread, NULL);
	}
	if (!rc)
		rc = collect(&run, results, err);
	free_run(&run);
	return rc;
}

int bench_run_all(struct devio_ctx *ctx, struct bench_jobs *jobs, struct bench_live *live,
		  struct bench_results *results, struct bench_err *err)
{
	struct bench_job **wave = calloc(jobs->nr + 1, sizeof(*wave));
	unsigned int i = 0;
	int rc = wave ? 0 : bench_fail(err, TOOL_FAILED, "out of memory");

	while (!rc && i < jobs->nr && !tool_stop) {
		unsigned int nr = 0;

		do
			wave[nr++] = &jobs->job[i++];
		while (i < jobs->nr && jobs->job[i].wave == wave[0]->wave);
		rc = bench_group_run(ctx, wave, nr, live, results, err);
	}
	free(wave);
	return rc;
}
