/* SPDX-License-Identifier: MIT */
/*
 * sock-zcrx without a NIC, as a property: receives by a kernel that the test
 * plays. Requests never reach the real one. It answers in pieces that lie
 * anywhere in the area, ends requests for every reason that there is, leaves
 * bytes in the socket for the library to read with recv(), and polls the
 * refill ring when it likes. No byte may be lost, doubled or out of place, and
 * every buffer comes back as often as it was given.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "core/ctx.h"
#include "sock/rx.h"
#include "path/choose.h"
#include "sockrig.h"
#include "unit/fake.h"

#define PAGES 64
#define ENTRIES 16
#define LANES 6
#define LANE (256u << 10)
#define OPS 400

static struct rig_rnd seed;

static uint32_t rnd(uint32_t n)
{
	return (uint32_t)(rig_rnd(&seed) % n);
}

/* --------------------------------------------------------- the refill ring */

static struct { uint32_t head, tail; struct dv_zcrx_rqe rqe[ENTRIES]; } shared;

static struct dv_zcrx refill(uint32_t entries)
{
	memset(&shared, 0, sizeof(shared));
	return (struct dv_zcrx){
		.ring_fd = -1, .entries = entries, .khead = &shared.head, .ktail = &shared.tail, .rqe = shared.rqe
	};
}

/* ------------------------------------------------------- a kernel and a NIC */

enum end { EOS, RESET };

struct mode {
	const char *name;
	int64_t idle_ns;
	bool cancel, some;
	unsigned int fail;         /* of 1000 copies */
	enum end end;
};

static struct world {
	const struct mode *mode;
	struct devio_ctx *ctx;
	struct devio_ring *r;
	struct devio_sock *s;
	struct devio_nic *nic;
	struct devio_mem *dst[2];
	unsigned char *area;
	int plain;                 /* the other end, from which linear bytes come */
	uint32_t refs[PAGES];      /* pieces of the page that the library has */
	uint64_t pos;              /* bytes of the stream that the library has taken */
	struct dv_part *req;       /* with the "kernel", which still lacks so many bytes */
	uint32_t left;
	bool to_cancel, timer;
	uint64_t asked, len[OPS], cut[OPS];
	bool some[OPS], busy[LANES];
	uint64_t good, failed;     /* bytes and operations */
	bool broken, over;
} w;

/* What is queued never gets to the real kernel. */
static void take_requests(void)
{
	struct io_uring_sq *sq = &w.r->q.own.sq;
	unsigned int n = io_uring_sq_ready(&w.r->q.own);

	for (unsigned int head = sq->sqe_tail - n; head != sq->sqe_tail; head++) {
		const struct io_uring_sqe *e = &sq->sqes[head & sq->ring_mask];

		if (e->opcode == DV_IORING_OP_RECV_ZC) {
			must(!w.req && e->len && e->splice_fd_in == 7 && e->ioprio == IORING_RECV_MULTISHOT,
			     "one request at a time");
			w.req = (struct dv_part *)(uintptr_t)e->user_data;
			w.left = e->len;
			w.to_cancel = false;
		} else if (e->opcode == IORING_OP_LINK_TIMEOUT) {
			w.timer = true;
		} else {
			must(e->opcode == IORING_OP_ASYNC_CANCEL, "opcode %u", e->opcode);
			w.to_cancel |= w.req && e->addr == (uintptr_t)w.req;
		}
	}
	sq->sqe_tail -= n;
}

/* Buffers that came back, as many as the NIC happens to want. */
static void take_buffers(uint32_t max)
{
	for (; max && shared.head != shared.tail; max--, shared.head++) {
		uint64_t off = shared.rqe[shared.head % ENTRIES].off;

		must(off < PAGES * 4096ull && w.refs[off >> 12], "a buffer that was out: %llu",
		     (unsigned long long)off);
		w.refs[off >> 12]--;
	}
}

static void land(void)
{
	fake_plan.fail = w.mode->fail;
	dv_zcrx_pieces(w.r);
	fake_plan.fail = 0;
	take_requests();
	/* The peer may be silent from now on. */
	must(!w.req || !w.req->done || !w.left || w.req->op->canceled || !w.some[w.req->op->cookie] || w.to_cancel,
	     "one that has enough does not wait for more");
}

