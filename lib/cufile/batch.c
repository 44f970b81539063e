/* SPDX-License-Identifier: MIT */
/*
 * Batches: a ring each. Events are returned in the order of submission, as far as they have completed. A batch is
 * locked while a thread waits for events, but only for slices: another one may submit or cancel meanwhile.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cufile/batch.h"
#include "cufile/target.h"

#define MIN_BATCH 256 /* accepted whatever is configured: the vendor's limit without its driver */
#define SLICE_NS 20000000

struct entry {
	void *cookie;
	struct dv_usage *usage;
	uint64_t size, start;
	int gpu, status;
	int64_t result;
	int next; /* in the order of submission, or of free ones; -1: the last */
};

struct dv_batch {
	_Atomic unsigned int refs;
	pthread_mutex_t lock;
	atomic_int waiting;        /* threads that want the lock */
	struct devio_ring *ring;
	unsigned int nr, queued, done; /* done: of the queued ones */
	int head, tail, unused;
	struct entry *entry;
	struct devio_completion *c;
	struct dv_batch *next;
};

static void put(struct dv_batch *b)
{
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	devio_ring_close(b->ring);
	pthread_mutex_destroy(&b->lock);
	free(b->entry);
	free(b->c);
	free(b);
}

static struct dv_batch *get(void *handle)
{
	struct dv_batch *b;

	pthread_rwlock_rdlock(&dv_gds.lock);
	b = dv_table_get(&dv_gds.batches, handle);
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	pthread_rwlock_unlock(&dv_gds.lock);
	return b;
}

static void lock(struct dv_batch *b)
{
	atomic_fetch_add(&b->waiting, 1);
	pthread_mutex_lock(&b->lock);
	atomic_fetch_sub(&b->waiting, 1);
}

static int open_ring(struct dv_batch *b)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);

	o.entries = b->nr;
	o.flags = DEVIO_RING_SHARED;
	o.spin_ns = dv_conf.flag[CONF_POLL] ? 100000 : 0;
	return dv_gds.ctx ? devio_ring_open(dv_gds.ctx, &o, &b->ring) : -ECHILD;
}

static struct dv_batch *new_batch(unsigned int nr)
{
	struct dv_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->entry = calloc(nr, sizeof(*b->entry));
	b->c = calloc(nr, sizeof(*b->c));
	b->refs = 1;
	b->nr = nr;
	b->head = b->tail = -1;
	pthread_mutex_init(&b->lock, NULL);
	if (!b->entry || !b->c) {
		put(b);
		return NULL;
	}
	for (unsigned int i = 0; i < nr; i++)
		b->entry[i].next = i + 1 < nr ? (int)i + 1 : -1;
	return b;
}

static struct gds_error set_up(void **out, unsigned int nr)
{
	size_t max = dv_conf.size[CONF_BATCH_SIZE] > MIN_BATCH ? dv_conf.size[CONF_BATCH_SIZE] : MIN_BATCH;
	struct dv_batch *b;
	void *handle = NULL;
	int rc;

	if (!out || !nr || nr > max)
		return dv_status(GDS_INVALID_VALUE, "batch set up: invalid number of entries");
	b = new_batch(nr);
	if (!b)
		return dv_status(GDS_NO_MEMORY, "batch set up: out of memory");
	pthread_rwlock_wrlock(&dv_gds.lock);
	rc = open_ring(b);
	if (!rc)
		handle = dv_table_add(&dv_gds.batches, b);
	pthread_rwlock_unlock(&dv_gds.lock);
	if (handle) {
		*out = handle;
		return dv_ok();
	}
	put(b);
	return dv_status_errno(rc ? rc : -ENOMEM, GDS_BATCH_SETUP_ERROR, "batch set up");
}

GDS_API struct gds_error cuFileBatchIOSetUp(void **out, unsigned int nr)
{
	struct gds_error e = dv_open_driver(false);

	for (int i = 0; !e.err && i < DV_TRIES; i++) {
		e = set_up(out, nr);
		if (e.err != GDS_NOT_INITIALIZED)
			break;
		e = dv_open_driver(false);
	}
	dv_usage_call(DV_CALL_BATCH_SETUP, e.err);
	return e;
}

static int append(struct dv_batch *b, const struct gds_batch_io *io)
{
	int i = b->unused;
	struct entry *e = &b->entry[i];

	b->unused = e->next;
	e->cookie = io->cookie;
	e->size = io->size;
	e->start = atomic_load_explicit(&dv_counting, memory_order_relaxed) ? dv_usage_now() : 0;
	e->status = GDS_PENDING;
	e->next = -1;
	if (b->tail >= 0)
		b->entry[b->tail].next = i;
	else
		b->head = i;
	b->tail = i;
	b->queued++;
	return i;
}

