/* SPDX-License-Identifier: MIT */
/*
 * Property test: random receives and sends on one connection whose peer
 * writes and reads in pieces of any size, with device memory whose copies
 * take their time or fail, little staging memory, and cancellations. The
 * bytes of each stream must be those that the completions call good, in the
 * order of the operations; nothing may be lost, leaked or left over.
 */
#include "config.h"
#include <errno.h>
#include "core/ctx.h"
#include "sock/sock.h"
#include "sockrig.h"
#include "unit/fake.h"

#define LANES 12
#define LANE (160u << 10)
#define STREAM (24u << 20)

struct mode {
	const char *name;
	int path;
	unsigned int flags;        /* of the context */
	unsigned int sock_flags;
	bool fake;                 /* device memory with slow copies */
	struct fake_plan copies;
	uint64_t staging;
	bool cancel;
	unsigned int piece;        /* bytes that the peer moves at once, at most */
	unsigned int ops;
};

struct lane {
	bool busy, send, canceled;
	uint64_t cookie, len, at;  /* at: send: offset of its bytes in the pattern */
};

struct env {
	const struct mode *mode;
	struct rig_rnd rnd;
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct devio_sock *sock;
	struct devio_ring *ring;
	int peer;
	struct lane lane[LANES];
	unsigned int started, ended[2], failed;
	uint64_t next[2];          /* cookie that completes next, of either stream */
	uint64_t rx, fed;          /* bytes received, and written by the peer */
	uint64_t planned;          /* pattern bytes given to sends */
	uint64_t sent;             /* of the sends that completed, the good ones */
	unsigned char *want, *got; /* what the peer must see, and saw */
	uint64_t seen;
	unsigned char *buf;
	bool dead[2];
};

static void env_open(struct env *e, const struct mode *m, uint64_t seed)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);

	memset(e, 0, sizeof(*e));
	memset(&fake_plan, 0, sizeof(fake_plan));
	fake_running = 0;
	e->mode = m;
	e->rnd.s = seed;
	e->ctx = rig_ctx(m->flags);
	e->mem = m->fake ? fake_mem(e->ctx, LANES * LANE, 0) : rig_mem(e->ctx, LANES * LANE);
	o.path = m->path;
	o.flags = m->sock_flags;
	o.buffer = 64 << 10;
	e->sock = sock_pair(e->ctx, &o, &e->peer);
	e->ring = rig_ring(e->ctx, LANES, m->staging, 64 << 10);
	e->want = malloc(STREAM);
	e->got = malloc(STREAM);
	e->buf = malloc(1 << 20);
}

static void env_close(struct env *e)
{
	check_idle(e->ring);
	must(e->sock->base.refs == 1 && e->mem->refs == 1, "connection has %u holders, memory %u", e->sock->base.refs,
	     e->mem->refs);
	for (int i = 0; i < 2; i++)
		must(!e->sock->stream[i].head && !e->sock->stream[i].ring && !e->sock->stream[i].io &&
		     !e->sock->stream[i].count, "flow %d is empty", i);
	devio_ring_close(e->ring);
	devio_sock_close(e->sock);
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	close(e->peer);
	free(e->want);
	free(e->got);
	free(e->buf);
}

static void start(struct env *e)
{
	unsigned int i = rig_rnd(&e->rnd) % LANES;
	struct lane *l = &e->lane[i];

	if (l->busy)
		return;
	*l = (struct lane){ .busy = true, .send = rig_rnd(&e->rnd) & 1, .cookie = ++e->started * LANES + i };
	l->len = rig_rnd(&e->rnd) % 4 ? 1 + rig_rnd(&e->rnd) % LANE : rig_rnd(&e->rnd) % 64;
	if (l->send) {
		l->at = e->planned;
		e->planned += l->len;
		rig_fill(e->buf, 2, l->at, l->len);
		must_zero(devio_mem_copy_in(e->mem, i * LANE, e->buf, l->len));
		must_zero(devio_ring_send(e->ring, e->sock, e->mem, i * LANE, l->len, l->cookie));
	} else {
		must_zero(devio_ring_recv(e->ring, e->sock, e->mem, i * LANE, l->len, l->cookie));
	}
}

