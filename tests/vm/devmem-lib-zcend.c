/* SPDX-License-Identifier: MIT */
/* tests/vm/devmem-lib: how receives by sock-zcrx end that do not end well, and closes in any order. */
#include "devmem-lib.h"

#define IDLE_NS 1500000000
#define BLOCKS 64

/* The next completion: of this cookie, with this result and reason (-1: any). */
static bool next(struct devio_ring *r, uint64_t cookie, int64_t result, int reason, struct devio_completion *c)
{
	char text[400];
	int n = devio_ring_wait(r, c, 1, 1, 20000000000);

	if (n == 1 && c->cookie == cookie && c->result == result && (reason < 0 || c->reason == reason))
		return true;
	if (n == 1)
		devio_completion_text(c, text, sizeof(text));
	printf("# cookie %ld, result %ld, good %ld: %s\n", n == 1 ? (long)c->cookie : -1, n == 1 ? (long)c->result : n,
	       n == 1 ? (long)c->good : -1, n == 1 ? text : devio_errmsg());
	return false;
}

/* A connection whose peer sends so many bytes, then nothing until p.stop. */
struct silent {
	struct peer p;
	int listener;
	struct devio_sock *s;
};

/* idle: the time-out of its operations, 0: none. */
static void silent_start(struct silent *c, uint64_t bytes, int port, int64_t idle)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	c->p = (struct peer){ .bytes = bytes, .port = port, .holds = true, .resets = c->p.resets };
	c->listener = listen_on(true, port);
	peer_start(&c->p);
	o.flags = DEVIO_SOCK_OWN_FD;
	o.idle_ns = idle;
	must(devio_sock_import(ctx, accept(c->listener, NULL, NULL), &o, &c->s), "devio_sock_import");
}

static void silent_end(struct silent *c)
{
	c->p.stop = true;
	pthread_join(c->p.thread, NULL);
	devio_sock_close(c->s);
	close(c->listener);
}

/* The peer sends no more inside an operation: what came is good, and the next one has its place. */
static void time_out(struct devio_ring *r, struct devio_mem *dst)
{
	struct silent peer = { .s = NULL };
	struct devio_completion c;
	double start;

	silent_start(&peer, BLOCK + 5000, 4960, IDLE_NS);
	for (uint64_t i = 0; i < 3; i++)
		zc_recv(r, peer.s, dst, i * BLOCK, BLOCK, i + 1);
	ok(next(r, 1, BLOCK, -1, &c) && memory_right(dst, 0, 0, BLOCK), "the first is whole", 0);
	start = seconds();
	ok(next(r, 2, -ETIMEDOUT, DEVIO_REASON_TIMEOUT, &c) && c.good == 5000, "a time-out inside the second",
	   (long)c.good);
	ok(seconds() - start > 1.3 && seconds() - start < 8, "in time", (long)((seconds() - start) * 1000));
	ok(memory_right(dst, BLOCK, BLOCK, 5000), "with what came before", 0);
	ok(next(r, 3, -ECANCELED, DEVIO_REASON_BROKEN, &c) && !c.good, "which the third cannot follow", 0);
	zc_recv(r, peer.s, dst, 0, BLOCK, 4);
	peer.p.stop = true;
	ok(next(r, 4, 0, -1, &c), "but a later one can", 0);
	silent_end(&peer);
}

static void cancel(struct devio_ring *r, struct devio_mem *dst)
{
	struct silent peer = { .s = NULL };
	struct devio_completion c;

	silent_start(&peer, BLOCK + 7000, 4961, 0);
	zc_recv(r, peer.s, dst, 0, BLOCK, 1);
	zc_recv(r, peer.s, dst, BLOCK, BLOCK, 2);
	ok(next(r, 1, BLOCK, -1, &c), "the first is whole", 0);
	for (int i = 0; i < 10; i++)
		is(devio_ring_wait(r, &c, 1, 1, 100000000), 0, "");
	is(devio_ring_cancel(r, 2), 1, "one to cancel");
	ok(next(r, 2, -ECANCELED, DEVIO_REASON_CANCELED, &c) && c.good == 7000, "cancelled inside its bytes",
	   (long)c.good);
	ok(memory_right(dst, BLOCK, BLOCK, 7000), "with what came before", 0);
	/* One without a byte leaves no trace in the stream. */
	zc_recv(r, peer.s, dst, 0, BLOCK, 3);
	is(devio_ring_wait(r, &c, 1, 1, 100000000), 0, "nothing to have");
	is(devio_ring_cancel(r, 3), 1, "one to cancel");
	ok(next(r, 3, -ECANCELED, DEVIO_REASON_CANCELED, &c) && !c.good, "cancelled before its first", (long)c.good);
	zc_recv(r, peer.s, dst, 0, BLOCK, 4);
	peer.p.stop = true;
	ok(next(r, 4, 0, -1, &c), "the end is the end", 0);
	silent_end(&peer);
}