static void answer(int res)
{
	struct dv_part *p = w.req;
	bool timer = w.timer;

	w.req = NULL;
	w.timer = false;
	fake_plan.fail = w.mode->fail;
	dv_reap_event(w.r, (uintptr_t)p, res);
	if (timer)
		dv_reap_event(w.r, (uintptr_t)dv_ring_tag(w.r, DV_TAG_TIMEOUT),
			      res == -ECANCELED ? -ETIME : -ECANCELED);
	fake_plan.fail = 0;
	take_requests();
}

/* A packet in a page that is free, or in one of which the library has others. */
static void piece(void)
{
	uint32_t page = rnd(PAGES), off = page * 4096 + rnd(4096), len = 1 + rnd((page + 1) * 4096 - off);

	if (w.refs[page] > 3)
		return;
	/* What lies there is not overwritten before it was taken. */
	if (w.refs[page] || !rnd(20))
		land();
	if (!w.req)
		return;
	len = len < w.left ? len : w.left;
	rig_fill(w.area + off, 1, w.pos, len);
	w.refs[page]++;
	w.pos += len;
	w.left -= len;
	dv_zcrx_piece(w.r, w.req, (int)len, off);
}

static int in_socket(void)
{
	int n = 0;

	must_zero(ioctl(devio_sock_fd(w.s), FIONREAD, &n));
	return n;
}

/* Bytes in ordinary memory are next, or are said to be: the library reads all, some or none of them with recv(). */
static void linear(void)
{
	static unsigned char buf[20000];
	int n = in_socket();

	if (!n && rnd(8)) {
		n = 1 + (int)rnd(rnd(4) ? 200 : sizeof(buf));
		rig_fill(buf, 1, w.pos, (size_t)n);
		plain_write(w.plain, buf, (size_t)n);
		while (in_socket() < n)
			usleep(100);
	}
	answer(-ENOMEM);
	w.pos += (uint64_t)(n - in_socket());
}

static void kernel_turn(void)
{
	static const int soft[] = { -ENOSPC, -EAGAIN, -EINTR };

	take_buffers(rnd(12));
	if (!rnd(10))
		dv_ring_progress(w.r);
	if (!w.req)
		return;
	if (w.to_cancel && !rnd(3))
		answer(-ECANCELED);
	else if (in_socket())
		linear();
	else if (!w.left)
		answer(0);
	else if (!rnd(30))
		linear();
	else if (!rnd(40))
		answer(soft[rnd(3)]);
	else if (w.timer && !rnd(40))
		answer(-ECANCELED);
	else
		piece();
}

/* ------------------------------------------------------------- the program */

static void ask(void)
{
	uint64_t i = w.asked, len = 1 + rnd(rnd(4) ? LANE : 3000), at = i % LANES * LANE, cut = rnd((uint32_t)len + 1);
	struct devio_range range[2] = { { w.dst[0], at, cut }, { w.dst[1], at + cut, len - cut } };
	struct devio_sock_io io = { .sz = sizeof(io), .sock = w.s, .ranges = range, .nr_ranges = 2, .cookie = i,
				    .path = DEVIO_PATH_SOCK_ZCRX };

	if (w.busy[i % LANES])
		return;
	w.len[i] = len;
	w.cut[i] = cut;
	w.some[i] = w.mode->some && rnd(2);
	w.busy[i % LANES] = true;
	io.flags = w.some[i] ? DEVIO_SOCK_PARTIAL : 0;
	w.asked++;
	must_zero(devio_ring_sock_io(w.r, &io));
	take_requests();
}

static bool may_fail(const struct devio_completion *c)
{
	if (w.broken)
		return true;
	switch (c->result) {
	case -EIO: return w.mode->fail;
	case -ECONNRESET: return w.over && w.mode->end == RESET && c->reason == DEVIO_REASON_RESET;
	case -ETIMEDOUT: return w.mode->idle_ns == 1 && c->reason == DEVIO_REASON_TIMEOUT;
	default: return c->result == -ECANCELED && (w.mode->cancel || w.mode->idle_ns == 1);
	}
}

/* The first `cut` bytes of an operation lie in one memory, the others in the second. */
static void compare(uint64_t i, uint64_t good)
{
	static unsigned char got[LANE], want[LANE];
	uint64_t at = i % LANES * LANE, cut = w.cut[i] < good ? w.cut[i] : good;

	must_zero(devio_mem_copy_out(w.dst[0], at, got, cut));
	must_zero(devio_mem_copy_out(w.dst[1], at + cut, got + cut, good - cut));
	rig_fill(want, 1, w.good, good);
	must(!memcmp(got, want, good), "%s: every byte in its place", w.mode->name);
}

