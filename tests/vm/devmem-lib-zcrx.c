/* SPDX-License-Identifier: MIT */
/*
 * tests/vm/devmem-lib: sock-zcrx, receives on the ring that has the NIC's queue.
 *
 *   devmem-lib zcrx-rx SPEC MTU     blocks and odd sizes, linear bytes among them
 *   devmem-lib zcrx-ends SPEC       time-out, cancellation, a reset by the peer
 *   devmem-lib zcrx-order SPEC      closes in any order, with receives in flight
 *   devmem-lib zcrx-undo SPEC       kill -9, and restored
 *   devmem-lib zcrx-errors SPEC     what is refused, and why
 *   devmem-lib zcrx-revoke SPEC     vfio: the memory is revoked
 */
#include "devmem-lib.h"
#include <poll.h>

#define DEPTH 4

struct devio_ring *zc_ring(void)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);
	struct devio_ring *r;

	o.flags = DEVIO_RING_ZCRX;
	must(devio_ring_open(ctx, &o, &r), "devio_ring_open");
	return r;
}

struct devio_nic *zc_nic(struct devio_mem *area, struct devio_ring *r)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	o.steer = DEVIO_STEER_RSS;
	o.ring = r;
	must(devio_nic_open(ctx, NIC, area, &o, &n), "devio_nic_open");
	await_link();
	return n;
}

int zc_recv(struct devio_ring *r, struct devio_sock *s, struct devio_mem *m, uint64_t off, uint64_t len,
	    uint64_t cookie)
{
	int rc = devio_ring_recv(r, s, m, off, len, cookie);

	if (rc)
		printf("# %s\n", devio_errmsg());
	return rc;
}

/* ----------------------------------------------------------------- streams */

struct flow {
	struct devio_ring *r;
	struct devio_sock *s;
	struct devio_mem *dst, *host; /* DEPTH blocks, of which the second half of odd ones lies in host */
	bool odd, some, was_short;    /* nothing but the end may follow a short one */
	uint64_t asked, pos, copied;
	int ops, empty, by_zcrx, unsteered, wrong, bad;
	int64_t ended;                /* 1: not yet */
};

static uint64_t len_of(const struct flow *f, uint64_t i)
{
	static const uint32_t sizes[] = { 1, 70000, 1459, 1460, 1461, 3, BLOCK, 4096, 12345, 2, 65536, 300001 };

	return f->odd ? sizes[i % (sizeof(sizes) / sizeof(sizes[0]))] : BLOCK;
}

static void ask(struct flow *f)
{
	uint64_t len = len_of(f, f->asked), at = f->asked % DEPTH * BLOCK, half = len / 2;
	struct devio_range range[2] = { { f->dst, at, f->odd ? len - half : len }, { f->host, at, half } };
	struct devio_sock_io io = { .sz = sizeof(io), .sock = f->s, .ranges = range, .nr_ranges = f->odd ? 2 : 1,
				    .cookie = f->asked++, .flags = f->some ? DEVIO_SOCK_PARTIAL : 0 };

	must(devio_ring_sock_io(f->r, &io), "devio_ring_sock_io");
}

static void check(struct flow *f, const struct devio_completion *c)
{
	uint64_t len = len_of(f, c->cookie), first = f->odd ? len - len / 2 : len, at = c->cookie % DEPTH * BLOCK, got;

	if (c->cookie != (uint64_t)f->ops)
		f->bad++;
	f->ops++;
	if (c->result <= 0 || f->ended <= 0) {
		f->bad += f->ended <= 0 && c->result > 0;
		f->empty++;
		f->ended = f->ended > 0 ? c->result : f->ended;
		return;
	}
	got = (uint64_t)c->result;
	f->bad += got != c->good || got > len || f->was_short;
	f->was_short = got < len && !f->some;
	f->wrong += !memory_right(f->dst, at, f->pos, (uint32_t)(got < first ? got : first));
	if (got > first)
		f->wrong += !memory_right(f->host, at, f->pos + first, (uint32_t)(got - first));
	f->by_zcrx += c->path == DEVIO_PATH_SOCK_ZCRX;
	f->unsteered += c->path == DEVIO_PATH_SOCK_BOUNCE && c->best_unused == DEVIO_PATH_SOCK_ZCRX &&
			c->reason == DEVIO_REASON_NET_STEER;
	f->pos += got;
	f->copied += c->copied;
}

