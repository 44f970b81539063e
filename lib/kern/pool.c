/* SPDX-License-Identifier: MIT */
/* A thread pool for pread and pwrite, used where io_uring is not available. */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include "core/err.h"
#include "kern/pool.h"

#define MAX_THREADS 16

struct job {
	void *addr;
	uint64_t off;
	void *user_data;
	uint32_t len;
	int fd;
	int res;
	bool write;
	bool canceled;
};

/* A circular array of jobs in submission order: finished or running, then submitted, then queued. */
struct dv_pool {
	pthread_mutex_t lock;
	pthread_cond_t work, ready;
	struct job *jobs;          /* `size` entries, in FIFO order of submission */
	unsigned int size;         /* a power of two */
	unsigned int queued;       /* next free entry (free-running, index modulo size) */
	unsigned int submitted;    /* threads may take entries before this one */
	unsigned int taken;
	unsigned int *done;        /* indices of finished jobs, a FIFO of `size` entries */
	unsigned int done_head, done_tail;
	unsigned char *busy;       /* per entry: not yet reaped */
	pthread_t threads[MAX_THREADS];
	unsigned int nr_threads;
	int event_fd;
	bool stop;
	struct dv_poolnet *net;    /* created on demand */
	struct result { void *user_data; int res; } *results; /* of connections, a FIFO of `size` entries */
	unsigned int result_head, result_tail;
};