static bool may_fail(const struct env *e, const struct lane *l, int64_t err)
{
	return (err == -ECANCELED && e->mode->cancel) || (err == -EIO && e->mode->copies.fail) || e->dead[l->send] ||
	       (err == -ECANCELED && e->failed);
}

static void settle(struct env *e, const struct devio_completion *c)
{
	unsigned int i = c->cookie % LANES;
	struct lane *l = &e->lane[i];
	uint64_t good = c->good;
	bool lost = e->dead[0];

	must(l->busy && l->cookie == c->cookie, "a cookie of ours, once");
	must(!!(c->flags & DEVIO_DONE_WRITE) == l->send, "the direction");
	must(c->result < 0 || c->result == (int64_t)good, "the result is the good bytes");
	must(good <= l->len, "no more than requested");
	if (c->result < 0) {
		must(may_fail(e, l, c->result), "%s: %s fails with %lld (reason %u)", e->mode->name,
		     l->send ? "send" : "receive", (long long)c->result, c->reason);
		e->failed++;
		if (c->result == -EIO && !l->send)
			e->dead[0] = true;
	} else if (l->send || !(e->mode->sock_flags & DEVIO_SOCK_PARTIAL)) {
		must(good == l->len, "all of it: %llu of %llu", (unsigned long long)good, (unsigned long long)l->len);
	} else {
		must(good || !l->len, "at least a byte");
	}
	/* In order, but for those that were cancelled before their first byte. */
	if (good) {
		must(c->cookie > e->next[l->send], "in their order");
		e->next[l->send] = c->cookie;
	}
	if (l->send) {
		must(e->sent + good <= STREAM, "room");
		rig_fill(e->want + e->sent, 2, l->at, good);
		e->sent += good;
	} else {
		/* Behind one that lost bytes its place is not known here. */
		if (!lost)
			rig_check(e->mem, i * LANE, good, 1, e->rx);
		e->rx += good;
	}
	e->ended[l->send]++;
	l->busy = false;
}

