/* SPDX-License-Identifier: MIT */
/* Connections that end early: cancelled, closed, with their ring, in a child; and on the application's ring. */
#include <errno.h>
#include <sys/wait.h>
#include <devio/uring.h>
#include "sockrig.h"

#define MIB (1u << 20)

static const unsigned int engines[] = { 0, DEVIO_CTX_NO_URING };

static struct devio_sock *pair_by(struct devio_ctx *ctx, int path, int *fd)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	o.path = path;
	return sock_pair(ctx, &o, fd);
}

/* One of three is cancelled: before its turn it never was, inside its bytes it ends those behind it. */
static void cancel(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct devio_ctx *ctx = rig_ctx(engines[i & 1]);
		struct devio_mem *mem = rig_mem(ctx, MIB);
		struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
		struct devio_completion done[3];
		int fd;
		struct devio_sock *s = pair_by(ctx, i & 2 ? DEVIO_PATH_SOCK_BOUNCE : 0, &fd);

		for (int k = 1; k <= 3; k++)
			must_zero(devio_ring_recv(ring, s, mem, k * 1000, 100, k));
		must_zero(devio_ring_wait(ring, done, 1, 3, 1000000));
		must(devio_ring_cancel(ring, 2) == 1, "the second");
		rig_wait(ring, done, 1);
		must(done[0].cookie == 2 && done[0].result == -ECANCELED && !done[0].good &&
		     done[0].reason == DEVIO_REASON_CANCELED, "cancelled: %lld", (long long)done[0].result);
		plain_write(fd, "0123456789", 10);
		/* Long enough for a thread of a busy machine to receive them. */
		must_zero(devio_ring_wait(ring, done, 1, 3, 300000000));
		must(devio_ring_cancel(ring, 1) == 1, "the first");
		rig_wait(ring, done, 2);
		must(done[0].cookie == 1 && done[0].result == -ECANCELED && done[0].good == 10, "%lld after %llu",
		     (long long)done[0].result, (unsigned long long)done[0].good);
		must(done[1].cookie == 3 && done[1].result == -ECANCELED && done[1].reason == DEVIO_REASON_BROKEN, "%u",
		     done[1].reason);
		plain_write(fd, "abc", 3);
		must(devio_sock_recv(s, mem, 0, 3, NULL) == 3, "the stream goes on");
		must(devio_ring_cancel(ring, 1) == -ENOENT, "nothing is left");
		devio_ring_close(ring);
		devio_sock_close(s);
		close(fd);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

/* A ring is closed under operations of every state; the stream is free for another ring then. */
static void ring_closed(void **state)
{
	int fds = rig_fds();

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct devio_ctx *ctx = rig_ctx(engines[i & 1]);
		struct devio_mem *mem = rig_mem(ctx, 32 * MIB);
		struct devio_ring *ring = rig_ring(ctx, 16, 256 << 10, 64 << 10);
		struct devio_completion c;
		uint64_t t = rig_ns();
		int fd;
		struct devio_sock *s = pair_by(ctx, i & 2 ? DEVIO_PATH_SOCK_BOUNCE : 0, &fd);

		for (int k = 0; k < 4; k++) {
			must_zero(devio_ring_recv(ring, s, mem, k * 1000, 100, k));
			must_zero(devio_ring_send(ring, s, mem, 0, 32 * MIB, k));
		}
		must_zero(devio_ring_wait(ring, &c, 1, 1, 1000000));
		devio_mem_free(mem);
		devio_ring_close(ring);
		must(rig_ns() - t < 5000000000ull, "it does not hang");
		mem = rig_mem(ctx, 100);
		plain_write(fd, "abc", 3);
		must(devio_sock_recv(s, mem, 0, 3, NULL) == 3, "the stream is free");
		devio_sock_close(s);
		close(fd);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
	must(rig_fds() == fds, "no descriptor is left");
}

/* The handle may go at once; the operation has a reference to the connection. */
static void closed_early(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 100);
	struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
	struct devio_completion done;
	struct devio_sock *s;
	char c;
	int fd;

	(void)state;
	s = pair_by(ctx, 0, &fd);
	must_zero(devio_ring_recv(ring, s, mem, 0, 10, 1));
	devio_sock_close(s);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	plain_write(fd, "0123456789", 10);
	rig_wait(ring, &done, 1);
	must(done.result == 10, "%lld", (long long)done.result);
	must(recv(fd, &c, 1, 0) == 0, "and then it is closed");
	devio_ring_close(ring);
	close(fd);
}