static int run(const struct job *j)
{
	ssize_t n;

	if (j->canceled)
		return -ECANCELED;
	do {
		n = j->write ? pwrite(j->fd, j->addr, j->len, j->off) : pread(j->fd, j->addr, j->len, j->off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

static void raise_fd(struct dv_pool *p)
{
	uint64_t one = 1;

	if (p->event_fd >= 0 && write(p->event_fd, &one, sizeof(one)) < 0)
		return; /* counter full: already readable */
}

/* Takes the next job and runs it. Called with the lock held; drops it while the job runs. */
static void work(struct dv_pool *p)
{
	unsigned int i = p->taken++ % p->size;
	int res;

	pthread_mutex_unlock(&p->lock);
	res = run(&p->jobs[i]);
	pthread_mutex_lock(&p->lock);
	p->jobs[i].res = res;
	p->done[p->done_tail++ % p->size] = i;
	raise_fd(p);
	pthread_cond_signal(&p->ready);
}

static void *worker(void *arg)
{
	struct dv_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->taken == p->submitted && !p->stop)
			pthread_cond_wait(&p->work, &p->lock);
		if (p->taken == p->submitted)
			break;
		work(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int dv_pool_open(unsigned int entries, struct dv_pool **out)
{
	struct dv_pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return dv_err(-ENOMEM, "ring: cannot allocate the thread pool");
	/* A power of two, so that the counters may wrap. */
	for (p->size = 1; p->size < entries; p->size *= 2)
		;
	p->jobs = calloc(p->size, sizeof(*p->jobs));
	p->done = calloc(p->size, sizeof(*p->done));
	p->busy = calloc(p->size, 1);
	p->event_fd = -1;
	if (!p->jobs || !p->done || !p->busy) {
		free(p->jobs);
		free(p->done);
		free(p->busy);
		free(p);
		return dv_err(-ENOMEM, "ring: cannot allocate the thread pool");
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->ready, &attr);
	pthread_condattr_destroy(&attr);
	*out = p;
	return 0;
}

void dv_pool_forget(struct dv_pool *p)
{
	if (p->net)
		dv_poolnet_forget(p->net);
	free(p->results);
	if (p->event_fd >= 0)
		close(p->event_fd);
	free(p->jobs);
	free(p->done);
	free(p->busy);
	free(p);
}

void dv_pool_close(struct dv_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->nr_threads; i++)
		pthread_join(p->threads[i], NULL);
	if (p->net)
		dv_poolnet_close(p->net);
	p->net = NULL;
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->ready);
	pthread_mutex_destroy(&p->lock);
	dv_pool_forget(p);
}

int dv_pool_queue(struct dv_pool *p, bool write, int fd, void *addr, uint32_t len, uint64_t off,
		  void *user_data)
{
	unsigned int i = p->queued % p->size;

	if (p->busy[i])
		return -EAGAIN;
	p->jobs[i] = (struct job){ .addr = addr, .off = off, .user_data = user_data, .len = len, .fd = fd,
				   .write = write };
	p->busy[i] = 1;
	p->queued++;
	return 0;
}

/* There is always room: a part has one step in flight at a time. */
static void net_result(void *arg, void *user_data, int res)
{
	struct dv_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	p->results[p->result_tail++ % p->size] = (struct result){ user_data, res };
	raise_fd(p);
	pthread_cond_signal(&p->ready);
	pthread_mutex_unlock(&p->lock);
}

int dv_pool_net(struct dv_pool *p, const struct dv_net *n, void *user_data)
{
	if (!p->net) {
		if (!p->results)
			p->results = calloc(p->size, sizeof(*p->results));
		if (!p->results || dv_poolnet_open(p->size, net_result, p, &p->net))
			return -ENOMEM;
	}
	return dv_poolnet_queue(p->net, n, user_data);
}

unsigned int dv_pool_ready(struct dv_pool *p)
{
	return p->queued - p->submitted;
}

/* One thread per waiting job, up to the limit. Signals are blocked: they go to the application's threads. */
static void spawn(struct dv_pool *p)
{
	unsigned int want = p->submitted - p->taken;
	sigset_t all, old;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!rc && p->nr_threads < MAX_THREADS && p->nr_threads < want) {
		rc = pthread_create(&p->threads[p->nr_threads], NULL, worker, p);
		if (!rc)
			p->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* No thread can be created (RLIMIT_NPROC, cgroup): run the jobs here, synchronously. */
	while (!p->nr_threads && p->taken != p->submitted)
		work(p);
}

static void deadline(struct timespec *ts, int64_t ns)
{
	clock_gettime(CLOCK_MONOTONIC, ts);
	ts->tv_sec += ns / 1000000000;
	ts->tv_nsec += ns % 1000000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_nsec -= 1000000000;
		ts->tv_sec++;
	}
}

int dv_pool_enter(struct dv_pool *p, unsigned int wait_nr, int64_t timeout_ns)
{
	struct timespec ts;
	int rc = 0;

	if (timeout_ns >= 0)
		deadline(&ts, timeout_ns);
	pthread_mutex_lock(&p->lock);
	p->submitted = p->queued;
	spawn(p);
	pthread_cond_broadcast(&p->work);
	while (!rc && p->done_tail - p->done_head + p->result_tail - p->result_head < wait_nr)
		rc = timeout_ns < 0 ? pthread_cond_wait(&p->ready, &p->lock) :
				      pthread_cond_timedwait(&p->ready, &p->lock, &ts);
	pthread_mutex_unlock(&p->lock);
	return rc == ETIMEDOUT ? -ETIME : rc;
}

int dv_pool_reap(struct dv_pool *p, void **user_data, int *res)
{
	int n = 0;

	pthread_mutex_lock(&p->lock);
	if (p->done_head != p->done_tail) {
		unsigned int i = p->done[p->done_head++ % p->size];

		*user_data = p->jobs[i].user_data;
		*res = p->jobs[i].res;
		p->busy[i] = 0;
		n = 1;
	} else if (p->result_head != p->result_tail) {
		const struct result *x = &p->results[p->result_head++ % p->size];

		*user_data = x->user_data;
		*res = x->res;
		n = 1;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

void dv_pool_cancel(struct dv_pool *p, void *user_data)
{
	pthread_mutex_lock(&p->lock);
	for (unsigned int i = p->taken; i != p->queued; i++)
		if (p->jobs[i % p->size].user_data == user_data)
			p->jobs[i % p->size].canceled = true;
	pthread_mutex_unlock(&p->lock);
	if (p->net)
		dv_poolnet_cancel(p->net, user_data);
}

int dv_pool_fd(struct dv_pool *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->event_fd < 0)
		p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_unlock(&p->lock);
	if (p->event_fd < 0)
		return dv_err(-errno, "ring: cannot create an eventfd for the pollable descriptor");
	return p->event_fd;
}
