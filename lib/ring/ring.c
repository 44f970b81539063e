/* SPDX-License-Identifier: MIT */
/* The ring: opening, driving, waiting. Independent of how bytes are moved. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "core/clock.h"
#include "ring/index.h"
#include "ring/pair.h"

#define DEFAULT_ENTRIES 128
#define MAX_ENTRIES 16384
#define MAX_PARTS 32000 /* io_uring's largest submission queue has 32768 entries */
#define DEFAULT_STAGING (32ULL << 20)
#define DEFAULT_SLOT (1u << 20)
#define MIN_SLOT (64u << 10)
#define MAX_SLOT (64u << 20)
#define DEFAULT_DMABUF_SLOTS 64
#define MAX_WAIT_NS (1LL << 60) /* longer timeouts are infinite */
#define COPY_POLL_NS 50000 /* polling interval for device copies and clients */

static int check_opts(struct devio_ring_opts *o)
{
	if (!o->entries)
		o->entries = DEFAULT_ENTRIES;
	if (!o->slot)
		o->slot = DEFAULT_SLOT;
	if (!o->staging)
		o->staging = DEFAULT_STAGING < o->slot ? o->slot : DEFAULT_STAGING;
	if (!o->dmabuf_slots)
		o->dmabuf_slots = DEFAULT_DMABUF_SLOTS;
	if (!o->spin_ns)
		o->spin_ns = DV_SPIN_NS;
	if (o->entries > MAX_ENTRIES || o->flags & ~(DEVIO_RING_SHARED | DEVIO_RING_ZCRX) || o->dmabuf_slots > 4096)
		return dv_err(-EINVAL, "ring: entries %u, flags 0x%x or dmabuf_slots %u out of range",
			      o->entries, o->flags, o->dmabuf_slots);
	if (o->spin_ns > DV_SPIN_MAX_NS)
		return dv_err(-EINVAL, "ring: spin_ns %d is out of range: at most %d", o->spin_ns, DV_SPIN_MAX_NS);
	if (o->flags == (DEVIO_RING_SHARED | DEVIO_RING_ZCRX))
		return dv_err(-EINVAL, "ring: DEVIO_RING_ZCRX and DEVIO_RING_SHARED cannot be combined");
	if (o->slot & (o->slot - 1) || o->slot < MIN_SLOT || o->slot > MAX_SLOT || o->staging < o->slot ||
	    o->staging > (1ULL << 30))
		return dv_err(-EINVAL, "ring: slot %u must be a power of two from 64 KiB to 64 MiB, and staging %llu "
			      "between slot and 1 GiB", o->slot, (unsigned long long)o->staging);
	return 0;
}

static void link_free(struct devio_ring *r)
{
	for (unsigned int i = r->nr_ops; i-- > 0;) {
		r->ops[i].next = r->free_ops;
		r->free_ops = &r->ops[i];
	}
	for (unsigned int i = r->nr_parts; i-- > 0;) {
		r->parts[i].next = r->free_parts;
		r->free_parts = &r->parts[i];
	}
}

static int ring_memory(struct devio_ring *r, const struct devio_ring_opts *o)
{
	unsigned int done = 1;

	while (done < o->entries)
		done *= 2;
	r->nr_ops = r->room = o->entries;
	/* One I/O per operation, and enough for one operation to use all staging buffers. */
	r->nr_parts = o->entries + o->staging / o->slot + 8;
	if (r->nr_parts > MAX_PARTS)
		r->nr_parts = MAX_PARTS;
	r->ops = calloc(r->nr_ops, sizeof(*r->ops));
	r->parts = calloc(r->nr_parts + DV_TAG_MAX, sizeof(*r->parts));
	r->done = calloc(done, sizeof(*r->done));
	r->pairs = dv_pairs_new();
	r->done_mask = done - 1;
	if (!r->ops || !r->parts || !r->done || !r->pairs || dv_staging_init(&r->staging, o->staging, o->slot))
		return dv_err(-ENOMEM, "ring: cannot allocate a ring with %u entries", o->entries);
	dv_plans_invalidate(r);
	link_free(r);
	return 0;
}

void dv_ring_free(struct devio_ring *r)
{
	dv_staging_exit(&r->staging);
	free(r->ops);
	free(r->parts);
	free(r->done);
	dv_pairs_free(r->pairs);
	dv_index_close(r);
	free(r);
}

