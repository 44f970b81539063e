/* SPDX-License-Identifier: MIT */
/* One thread that polls connections and transfers data as they become ready. */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "core/clock.h"
#include "kern/poolnet.h"

struct job {
	struct dv_net n;
	void *user_data;
	int64_t end;               /* 0: none */
	uint32_t done;
	bool canceled;
};

struct dv_poolnet {
	void (*result)(void *arg, void *user_data, int res);
	void *arg;
	pthread_mutex_t lock;
	pthread_t thread;
	bool started, stop;
	int wake;                  /* eventfd */
	unsigned int size, count;
	struct job *jobs;          /* the first `count` are in progress */
	struct pollfd *polls;      /* used by the thread only; [0] is `wake` */
};

static bool is_poll(const struct job *j)
{
	return j->n.what == DV_NET_POLL_IN || j->n.what == DV_NET_POLL_OUT || j->n.what == DV_NET_POLL_ERR;
}

static bool is_msg(const struct job *j)
{
	return j->n.what == DV_NET_RECVMSG || j->n.what == DV_NET_SENDMSG;
}

static ssize_t transfer_msg(struct job *j)
{
	struct msghdr *msg = (struct msghdr *)(uintptr_t)j->n.addr;

	return j->n.what == DV_NET_RECVMSG ? recvmsg(j->n.fd, msg, j->n.flags | MSG_DONTWAIT | MSG_NOSIGNAL) :
					     sendmsg(j->n.fd, msg, j->n.flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Transfers what it can without blocking. True if the job has ended, with *res. */
static bool transfer(struct job *j, int *res)
{
	char *at = (char *)(uintptr_t)j->n.addr + j->done;
	size_t left = j->n.len - j->done;
	ssize_t n;

	do {
		n = is_msg(j) ? transfer_msg(j) :
		    j->n.what == DV_NET_RECV ? recv(j->n.fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL) :
					       send(j->n.fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN && !(j->n.flags & MSG_DONTWAIT))
		return false;
	if (n < 0 && !j->done) {
		*res = -errno;
		return true;
	}
	if (n > 0)
		j->done += n;
	*res = j->done;
	return n <= 0 || j->done == j->n.len || !(j->n.flags & MSG_WAITALL);
}

/* True if the job has ended. As with io_uring, bytes already transferred take precedence over the reason it ends. */
static bool advance(struct job *j, short revents, int64_t now, int *res)
{
	if (revents && !j->canceled) {
		*res = revents;
		return is_poll(j) || transfer(j, res);
	}
	*res = j->done ? (int)j->done : -ECANCELED;
	return j->canceled || (j->end && now >= j->end);
}

static short events_of(enum dv_net_what what)
{
	if (what == DV_NET_RECV || what == DV_NET_RECVMSG || what == DV_NET_POLL_IN)
		return POLLIN | POLLRDHUP;
	return what == DV_NET_POLL_ERR ? 0 : POLLOUT; /* errors are always reported */
}

/* Fills polls. Called with the lock held. Returns the earliest deadline, 0 if none. */
static int64_t fill_polls(struct dv_poolnet *net)
{
	int64_t first = 0;

	net->polls[0] = (struct pollfd){ .fd = net->wake, .events = POLLIN };
	for (unsigned int i = 0; i < net->count; i++) {
		const struct job *j = &net->jobs[i];

		net->polls[i + 1] = (struct pollfd){ .fd = j->n.fd, .events = events_of(j->n.what) };
		if (j->end && (!first || j->end < first))
			first = j->end;
	}
	return first;
}

static void wait_any(struct dv_poolnet *net, unsigned int count, int64_t end)
{
	int64_t left = end ? end - dv_now_ns() : 0;
	struct timespec ts;
	uint64_t n;

	if (left < 0)
		left = 0;
	ts.tv_sec = left / 1000000000;
	ts.tv_nsec = left % 1000000000;
	if (ppoll(net->polls, count + 1, end ? &ts : NULL, NULL) < 0)
		for (unsigned int i = 0; i <= count; i++)
			net->polls[i].revents = 0;
	if (net->polls[0].revents && read(net->wake, &n, sizeof(n)) < 0)
		return; /* spurious wakeup: nothing to drain */
}

static void *worker(void *arg)
{
	struct dv_poolnet *net = arg;

	pthread_mutex_lock(&net->lock);
	while (!net->stop) {
		unsigned int count = net->count, kept = 0;
		int64_t end = fill_polls(net), now;

		pthread_mutex_unlock(&net->lock);
		wait_any(net, count, end);
		now = dv_now_ns();
		pthread_mutex_lock(&net->lock);
		/* Jobs queued in the meantime follow the polled ones. */
		for (unsigned int i = 0; i < net->count; i++) {
			struct job *j = &net->jobs[i];
			int res;

			if (advance(j, i < count ? net->polls[i + 1].revents : 0, now, &res))
				net->result(net->arg, j->user_data, res);
			else
				net->jobs[kept++] = *j;
		}
		net->count = kept;
	}
	pthread_mutex_unlock(&net->lock);
	return NULL;
}

int dv_poolnet_open(unsigned int entries, void (*result)(void *arg, void *user_data, int res), void *arg,
		    struct dv_poolnet **out)
{
	struct dv_poolnet *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->result = result;
	net->arg = arg;
	net->size = entries;
	net->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	net->jobs = calloc(entries, sizeof(*net->jobs));
	net->polls = calloc(entries + 1, sizeof(*net->polls));
	pthread_mutex_init(&net->lock, NULL);
	if (net->wake < 0 || !net->jobs || !net->polls) {
		dv_poolnet_forget(net);
		return -ENOMEM;
	}
	*out = net;
	return 0;
}

void dv_poolnet_forget(struct dv_poolnet *net)
{
	if (net->wake >= 0)
		close(net->wake);
	free(net->jobs);
	free(net->polls);
	free(net);
}

static void wake(struct dv_poolnet *net)
{
	uint64_t one = 1;

	if (write(net->wake, &one, sizeof(one)) < 0)
		return; /* counter full: a wakeup is already pending */
}

void dv_poolnet_close(struct dv_poolnet *net)
{
	pthread_mutex_lock(&net->lock);
	net->stop = true;
	pthread_mutex_unlock(&net->lock);
	wake(net);
	if (net->started)
		pthread_join(net->thread, NULL);
	pthread_mutex_destroy(&net->lock);
	dv_poolnet_forget(net);
}

/* Signals are blocked in the thread: they go to the application's threads. */
static int start(struct dv_poolnet *net)
{
	sigset_t all, old;
	int rc;

	if (net->started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&net->thread, NULL, worker, net);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	net->started = !rc;
	return -rc;
}

int dv_poolnet_queue(struct dv_poolnet *net, const struct dv_net *n, void *user_data)
{
	struct job j = { .n = *n, .user_data = user_data };
	int res, rc = -EAGAIN;

	if (n->flags & MSG_DONTWAIT) {
		(void)transfer(&j, &res);
		net->result(net->arg, user_data, res);
		return 0;
	}
	if (n->timeout)
		j.end = dv_end_ns(n->timeout->tv_sec * 1000000000LL + n->timeout->tv_nsec);
	pthread_mutex_lock(&net->lock);
	res = start(net);
	if (!res && net->count < net->size) {
		net->jobs[net->count++] = j;
		rc = 0;
	}
	pthread_mutex_unlock(&net->lock);
	if (res) {
		/* The thread cannot be created: fail the operation. */
		net->result(net->arg, user_data, res == -EAGAIN ? -ENOMEM : res);
		return 0;
	}
	wake(net);
	return rc;
}

void dv_poolnet_cancel(struct dv_poolnet *net, void *user_data)
{
	pthread_mutex_lock(&net->lock);
	for (unsigned int i = 0; i < net->count; i++)
		if (net->jobs[i].user_data == user_data)
			net->jobs[i].canceled = true;
	pthread_mutex_unlock(&net->lock);
	wake(net);
}
