/* SPDX-License-Identifier: MIT */
/*
 * Operations in the order of the application's streams. On the stream there is a host function, which hands the
 * operation to our thread, and behind it a wait for a word of memory, which the thread writes when the operation has
 * completed, and a function that says that the stream has gone on. Where the device cannot wait for memory, a second
 * host function waits. None of them calls the vendor's library, and nothing that the operation needs is done in
 * a thread of the vendor's: no circle of waits.
 */
#include "config.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <devio/ring.h>
#include <devio/stream.h>
#include "core/err.h"
#include "file/file.h"
#include "mem/mem.h"
#include "mem/appstream.h"

#define CHUNK 64
#define PAGE 4096
#define REAP 64

struct op {
	struct op *next;
	struct devio_stream *s;
	struct devio_stream_io io;   /* file and mem are referenced */
	_Atomic unsigned int owners; /* the thread, and the stream that waits */
	uint32_t *word, seq;
	bool finished;
};

/* Operations and the words that streams wait for; never freed before the stream is closed. */
struct chunk {
	struct chunk *next;
	struct op op[CHUNK];
	void *page, *where;          /* where: NULL, the device does not know the page */
};

struct devio_stream {
	struct devio_ctx *ctx;
	const struct dv_appstream_ops *ops;
	struct devio_ring *ring;
	pthread_t thread;
	int efd;
	atomic_bool host_wait;
	atomic_bool keep_pages;      /* the device may still wait for a word */

	pthread_mutex_t lock;        /* protects the fields below */
	pthread_cond_t changed;
	struct chunk *chunks;
	struct op *unused, *first, **last; /* first: begun, for the thread to take */
	unsigned int nr;             /* operations that are not over */
	bool stop;
};