/* The hot path relies on a plan as soon as it is used: it does not detect a fork(). */
static void on_fork(struct dv_fork_node *node)
{
	dv_plans_invalidate(dv_client_of(node, struct devio_ring, fork_node));
}

int dv_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *opts, struct io_uring *borrowed,
		 uint32_t buf_first, uint32_t buf_count, struct devio_ring **out)
{
	struct devio_ring_opts o = *opts;
	unsigned int flags = (ctx->flags & DEVIO_CTX_NO_URING ? DV_QUEUE_NO_URING : 0) |
			     (o.flags & DEVIO_RING_SHARED ? DV_QUEUE_SHARED : 0) |
			     (o.flags & DEVIO_RING_ZCRX ? DV_QUEUE_ZCRX : 0);
	struct devio_ring *r;
	int rc = check_opts(&o);

	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return dv_err(-ENOMEM, "ring: cannot allocate a ring");
	r->ctx = ctx;
	r->flags = o.flags;
	r->wait_tail = &r->wait_head;
	r->close_gen = dv_close_gen;
	rc = ring_memory(r, &o);
	if (!rc && borrowed)
		dv_queue_borrow(&r->q, borrowed, buf_first, buf_count);
	else if (!rc)
		rc = dv_queue_init(&r->q, r->nr_parts + 2, flags);
	if (rc) {
		dv_ring_free(r);
		return rc;
	}
	r->q.table_want = o.dmabuf_slots + 1;
	r->q.spin.ns = o.spin_ns < 0 ? 0 : (uint32_t)o.spin_ns;
	if (r->q.no_uring)
		dv_log(ctx, DEVIO_LOG_WARN, "ring: io_uring is not available [%s]: falling back to threads",
		       dv_errno_name(r->q.no_uring));
	dv_stat_open(ctx, &r->stat);
	r->fork_node.child = on_fork;
	dv_fork_add(&r->fork_node);
	*out = r;
	return 0;
}

DEVIO_API int devio_ring_open(struct devio_ctx *ctx, const struct devio_ring_opts *opts,
			      struct devio_ring **out)
{
	struct devio_ring_opts o;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_ring_opts");

	if (!rc && (!ctx || !out))
		rc = dv_err(-EINVAL, "ring: context or the pointer for the new ring is NULL");
	if (!rc)
		rc = dv_ctx_forked(ctx);
	if (!rc)
		rc = dv_ring_open(ctx, &o, NULL, 0, 0, out);
	if (!rc)
		dv_ctx_get(ctx);
	return rc;
}

int dv_ring_check(const struct devio_ring *r)
{
	if (__builtin_expect(!r, 0))
		return dv_err(-EINVAL, "ring: ring is NULL");
	if (__builtin_expect(r->ctx->fork_gen != dv_fork_gen, 0))
		return dv_ctx_forked(r->ctx);
	return 0;
}

void dv_ring_add_client(struct devio_ring *r, struct dv_ring_client *c)
{
	c->next = r->clients;
	r->clients = c;
}

struct dv_ring_client *dv_ring_find_client(const struct devio_ring *r, const struct dv_ring_client_ops *ops)
{
	struct dv_ring_client *c = r->clients;

	while (c && c->ops != ops)
		c = c->next;
	return c;
}

/* A client may request another call through close_gen or client_due. */
static void run_clients(struct devio_ring *r)
{
	r->close_gen = dv_close_gen;
	r->client_due = false;
	for (struct dv_ring_client *c = r->clients; c; c = c->next)
		c->ops->progress(r, c);
}

static void retry_stalled(struct devio_ring *r)
{
	struct dv_part *list = r->stalled;

	r->stalled = NULL;
	while (list) {
		struct dv_part *p = list;

		list = p->next;
		p->op->end->ops->retry(r, p);
	}
}

static void retry_waiting(struct devio_ring *r)
{
	struct dv_op *op = r->wait_head;

	r->wait_head = NULL;
	r->wait_tail = &r->wait_head;
	while (op) {
		struct dv_op *next = op->next;

		op->waiting = false;
		op->end->ops->advance(r, op);
		op = next;
		/*
		 * No room for this one means no room for later ones, unless it waits for
		 * something that they may hold.
		 */
		if (r->wait_head && op && !r->wait_head->waits_alone) {
			*r->wait_tail = op;
			while (op->next)
				op = op->next;
			r->wait_tail = &op->next;
			return;
		}
	}
}

