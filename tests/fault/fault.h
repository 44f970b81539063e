/* SPDX-License-Identifier: MIT */
/* What the drivers share: calls have the right result or a clean error, and nothing is left behind. */
#ifndef FAULT_H
#define FAULT_H

#include <devio.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wrong, errors, threads;

static void complain(const char *what, long rc)
{
	fprintf(stderr, "wrong: %s: %ld: %s\n", what, rc, devio_errmsg());
	wrong = 1;
}

/* glibc keeps a little for the stacks of threads, which it keeps. */
static void on_log(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	threads |= strstr(text, "threads") != NULL;
}

/* 1: it worked, 0: a clean error. */
static int fine(const char *what, long rc, long good)
{
	if (rc == good)
		return 1;
	errors++;
	if (rc >= 0 || rc < -4095 || (rc != -EINTR && !devio_errmsg()[0]))
		complain(what, rc);
	return 0;
}

/* Not by fcntl(), which may be the call that fails. */
static int fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 100; fd++) {
		int d = dup(fd);

		n += d >= 0;
		if (d >= 0)
			close(d);
	}
	return n;
}

static size_t heap(void)
{
	struct mallinfo2 i = mallinfo2();

	return i.uordblks + i.hblkhd;
}

static int open_ctx(unsigned int flags, struct devio_ctx **ctx)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);

	o.flags = flags;
	o.log = on_log;
	o.log_level = DEVIO_LOG_DEBUG;
	return fine("ctx_open", devio_ctx_open(&o, ctx), 0);
}

/* Calls all() between the marks of run-faults.sh. Returns the exit status. */
static int run_all(void (*all)(void))
{
	struct devio_ctx *first;
	int before, after;
	size_t bytes;

	/* The first context watches forks from now on: glibc keeps a list of those who do. */
	if (devio_ctx_open(NULL, &first))
		return 2;
	devio_ctx_close(first);
	before = fds();
	bytes = heap();
	syscall(SYS_getppid); /* run-faults.sh counts from here ... */
	all();
	syscall(SYS_getppid); /* ... to here */
	after = fds();
	if (before != after)
		complain("descriptors are left behind", after - before);
	if (heap() > bytes + (threads ? 6000 : 0))
		complain("memory is left behind", heap() - bytes);
	printf("%s, %d errors\n", wrong ? "wrong" : "right", errors);
	return wrong;
}

#endif