static void release(struct op *op)
{
	struct devio_stream *s = op->s;

	if (atomic_fetch_sub(&op->owners, 1) != 1)
		return;
	pthread_mutex_lock(&s->lock);
	op->next = s->unused;
	s->unused = op;
	if (!--s->nr)
		pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void finish(struct op *op, const struct devio_completion *c)
{
	struct devio_stream *s = op->s;

	if (op->io.done)
		*op->io.done = *c;
	if (op->io.fn)
		op->io.fn(op->io.arg, c);
	dv_file_put(op->io.file);
	dv_mem_put(op->io.mem);
	pthread_mutex_lock(&s->lock);
	op->finished = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	/* The last access to what the application's stream may free. */
	__atomic_store_n(op->word, op->seq, __ATOMIC_RELEASE);
	release(op);
}

/* Begins the operation on the ring: 0, or -errno, of which -EAGAIN asks for a later try. */
static int start(struct op *op)
{
	const struct devio_stream_io *io = &op->io;
	uint64_t mem_off = io->mem_off + (io->mem_off_at ? *io->mem_off_at : 0);
	uint64_t file_off = io->file_off + (io->file_off_at ? *io->file_off_at : 0);
	uint64_t len = io->len_at && *io->len_at < io->len ? *io->len_at : io->len;

	if (io->write)
		return devio_ring_write(op->s->ring, io->file, io->mem, mem_off, len, file_off, (uintptr_t)op);
	return devio_ring_read(op->s->ring, io->file, io->mem, mem_off, len, file_off, (uintptr_t)op);
}

static struct op *take_begun(struct devio_stream *s, bool *stop)
{
	struct op *all;

	pthread_mutex_lock(&s->lock);
	all = s->first;
	s->first = NULL;
	s->last = &s->first;
	*stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return all;
}

/* What the ring has no room for is left in the list. */
static void start_all(struct op **list)
{
	while (*list) {
		struct op *op = *list, *next = op->next;
		int rc = start(op);

		if (rc == -EAGAIN)
			return;
		*list = next;
		if (rc)
			finish(op, &(struct devio_completion){ .cookie = op->io.cookie, .result = rc,
							      .reason = DEVIO_REASON_IO,
							      .flags = op->io.write ? DEVIO_DONE_WRITE : 0 });
	}
}

static int reap(struct devio_stream *s)
{
	struct devio_completion c[REAP];
	int n = devio_ring_peek(s->ring, c, REAP);

	for (int i = 0; i < n; i++) {
		struct op *op = (struct op *)(uintptr_t)c[i].cookie;

		c[i].cookie = op->io.cookie;
		finish(op, &c[i]);
	}
	return n;
}

static void *work(void *arg)
{
	struct devio_stream *s = arg;
	struct pollfd fds[] = { { .fd = s->efd, .events = POLLIN },
				{ .fd = devio_ring_fd(s->ring), .events = POLLIN } };
	struct op *list = NULL, **end;
	uint64_t count;
	bool stop;

	for (;;) {
		for (end = &list; *end; end = &(*end)->next)
			;
		*end = take_begun(s, &stop);
		start_all(&list);
		(void)devio_ring_submit(s->ring);
		if (reap(s) > 0)
			continue;
		if (stop)
			return NULL;
		if (poll(fds, 2, -1) > 0 && fds[0].revents && read(s->efd, &count, sizeof(count)) < 0)
			continue;
	}
}

/* In the vendor's thread: the stream has reached the operation. */
static void begin(void *arg)
{
	struct op *op = arg;
	struct devio_stream *s = op->s;
	const uint64_t one = 1;

	op->next = NULL;
	pthread_mutex_lock(&s->lock);
	*s->last = op;
	s->last = &op->next;
	pthread_mutex_unlock(&s->lock);
	/* The counter cannot overflow. */
	if (write(s->efd, &one, sizeof(one)) < 0)
		return;
}

static void wait_finished(void *arg)
{
	struct op *op = arg;
	struct devio_stream *s = op->s;

	pthread_mutex_lock(&s->lock);
	while (!op->finished)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	release(op);
}

/* The stream has gone on. */
static void passed(void *arg)
{
	release(arg);
}

static void begin_and_wait(void *arg)
{
	begin(arg);
	wait_finished(arg);
}

static int add_chunk(struct devio_stream *s, void *where)
{
	struct chunk *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c)
		return dv_err(-ENOMEM, "stream: cannot allocate operations");
	c->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->page == MAP_FAILED) {
		free(c);
		return dv_err(-ENOMEM, "stream: cannot allocate operations: mmap() failed");
	}
	if (!s->host_wait) {
		rc = s->ops->share(c->page, PAGE);
		c->where = rc ? NULL : where;
	}
	/* Not necessary: host functions wait then. */
	if (rc)
		s->host_wait = true;
	for (int i = 0; i < CHUNK; i++) {
		c->op[i].s = s;
		c->op[i].word = (uint32_t *)c->page + i * (PAGE / CHUNK / sizeof(uint32_t));
		c->op[i].next = i + 1 < CHUNK ? &c->op[i + 1] : NULL;
	}
	pthread_mutex_lock(&s->lock);
	c->next = s->chunks;
	s->chunks = c;
	c->op[CHUNK - 1].next = s->unused;
	s->unused = &c->op[0];
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int take(struct devio_stream *s, void *where, struct op **out)
{
	struct op *op = NULL;
	int rc = 0;

	while (!op && !rc) {
		pthread_mutex_lock(&s->lock);
		op = s->unused;
		if (op) {
			s->unused = op->next;
			s->nr++;
		}
		pthread_mutex_unlock(&s->lock);
		if (!op)
			rc = add_chunk(s, where);
	}
	if (op) {
		op->owners = 2;
		op->finished = false;
		op->seq++;
	}
	*out = op;
	return rc;
}

/* The stream goes on when the operation has completed: by the device, by a host function, or by waiting here. */
static void hold_stream(struct devio_stream *s, void *stream, struct op *op)
{
	if (!s->ops->wait(stream, op->word, op->seq)) {
		if (!s->ops->call(stream, passed, op))
			return;
		/* Until the device has seen the word, it must exist: for ever, if we never learn of it. */
		if (s->ops->drain(stream))
			s->keep_pages = true;
		release(op);
		return;
	}
	s->host_wait = true;
	if (s->ops->call(stream, wait_finished, op))
		wait_finished(op);
}

