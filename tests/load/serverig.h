/* SPDX-License-Identifier: MIT */
/* A devio-serve of the test's own, over the current directory. */
#ifndef SERVERIG_H
#define SERVERIG_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "../sockrig.h"
#include "files.h"
#include "load/wire.h"

struct server {
	pid_t pid;
	unsigned int port;
};

/* Starts it at this port (0: any) with these options, up to a NULL, and waits until it listens. */
static RIG_UNUSED struct server server_start(unsigned int port, const char *const *options)
{
	const char *build = getenv("DEVIO_BUILD"), *args[16] = { "devio-serve" };
	struct server s = { .port = 0 };
	char program[4096], text[4096] = "", *at;
	int err[2], n = 1;

	for (; options && *options; options++)
		args[n++] = *options;
	args[n++] = ".";
	args[n++] = port_text(port);
	snprintf(program, sizeof(program), "%s/tools/devio-serve", build ? build : ".");
	must(!pipe2(err, O_CLOEXEC), "a pipe");
	s.pid = fork();
	must(s.pid >= 0, "fork");
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
		dup2(err[1], 2);
		execv(program, (char *const *)args);
		_exit(127);
	}
	close(err[1]);
	for (size_t have = 0; !strstr(text, " port ") || !strchr(strstr(text, " port "), '\n');) {
		ssize_t k = read(err[0], text + have, sizeof(text) - 1 - have);

		must(k > 0, "devio-serve begins: %s", text);
		have += k;
	}
	at = strstr(text, " port ");
	s.port = atoi(at + 6);
	/* Its stderr stays open: it must not get SIGPIPE for what it says later. */
	return s;
}

/* Ends it by the signal; returns its wait(2) status. */
static RIG_UNUSED int server_stop(struct server *s, int sig)
{
	int status = -1;

	must(!kill(s->pid, sig) && waitpid(s->pid, &status, 0) == s->pid, "the end of devio-serve");
	s->pid = 0;
	return status;
}

static RIG_UNUSED const char *server_url(unsigned int port, const char *name)
{
	static char urls[512][160];
	static unsigned int next;
	char *u = urls[next++ % 512];

	snprintf(u, sizeof(urls[0]), "tcp://127.0.0.1:%u/%.120s", port, name);
	return u;
}

#endif
