/* SPDX-License-Identifier: MIT */
/* A devio-nicd of the test's own, and plain connections to it. */
#ifndef NICDRIG_H
#define NICDRIG_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "nic/protocol.h"
#include "test.h"

#define RIG_UNUSED __attribute__((unused))

static void nicd_remove(void)
{
	char path[64];

	snprintf(path, sizeof(path), "nicd-%d", (int)getpid());
	(void)rmdir(path);
}

static RIG_UNUSED const char *nicd_path(void)
{
	static char path[64];

	if (!*path) {
		/* devio-nicd is another user than root, and removes its socket. */
		snprintf(path, sizeof(path), "nicd-%d", (int)getpid());
		(void)mkdir(path, 0700);
		must(!chmod(path, 0777), "a directory");
		snprintf(path, sizeof(path), "nicd-%d/sock", (int)getpid());
		atexit(nicd_remove);
	}
	return path;
}

static RIG_UNUSED double rig_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* A listening socket that devio-nicd is started with, as by a service manager; -1: none. */
static RIG_UNUSED int nicd_listener = -1;

struct nicd_rig {
	pid_t pid;
	int err;                   /* what it says */
	char said[4096];
};

/* Starts it with these options, up to a NULL; true: it listens. */
static RIG_UNUSED bool nicd_start(struct nicd_rig *r, const char *const *options)
{
	const char *build = getenv("DEVIO_BUILD"), *args[16] = { "devio-nicd", "--socket", nicd_path() };
	char program[4096];
	int err[2], n = 3;

	for (; *options; options++)
		args[n++] = *options;
	snprintf(program, sizeof(program), "%s/tools/devio-nicd", build ? build : ".");
	must(!pipe2(err, O_CLOEXEC), "a pipe");
	r->pid = fork();
	must(r->pid >= 0, "fork");
	if (!r->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
		dup2(err[1], 2);
		if (nicd_listener >= 0) {
			char pid[16];

			snprintf(pid, sizeof(pid), "%d", (int)getpid());
			dup2(nicd_listener, 3);
			setenv("LISTEN_PID", pid, 1);
			setenv("LISTEN_FDS", "1", 1);
		}
		execv(program, (char *const *)args);
		_exit(127);
	}
	close(err[1]);
	r->err = err[0];
	memset(r->said, 0, sizeof(r->said));
	for (size_t have = 0; !strstr(r->said, nicd_path()) && have < sizeof(r->said) - 1;) {
		ssize_t k = read(err[0], r->said + have, sizeof(r->said) - 1 - have);

		if (k <= 0)
			return false;
		have += (size_t)k;
	}
	return strstr(r->said, " at ");
}

/* Its wait(2) status. */
static RIG_UNUSED int nicd_stop_by(struct nicd_rig *r, int sig)
{
	int status = -1;

	must((!sig || !kill(r->pid, sig)) && waitpid(r->pid, &status, 0) == r->pid, "the end of devio-nicd");
	close(r->err);
	return status;
}

static RIG_UNUSED int nicd_dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, nicd_path());
	must(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), "a socket");
	must(!connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect: %s", strerror(errno));
	return fd;
}

/* False: the connection has ended. */
static RIG_UNUSED bool nicd_send(int fd, const void *buf, size_t n, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
							 .cmsg_len = CMSG_LEN(nr * sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, nr * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0;
}

/* The next answer; false: the connection has ended. */
static RIG_UNUSED bool nicd_heard(int fd, struct dv_nicd_answer *a)
{
	ssize_t n = recv(fd, a, sizeof(*a), 0);

	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, a, sizeof(*a), 0);
	must(n >= 0 || errno == ECONNRESET, "an answer in time: %s", strerror(errno));
	if (n <= 0)
		return false;
	must(n == sizeof(*a) && a->magic == DV_NICD_MAGIC && a->version == DV_NICD_VERSION, "an answer of %zd bytes",
	     n);
	must(memchr(a->text, '\0', sizeof(a->text)), "its text");
	return true;
}

static RIG_UNUSED unsigned long rig_netns(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	must(fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), "SO_NETNS_COOKIE");
	close(fd);
	return (unsigned long)cookie;
}

static RIG_UNUSED struct dv_nicd_request request_for(const char *ifname)
{
	struct dv_nicd_request q = { .magic = DV_NICD_MAGIC,
				     .version = DV_NICD_VERSION,
				     .op = DV_NICD_OPEN,
				     .queues = 1,
				     .size = 1 << 20,
				     .netns = rig_netns() };

	strncpy(q.ifname, ifname, sizeof(q.ifname) - 1);
	return q;
}

/* A connection of its own, one request, and what comes of it; the connection ends behind it. */
static RIG_UNUSED void must_refuse(const void *buf, size_t n, const int *fds, unsigned int nr, int err,
				   const char *words)
{
	int fd = nicd_dial();
	struct dv_nicd_answer a;

	nicd_send(fd, buf, n, fds, nr);
	must(nicd_heard(fd, &a), "an answer");
	must(a.err == err, "%d, not %d: %s", a.err, err, a.text);
	must(strstr(a.text, words), "'%s' has '%s'", a.text, words);
	must(!nicd_heard(fd, &a), "the end");
	close(fd);
}

static RIG_UNUSED void must_refuse_open(const struct dv_nicd_request *q, int fd, int err, const char *words)
{
	must_refuse(q, sizeof(*q), &fd, 1, err, words);
}

#endif