static void settle(const struct devio_completion *c)
{
	uint64_t i = c->cookie;

	must(i < w.asked && w.busy[i % LANES] && c->good <= w.len[i], "one of ours, once");
	w.busy[i % LANES] = false;
	must(c->result < 0 || c->result == (int64_t)c->good, "the result is the good bytes");
	must(c->result >= 0 || may_fail(c), "%s: %lld (reason %u)", w.mode->name, (long long)c->result, c->reason);
	if (c->result >= 0 && !w.over)
		must(w.some[i] ? c->good : c->good == w.len[i], "all of it, or (some) a byte: %llu",
		     (unsigned long long)c->good);
	must(!w.broken || !c->good, "nothing is good behind bytes that are lost");
	compare(i, c->good);
	w.good += c->good;
	w.failed += c->result < 0;
	w.broken |= c->result == -EIO;
}

static void settle_all(void)
{
	while (w.r->done_head != w.r->done_tail) {
		struct devio_completion c = w.r->done[w.r->done_head++ & w.r->done_mask];

		w.r->room++;
		settle(&c);
	}
}

static void maybe_cancel(void)
{
	uint64_t i = w.asked - 1 - rnd(LANES);

	if (!w.mode->cancel || rnd(60) || !w.asked || i >= w.asked || !w.busy[i % LANES])
		return;
	land();
	(void)devio_ring_cancel(w.r, i);
	take_requests();
}

/* A NIC that is not set up; its buffers are the test's. */
static void open_nic(void)
{
	struct devio_mem *area;
	void *p;

	must_zero(devio_mem_alloc(w.ctx, "host", PAGES * 4096, NULL, &area));
	must_zero(devio_mem_map(area, &p));
	w.area = p;
	w.nic = calloc(1, sizeof(*w.nic));
	w.nic->ctx = dv_ctx_get(w.ctx);
	w.nic->refs = 2;
	w.nic->mem = area;
	w.nic->binding = &dv_nic_ring_binding;
	w.nic->ring = w.r;
	w.nic->journal = -1;
	w.nic->zc = refill(ENTRIES);
	w.nic->zc.id = 7;
	pthread_mutex_init(&w.nic->undo, NULL);
	dv_nic_ring_join(w.nic, w.r);
	w.s->rx = calloc(1, sizeof(*w.s->rx));
	w.s->rx->nic = w.nic;
	w.s->rx->linear = malloc(DV_RX_BYTES);
	w.s->rx->bounce = malloc(DV_RX_BYTES);
}

static int open_world(const struct mode *m)
{
	struct devio_ring_opts ro = DEVIO_OPTS(ro);
	struct devio_sock_opts so = DEVIO_OPTS(so);
	int rc;

	memset(&w, 0, sizeof(w));
	memset(&fake_plan, 0, sizeof(fake_plan));
	w.mode = m;
	w.ctx = rig_ctx(0);
	ro.entries = LANES;
	ro.flags = DEVIO_RING_ZCRX;
	rc = devio_ring_open(w.ctx, &ro, &w.r);
	if (rc) {
		devio_ctx_close(w.ctx);
		return rc;
	}
	so.idle_ns = m->idle_ns;
	w.s = sock_pair(w.ctx, &so, &w.plain);
	open_nic();
	w.dst[0] = fake_mem(w.ctx, LANES * LANE, 0);
	w.dst[1] = rig_mem(w.ctx, LANES * LANE);
	return 0;
}

static void close_world(void)
{
	struct devio_stat st = DEVIO_OPTS(st);
	uint32_t out = 0;

	do {
		take_buffers(UINT32_MAX);
		dv_ring_progress(w.r);
	} while (shared.head != shared.tail || w.r->client_due);
	for (int i = 0; i < PAGES; i++)
		out += w.refs[i];
	must(!out, "%u buffers did not come back", out);
	must_zero(devio_stat_get(w.ctx, &st));
	must(st.frags == st.returned, "as the counters say");
	must(w.broken || (w.good == w.pos && st.linear + st.frag_bytes == w.pos),
	     "%s: %llu bytes were taken, %llu are good", w.mode->name, (unsigned long long)w.pos,
	     (unsigned long long)w.good);
	check_idle(w.r);
	devio_ring_close(w.r);
	devio_sock_close(w.s);
	devio_mem_free(w.dst[0]);
	devio_mem_free(w.dst[1]);
	devio_ctx_close(w.ctx);
	close(w.plain);
}

