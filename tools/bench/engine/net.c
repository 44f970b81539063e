/* SPDX-License-Identifier: MIT */
/*
 * Engine net: the library's ring over a TCP connection, into and out of the
 * memory that mem= names. As fio's engine of that name: one side listens, one
 * connects, reads receive and writes send the bytes and nothing else; clone n
 * takes the port n after the first.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench/run.h"

#define LOOK_NS 100000000           /* as long as a wait does not look whether it shall end */
#define COME_NS 30000000000ull      /* the other side has so long to be there */
#define IDLE_NS 60000000000ull      /* a peer that takes nothing for so long is gone */

struct state {
	struct devio_ring *ring;
	struct devio_mem *mem;
	struct devio_sock *sock;
	bool halted;
};

static struct devio_sock_opts options(const struct bench_job *job)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	o.path = (int)job->path;
	o.connect_ns = LOOK_NS;
	o.idle_ns = job->rw & RW_WRITE ? IDLE_NS : 0;
	o.flags = job->direct_only ? DEVIO_SOCK_DIRECT_ONLY : 0;
	if (job->protocol)
		o.flags |= job->protocol == 4 ? DEVIO_SOCK_IPV4 : DEVIO_SOCK_IPV6;
	return o;
}

/* The other side may come later than this one. */
static bool again(struct bench_thread *t, int rc, uint64_t since)
{
	struct timespec nap = { 0, LOOK_NS / 2 };

	if ((rc != -ETIMEDOUT && rc != -ECONNREFUSED) || bench_stop ||
	    __atomic_load_n(&t->run->abort, __ATOMIC_RELAXED) || bench_now() - since > COME_NS)
		return false;
	if (rc == -ECONNREFUSED)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	return true;
}

static int meet(struct bench_thread *t, struct state *s, const char *port)
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

/* A path that was asked for and cannot be had is told before anything runs. */
static int ask_path(struct bench_thread *t, struct state *s, struct bench_err *err)
{
	struct devio_completion verdict = { 0 };
	char text[400];
	int rc;

	if (!t->job->path && !t->job->direct_only)
		return 0;
	rc = devio_sock_explain(s->sock, s->mem, 0, t->job->bs_max, t->job->rw & RW_WRITE, &verdict, NULL, 0);
	if (rc != -EOPNOTSUPP)
		return 0;
	verdict.result = rc;
	devio_completion_text(&verdict, text, sizeof(text));
	return bench_fail(err, BENCH_NO_PATH, "%s: %s: %s", t->job->name, t->files[0].name, text);
}

static int net_open(struct bench_thread *t, struct bench_err *err)
{
	struct state *s = calloc(1, sizeof(*s));
	char port[16];

	if (!s)
		return bench_fail(err, BENCH_FAILED, "no memory");
	t->eng = s;
	snprintf(port, sizeof(port), "%u", (unsigned int)(t->job->port + t->clone));
	if (bench_ring_open(t, &s->ring, err) || bench_mem_alloc(t, &s->mem, err))
		return -1;
	if (meet(t, s, port))
		return bench_fail(err, BENCH_FAILED, "%s: %s: %s", t->job->name, t->files[0].name, devio_errmsg());
	return ask_path(t, s, err);
}

static void net_close(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (!s)
		return;
	devio_sock_close(s->sock);
	devio_ring_close(s->ring);
	devio_mem_free(s->mem);
	free(s);
	t->eng = NULL;
}

static int net_queue(struct bench_thread *t, struct bench_io *io)
{
	struct state *s = t->eng;

	if (io->dir == DIR_READ)
		return devio_ring_recv(s->ring, s->sock, s->mem, io->mem_off, io->len, (uintptr_t)io);
	return devio_ring_send(s->ring, s->sock, s->mem, io->mem_off, io->len, (uintptr_t)io);
}

static int net_submit(struct bench_thread *t)
{
	int rc = devio_ring_submit(((struct state *)t->eng)->ring);

	return rc < 0 ? rc : 0;
}

static int net_reap(struct bench_thread *t, unsigned int min, unsigned int max, int64_t timeout_ns)
{
	if (timeout_ns < 0 || timeout_ns > LOOK_NS)
		timeout_ns = LOOK_NS;
	return devio_ring_wait(((struct state *)t->eng)->ring, t->done, min, max, timeout_ns);
}

/* The time is over: what is to be received may never come. Sends go through, unless the user wants out. */
static void net_halt(struct bench_thread *t)
{
	struct state *s = t->eng;

	if (s->halted || (t->job->rw & RW_WRITE && !bench_stop))
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

static int net_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len)
{
	return devio_mem_copy_in(((struct state *)t->eng)->mem, mem_off, src, len);
}

static int net_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len)
{
	return devio_mem_copy_out(((struct state *)t->eng)->mem, mem_off, dst, len);
}

const struct bench_engine bench_net = {
	.name = "net", .net = true, .open = net_open, .close = net_close, .queue = net_queue, .submit = net_submit,
	.reap = net_reap, .halt = net_halt, .flush = net_flush, .put = net_put, .get = net_get,
};