/* shutdown() ends what waits. */
static void shut(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 100);
	struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
	struct devio_completion done;
	int fd;
	struct devio_sock *s = pair_by(ctx, DEVIO_PATH_SOCK_BOUNCE, &fd);

	(void)state;
	must_zero(devio_ring_recv(ring, s, mem, 0, 10, 1));
	must_zero(devio_ring_wait(ring, &done, 1, 1, 1000000));
	must_zero(devio_sock_shutdown(s, DEVIO_SHUT_RECV | DEVIO_SHUT_SEND));
	rig_wait(ring, &done, 1);
	must(done.result == 0, "the end: %lld", (long long)done.result);
	devio_ring_close(ring);
	devio_sock_close(s);
	close(fd);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

static void imported(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 100);
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_sock *s, *copy;
	unsigned int port = 0;
	int l = plain_listen(AF_INET, &port), fd, fds = rig_fds();
	char buf[4];

	(void)state;
	must_zero(devio_sock_connect(ctx, "127.0.0.1", port_text(port), NULL, &s));
	fd = accept(l, NULL, NULL);
	must_zero(devio_sock_import(ctx, fd, NULL, &copy));
	must(devio_sock_send(s, mem, 0, 4, NULL) == 4 && devio_sock_recv(copy, mem, 50, 4, NULL) == 4, "by the copy");
	must(devio_sock_fd(copy) >= 0 && devio_sock_fd(copy) != fd, "a descriptor of its own");
	devio_sock_close(copy);
	must(devio_sock_send(s, mem, 0, 4, NULL) == 4 && recv(fd, buf, 4, 0) == 4, "the caller's is as it was");
	o.flags = DEVIO_SOCK_OWN_FD;
	must_zero(devio_sock_import(ctx, fd, &o, &copy));
	must(devio_sock_fd(copy) == fd, "taken");
	devio_sock_close(copy);
	must(fcntl(fd, F_GETFD) < 0, "and closed");
	devio_sock_close(s);
	/* A listener, too, without waiting where the caller's does not wait. */
	must(!fcntl(l, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
	o.connect_ns = 1000000;
	must_zero(devio_sock_import(ctx, l, &o, &copy));
	must_fail(devio_sock_accept(copy, &s), -ETIMEDOUT);
	devio_sock_close(copy);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	must(rig_fds() == fds - 1, "no descriptor is left: %d, %d before", rig_fds(), fds);
}

/* In a child every call is refused, and the parent is not affected. */
static void forked(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct devio_ctx *ctx = rig_ctx(engines[i]);
		struct devio_mem *mem = rig_mem(ctx, 1000);
		struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
		struct devio_completion done;
		int fd, status;
		struct devio_sock *s = pair_by(ctx, i ? DEVIO_PATH_SOCK_BOUNCE : 0, &fd);
		pid_t child;

		must_zero(devio_ring_recv(ring, s, mem, 0, 10, 1));
		must_zero(devio_ring_wait(ring, &done, 1, 1, 1000000));
		child = fork();
		if (!child) {
			struct devio_sock_info info = DEVIO_OPTS(info);
			int bad = devio_sock_recv(s, mem, 0, 10, NULL) != -ECHILD ||
				  devio_sock_shutdown(s, 3) != -ECHILD || devio_sock_get_info(s, &info) != -ECHILD ||
				  devio_sock_fd(s) != -ECHILD || devio_ring_send(ring, s, mem, 0, 1, 0) != -ECHILD;

			devio_ring_close(ring);
			devio_sock_close(s);
			devio_mem_free(mem);
			devio_ctx_close(ctx);
			_exit(bad);
		}
		must(waitpid(child, &status, 0) == child && !status, "the child: 0x%x", status);
		plain_write(fd, "0123456789", 10);
		rig_wait(ring, &done, 1);
		must(done.result == 10, "the parent's goes on");
		devio_ring_close(ring);
		devio_sock_close(s);
		close(fd);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

/* Until `want` completions are there, as a program with a ring of its own does it. */
static void drive(struct io_uring *u, struct devio_ring *ring, struct devio_completion *done, int want)
{
	uint64_t end = rig_ns() + 10000000000ull;

	for (int n = 0; n < want;) {
		struct __kernel_timespec ts = { .tv_nsec = 10000000 };
		struct io_uring_cqe *cqe;
		int rc;

		must(io_uring_submit(u) >= 0, "submit");
		while (!io_uring_wait_cqe_timeout(u, &cqe, &ts)) {
			must(devio_ring_handle(ring, cqe) == 1, "one of ours: %llx",
			     (unsigned long long)cqe->user_data);
			io_uring_cqe_seen(u, cqe);
			if (!io_uring_cq_ready(u))
				break;
		}
		rc = devio_ring_peek(ring, done + n, want - n);
		must(rc >= 0, "peek");
		n += rc;
		must(rig_ns() < end, "a completion comes");
	}
}

static void own_ring(void **state)
{
	(void)state;
	for (unsigned int entries = 4; entries <= 64; entries *= 16) {
		for (int path = 0; path < 2; path++) {
			struct devio_ctx *ctx = rig_ctx(0);
			struct devio_mem *mem = rig_mem(ctx, 8 * MIB);
			struct devio_sock_opts o = DEVIO_OPTS(o);
			struct devio_completion done[12];
			struct devio_sock *s[6];
			struct devio_ring *ring;
			struct io_uring u;
			int fd[6], rc = io_uring_queue_init(entries, &u, 0);

			if (rc)
				must_skip("no io_uring: %d", rc);
			must_zero(devio_ring_attach(ctx, &u, NULL, &ring));
			o.path = path ? DEVIO_PATH_SOCK_BOUNCE : 0;
			o.idle_ns = 60000000000;
			for (int i = 0; i < 6; i++) {
				unsigned char buf[5001];

				s[i] = sock_pair(ctx, &o, &fd[i]);
				rig_fill(buf, i, 0, sizeof(buf));
				plain_write(fd[i], buf, sizeof(buf));
				must_zero(devio_ring_recv(ring, s[i], mem, i << 16, 5001, i));
				must_zero(devio_ring_send(ring, s[i], mem, i << 16, 10, i + 6));
			}
			drive(&u, ring, done, 12);
			for (int i = 0; i < 12; i++)
				must(done[i].result == (done[i].cookie < 6 ? 5001 : 10), "%lld",
				     (long long)done[i].result);
			for (int i = 0; i < 6; i++) {
				rig_check(mem, i << 16, 5001, i, 0);
				must_zero(devio_ring_recv(ring, s[i], mem, 0, 10, 7));
			}
			/* More cancellations than the submission queue has room for. */
			io_uring_submit(&u);
			must(devio_ring_cancel(ring, 7) == 6, "all of them");
			drive(&u, ring, done, 6);
			for (int i = 0; i < 6; i++) {
				must(done[i].result == -ECANCELED, "%lld", (long long)done[i].result);
				devio_sock_close(s[i]);
				close(fd[i]);
			}
			devio_ring_close(ring);
			io_uring_queue_exit(&u);
			devio_mem_free(mem);
			devio_ctx_close(ctx);
		}
	}
}

/* The pollable descriptor wakes for the network, too. */
static void polled(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct devio_ctx *ctx = rig_ctx(engines[i]);
		struct devio_mem *mem = rig_mem(ctx, 1000);
		struct devio_ring *ring = rig_ring(ctx, 8, 0, 0);
		struct devio_completion done;
		struct pollfd p = { .fd = devio_ring_fd(ring), .events = POLLIN };
		int fd, n = 0;
		struct devio_sock *s = pair_by(ctx, DEVIO_PATH_SOCK_BOUNCE, &fd);

		must_zero(devio_ring_recv(ring, s, mem, 0, 10, 1));
		while (devio_ring_peek(ring, &done, 1) == 0 && poll(&p, 1, 10) == 1)
			must(n++ < 100, "it falls silent");
		plain_write(fd, "0123456789", 10);
		for (n = 0; devio_ring_peek(ring, &done, 1) != 1; n++)
			must(n < 100 && poll(&p, 1, 5000) == 1, "it wakes");
		must(done.result == 10, "%lld", (long long)done.result);
		devio_ring_close(ring);
		devio_sock_close(s);
		close(fd);
		devio_mem_free(mem);
		devio_ctx_close(ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancel),   cmocka_unit_test(ring_closed), cmocka_unit_test(closed_early),
		cmocka_unit_test(shut),	    cmocka_unit_test(imported),	   cmocka_unit_test(forked),
		cmocka_unit_test(own_ring), cmocka_unit_test(polled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