/* Retries cancellations for which the queue had no room. */
static void retry_cancels(struct devio_ring *r)
{
	r->owes_cancel = false;
	for (unsigned int i = 0; i < r->nr_ops; i++)
		if (r->ops[i].active)
			r->ops[i].end->ops->cancel(r, &r->ops[i], true);
}

void dv_ring_progress(struct devio_ring *r)
{
	if (r->copying)
		dv_part_poll_copies(r, false);
	if (r->stalled)
		retry_stalled(r);
	if (r->wait_head)
		retry_waiting(r);
	if (r->owes_cancel)
		retry_cancels(r);
	if (r->client_due || r->close_gen != dv_close_gen)
		run_clients(r);
}

static unsigned int ready(const struct devio_ring *r)
{
	return r->done_tail - r->done_head + (r->sink - r->sink_begin);
}

/*
 * How many CQEs to wait for: all that the caller wants, unless there is work to do in
 * between.
 */
static unsigned int events_to_wait(const struct devio_ring *r, unsigned int want)
{
	unsigned int missing = want - ready(r);

	if (r->nr_staged || r->wait_head || r->stalled)
		return r->nr_io ? 1 : 0;
	return missing < r->nr_io ? missing : r->nr_io;
}

int dv_ring_step(struct devio_ring *r, unsigned int want, int64_t timeout_ns)
{
	unsigned int n = ready(r) >= want || !timeout_ns ? 0 : events_to_wait(r, want);
	int rc = 0;

	if ((r->copying || r->client_due) && (timeout_ns < 0 || timeout_ns > COPY_POLL_NS))
		timeout_ns = COPY_POLL_NS;
	if (n || dv_queue_ready(&r->q) || r->nr_io) {
		dv_stat_add(&r->stat.sum.enters, 1);
		rc = dv_queue_enter(&r->q, n, timeout_ns);
	} else if (r->copying && timeout_ns) {
		dv_part_poll_copies(r, true);
	}
	dv_reap(r);
	dv_ring_progress(r);
	return rc == -ETIME ? 0 : rc;
}

static unsigned int take_done(struct devio_ring *r, struct devio_completion *done, unsigned int max)
{
	unsigned int n = r->done_tail - r->done_head;

	if (!n)
		return 0;
	n = n < max ? n : max;
	for (unsigned int i = 0; i < n; i++)
		done[i] = r->done[r->done_head++ & r->done_mask];
	r->room += n;
	return n;
}

/* Whether there is something to do, and nothing in the kernel that would wake up pollers of the descriptor. */
static bool must_raise(struct devio_ring *r)
{
	if (ready(r))
		return true;
	/* The late answers to timers and cancellations are nobody's: an idle ring does not wake for them. */
	if (!dv_ring_active(r))
		return false;
	/*
	 * A failed or interrupted io_uring_enter() leaves entries in the submission queue
	 * and completions in the kernel; reaping stops after enough copies and leaves
	 * entries in the completion queue.
	 */
	if (dv_queue_ready(&r->q) || dv_queue_has_events(&r->q))
		return true;
	return (r->stalled || r->wait_head) && !r->nr_io && !r->copying;
}

/* Makes sure that pollers of the descriptor wake up for work without a CQE: copies, clients, unsubmitted entries. */
static void arm_wakeup(struct devio_ring *r)
{
	if (must_raise(r)) {
		dv_queue_fd_raise(&r->q);
	} else if ((r->copying || r->client_due) && !r->timer_armed) {
		r->timer.tv_nsec = COPY_POLL_NS;
		r->timer_armed = !dv_queue_timer(&r->q, &r->timer, dv_ring_tag(r, DV_TAG_TIMER));
		if (!r->timer_armed || dv_queue_enter(&r->q, 0, 0) || dv_queue_ready(&r->q))
			dv_queue_fd_raise(&r->q);
	}
}

static int wait_loop(struct devio_ring *r, unsigned int want, int64_t timeout_ns)
{
	int64_t end, left;
	int rc;

	if (timeout_ns > MAX_WAIT_NS)
		timeout_ns = -1;
	end = timeout_ns > 0 ? dv_end_ns(timeout_ns) : 0;
	left = timeout_ns;
	for (;;) {
		rc = dv_ring_step(r, want, left);
		if (rc || ready(r) >= want || !timeout_ns)
			break;
		if (timeout_ns > 0) {
			left = end - dv_now_ns();
			if (left <= 0)
				break;
		}
	}
	/* The last step may have queued something. */
	if (!rc && dv_queue_ready(&r->q))
		rc = dv_queue_enter(&r->q, 0, 0);
	return rc;
}

