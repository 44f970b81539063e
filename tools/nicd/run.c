/* SPDX-License-Identifier: MIT */
/* devio-nicd: accepts clients and starts a process for each, until a signal. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "nicd.h"

#define END_S 40       /* restoring an interface waits for its link */
#define RECEIVER_S 3   /* of a receiver that has no worker */
#define REPORT_MS 2000 /* a receiver reports at once; it is killed if it does not */

/* What a receiver reports to the main process before it takes anything from its client. */
struct report {
	pid_t pid;             /* of the client */
	uid_t uid;
	int refused;           /* 0, or the errno of the refusal */
};

#define EACH_CHILD(d, c) \
	for (struct nicd_child *c = (d)->child; c < (d)->child + NICD_CLIENTS + NICD_REFUSALS; c++)

static bool is_used(const struct nicd_child *c)
{
	return c->worker || c->receiver;
}

static unsigned int count(struct nicd *d, bool refused)
{
	unsigned int n = 0;

	EACH_CHILD(d, c)
		n += is_used(c) && c->refused == refused;
	return n;
}

static unsigned int clients_of(struct nicd *d, uid_t uid)
{
	unsigned int n = 0;

	EACH_CHILD(d, c)
		n += is_used(c) && c->uid == uid && !c->restores && !c->refused;
	return n;
}

static struct nicd_child *free_child(struct nicd *d)
{
	EACH_CHILD(d, c)
		if (!is_used(c))
			return c;
	return NULL;
}

void nicd_restore(const struct nicd *d)
{
	struct devio_ctx *ctx;

	if (devio_ctx_open(NULL, &ctx)) {
		tool_msg("%s", devio_errmsg());
		return;
	}
	for (unsigned int i = 0; i < d->nr_ifnames; i++) {
		int n = devio_nic_restore(ctx, d->ifname[i]);

		if (n < 0)
			tool_msg("%s", devio_errmsg());
		else if (n)
			tool_msg("%s restored: a killed process had left it changed", d->ifname[i]);
	}
	devio_ctx_close(ctx);
}

/* fork() of a process that ends with this one; it has no more of it than it needs. */
static pid_t begin(const struct nicd *d, bool listens, int sig)
{
	pid_t me = getpid(), pid = fork();

	if (pid)
		return pid;
	if (!listens)
		close(d->listener);
	(void)prctl(PR_SET_PDEATHSIG, sig);
	if (getppid() != me)
		_exit(1);
	return 0;
}

static void begin_restore(struct nicd *d)
{
	struct nicd_child *c = free_child(d);
	pid_t pid = c ? begin(d, false, SIGTERM) : -1;

	if (!pid) {
		nicd_restore(d);
		_exit(0);
	}
	if (pid > 0)
		*c = (struct nicd_child){ .worker = pid, .restores = true };
}

static void ended(struct nicd *d, struct nicd_child *c, pid_t pid, bool bad)
{
	bool worker = c->worker == pid, client = !c->refused && !c->restores;

	if (worker)
		c->worker = 0;
	else
		c->receiver = 0;
	/* It passes on the last answer, if it does not hang. */
	if (worker && c->receiver)
		c->kill_at = tool_now() + RECEIVER_S;
	if (worker || c->refused)
		tool_info("process %d of user %u ended%s", (int)pid, (unsigned int)c->uid, bad ? " abnormally" : "");
	if (bad && worker && client && !tool_stop)
		begin_restore(d);
}

/* Kills receivers that are late. True: there are others that have not long to live. */
static bool kill_late(struct nicd *d)
{
	bool more = false;

	EACH_CHILD(d, c) {
		if (!c->receiver || c->kill_at <= 0)
			continue;
		if (tool_now() < c->kill_at) {
			more = true;
			continue;
		}
		(void)kill(c->receiver, SIGKILL);
		c->kill_at = 0;
	}
	return more;
}

/* Processes that ended; what a killed one left changed is restored by another. */
static void reap(struct nicd *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool bad = !WIFEXITED(status) || WEXITSTATUS(status);

		EACH_CHILD(d, c)
			if (c->worker == pid || c->receiver == pid) {
				ended(d, c, pid, bad);
				break;
			}
	}
}

/* ------------------------------------------------------------------------ clients */

static bool is_served(const struct nicd *d, uid_t uid)
{
	for (unsigned int i = 0; i < d->nr_users; i++)
		if (d->user[i] == uid)
			return true;
	return !d->nr_users;
}

/* No user gets more than half of the clients: the rest is for others. NULL: admitted. */
static const char *refusal(struct nicd *d, uid_t uid, int *err)
{
	*err = EACCES;
	if (!is_served(d, uid))
		return "devio-nicd: this user is not allowed (--users)";
	*err = EBUSY;
	if (count(d, false) >= d->clients)
		return "devio-nicd: too many clients (--clients)";
	if (uid && clients_of(d, uid) >= (d->clients + 1) / 2)
		return "devio-nicd: too many clients of this user: half of --clients is the limit";
	*err = EAGAIN;
	if (uid && !nicd_rate_admits(d, uid))
		return "devio-nicd: too many connections of this user in a minute (--rate): retry later";
	*err = 0;
	return NULL;
}

