/* SPDX-License-Identifier: MIT */
/* Flows: the operations of one direction of a connection, in the order of its bytes. */
#include "config.h"
#include <sys/socket.h>
#include "ctx.h"
#include "err.h"
#include "path.h"

static struct dv_flow *flow_of(const struct dv_op *op)
{
	return &op->sock->flow[op->write];
}

static bool dead(const struct dv_op *op)
{
	return op->err || op->canceled;
}

static bool wants(const struct dv_op *op)
{
	return op->issued < op->len && op->issued < op->eof_x && !dead(op);
}

static bool has_ended(const struct dv_op *op)
{
	return !op->parts && !op->waiting && !wants(op);
}

/* Did it end before its first byte? */
static bool untouched(const struct dv_op *op)
{
	return op->err ? !op->fail_x : op->canceled && !op->issued;
}

static enum devio_reason reason_of(int err)
{
	switch (err) {
	case -ECONNRESET:
	case -ECONNABORTED:
	case -EPIPE:
		return DEVIO_WHY_RESET;
	case -ETIMEDOUT:
		return DEVIO_WHY_TIMEOUT;
	default:
		return DEVIO_WHY_NET;
	}
}

static void cancel_io(struct devio_ring *r, const struct dv_flow *fl)
{
	if (fl->io && dv_queue_cancel(&r->q, fl->io, &r->parts[r->nr_parts]))
		r->owes_cancel = true;
}

void dv_flow_recancel(struct devio_ring *r)
{
	r->owes_cancel = false;
	for (unsigned int i = 0; i < r->nr_ops; i++) {
		const struct dv_op *op = &r->ops[i];

		if (op->active && op->sock && dead(op) && flow_of(op)->io && flow_of(op)->io->op == op)
			cancel_io(r, flow_of(op));
	}
}

/* Out of the flow's hands; a part at the front of the line leaves it. */
static void leave(struct dv_flow *fl, const struct dv_part *p)
{
	if (fl->io == p)
		fl->io = NULL;
	if (fl->count && fl->line[fl->first] == p) {
		fl->first = (fl->first + 1) % DV_FLOW_LINE;
		fl->count--;
	}
}

/* The part ends before its end. */
static void give_up(struct devio_ring *r, struct dv_part *p, int err, enum devio_reason why)
{
	struct dv_op *op = p->op;

	leave(flow_of(op), p);
	if (!op->write)
		op->issued = p->x; /* there is no later part */
	dv_op_fail(op, p->x + p->done, err, why);
	dv_part_finish(r, p, p->done);
}

static void give_up_dead(struct devio_ring *r, struct dv_part *p)
{
	const struct dv_flow *fl = flow_of(p->op);

	if (fl->err)
		give_up(r, p, fl->err, fl->why);
	else if (p->op->canceled)
		give_up(r, p, -ECANCELED, DEVIO_WHY_CANCELED);
	else
		give_up(r, p, p->op->err, p->op->fail_reason);
}

static int flags_of(const struct dv_part *p)
{
	if (p->step == DV_STEP_MOVE_NOW)
		return MSG_NOSIGNAL | MSG_DONTWAIT;
	return MSG_NOSIGNAL | (p->op->write || !(p->op->want & DEVIO_SOCK_SOME) ? MSG_WAITALL : 0);
}

/* The part's step to the kernel, or to the list of those for which there is no room. */
static void submit(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = p->op->sock;
	struct dv_flow *fl = flow_of(p->op);
	struct dv_net n = { .fd = s->fd };
	unsigned int answers;
	int rc;

	if (p->step == DV_STEP_POLL) {
		n.what = p->op->write ? DV_NET_POLL_OUT : DV_NET_POLL_IN;
	} else {
		n.what = p->op->write ? DV_NET_SEND : DV_NET_RECV;
		n.addr = p->addr + p->done;
		n.len = p->len - p->done;
		n.flags = flags_of(p);
	}
	if (s->opts.idle_ns && p->step != DV_STEP_MOVE_NOW) {
		fl->patience.tv_sec = s->opts.idle_ns / 1000000000;
		fl->patience.tv_nsec = s->opts.idle_ns % 1000000000;
		n.patience = &fl->patience;
	}
	fl->io = p;
	rc = dv_queue_net(&r->q, &n, p, &r->parts[r->nr_parts + 2], &answers);
	if (!rc) {
		r->nr_io += answers;
	} else if (rc == -EAGAIN) {
		p->next = r->stalled;
		r->stalled = p;
	} else {
		give_up(r, p, rc, DEVIO_WHY_NO_URING);
	}
}