static void ended(struct dv_batch *b, struct entry *e, int64_t result)
{
	e->result = result;
	e->status = result >= 0 ? GDS_COMPLETE : result == -ECANCELED ? GDS_CANCELED : GDS_FAILED;
	b->done++;
}

/* A transfer that does not even begin is an event, as one that fails later is. */
static void begin(struct dv_batch *b, const struct gds_batch_io *io, const struct dv_target *t)
{
	int i = append(b, io), rc;
	struct entry *e = &b->entry[i];

	e->usage = t->h->usage;
	e->gpu = t->r->gpu;
	if (io->opcode == GDS_OP_READ)
		rc = devio_ring_read(b->ring, t->h->file, t->r->mem, t->off, io->size, (uint64_t)io->file_off,
				     (uint64_t)i);
	else
		rc = devio_ring_write(b->ring, t->h->file, t->r->mem, t->off, io->size, (uint64_t)io->file_off,
				      (uint64_t)i);
	if (__builtin_expect(rc, 0)) {
		dv_note(DV_ERROR, "batch submit: %s", devio_errmsg());
		ended(b, e, rc);
	}
}

/* Entries whose memory is registered begin with the lock held, without references. The number of those that began. */
static unsigned int begin_registered(struct dv_batch *b, const struct gds_batch_io *io, unsigned int nr)
{
	struct dv_target t;
	unsigned int i = 0;

	pthread_rwlock_rdlock(&dv_gds.lock);
	while (i < nr && !dv_target_peek(io[i].handle, io[i].base, io[i].size, io[i].file_off, io[i].buf_off, &t))
		begin(b, &io[i++], &t);
	pthread_rwlock_unlock(&dv_gds.lock);
	return i;
}

static void begin_other(struct dv_batch *b, const struct gds_batch_io *io)
{
	struct dv_target t;
	int code = dv_target_get(io->handle, io->base, io->size, io->file_off, io->buf_off, &t);

	if (!code) {
		begin(b, io, &t);
		dv_target_put(&t);
		return;
	}
	dv_note(DV_ERROR, "batch submit: entry refused [%d]", code);
	code = append(b, io);
	ended(b, &b->entry[code], -EIO);
}

static struct gds_error check_entries(const struct gds_batch_io *io, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (io[i].mode != GDS_BATCH_MODE || (unsigned int)io[i].opcode > GDS_OP_WRITE)
			return dv_status(GDS_BATCH_SUBMIT_ERROR, "batch submit: unknown mode or opcode");
	return dv_ok();
}

static struct gds_error submit(struct dv_batch *b, unsigned int nr, const struct gds_batch_io *io)
{
	struct gds_error e = check_entries(io, nr);
	int rc;

	if (e.err)
		return e;
	if (nr > b->nr - b->queued)
		return dv_status(GDS_BATCH_FULL, "batch submit: more entries than the batch has room for");
	for (unsigned int i = 0; i < nr;) {
		i += begin_registered(b, io + i, nr - i);
		if (i < nr)
			begin_other(b, &io[i++]);
	}
	rc = devio_ring_submit(b->ring);
	/* They are queued: waiting submits them again. */
	if (rc < 0)
		dv_note(DV_WARN, "batch submit: %s", devio_errmsg());
	return dv_ok();
}

GDS_API struct gds_error cuFileBatchIOSubmit(void *batch, unsigned int nr, struct gds_batch_io *io, unsigned int flags)
{
	struct gds_error e;
	struct dv_batch *b;

	if (!nr || !io || flags)
		return dv_status(GDS_INVALID_VALUE, "batch submit: no entries, or unknown flags");
	b = get(batch);
	if (!b)
		return dv_status(GDS_BATCH_SUBMIT_ERROR, "batch submit: no such batch");
	lock(b);
	e = submit(b, nr, io);
	pthread_mutex_unlock(&b->lock);
	put(b);
	dv_usage_call(DV_CALL_BATCH_SUBMIT, e.err);
	return e;
}

static void reap(struct dv_batch *b, int n)
{
	for (int i = 0; i < n; i++) {
		const struct devio_completion *c = &b->c[i];
		struct entry *e = &b->entry[c->cookie];

		ended(b, e, c->result);
		if (atomic_load_explicit(&dv_counting, memory_order_relaxed)) {
			dv_usage_count(e->usage, e->gpu, c, e->size, e->start ? dv_usage_now() - e->start : 0);
			dv_usage_batch(c);
		}
		if (c->result < 0 && c->result != -ECANCELED)
			dv_note(DV_ERROR, "batch: entry failed: %s: %s", strerror((int)-c->result),
				devio_reason_text(c->reason));
	}
}

