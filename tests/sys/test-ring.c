/* SPDX-License-Identifier: MIT */
/* The ring: many in flight, order, counts, waiting, the pollable descriptor, statistics. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define SIZE (4u << 20)

/* A test runs with io_uring and with threads. */
static unsigned int flags;

static void env_open(struct rig_env *e, int path, unsigned int entries)
{
	rig_env_open(e, "ring", SIZE, 5, flags, path, entries);
}

/* 1024 in flight, each cookie once, whatever the order. */
static void test_many(void **state)
{
	static struct devio_completion c[1024];
	unsigned char seen[1024] = { 0 };
	struct rig_env e;

	(void)state;
	env_open(&e, 0, 1024);
	for (uint64_t i = 0; i < 1024; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 4096, 4096, i * 4096, i));
	must(devio_ring_inflight(e.ring) == 1024, "all are in flight");
	must(devio_ring_submit(e.ring) == 1024, "all are handed over");
	must(devio_ring_submit(e.ring) == 0, "and not twice");
	rig_wait(e.ring, c, 1024);
	for (int i = 0; i < 1024; i++) {
		must(c[i].cookie < 1024 && !seen[c[i].cookie], "cookie %llu once", (unsigned long long)c[i].cookie);
		must(c[i].result == 4096 && c[i].good == 4096, "%lld bytes", (long long)c[i].result);
		must(!c[i].frags && !c[i].resv0 && !c[i].resv[0] && !c[i].resv[1], "resv is zero");
		seen[c[i].cookie] = 1;
	}
	must(!devio_ring_inflight(e.ring), "none is left");
	rig_check(e.mem, 0, SIZE, 5, 0);
	rig_env_close(&e);
}

/* min and max: what is over stays for the next call. */
static void test_min_max(void **state)
{
	struct devio_completion c[64];
	struct rig_env e;
	int n, total = 0;

	(void)state;
	env_open(&e, 0, 64);
	must(devio_ring_wait(e.ring, c, 5, 64, -1) == 0, "nothing is in flight: no waiting for ever");
	must(devio_ring_peek(e.ring, c, 64) == 0, "nothing to see");
	for (uint64_t i = 0; i < 64; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 4096, 4096, i * 4096, i));
	must(devio_ring_wait(e.ring, NULL, 0, 0, 0) == 0, "takes none");
	n = devio_ring_wait(e.ring, c, 3, 3, -1);
	must(n == 3, "three: %d", n);
	must(devio_ring_inflight(e.ring) == 61, "61 are left: %u", devio_ring_inflight(e.ring));
	n = devio_ring_wait(e.ring, c, 1000, 64, -1);
	must(n == 61, "of what is in flight: %d", n);
	for (uint64_t i = 0; i < 64; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 4096, 4096, i * 4096, i));
	while (total < 64) {
		n = devio_ring_peek(e.ring, c, 7);
		must(n >= 0 && n <= 7, "peek: %d", n);
		total += n;
	}
	rig_env_close(&e);
}

/* Operations end in the order in which a ring of one entry takes them. */
static void test_one_entry(void **state)
{
	static const int paths[] = { 0, DEVIO_PATH_FILE_BOUNCE, DEVIO_PATH_FILE_BUFFERED };
	struct devio_completion c;
	struct rig_env e;

	(void)state;
	for (int p = 0; p < 3; p++) {
		env_open(&e, paths[p], 1);
		if (p == 1 && !rig_direct(e.file)) {
			rig_env_close(&e);
			continue;
		}
		for (uint64_t i = 0; i < 20; i++) {
			must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 77777, 77777, i * 77777, i));
			must(devio_ring_read(e.ring, e.file, e.mem, 0, 1, 0, 99) == -EAGAIN, "full");
			rig_wait(e.ring, &c, 1);
			must(c.cookie == i && c.result == 77777, "%lld", (long long)c.result);
		}
		rig_check(e.mem, 0, 20 * 77777, 5, 0);
		rig_env_close(&e);
	}
}

static void test_timeouts(void **state)
{
	static const int64_t ns[] = { 0, 1000000, 20000000, 100000000 };
	struct devio_completion c;
	struct rig_env e;

	(void)state;
	env_open(&e, 0, 8);
	/* Nothing in flight: returns at once, whatever the timeout. */
	for (int i = 0; i < 4; i++) {
		uint64_t t = rig_ns();

		must(devio_ring_wait(e.ring, &c, 1, 1, ns[i]) == 0, "nothing comes");
		must(rig_ns() - t < 50000000, "and nothing is waited for");
	}
	must_zero(devio_ring_read(e.ring, e.file, e.mem, 0, 4096, 0, 1));
	must(devio_ring_wait(e.ring, &c, 1, 1, INT64_MAX) == 1, "as good as for ever");
	must_zero(devio_ring_read(e.ring, e.file, e.mem, 0, 4096, 0, 1));
	must(devio_ring_wait(e.ring, &c, 1, 1, INT64_MIN) == 1, "for ever");
	rig_env_close(&e);
}

/*
 * Is the ring's descriptor readable within ms? An io_uring that was closed
 * before still has the kernel interrupt its thread once.
 */
static int readable(int epoll, int ms)
{
	struct epoll_event ev;
	int rc;

	do {
		rc = epoll_wait(epoll, &ev, 1, ms);
	} while (rc < 0 && errno == EINTR);
	return rc == 1;
}