int dv_flow_slot(struct devio_ring *r, const struct dv_op *op, uint32_t len, struct dv_slot *slot)
{
	int rc = dv_slots_get(&r->slots, &r->q, len, slot);

	if (rc)
		return rc;
	dv_slots_pin(&r->slots, op->mem);
	dv_stat_add(&r->stat.staging_peak, r->slots.peak - r->stat.staging_peak);
	return 0;
}

static void copy(struct devio_ring *r, struct dv_part *p)
{
	r->nr_staged++;
	dv_part_copy(r, p);
}

/* The socket is ready: now a slot is worth having. */
static void take_slot(struct devio_ring *r, struct dv_part *p)
{
	int rc = dv_flow_slot(r, p->op, p->len, &p->slot);

	if (rc == -EAGAIN) {
		p->step = DV_STEP_SLOT;
		p->next = r->stalled;
		r->stalled = p;
		return;
	}
	if (rc) {
		give_up(r, p, rc, DEVIO_WHY_NO_SLOT);
		return;
	}
	p->addr = (uintptr_t)p->slot.buf;
	p->step = DV_STEP_MOVE_NOW;
	if (p->op->write)
		copy(r, p);
	else
		submit(r, p);
}

static void go_on(struct devio_ring *r, struct dv_part *p)
{
	if (p->way == DV_WAY_STAGED_CACHE && !p->slot.buf) {
		take_slot(r, p);
		return;
	}
	p->step = DV_STEP_MOVE_NOW;
	submit(r, p);
}

/* Nothing can be moved now; meanwhile others need the slot more. */
static void await(struct devio_ring *r, struct dv_part *p)
{
	if (p->slot.buf && !p->done)
		dv_slots_put(&r->slots, &p->slot);
	p->step = DV_STEP_POLL;
	submit(r, p);
}

static void failed(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_flow *fl = flow_of(p->op);

	if (err != -ECANCELED && err != -EAGAIN && err != -EINTR && !fl->err) {
		/* The kernel tells it once and calls it the end of the stream afterwards. */
		fl->err = err;
		fl->why = reason_of(err);
	}
	if (fl->err || dead(p->op))
		give_up_dead(r, p);
	else if (err == -ECANCELED && p->op->sock->opts.idle_ns)
		give_up(r, p, -ETIMEDOUT, DEVIO_WHY_TIMEOUT);
	else if (err == -ECANCELED)
		give_up(r, p, -ECANCELED, DEVIO_WHY_CANCELED);
	else if (err == -EAGAIN)
		await(r, p);
	else
		submit(r, p);
}

static void received(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = flow_of(op);

	fl->io = NULL;
	op->issued = p->x + n;
	p->take = n;
	if (!n)
		fl->ended = true;
	if (!n || op->want & DEVIO_SOCK_SOME)
		op->eof_x = op->issued;
	if (!n || !p->slot.buf) {
		dv_part_finish(r, p, n);
		return;
	}
	/* The next receive before the copy: the two overlap. */
	dv_flow_go(r, op->sock, false);
	copy(r, p);
}

static void sent(struct devio_ring *r, struct dv_part *p, uint32_t n)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = flow_of(op);

	p->done += n;
	if (p->done == p->len) {
		leave(fl, p);
		dv_part_finish(r, p, p->len);
	} else if (fl->err || dead(op)) {
		give_up_dead(r, p);
	} else if (p->step == DV_STEP_MOVE_NOW && fl->count == 1 && p->slot.buf) {
		/* The slot does not wait for the rest, which is copied again. */
		op->issued = p->x + p->done;
		leave(fl, p);
		dv_part_finish(r, p, p->done);
	} else {
		p->step = p->step == DV_STEP_MOVE_NOW ? DV_STEP_POLL : DV_STEP_MOVE;
		submit(r, p);
	}
}

void dv_flow_event(struct devio_ring *r, struct dv_part *p, int res)
{
	struct devio_sock *s = dv_sock_get(p->op->sock);
	bool send = p->op->write;

	if (res < 0)
		failed(r, p, res);
	else if (p->step == DV_STEP_POLL && (dead(p->op) || flow_of(p->op)->err))
		give_up_dead(r, p);
	else if (p->step == DV_STEP_POLL)
		go_on(r, p);
	else if (send && !res)
		failed(r, p, -EIO); /* not seen; without this it would be tried for ever */
	else if (send)
		sent(r, p, res);
	else
		received(r, p, res);
	dv_flow_go(r, s, send);
	dv_sock_put(s);
}

void dv_flow_retry(struct devio_ring *r, struct dv_part *p)
{
	struct devio_sock *s = dv_sock_get(p->op->sock);
	bool send = p->op->write;

	if (flow_of(p->op)->err || dead(p->op))
		give_up_dead(r, p);
	else if (p->step == DV_STEP_SLOT)
		take_slot(r, p);
	else
		submit(r, p);
	dv_flow_go(r, s, send);
	dv_sock_put(s);
}