static unsigned int deliver(struct dv_batch *b, unsigned int max, struct gds_event *ev)
{
	int *link = &b->head, last = -1;
	unsigned int n = 0;

	while (*link >= 0 && n < max) {
		int i = *link;
		struct entry *e = &b->entry[i];

		if (e->status == GDS_PENDING) {
			last = i;
			link = &e->next;
			continue;
		}
		ev[n++] = (struct gds_event){ e->cookie, e->status, (size_t)e->result };
		if (b->tail == i)
			b->tail = last;
		*link = e->next;
		e->next = b->unused;
		b->unused = i;
	}
	b->queued -= n;
	b->done -= n;
	return n;
}

/* Odd times are put right: a negative one is over, too many nanoseconds are seconds, none is no limit. */
static int64_t limit_ns(const struct timespec *t)
{
	int64_t ns;

	if (!t)
		return -1;
	if (__builtin_mul_overflow((int64_t)t->tv_sec, (int64_t)1000000000, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? 0 : -1;
	return ns < 0 ? 0 : ns;
}

/* Until `min` events are there, or the time is over. */
static int wait_events(struct dv_batch *b, unsigned int min, int64_t limit)
{
	uint64_t end = limit > 0 ? dv_usage_now() + (uint64_t)limit : 0;
	int64_t left = limit;
	int n;

	for (;;) {
		unsigned int want = b->queued < min ? b->queued : min, missing = want > b->done ? want - b->done : 0;
		int64_t slice = left < 0 || left > SLICE_NS ? SLICE_NS : left;

		n = devio_ring_wait(b->ring, b->c, missing, b->nr, missing ? slice : 0);
		if (n > 0)
			reap(b, n);
		else if (n < 0 && n != -EINTR)
			return n;
		if (limit > 0)
			left = dv_usage_now() < end ? (int64_t)(end - dv_usage_now()) : 0;
		want = b->queued < min ? b->queued : min;
		if (b->done >= want || !left)
			return 0;
		while (atomic_load(&b->waiting)) {
			pthread_mutex_unlock(&b->lock);
			usleep(50);
			lock(b);
		}
	}
}

GDS_API struct gds_error cuFileBatchIOGetStatus(void *batch, unsigned int min, unsigned int *nr,
						struct gds_event *events, struct timespec *timeout)
{
	struct dv_batch *b;
	int rc;

	if (!nr || !*nr || !events || min > *nr)
		return dv_status(GDS_INVALID_VALUE, "batch get status: no room for events");
	b = get(batch);
	if (!b)
		return dv_status(GDS_BATCH_STATUS_ERROR, "batch get status: no such batch");
	lock(b);
	rc = wait_events(b, min, limit_ns(timeout));
	*nr = deliver(b, *nr, events);
	pthread_mutex_unlock(&b->lock);
	put(b);
	dv_usage_call(DV_CALL_BATCH_COMPLETE, rc);
	return rc ? dv_status_errno(rc, GDS_BATCH_STATUS_ERROR, "batch get status") : dv_ok();
}

static void cancel(struct dv_batch *b)
{
	for (int i = b->head; i >= 0; i = b->entry[i].next)
		if (b->entry[i].status == GDS_PENDING)
			(void)devio_ring_cancel(b->ring, (uint64_t)i);
}

GDS_API struct gds_error cuFileBatchIOCancel(void *batch)
{
	struct dv_batch *b = get(batch);

	dv_usage_call(DV_CALL_BATCH_CANCEL, b ? 0 : GDS_BATCH_CANCEL_ERROR);
	if (!b)
		return dv_status(GDS_BATCH_CANCEL_ERROR, "batch cancel: no such batch");
	lock(b);
	cancel(b);
	pthread_mutex_unlock(&b->lock);
	put(b);
	return dv_ok();
}

GDS_API void cuFileBatchIODestroy(void *batch)
{
	struct dv_batch *b;

	pthread_rwlock_wrlock(&dv_gds.lock);
	b = dv_table_remove(&dv_gds.batches, batch);
	pthread_rwlock_unlock(&dv_gds.lock);
	dv_usage_call(DV_CALL_BATCH_DESTROY, b ? 0 : GDS_INVALID_VALUE);
	if (b)
		put(b);
	else
		dv_note(DV_WARN, "batch destroy: no such batch");
}

struct dv_batch *dv_batch_take_all(void)
{
	struct dv_batch *all = NULL, *b;

	while ((b = dv_table_pop(&dv_gds.batches))) {
		b->next = all;
		all = b;
	}
	return all;
}

void dv_batch_put_all(struct dv_batch *b)
{
	while (b) {
		struct dv_batch *next = b->next;

		put(b);
		b = next;
	}
}