static void peer_turn(struct env *e)
{
	size_t n = 1 + rig_rnd(&e->rnd) % e->mode->piece;
	ssize_t k;

	if (rig_rnd(&e->rnd) & 1) {
		rig_fill(e->buf, 1, e->fed, n);
		k = send(e->peer, e->buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		e->fed += k > 0 ? k : 0;
	}
	if (rig_rnd(&e->rnd) & 1) {
		k = plain_some(e->peer, e->got + e->seen, STREAM - e->seen < n ? STREAM - e->seen : n);
		e->seen += k > 0 ? k : 0;
	}
}

static void turn(struct env *e, int64_t wait)
{
	struct devio_completion done[4];
	int n;

	/* The test's own copies do not fail. */
	fake_plan.fail = e->mode->copies.fail;
	n = devio_ring_wait(e->ring, done, wait ? 1 : 0, 4, wait);
	fake_plan.fail = 0;
	must(n >= 0, "wait: %s", devio_errmsg());
	for (int i = 0; i < n; i++)
		settle(e, &done[i]);
}

static void maybe_cancel(struct env *e)
{
	struct lane *l = &e->lane[rig_rnd(&e->rnd) % LANES];

	if (!e->mode->cancel || rig_rnd(&e->rnd) % 20 || !l->busy)
		return;
	must(devio_ring_cancel(e->ring, l->cookie) >= 0 || devio_ring_inflight(e->ring), "cancel: %s", devio_errmsg());
	l->canceled = true;
}

static void finish(struct env *e)
{
	uint64_t limit = rig_ns() + 20000000000ull;
	ssize_t k;

	/* What waits for bytes gets them; then nothing may be left in flight. */
	while (devio_ring_inflight(e->ring)) {
		peer_turn(e);
		turn(e, 100000);
		must(rig_ns() < limit, "%s: %u operations do not end", e->mode->name, devio_ring_inflight(e->ring));
	}
	while (e->seen < e->sent && (k = recv(e->peer, e->got + e->seen, e->sent - e->seen, 0)) > 0)
		e->seen += k;
	must(e->seen == e->sent, "the peer saw %llu bytes of %llu", (unsigned long long)e->seen,
	     (unsigned long long)e->sent);
	must(!memcmp(e->want, e->got, e->sent), "the peer saw the bytes in their order");
}

static void run(const struct mode *m, uint64_t seed)
{
	struct env e;

	env_open(&e, m, seed);
	while (e.started < m->ops && !e.dead[0] && e.planned + LANE < STREAM) {
		fake_plan = (struct fake_plan){ 0 };
		start(&e);
		fake_plan = m->copies;
		fake_plan.fail = 0;
		maybe_cancel(&e);
		peer_turn(&e);
		turn(&e, rig_rnd(&e.rnd) % 4 ? 0 : 20000);
	}
	finish(&e);
	if (!m->copies.fail)
		must(e.ended[0] > m->ops / 12 && e.ended[1] > m->ops / 12, "both directions were used");
	if (m->cancel || m->copies.fail)
		must(seed != 1 || e.failed, "%s: something failed", m->name);
	env_close(&e);
}

static const struct mode modes[] = {
	{ "host", .staging = 1 << 20, .piece = 100000, .ops = 400 },
	{ "host, some", .sock_flags = DEVIO_SOCK_PARTIAL, .staging = 1 << 20, .piece = 30000, .ops = 400 },
	{ "host, cancelled", .staging = 1 << 20, .piece = 30000, .ops = 400, .cancel = true },
	{ "host by slots", DEVIO_PATH_SOCK_BOUNCE, .staging = 256 << 10, .piece = 100000, .ops = 400 },
	{ "device", .fake = true, .staging = 1 << 20, .piece = 100000, .ops = 400 },
	{ "device, one slot", .fake = true, .copies = { .polls = 3 }, .staging = 64 << 10, .piece = 50000, .ops = 300 },
	{ "device, slow copies", .fake = true, .copies = { .polls = 9 }, .staging = 1 << 20, .piece = 100000,
	  .ops = 400 },
	{ "device, some", .sock_flags = DEVIO_SOCK_PARTIAL, .fake = true, .copies = { .polls = 5 },
	  .staging = 512 << 10, .piece = 20000, .ops = 400 },
	{ "device, cancelled", .fake = true, .copies = { .polls = 5 }, .staging = 512 << 10, .piece = 60000, .ops = 400,
	  .cancel = true },
	{ "device, one slot, cancelled", .fake = true, .copies = { .polls = 5 }, .staging = 64 << 10, .piece = 60000,
	  .ops = 300, .cancel = true },
	{ "device, bytes", .fake = true, .copies = { .polls = 2 }, .staging = 256 << 10, .piece = 2000, .ops = 12 },
	{ "device, failing", .fake = true, .copies = { .polls = 3, .fail = 20 }, .staging = 512 << 10, .piece = 60000,
	  .ops = 300 },
	{ "device, failing late", .fake = true, .copies = { .polls = 3, .fail = 20, .fail_late = true },
	  .staging = 512 << 10, .piece = 60000, .ops = 300 },
	{ "threads", .flags = DEVIO_CTX_NO_URING, .staging = 1 << 20, .piece = 100000, .ops = 300 },
	{ "threads, device, cancelled", .flags = DEVIO_CTX_NO_URING, .fake = true, .copies = { .polls = 5 },
	  .staging = 256 << 10, .piece = 60000, .ops = 300, .cancel = true },
	{ "threads, some", .flags = DEVIO_CTX_NO_URING, .sock_flags = DEVIO_SOCK_PARTIAL, .fake = true,
	  .staging = 64 << 10, .piece = 60000, .ops = 300 },
};

static void streams(void **state)
{
	const char *seeds = getenv("FLOW_SEEDS");
	unsigned int n = seeds ? strtoul(seeds, NULL, 10) : 3;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		uint64_t t = rig_ns();

		for (unsigned int seed = 1; seed <= n; seed++)
			run(&modes[i], seed);
		print_message("# %s: %llu ms\n", modes[i].name, (unsigned long long)(rig_ns() - t) / 1000000);
	}
}