static void reset(struct devio_ring *r, struct devio_mem *dst)
{
	struct silent peer = { .p.resets = true };
	struct devio_completion c;

	silent_start(&peer, BLOCK + 9000, 4962, 20000000000);
	for (uint64_t i = 0; i < 3; i++)
		zc_recv(r, peer.s, dst, i * BLOCK, BLOCK, i + 1);
	ok(next(r, 1, BLOCK, -1, &c), "the first is whole", 0);
	is(devio_ring_wait(r, &c, 1, 1, 500000000), 0, "the second lacks bytes");
	peer.p.stop = true;
	ok(next(r, 2, -ECONNRESET, DEVIO_REASON_RESET, &c) && c.good == 9000, "a reset inside it", (long)c.good);
	ok(memory_right(dst, BLOCK, BLOCK, 9000), "with what came before", 0);
	ok(next(r, 3, -ECONNRESET, DEVIO_REASON_RESET, &c) && !c.good, "and of the third", 0);
	zc_recv(r, peer.s, dst, 0, BLOCK, 4);
	ok(next(r, 4, -ECONNRESET, DEVIO_REASON_RESET, &c), "and of what comes later: not the end of the stream", 0);
	silent_end(&peer);
}

int test_zc_ends(const char *spec)
{
	struct devio_mem *area = memory(spec, AREA), *dst = memory(spec, 4 * BLOCK);
	struct devio_stat st = DEVIO_OPTS(st);
	struct devio_ring *r = zc_ring();
	struct devio_nic *n = zc_nic(area, r);

	time_out(r, dst);
	cancel(r, dst);
	reset(r, dst);
	must(devio_stat_get(ctx, &st), "devio_stat_get");
	ok(st.frags && st.frags == st.returned, "every piece was returned", st.frags - st.returned);
	is(devio_ring_inflight(r), 0, "nothing in flight");
	devio_ring_close(r);
	devio_nic_close(n);
	devio_mem_free(area);
	devio_mem_free(dst);
	return finish();
}

/* -------------------------------------------------------------- closes */

/* What is closed while receives are in flight, and then the rest of it. */
static void close_order(const char *spec, const char *order, bool in_flight)
{
	struct devio_mem *area = memory(spec, 4 * MIB), *dst = memory(spec, 4 * BLOCK);
	static char before[8192], after[8192];
	struct peer p = { .bytes = 1ull << 40, .port = 4963 };
	int listener = listen_on(true, p.port);
	struct devio_sock *s = NULL;
	struct devio_completion c;
	struct devio_ring *r;
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	r = zc_ring();
	n = zc_nic(area, r);
	if (in_flight) {
		peer_start(&p);
		s = take(listener);
		for (uint64_t i = 0; i < 4; i++)
			zc_recv(r, s, dst, i * BLOCK, BLOCK, i);
		ok(next(r, 0, BLOCK, -1, &c) && memory_right(dst, 0, 0, BLOCK), "one is whole", 0);
	}
	for (; *order; order++) {
		if (*order == 'r')
			devio_ring_close(r);
		else if (*order == 'n')
			devio_nic_close(n);
		else if (*order == 'm')
			devio_mem_free(area);
		else
			devio_sock_close(s);
	}
	p.stop = true;
	if (in_flight)
		pthread_join(p.thread, NULL);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "as before", 0);
	if (strcmp(before, after))
		printf("# before: %.300s\n# after: %.300s\n", before, after);
	devio_mem_free(dst);
	close(listener);
}