/* In the stream's context. */
static int queue(struct devio_stream *s, const struct devio_stream_io *io, void *where)
{
	struct op *op;
	bool host_wait;
	int rc = take(s, where, &op);

	if (rc)
		return rc;
	op->io = *io;
	dv_file_get(io->file);
	dv_mem_get(io->mem);
	host_wait = s->host_wait;
	rc = s->ops->call(io->stream, host_wait ? begin_and_wait : begin, op);
	if (rc) {
		dv_file_put(io->file);
		dv_mem_put(io->mem);
		release(op);
		release(op);
	} else if (!host_wait) {
		hold_stream(s, io->stream, op);
	}
	return rc;
}

DEVIO_API int devio_stream_submit(struct devio_stream *s, const struct devio_stream_io *io)
{
	struct devio_stream_io o;
	void *where;
	int rc = dv_opts_copy(&o, sizeof(o), io, "devio_stream_io");

	if (rc)
		return rc;
	if (!s || !o.file || !o.mem)
		return dv_err(-EINVAL, "stream: stream, file or memory is NULL");
	if (o.file->base.ctx != s->ctx || o.mem->ctx != s->ctx)
		return dv_err(-EINVAL, "stream: file or memory belongs to another context");
	rc = dv_ctx_forked(s->ctx);
	if (!rc)
		rc = s->ops->enter(o.stream, &where);
	if (rc)
		return rc;
	rc = queue(s, &o, where);
	s->ops->leave();
	return rc;
}

static int start_thread(struct devio_stream *s, unsigned int entries)
{
	struct devio_ring_opts o = DEVIO_OPTS(o);
	int rc;

	o.entries = entries;
	o.flags = DEVIO_RING_SHARED;
	rc = devio_ring_open(s->ctx, &o, &s->ring);
	if (!rc)
		rc = devio_ring_fd(s->ring);
	if (rc < 0)
		return rc;
	s->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->efd < 0)
		return dv_err(-errno, "stream: eventfd() failed");
	rc = -pthread_create(&s->thread, NULL, work, s);
	return rc ? dv_err(rc, "stream: cannot start the thread") : 0;
}

static void destroy(struct devio_stream *s)
{
	struct chunk *c;

	while ((c = s->chunks)) {
		s->chunks = c->next;
		if (!s->keep_pages) {
			if (c->where)
				s->ops->unshare(c->page, c->where);
			munmap(c->page, PAGE);
		}
		free(c);
	}
	if (s->efd >= 0)
		close(s->efd);
	devio_ring_close(s->ring);
	dv_ctx_put(s->ctx);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

DEVIO_API int devio_stream_open(struct devio_ctx *ctx, const char *spec, const struct devio_stream_opts *opts,
				struct devio_stream **out)
{
	struct devio_stream_opts o;
	const struct dv_appstream_ops *ops;
	struct devio_stream *s;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_stream_opts");

	if (!rc && (!ctx || !out || o.flags & ~DEVIO_STREAM_HOST_WAIT))
		rc = dv_err(-EINVAL, "stream: context or the pointer for the new stream is NULL, or unknown flags");
	if (!rc)
		rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	ops = dv_appstream_find(spec);
	if (!ops)
		return -EOPNOTSUPP;
	rc = ops->load();
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return dv_err(-ENOMEM, "stream: cannot allocate the handle");
	s->ctx = dv_ctx_get(ctx);
	s->ops = ops;
	s->efd = -1;
	s->host_wait = o.flags & DEVIO_STREAM_HOST_WAIT;
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	rc = start_thread(s, o.entries);
	if (rc) {
		destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

DEVIO_API void devio_stream_close(struct devio_stream *s)
{
	const uint64_t one = 1;

	/* A forked child has neither the thread nor the vendor's. */
	if (!s || dv_ctx_forked(s->ctx))
		return;
	pthread_mutex_lock(&s->lock);
	while (s->nr)
		pthread_cond_wait(&s->changed, &s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	if (write(s->efd, &one, sizeof(one)) == sizeof(one))
		pthread_join(s->thread, NULL);
	destroy(s);
}