/* Every connection waits for its peer with more to receive than there are slots; none keeps another from its bytes. */
static void silent_peers(void **state)
{
	enum { SOCKS = 40 };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_ring *ring = rig_ring(ctx, SOCKS, 128 << 10, 64 << 10);
	struct devio_mem *mem = fake_mem(ctx, SOCKS << 16, 0);
	struct devio_sock *sock[SOCKS];
	struct devio_completion done;
	unsigned char *buf = malloc(1 << 16);
	int peer[SOCKS];

	(void)state;
	for (int i = 0; i < SOCKS; i++) {
		sock[i] = sock_pair(ctx, NULL, &peer[i]);
		must_zero(devio_ring_recv(ring, sock[i], mem, i << 16, 60001, i));
	}
	must(devio_ring_wait(ring, &done, 1, 1, 1000000) == 0, "nothing comes yet");
	for (int i = SOCKS - 1; i >= 0; i--) {
		rig_fill(buf, i, 0, 60001);
		plain_write(peer[i], buf, 60001);
		rig_wait(ring, &done, 1);
		must(done.cookie == (uint64_t)i && done.result == 60001, "the one that has its bytes: %d", i);
		must(done.path == DEVIO_PATH_SOCK_BOUNCE && done.copied == 60001, "by slots");
		rig_check(mem, i << 16, 60001, i, 0);
		close(peer[i]);
		devio_sock_close(sock[i]);
	}
	check_idle(ring);
	devio_ring_close(ring);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(buf);
}

/* Slow readers: what they do not take stays in the memory, not in the slots. */
static void slow_readers(void **state)
{
	enum { SOCKS = 12, LEN = 1000001 };
	struct devio_ctx *ctx = rig_ctx(0);
	struct devio_ring *ring = rig_ring(ctx, SOCKS, 128 << 10, 64 << 10);
	struct devio_mem *mem = fake_mem(ctx, 2 << 20, 0);
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_sock *sock[SOCKS];
	struct devio_completion done;
	unsigned char *buf = malloc(LEN), *want = malloc(LEN);
	int peer[SOCKS];

	(void)state;
	o.buffer = 32 << 10;
	rig_fill(want, 3, 0, LEN);
	must_zero(devio_mem_copy_in(mem, 77, want, LEN));
	for (int i = 0; i < SOCKS; i++) {
		int small = 64 << 10;

		sock[i] = sock_pair(ctx, &o, &peer[i]);
		setsockopt(peer[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		must_zero(devio_ring_send(ring, sock[i], mem, 77, LEN, i));
	}
	must(devio_ring_wait(ring, &done, 1, 1, 10000000) == 0, "the peer does not read");
	for (int i = SOCKS - 1; i >= 0; i--) {
		size_t n = 0;

		while (n < LEN) {
			ssize_t k = plain_some(peer[i], buf + n, LEN - n);

			must(k >= 0, "the stream goes on");
			n += k;
			if (devio_ring_peek(ring, &done, 1) == 1)
				must(done.cookie == (uint64_t)i && done.result == LEN, "the one that is read");
		}
		must(!memcmp(buf, want, LEN), "its bytes");
		while (devio_ring_inflight(ring) > (unsigned int)i)
			rig_wait(ring, &done, 1);
		close(peer[i]);
		devio_sock_close(sock[i]);
	}
	check_idle(ring);
	devio_ring_close(ring);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
	free(buf);
	free(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
		cmocka_unit_test(silent_peers),
		cmocka_unit_test(slow_readers),
	};

	cmocka_set_test_filter(getenv("FLOW_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