static void poll_until(struct rig_env *e, int epoll, unsigned int want)
{
	struct devio_completion c[4];
	unsigned int n = 0;

	while (n < want) {
		int rc;

		must(readable(epoll, 5000), "the descriptor wakes: %u of %u", n, want);
		do {
			rc = devio_ring_peek(e->ring, c, 4);
			must(rc >= 0, "peek: %d", rc);
			n += rc;
		} while (rc);
	}
}

static void test_fd(void **state)
{
	static const int paths[] = { 0, DEVIO_PATH_FILE_BOUNCE, DEVIO_PATH_FILE_BUFFERED };
	struct epoll_event ev = { .events = EPOLLIN };
	struct rig_env e;

	(void)state;
	for (int p = 0; p < 3; p++) {
		int epoll = epoll_create1(EPOLL_CLOEXEC), fd;

		env_open(&e, paths[p], 32);
		if (p == 1 && !rig_direct(e.file)) {
			rig_env_close(&e);
			continue;
		}
		fd = devio_ring_fd(e.ring);
		must(fd >= 0 && devio_ring_fd(e.ring) == fd, "one descriptor");
		must_zero(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev));
		for (int round = 0; round < 5; round++) {
			for (uint64_t i = 0; i < 32; i++)
				must_zero(devio_ring_read(e.ring, e.file, e.mem, i << 16, 65000, i << 16, i));
			must(devio_ring_submit(e.ring) > 0, "submit");
			poll_until(&e, epoll, 32);
		}
		close(epoll);
		rig_env_close(&e);
	}
}

/* The descriptor may be opened after the operations have completed. */
static void test_late_fd(void **state)
{
	struct devio_completion c[4];
	struct pollfd p = { .events = POLLIN };
	struct rig_env e;

	(void)state;
	env_open(&e, 0, 4);
	for (uint64_t i = 0; i < 4; i++)
		must_zero(devio_ring_read(e.ring, e.file, e.mem, i * 4096, 4096, i * 4096, i));
	must(devio_ring_submit(e.ring) == 4, "submit");
	usleep(50000);
	p.fd = devio_ring_fd(e.ring);
	must(p.fd >= 0 && poll(&p, 1, 5000) == 1, "what is done already makes it readable");
	rig_wait(e.ring, c, 4);
	rig_env_close(&e);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal ends a wait with -EINTR and loses nothing; synchronous calls go on. */
static void test_signals(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { { 0, 0 }, { 0, 0 } };
	struct devio_completion c[64];
	struct rig_env e;

	(void)state;
	env_open(&e, 0, 64);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int round = 0; round < 30; round++) {
		rig_cache(e.name, 0);
		for (uint64_t i = 0; i < 64; i++)
			must_zero(devio_ring_read(e.ring, e.file, e.mem, i << 16, 65536, i << 16, i));
		for (int n = 0, rc; n < 64; n += rc > 0 ? rc : 0) {
			rc = devio_ring_wait(e.ring, c, 64, 64, -1);
			must(rc > 0 || rc == -EINTR, "wait: %d %s", rc, devio_errmsg());
		}
		must(devio_file_read(e.file, e.mem, 1, SIZE - 7, 5, NULL) == SIZE - 7, "sync: %s", devio_errmsg());
	}
	setitimer(ITIMER_REAL, &never, NULL);
	rig_check(e.mem, 1, SIZE - 7, 5, 5);
	rig_env_close(&e);
}

/* Staging of one slot, 64 operations through it. */
static void test_staging_exhausted(void **state)
{
	struct devio_completion c[64];
	struct devio_stat s = DEVIO_OPTS(s);
	struct devio_ring *r;
	struct rig_env e;

	(void)state;
	env_open(&e, DEVIO_PATH_FILE_BOUNCE, 1);
	if (!rig_direct(e.file)) {
		rig_env_close(&e);
		must_skip("no O_DIRECT in this directory");
	}
	r = rig_ring(e.ctx, 64, 65536, 65536);
	for (uint64_t i = 0; i < 64; i++)
		must_zero(devio_ring_read(r, e.file, e.mem, i << 16, 65536, i << 16, i));
	rig_wait(r, c, 64);
	for (int i = 0; i < 64; i++)
		must(c[i].result == 65536 && c[i].path == DEVIO_PATH_FILE_BOUNCE, "%lld", (long long)c[i].result);
	rig_check(e.mem, 0, SIZE, 5, 0);
	for (uint64_t i = 0; i < 64; i++)
		must_zero(devio_ring_write(r, e.file, e.mem, i << 16, 65536, (63 - i) << 16, i));
	rig_wait(r, c, 64);
	for (uint64_t i = 0; i < 64; i++)
		must_zero(devio_ring_read(r, e.file, e.mem, i << 16, 65536, (63 - i) << 16, i));
	rig_wait(r, c, 64);
	rig_check(e.mem, 0, SIZE, 5, 0);
	must_zero(devio_stat_get(e.ctx, &s));
	must(s.staging_peak == 65536, "never more than one slot: %llu", (unsigned long long)s.staging_peak);
	devio_ring_close(r);
	rig_env_close(&e);
}

static int with_threads(void **state)
{
	(void)state;
	flags = DEVIO_CTX_NO_URING;
	return 0;
}

static int with_uring(void **state)
{
	(void)state;
	flags = 0;
	return 0;
}

#define BOTH(f) { #f, f, with_uring, NULL, NULL }, { #f " threads", f, with_threads, NULL, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_many), BOTH(test_min_max), BOTH(test_one_entry), BOTH(test_timeouts), BOTH(test_fd),
		BOTH(test_late_fd), BOTH(test_signals), BOTH(test_staging_exhausted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
