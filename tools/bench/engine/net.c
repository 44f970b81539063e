/* SPDX-License-Identifier: MIT */
/*
 * Engine net: the library's ring over a TCP connection, into and out of the
 * memory of mem=. Like the engine of that name in fio: one side listens, one
 * connects, reads receive and writes send, without any protocol; thread n uses
 * the n-th port after the first.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib.h"

#define POLL_NS 100000000           /* the longest wait between checks for the end */
#define CONNECT_NS 30000000000ull   /* the other side has to start within this time */
#define IDLE_NS 60000000000ull      /* a peer that accepts no byte for this long is gone */

struct state {
	struct bench_lib lib;
	struct devio_sock *sock;
	bool halted;
};

static struct devio_sock_opts options(const struct bench_job *job)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	o.path = (int)job->path;
	o.connect_ns = POLL_NS;
	o.idle_ns = job->rw & RW_WRITE ? IDLE_NS : 0;
	o.flags = job->direct_only ? DEVIO_SOCK_DIRECT_ONLY : 0;
	if (job->protocol)
		o.flags |= job->protocol == 4 ? DEVIO_SOCK_IPV4 : DEVIO_SOCK_IPV6;
	return o;
}

/* The other side may start later. */
static bool again(struct bench_thread *t, int rc, uint64_t since)
{
	struct timespec nap = { 0, POLL_NS / 2 };

	if ((rc != -ETIMEDOUT && rc != -ECONNREFUSED) || tool_stop ||
	    __atomic_load_n(&t->run->abort, __ATOMIC_RELAXED) || bench_now() - since > CONNECT_NS)
		return false;
	if (rc == -ECONNREFUSED)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	return true;
}

static int open_connection(struct bench_thread *t, struct state *s, const char *port)
{
	struct devio_sock_opts o = options(t->job);
	struct devio_sock *listener = NULL;
	uint64_t since = bench_now();
	int rc = 0;

	if (t->job->listen)
		rc = devio_sock_listen(t->run->ctx, t->job->hostname, port, &o, &listener);
	if (rc)
		return rc;
	do
		rc = listener ? devio_sock_accept(listener, &s->sock) :
		     devio_sock_connect(t->run->ctx, t->job->hostname, port, &o, &s->sock);
	while (rc && again(t, rc, since));
	devio_sock_close(listener);
	return rc;
}

/* A path that cannot be used is reported before anything runs. */
static int check_path(struct bench_thread *t, struct state *s, struct bench_err *err)
{
	struct devio_completion verdict = { 0 };
	int rc;

	if (!t->job->path && !t->job->direct_only)
		return 0;
	rc = devio_sock_explain(s->sock, s->lib.mem, 0, t->job->bs_max, t->job->rw & RW_WRITE, &verdict, NULL, 0);
	return bench_lib_check_path(t, 0, rc, &verdict, err);
}

static int net_open(struct bench_thread *t, struct bench_err *err)
{
	struct state *s = calloc(1, sizeof(*s));
	char port[16];

	if (!s)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	t->eng = s;
	snprintf(port, sizeof(port), "%u", (unsigned int)(t->job->port + t->clone));
	if (bench_lib_open(t, &s->lib, err))
		return -1;
	if (open_connection(t, s, port))
		return bench_fail(err, TOOL_FAILED, "%s: %s: %s", t->job->name, t->files[0].name, devio_errmsg());
	return check_path(t, s, err);
}

static void net_close(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (!s)
		return;
	devio_sock_close(s->sock);
	bench_lib_close(&s->lib);
	free(s);
	t->eng = NULL;
}

static int net_queue(struct bench_thread *t, struct bench_io *io)
{
	struct state *s = t->eng;

	if (io->dir == DIR_READ)
		return devio_ring_recv(s->lib.ring, s->sock, s->lib.mem, io->mem_off, io->len, (uintptr_t)io);
	return devio_ring_send(s->lib.ring, s->sock, s->lib.mem, io->mem_off, io->len, (uintptr_t)io);
}

static int net_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	if (timeout_ns < 0 || timeout_ns > POLL_NS)
		timeout_ns = POLL_NS;
	return devio_ring_wait(((struct state *)t->eng)->lib.ring, t->done, min, max, timeout_ns);
}

/* The time is over: data to receive may never arrive. Sends are completed, unless a signal ended the run. */
static void net_halt(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (s->halted || (t->job->rw & RW_WRITE && !tool_stop))
		return;
	s->halted = true;
	(void)devio_sock_shutdown(s->sock, t->job->rw & RW_WRITE ? DEVIO_SHUT_SEND : DEVIO_SHUT_RECV);
}

static int net_flush(struct bench_thread *t, unsigned int file)
{
	(void)t;
	(void)file;
	return 0;
}

const struct bench_engine bench_net = {
	.name = "net", .net = true, .open = net_open, .close = net_close, .queue = net_queue,
	.submit = bench_lib_submit, .reap = net_reap, .halt = net_halt, .flush = net_flush,
	.put = bench_lib_put, .get = bench_lib_get,
};