static int run(const struct mode *m, uint64_t n)
{
	int rc;

	seed.s = n;
	rc = open_world(m);
	if (rc)
		return rc;
	while (w.asked < OPS && !w.broken) {
		if (!rnd(4))
			ask();
		maybe_cancel();
		kernel_turn();
		settle_all();
	}
	/* What waits for bytes gets the end of the stream. */
	w.over = true;
	while (w.req) {
		uint64_t failed = w.failed;
		bool reset = w.mode->end == RESET && w.left && !w.to_cancel;

		answer(reset ? -ECONNRESET : w.to_cancel ? -ECANCELED : 0);
		settle_all();
		must(!reset || w.failed > failed, "the reset is reported");
	}
	settle_all();
	must(!m->fail || n > 1 || w.broken, "%s: a copy failed", m->name);
	must(!(m->cancel || m->idle_ns == 1) || w.failed, "%s: something failed", m->name);
	close_world();
	return 0;
}

static const struct mode modes[] = {
	{ .name = "whole" },
	{ "some", .some = true },
	{ "cancelled", .cancel = true },
	{ "cancelled, some", .cancel = true, .some = true },
	{ "long timeout", .idle_ns = 60000000000 },
	{ "long timeout, cancelled, some", .idle_ns = 60000000000, .cancel = true, .some = true },
	{ "impatient", .idle_ns = 1 },
	{ "failing", .fail = 3 },
	{ "failing, cancelled, some", .fail = 3, .cancel = true, .some = true },
	{ "reset", .end = RESET },
};

static void streams(void **state)
{
	const char *seeds = getenv("FLOW_SEEDS");
	unsigned int n = seeds ? strtoul(seeds, NULL, 10) : 3;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		uint64_t t = rig_ns();

		for (unsigned int k = 1; k <= n; k++)
			if (run(&modes[i], k))
				must_skip("no ring for zero-copy receive here: %s", devio_errmsg());
		print_message("# %s: %llu ms\n", modes[i].name, (unsigned long long)(rig_ns() - t) / 1000000);
	}
}

/* A request that ends again and again without a byte ends the operation, not the stream. */
static void no_progress(void **state)
{
	static const struct mode quiet = { .name = "no progress" };
	struct devio_completion c;
	unsigned int n = 0;

	(void)state;
	if (open_world(&quiet))
		must_skip("no ring for zero-copy receive here: %s", devio_errmsg());
	must_zero(devio_ring_recv(w.r, w.s, w.dst[1], 0, 1000, 5));
	for (take_requests(); w.req && n < 100000; n++)
		answer(n % 2 ? -ENOSPC : -ENOMEM);
	must(n > 100 && n < 100000, "it ends: %u", n);
	c = w.r->done[w.r->done_head++ & w.r->done_mask];
	w.r->room++;
	must(c.cookie == 5 && c.result < 0 && !c.good && !w.s->stream[0].err, "reported, and the stream goes on");
	close_world();
}

/* The time-out counts from the last byte, however often the request was made again. */
static void idle(void **state)
{
	static const struct mode soon = { .name = "idle", .idle_ns = 60000000 };
	struct devio_completion c;

	(void)state;
	if (open_world(&soon))
		must_skip("no ring for zero-copy receive here: %s", devio_errmsg());
	must_zero(devio_ring_recv(w.r, w.s, w.dst[1], 0, 100000, 5));
	take_requests();
	for (int i = 0; i < 3; i++) {
		while (w.pos < 1000u * (i + 1))
			piece();
		land();
		usleep(20000);
		answer(-EAGAIN);
		usleep(20000);
		answer(-ENOMEM);
		must(w.req && w.s->stream[0].timeout.tv_nsec < 25000000, "what is left of it: %ld",
		     (long)w.s->stream[0].timeout.tv_nsec);
	}
	usleep(25000);
	answer(-ECANCELED);
	must(!w.req && w.r->done_head != w.r->done_tail, "it has ended");
	c = w.r->done[w.r->done_head++ & w.r->done_mask];
	w.r->room++;
	must(c.result == -ETIMEDOUT && c.reason == DEVIO_REASON_TIMEOUT && c.good == w.pos, "with what came before");
	w.good = c.good;
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
		cmocka_unit_test(no_progress),
		cmocka_unit_test(idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
