/* SPDX-License-Identifier: MIT */
/* devio-nicd: accepts clients and starts a process for each, until a signal. */
#include "config.h"
#include <errno.h>
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

#define END_S 40 /* restoring an interface waits for its link */

static unsigned int children_of(const struct nicd *d, uid_t uid, bool all)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NICD_CLIENTS; i++)
		n += d->child[i].pid && (all || (d->child[i].uid == uid && !d->child[i].restores));
	return n;
}

static struct nicd_child *free_child(struct nicd *d)
{
	for (unsigned int i = 0; i < NICD_CLIENTS; i++)
		if (!d->child[i].pid)
			return &d->child[i];
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

/* Starts a process that ends with this one: for the client of fd or, if that is < 0, to restore. 0 or -1. */
static int begin(struct nicd *d, int fd, uid_t uid)
{
	struct nicd_child *c = free_child(d);
	pid_t me = getpid(), pid = c ? fork() : -1;

	if (pid < 0)
		return -1;
	if (!pid) {
		close(d->listener);
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != me)
			_exit(1);
		if (fd < 0)
			nicd_restore(d);
		else
			nicd_client(d, fd);
		_exit(0);
	}
	*c = (struct nicd_child){ .pid = pid, .uid = uid, .restores = fd < 0 };
	return 0;
}

/* Processes that ended; what a killed one left changed is restored by another. */
static void reap(struct nicd *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool bad = !WIFEXITED(status) || WEXITSTATUS(status);

		for (unsigned int i = 0; i < NICD_CLIENTS; i++) {
			struct nicd_child *c = &d->child[i];

			if (c->pid != pid)
				continue;
			c->pid = 0;
			tool_info("process %d of user %u ended%s", (int)pid, (unsigned int)c->uid,
				  bad ? " abnormally" : "");
			if (bad && !c->restores && !tool_stop)
				(void)begin(d, -1, 0);
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

/* No user gets more than half of the clients: the rest is for others. */
static const char *too_many(const struct nicd *d, uid_t uid)
{
	if (children_of(d, 0, true) >= d->clients)
		return "devio-nicd: too many clients (--clients)";
	if (uid && children_of(d, uid, false) >= (d->clients + 1) / 2)
		return "devio-nicd: too many clients of this user: half of --clients is the limit";
	return NULL;
}

static void admit(struct nicd *d, int fd)
{
	struct ucred who = { .pid = 0 };
	socklen_t len = sizeof(who);
	const char *why;
	int err = EBUSY;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) || !is_served(d, who.uid)) {
		err = EACCES;
		why = "devio-nicd: this user is not allowed (--users)";
	} else {
		why = too_many(d, who.uid);
	}
	if (!why && begin(d, fd, who.uid)) {
		err = errno;
		why = "devio-nicd: cannot start a process";
	}
	if (why)
		nicd_answer(fd, DV_NICD_REFUSE, -err, why, NULL);
	tool_info("process %d of user %u %s", (int)who.pid, (unsigned int)who.uid, why ? "rejected" : "connected");
}

/* 0, or -1: none can be accepted for a while. */
static int accept_one(struct nicd *d)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -1;
	admit(d, fd);
	close(fd);
	return 0;
}

/* ---------------------------------------------------------------------------- end */

static void signal_all(const struct nicd *d, int sig)
{
	for (unsigned int i = 0; i < NICD_CLIENTS; i++)
		if (d->child[i].pid)
			(void)kill(d->child[i].pid, sig);
}

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* A process that hangs in a descriptor of its client is killed, and what it left changed is restored. */
static void end_all(struct nicd *d)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int64_t end = now_s() + END_S;

	signal_all(d, SIGTERM);
	for (reap(d); children_of(d, 0, true) && now_s() < end; reap(d))
		(void)ppoll(NULL, 0, &pause, &d->open);
	signal_all(d, SIGKILL);
	for (unsigned int i = 0; i < NICD_CLIENTS; i++)
		if (d->child[i].pid)
			(void)waitpid(d->child[i].pid, NULL, 0);
	nicd_restore(d);
}

int nicd_run(struct nicd *d)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct pollfd p = { .fd = d->listener, .events = POLLIN };
	int rc = 0, paused = 0;

	while (!tool_stop && !rc) {
		int n = tool_poll(&p, !paused, paused ? &pause : NULL, &d->open);

		if (n < 0 && errno != EINTR) {
			tool_msg("poll: %s", strerror(errno));
			rc = -1;
		}
		reap(d);
		paused = n > 0 && accept_one(d);
	}
	close(d->listener);
	end_all(d);
	return rc;
}