DEVIO_API int devio_ring_wait(struct devio_ring *r, struct devio_completion *done, unsigned int min,
			      unsigned int max, int64_t timeout_ns)
{
	unsigned int want, n;
	int rc = dv_ring_check(r);

	if (rc)
		return rc;
	if (r->q.borrowed)
		return dv_err(-EOPNOTSUPP, "ring: cannot wait on an attached ring: wait on the application's io_uring "
			      "and pass its CQEs to devio_ring_handle()");
	if (r->q.event_fd >= 0)
		dv_queue_fd_drain(&r->q);
	n = take_done(r, done, max);
	want = min < max ? min : max;
	want = want > n ? want - n : 0;
	if (want > dv_ring_active(r))
		want = dv_ring_active(r);
	r->sink = r->sink_begin = done + n;
	r->sink_end = done + max;
	if (dv_ring_active(r))
		rc = wait_loop(r, want, timeout_ns);
	else
		dv_ring_progress(r); /* an idle ring must drop closed objects, too */
	n += r->sink - r->sink_begin;
	r->sink = r->sink_begin = r->sink_end = NULL;
	if (r->q.event_fd >= 0)
		arm_wakeup(r);
	return n ? (int)n : rc;
}

DEVIO_API int devio_ring_peek(struct devio_ring *r, struct devio_completion *done, unsigned int max)
{
	int rc;

	if (!r->q.borrowed)
		return devio_ring_wait(r, done, 0, max, 0);
	rc = dv_ring_check(r);
	if (rc)
		return rc;
	dv_ring_progress(r);
	return take_done(r, done, max);
}

DEVIO_API int devio_ring_submit(struct devio_ring *r)
{
	unsigned int n;
	int rc = dv_ring_check(r);

	if (rc)
		return rc;
	if (r->q.borrowed)
		return dv_err(-EOPNOTSUPP, "ring: cannot submit an attached ring: submit the application's io_uring");
	n = dv_queue_ready(&r->q);
	if (!n)
		return 0;
	dv_stat_add(&r->stat.sum.enters, 1);
	rc = dv_queue_enter(&r->q, 0, 0);
	if (r->q.event_fd >= 0)
		arm_wakeup(r);
	return rc ? rc : (int)n;
}

void dv_ring_promote_all(struct devio_ring *r)
{
	dv_ring_clear_free_parts(r);
	for (unsigned int i = 0; i < r->nr_parts; i++)
		if (r->parts[i].fast.plan)
			dv_fast_end(r, &r->parts[i])->ops->promote(r, &r->parts[i]);
}

/* Canceling one may complete others, but none is started meanwhile. */
static int cancel_found(struct devio_ring *r, uint64_t cookie)
{
	const uint32_t *ops;
	unsigned int n = dv_index_find(r, cookie, &ops);
	int found = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!r->ops[ops[i]].active)
			continue;
		dv_op_cancel(r, &r->ops[ops[i]]);
		found++;
	}
	return found;
}

/* Without memory for an index. */
static int cancel_each(struct devio_ring *r, uint64_t cookie)
{
	int found = 0;

	dv_ring_promote_all(r);
	for (unsigned int i = 0; i < r->nr_ops; i++) {
		if (!r->ops[i].active || r->ops[i].cookie != cookie)
			continue;
		dv_op_cancel(r, &r->ops[i]);
		found++;
	}
	return found;
}

DEVIO_API int devio_ring_cancel(struct devio_ring *r, uint64_t cookie)
{
	int found, rc = dv_ring_check(r);

	if (rc)
		return rc;
	found = dv_index_open(r) ? cancel_found(r, cookie) : cancel_each(r, cookie);
	dv_ring_progress(r);
	return found ? found : dv_err(-ENOENT, "ring: no operation in flight with cookie %llu",
				      (unsigned long long)cookie);
}

DEVIO_API unsigned int devio_ring_inflight(const struct devio_ring *r)
{
	return r->nr_ops - r->room;
}

DEVIO_API int devio_ring_fd(struct devio_ring *r)
{
	int rc = dv_ring_check(r);
	bool known;

	if (rc)
		return rc;
	known = r->q.event_fd >= 0;
	rc = dv_queue_fd(&r->q);
	/* Completions before the descriptor existed have not signaled it. */
	if (rc >= 0 && !known)
		dv_queue_fd_raise(&r->q);
	if (rc >= 0)
		arm_wakeup(r);
	return rc;
}