/* Until the end of the stream; by the descriptor, as programs with an event loop do, where it is `some`. */
static void run_flow(struct flow *f)
{
	struct devio_completion done[DEPTH];

	f->ended = 1;
	for (int i = 0; i < DEPTH; i++)
		ask(f);
	while ((uint64_t)f->ops < f->asked) {
		struct pollfd p = { .fd = f->some ? devio_ring_fd(f->r) : -1, .events = POLLIN };
		int n = f->some ? devio_ring_peek(f->r, done, DEPTH)
				: devio_ring_wait(f->r, done, 1, DEPTH, 20000000000);

		if (!n && f->some && poll(&p, 1, 20000) == 1)
			continue;
		if (n <= 0) {
			printf("# %d after %lu bytes: %s\n", n, (long)f->pos, devio_errmsg());
			f->ended = -1;
			break;
		}
		for (int i = 0; i < n; i++) {
			check(f, &done[i]);
			if (f->ended > 0)
				ask(f);
		}
	}
}

static void print_stats(const char *what, const struct flow *f, struct devio_nic *n, double start)
{
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct devio_stat st = DEVIO_OPTS(st);

	must(devio_stat_get(ctx, &st), "devio_stat_get");
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	printf("# %s: %lu bytes, %d operations (%d by sock-zcrx, %d unsteered) in %.1f s, copied %lu; so far linear "
	       "%lu, "
	       "pieces %lu of %lu bytes, returned %lu\n",
	       what, (long)f->pos, f->ops, f->by_zcrx, f->unsteered, seconds() - start, (long)f->copied,
	       (long)st.linear, (long)st.frags, (long)st.frag_bytes, (long)st.returned);
	printf("# queue %u: packets %ld, alloc_fail %ld, inflight %ld\n", i.queue, (long)i.packets, (long)i.alloc_fail,
	       (long)i.inflight);
	ok(st.frags && st.frags == st.returned, "every piece was returned", st.frags - st.returned);
}

/* A peer that is not rid of its bytes would wait for ever: then the program ends here. */
static void end_peer(struct peer *p, const struct flow *f)
{
	errno = f->ended < 0 ? (int)-f->ended : 0;
	if (f->ended)
		die("the stream ended early");
	pthread_join(p->thread, NULL);
}

static void stream(struct devio_ring *r, struct devio_nic *n, const char *spec, uint64_t bytes, int kind)
{
	static const char *const what[] = { "blocks", "odd sizes", "odd packets, some bytes at a time" };
	struct peer p = { .bytes = bytes, .odd = kind, .port = 4970 + kind };
	struct flow f = { .r = r, .odd = kind, .some = kind == 2 };
	struct devio_stat before = DEVIO_OPTS(before), after = DEVIO_OPTS(after);
	int listener = listen_on(true, p.port);
	double start = seconds();

	f.dst = memory(spec, DEPTH * BLOCK);
	f.host = memory("host", DEPTH * BLOCK);
	must(devio_stat_get(ctx, &before), "devio_stat_get");
	peer_start(&p);
	f.s = take(listener);
	run_flow(&f);
	end_peer(&p, &f);
	print_stats(what[kind], &f, n, start);
	must(devio_stat_get(ctx, &after), "devio_stat_get");
	ok(!f.ended && f.pos == bytes, "the stream came whole", f.ended ? f.ended : (long)f.pos);
	ok(!f.wrong, "every byte in its place", f.wrong);
	ok(!f.bad, "every operation whole and in turn", f.bad);
	ok(after.linear - before.linear + after.frag_bytes - before.frag_bytes == bytes, "every byte counted once",
	   after.linear - before.linear);
	if (kind)
		ok(after.linear > before.linear, "linear bytes were among them", 0);
	else
		ok(f.by_zcrx == f.ops - f.empty && (after.linear - before.linear) * 20 < bytes, "all by sock-zcrx",
		   f.by_zcrx);
	devio_sock_close(f.s);
	devio_mem_free(f.dst);
	devio_mem_free(f.host);
	close(listener);
}

static int test_rx(const char *spec, int mtu)
{
	struct devio_mem *area = memory(spec, AREA);
	struct devio_ring *r = zc_ring();
	struct devio_nic *n;

	set_mtu(mtu);
	n = zc_nic(area, r);
	stream(r, n, spec, 32 * MIB, 0);
	stream(r, n, spec, 8 * MIB, 1);
	stream(r, n, spec, 2 * MIB, 2);
	devio_nic_close(n);
	devio_ring_close(r);
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
	devio_mem_free(area);
	set_mtu(1500);
	return finish();
}