/* Bytes of the stream that have left the socket are lost: nothing after them has its place. */
static void lose_stream(struct devio_ring *r, struct dv_flow *fl)
{
	if (!fl->err) {
		fl->err = -EIO;
		fl->why = DEVIO_WHY_BROKEN;
	}
	if (fl->io) {
		dv_op_fail(fl->io->op, fl->io->x, fl->err, fl->why);
		cancel_io(r, fl);
	}
}

void dv_flow_copied(struct devio_ring *r, struct dv_part *p, int err)
{
	struct dv_op *op = p->op;
	struct dv_flow *fl = flow_of(op);

	if (err)
		dv_op_fail(op, p->x, err, DEVIO_WHY_COPY);
	if (!op->write) {
		if (err)
			lose_stream(r, fl);
		dv_part_finish(r, p, err ? 0 : p->take);
	} else if (fl->io != p) {
		p->step = DV_STEP_READY;
		dv_flow_go(r, op->sock, true);
	} else if (fl->err || dead(op)) {
		give_up_dead(r, p);
	} else {
		submit(r, p);
	}
}

bool dv_flow_full(const struct dv_op *op, bool alone)
{
	const struct dv_flow *fl = flow_of(op);

	return alone ? fl->count : fl->count == DV_FLOW_LINE;
}

void dv_flow_part(struct devio_ring *r, struct dv_part *p)
{
	struct dv_flow *fl = flow_of(p->op);

	if (!p->op->write) {
		submit(r, p);
		return;
	}
	fl->line[(fl->first + fl->count++) % DV_FLOW_LINE] = p;
	if (p->step == DV_STEP_COPY)
		copy(r, p);
}

/* Sends: the front of the line is next. */
static void kick(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_part *p = fl->line[fl->first];

	if (fl->io || !fl->count || p->step == DV_STEP_COPY)
		return;
	if (fl->err || dead(p->op)) {
		/* Its operation ends first, and with it perhaps the one whose part is next. */
		fl->again = true;
		give_up_dead(r, p);
		return;
	}
	if (p->step == DV_STEP_READY)
		p->step = DV_STEP_MOVE;
	submit(r, p);
	fl->again |= !fl->io;
}

/* The first that wants bytes. One that ends inside its own is a stop: what becomes of those behind it is not known. */
static struct dv_op *next_of(const struct dv_flow *fl)
{
	struct dv_op *op = fl->head;

	while (op && !wants(op)) {
		if (dead(op) && !(untouched(op) && (!op->err || op->err == -ECANCELED)))
			return NULL;
		op = op->behind;
	}
	return op;
}

static void issue(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_op *op;

	while ((op = next_of(fl)) && !op->waiting && (op->write ? !dv_flow_full(op, false) : !fl->io)) {
		int rc = 0;

		if (fl->err)
			dv_op_fail(op, op->issued, fl->err, fl->why);
		else if (fl->ended)
			op->eof_x = op->issued;
		else
			rc = op->path->issue(r, op);
		if (rc == -EBUSY)
			return; /* not beside those in the line */
		if (rc == -EAGAIN) {
			dv_op_wait(r, op);
			return;
		}
		if (rc)
			dv_op_fail(op, op->issued, rc, DEVIO_WHY_NO_SLOT);
		fl->again = true;
	}
}

/*
 * What stands behind an operation that ended inside its bytes would get those
 * of another: it ends, too. One that was cancelled before its first byte is
 * as if it had never been.
 */
static void end_those_behind(struct devio_ring *r, struct dv_flow *fl, const struct dv_op *op)
{
	uint64_t end = op->len < op->eof_x ? op->len : op->eof_x;

	if (fl->err || !op->err || op->fail_x >= end || (op->err == -ECANCELED && !op->fail_x))
		return;
	for (struct dv_op *o = op->behind; o; o = o->behind) {
		dv_op_fail(o, 0, -ECANCELED, DEVIO_WHY_BROKEN);
		if (fl->io && fl->io->op == o)
			cancel_io(r, fl);
	}
	fl->sweep = fl->again = true;
}

static void finish(struct devio_ring *r, struct dv_flow *fl, struct dv_op *op)
{
	if (op->canceled && op->issued < op->len && op->issued < op->eof_x)
		dv_op_fail(op, op->issued, -ECANCELED, DEVIO_WHY_CANCELED);
	end_those_behind(r, fl, op);
	dv_op_finish(r, op);
}