/* The NIC is closed under a stream: what comes now is ordinary, and not a byte is lost. */
static void nic_closed_in_the_middle(const char *spec)
{
	struct devio_mem *area = memory(spec, AREA), *dst = memory(spec, 4 * BLOCK);
	struct devio_stat st = DEVIO_OPTS(st), then = DEVIO_OPTS(then);
	struct peer p = { .bytes = BLOCKS * BLOCK, .port = 4964 }; /* more than the socket holds at one time */
	int listener = listen_on(true, p.port), wrong = 0, unsteered = 0;
	struct devio_ring *r = zc_ring();
	struct devio_nic *n = zc_nic(area, r);
	struct devio_completion c;
	struct devio_sock *s;
	uint64_t i = 0;

	peer_start(&p);
	s = take(listener);
	for (; i < 4; i++)
		zc_recv(r, s, dst, i * BLOCK, BLOCK, i);
	for (i = 0; i < BLOCKS; i++) {
		if (!next(r, i, BLOCK, -1, &c))
			break;
		wrong += !memory_right(dst, i % 4 * BLOCK, i * BLOCK, BLOCK);
		unsteered += c.path == DEVIO_PATH_SOCK_BOUNCE && c.reason == DEVIO_REASON_NET_STEER;
		zc_recv(r, s, dst, i % 4 * BLOCK, BLOCK, i + 4);
		if (i == 5) {
			must(devio_stat_get(ctx, &then), "devio_stat_get");
			devio_nic_close(n);
		}
	}
	must(devio_stat_get(ctx, &st), "devio_stat_get");
	printf("# linear: %ld bytes before, %ld after\n", (long)then.linear, (long)(st.linear - then.linear));
	ok(i == BLOCKS && !wrong, "every byte in its place", wrong);
	ok(unsteered > 0 && st.linear - then.linear > 1000000, "the later ones by ordinary memory, with that reason",
	   unsteered);
	pthread_join(p.thread, NULL);
	devio_ring_close(r);
	devio_sock_close(s);
	devio_mem_free(area);
	devio_mem_free(dst);
	close(listener);
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
}

int test_zc_order(const char *spec)
{
	static const char *const orders[] = { "rnm", "nrm", "mrn", "mnr" }, *const under[] = { "rsnm", "nrsm", "snrm",
											       "mrns" };

	for (int i = 0; i < 4; i++)
		close_order(spec, orders[i], false);
	for (int i = 0; i < 4; i++)
		close_order(spec, under[i], true);
	nic_closed_in_the_middle(spec);
	return finish();
}

/* ------------------------------------------------------------ revocation */

/* While the socket has data that lies in the memory; before that everything was read. */
static void revoke_it(const char *spec, int i)
{
	struct devio_mem *area = memory(spec, AREA), *dst = memory("host", 4 * BLOCK);
	struct devio_ring *r = zc_ring();
	struct devio_nic *n = zc_nic(area, r);
	struct peer p = { .bytes = 1ull << 40, .port = 4965 };
	int listener = listen_on(true, p.port);
	struct silent other = { .s = NULL };
	struct devio_completion c;
	struct devio_sock *s;

	silent_start(&other, BLOCK, 4966, 30000000000);
	zc_recv(r, other.s, dst, BLOCK, BLOCK, 1);
	ok(next(r, 1, BLOCK, -1, &c), "a connection whose peer stops sending", 0);
	peer_start(&p);
	s = take(listener);
	zc_recv(r, s, dst, 0, BLOCK, 2);
	ok(next(r, 2, BLOCK, -1, &c) && memory_right(dst, 0, 0, BLOCK), "one that does not", 0);
	zc_recv(r, other.s, dst, BLOCK, BLOCK, 3);
	devio_ring_submit(r);
	usleep(300000);
	bar_memory(false);
	zc_recv(r, s, dst, 0, BLOCK, 4);
	zc_recv(r, s, dst, 2 * BLOCK, BLOCK, 5);
	ok(next(r, 4, -ENODEV, DEVIO_REASON_REVOKED, &c), "revoked while receiving", (long)c.result);
	ok(next(r, 5, -ENODEV, DEVIO_REASON_REVOKED, &c), "and so it stays", (long)c.result);
	is(devio_ring_inflight(r), 1, "the other one waits");
	other.p.stop = true;
	ok(next(r, 3, 0, -1, &c), "until its end", (long)c.result);
	p.stop = true;
	devio_sock_close(s);
	silent_end(&other);
	pthread_join(p.thread, NULL);
	if (i % 2)
		devio_nic_close(n);
	devio_ring_close(r);
	if (!(i % 2))
		devio_nic_close(n);
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
	bar_memory(true);
	devio_mem_free(area);
	devio_mem_free(dst);
	close(listener);
}

int test_zc_revoked(const char *spec)
{
	for (int i = 0; i < 3; i++)
		revoke_it(spec, i);
	return finish();
}