/* ------------------------------------------------------ restored, and refused */

static int test_undo(const char *spec)
{
	static char before[8192], after[8192];
	int to_child[2];
	char c;

	nic_state(before, sizeof(before));
	if (pipe(to_child))
		die("pipe");
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child) {
			must(devio_ctx_open(NULL, &ctx), "ctx");
			zc_nic(memory(spec, 4 * MIB), zc_ring());
			if (write(to_child[1], "x", 1) != 1)
				_exit(1);
			pause();
		}
		if (read(to_child[0], &c, 1) != 1)
			die("read");
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		is(devio_nic_restore(ctx, i ? NIC : NULL), 1, "restored after a kill");
		nic_state(after, sizeof(after));
		ok(!strcmp(before, after), "as before, after a kill", i);
	}
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
	return finish();
}

/* Other receivers than the ring get an error, and the stream goes on. */
static void other_receivers(struct devio_ring *r, const char *spec)
{
	struct peer p = { .bytes = 2 * MIB, .port = 4969 };
	int listener = listen_on(true, p.port);
	struct flow f = { .r = r, .dst = memory(spec, DEPTH * BLOCK) };
	struct devio_completion c;
	struct devio_frag frag;
	char text[2000];

	peer_start(&p);
	f.s = take(listener);
	usleep(300000);
	is(devio_sock_explain(f.s, f.dst, 0, BLOCK, 0, &c, text, sizeof(text)), 0, "explain");
	printf("# %s\n", strtok(text, "\n"));
	printf("# %s\n", strtok(NULL, "\n"));
	ok(c.best_unused == DEVIO_PATH_SOCK_ZCRX && c.reason == DEVIO_REASON_NET_RING,
	   "the reason is that it is the ring's", c.reason);
	is((int)devio_sock_recv(f.s, f.dst, 0, BLOCK, &c), -EFAULT, "a synchronous receive");
	printf("# %s\n", devio_errmsg());
	is(c.reason, DEVIO_REASON_NET_UNREADABLE, "and why");
	is(devio_sock_recv_frags(f.s, &frag, 1, BLOCK, 0), -EOPNOTSUPP, "pieces");
	printf("# %s\n", devio_errmsg());
	run_flow(&f);
	end_peer(&p, &f);
	ok(!f.ended && f.pos == p.bytes && !f.wrong, "the ring gets all of it", (long)f.pos);
	devio_sock_close(f.s);
	devio_mem_free(f.dst);
	close(listener);
}

static int test_errors(const char *spec)
{
	struct devio_mem *area = memory(spec, 4 * MIB);
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_nic_opts o = DEVIO_OPTS(o);
	static char before[8192], after[8192];
	struct devio_ring *plain, *r;
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	ro.flags = DEVIO_RING_ZCRX | DEVIO_RING_SHARED;
	is(devio_ring_open(ctx, &ro, &r), -EINVAL, "a ring of several threads");
	printf("# %s\n", devio_errmsg());
	must(devio_ring_open(ctx, NULL, &plain), "ring");
	o.steer = DEVIO_STEER_RSS;
	o.ring = plain;
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EINVAL, "a ring without the flag");
	printf("# %s\n", devio_errmsg());
	o.ring = r = zc_ring();
	o.queues = 2;
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EINVAL, "two queues for a ring");
	printf("# %s\n", devio_errmsg());
	o.queues = 0;
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "nothing was changed", 0);
	n = zc_nic(area, r);
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EBUSY, "a second time");
	other_receivers(r, spec);
	devio_ring_close(plain);
	devio_ring_close(r);
	devio_nic_close(n);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "as before", 0);
	devio_mem_free(area);
	return finish();
}

int test_zc(const char *what, const char *spec, int mtu)
{
	static const struct { const char *name; int (*test)(const char *spec); } all[] = {
		{ "ends", test_zc_ends }, { "order", test_zc_order }, { "revoke", test_zc_revoked },
		{ "undo", test_undo }, { "errors", test_errors },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(what, all[i].name))
			return all[i].test(spec);
	if (!strcmp(what, "rx"))
		return test_rx(spec, mtu);
	fprintf(stderr, "usage: see the top of tests/vm/devmem-lib-zcrx.c\n");
	return 2;
}