/* Completes what has ended: in order, but for those that ended before their turn. */
static void finish_ended(struct devio_ring *r, struct dv_flow *fl)
{
	struct dv_op **at = &fl->head;
	bool left = false;

	while (*at && (at == &fl->head || fl->sweep)) {
		struct dv_op *op = *at, *behind = op->behind;

		if (!has_ended(op) || (at != &fl->head && !untouched(op))) {
			left |= dead(op);
			at = &op->behind;
			continue;
		}
		finish(r, fl, op);
		*at = behind;
		if (!behind)
			fl->tail = at;
	}
	fl->sweep = left;
}

void dv_flow_go(struct devio_ring *r, struct devio_sock *s, bool send)
{
	struct dv_flow *fl = &s->flow[send];

	if (fl->going) {
		fl->again = true;
		return;
	}
	dv_sock_get(s);
	fl->going = true;
	do {
		fl->again = false;
		finish_ended(r, fl);
		issue(r, fl);
		kick(r, fl);
	} while (fl->again);
	fl->going = false;
	if (!fl->head && atomic_load_explicit(&fl->ring, memory_order_relaxed) == r) {
		r->nr_staged--;
		atomic_store_explicit(&fl->ring, NULL, memory_order_release);
	}
	dv_sock_put(s);
}

void dv_flow_canceled(struct devio_ring *r, struct dv_op *op)
{
	flow_of(op)->sweep = true;
	dv_flow_go(r, op->sock, op->write);
}

void dv_flow_forget(struct dv_op *op)
{
	struct dv_flow *fl = flow_of(op);

	fl->head = NULL;
	fl->tail = &fl->head;
	fl->io = NULL;
	fl->count = 0;
	fl->going = false;
	atomic_store_explicit(&fl->ring, NULL, memory_order_release);
}

int dv_flow_check(const struct devio_ctx *ctx, const struct devio_sock_io *io, uint64_t *len)
{
	static const unsigned int known = DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_SOME;

	if (!io->sock)
		return dv_err(-EINVAL, "ring: a connection is needed");
	if (io->sock->ctx != ctx)
		return dv_err(-EINVAL, "ring: the connection belongs to another context");
	if (io->sock->listening)
		return dv_err(-ENOTCONN, "sock: a listener neither receives nor sends: accept a connection from it");
	if ((io->path && io->path < DEVIO_PATH_SOCK_DEVMEM) || io->path >= DEVIO_PATH_MAX || io->flags & ~known)
		return dv_err(-EINVAL, "ring: path %d is none of connections, or flags 0x%x are unknown", io->path,
			      io->flags);
	return dv_op_check_ranges(ctx, io->ranges, io->nr_ranges, len);
}

/* The stream becomes the ring's, as long as operations are in flight. */
static int claim(struct devio_ring *r, struct dv_flow *fl, bool send)
{
	struct devio_ring *none = NULL;

	if (atomic_load_explicit(&fl->ring, memory_order_relaxed) == r ||
	    atomic_compare_exchange_strong_explicit(&fl->ring, &none, r, memory_order_acquire, memory_order_relaxed))
		return 0;
	return dv_err(-EBUSY, "sock: another ring or thread is %s on this connection: wait for it",
		      send ? "sending" : "receiving");
}

static void enqueue(struct devio_ring *r, struct dv_flow *fl, struct dv_op *op)
{
	if (!fl->head) {
		fl->tail = &fl->head;
		r->nr_staged++;
	}
	*fl->tail = op;
	fl->tail = &op->behind;
}

int dv_flow_start(struct devio_ring *r, const struct devio_sock_io *io)
{
	struct devio_sock *s = io->sock;
	struct dv_flow *fl;
	struct dv_op *op;
	uint64_t len = 0;
	int rc = dv_flow_check(r->ctx, io, &len);

	if (rc)
		return rc;
	fl = &s->flow[!!io->send];
	rc = claim(r, fl, io->send);
	if (!rc)
		rc = dv_op_take(r, io->ranges, io->nr_ranges, &op);
	if (rc) {
		if (rc != -EBUSY && !fl->head)
			atomic_store_explicit(&fl->ring, NULL, memory_order_release);
		return rc;
	}
	dv_op_init(op, len, io->cookie, io->send);
	op->sock = dv_sock_get(s);
	op->want = io->flags | (s->opts.flags & (DEVIO_SOCK_DIRECT_ONLY | DEVIO_SOCK_SOME));
	enqueue(r, fl, op);
	rc = len ? dv_path_choose(r, op, io->path ? io->path : s->opts.path) : 0;
	if (rc)
		dv_op_fail(op, 0, rc, op->fail_reason);
	dv_flow_go(r, s, io->send);
	return 0;
}