/* The receiver: accepts a connection and reports it. It never returns. */
static void receive_one(struct nicd *d, int report, int worker)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who = { .pid = 0 };
	socklen_t len = sizeof(who);
	struct report r = { .refused = EACCES };
	const char *why = "devio-nicd: this user is not allowed (--users)";

	close(d->listener);
	if (fd < 0)
		_exit(0);
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		why = refusal(d, who.uid, &r.refused);
	r.pid = who.pid;
	r.uid = who.uid;
	if (write(report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(1);
	close(report);
	if (nicd_drop_all() || nicd_seccomp_receiver())
		_exit(1);
	if (why)
		nicd_answer(fd, DV_NICD_REFUSE, -r.refused, why, NULL);
	else
		nicd_receiver(d, fd, worker);
	_exit(0);
}

/* False: it accepted no connection. */
static bool read_report(int fd, struct report *r)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, REPORT_MS) > 0 && read(fd, r, sizeof(*r)) == (ssize_t)sizeof(*r);
}

static void begin_worker(struct nicd *d, struct nicd_child *c, const int pair[2])
{
	pid_t pid = begin(d, false, SIGTERM);

	if (!pid) {
		close(pair[0]);         /* else the end of the receiver is not seen */
		nicd_client(d, pair[1]);
		_exit(0);
	}
	c->worker = pid > 0 ? pid : 0;
}

/* Starts the processes for the next connection. 0, or -1: none can be started for a while. */
static int admit(struct nicd *d, struct nicd_child *c, const int report[2], const int pair[2])
{
	struct report r = { .pid = 0 };
	pid_t pid = begin(d, true, SIGKILL);

	if (pid < 0)
		return -1;
	if (!pid) {
		close(pair[1]);
		receive_one(d, report[1], pair[0]);
	}
	close(report[1]);
	*c = (struct nicd_child){ .receiver = pid, .refused = true, .kill_at = tool_now() + RECEIVER_S };
	if (!read_report(report[0], &r)) {
		(void)kill(pid, SIGKILL);
		return 0;
	}
	c->uid = r.uid;
	c->refused = r.refused;
	if (!r.refused)
		nicd_rate_count(d, r.uid);
	tool_info("process %d of user %u %s", (int)r.pid, (unsigned int)r.uid, r.refused ? "rejected" : "connected");
	if (!r.refused) {
		c->kill_at = 0;
		begin_worker(d, c, pair);
	}
	return 0;
}

static int accept_one(struct nicd *d)
{
	struct nicd_child *c = count(d, true) < NICD_REFUSALS ? free_child(d) : NULL;
	int report[2] = { -1, -1 }, pair[2] = { -1, -1 }, rc = -1;

	if (!c || pipe2(report, O_CLOEXEC))
		return -1;
	if (!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		rc = admit(d, c, report, pair);
		/* The receiver sends its connection after it has heard of its worker: these are empty. */
		close(pair[0]);
		close(pair[1]);
	}
	close(report[0]);
	if (rc)
		close(report[1]);
	return rc;
}

/* ---------------------------------------------------------------------------- end */

static void signal_all(struct nicd *d, int workers, int receivers)
{
	EACH_CHILD(d, c) {
		if (c->worker)
			(void)kill(c->worker, workers);
		if (c->receiver)
			(void)kill(c->receiver, receivers);
	}
}

static unsigned int workers(struct nicd *d)
{
	unsigned int n = 0;

	EACH_CHILD(d, c)
		n += c->worker > 0;
	return n;
}

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void wait_workers(struct nicd *d, int seconds)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = now_s() + seconds;

	for (reap(d); workers(d) && now_s() < end; reap(d))
		(void)ppoll(NULL, 0, &pause, &d->open);
}

/* Receivers that hang in a descriptor of their client are not waited for: they have changed nothing. */
static void end_all(struct nicd *d)
{
	signal_all(d, SIGTERM, SIGKILL);
	wait_workers(d, END_S);
	signal_all(d, SIGKILL, SIGKILL);
	wait_workers(d, 2);
	nicd_restore(d);
}

int nicd_run(struct nicd *d)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct pollfd p = { .fd = d->listener, .events = POLLIN };
	bool late = false;
	int rc = 0, paused = 0;

	while (!tool_stop && !rc) {
		int n = tool_poll(&p, !paused, paused || late ? &pause : NULL, &d->open);

		if (n < 0 && errno != EINTR) {
			tool_msg("poll: %s", strerror(errno));
			rc = -1;
		}
		reap(d);
		late = kill_late(d);
		paused = n > 0 && accept_one(d);
	}
	close(d->listener);
	end_all(d);
	return rc;
}
