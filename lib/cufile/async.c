/* SPDX-License-Identifier: MIT */
/* Transfers in the order of CUDA streams. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include "cufile/async.h"
#include "cufile/target.h"

#define ALL_FLAGS 15u

/* One transfer; a list of unused ones is kept, so that nothing is allocated for each. */
struct async {
	struct async *next;
	ssize_t *done;
	struct dv_usage *usage;
	int gpu;
	uint64_t len, start;
};

struct dv_async {
	struct devio_stream *s;
	_Atomic unsigned int refs;
};

struct registered {
	void *stream;
	unsigned int flags;
	struct registered *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct async *unused;
static struct registered *streams;

static void forked(void)
{
	pthread_mutex_init(&lock, NULL);
	unused = NULL;
	streams = NULL;
}

static void install(void)
{
	(void)pthread_atfork(NULL, NULL, forked);
}

/* Before the first use of the lock, which a forked child could inherit. */
static void prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

static struct async *take(void)
{
	struct async *a;

	pthread_mutex_lock(&lock);
	a = unused;
	if (a)
		unused = a->next;
	pthread_mutex_unlock(&lock);
	return a ? a : malloc(sizeof(*a));
}

static void give_back(struct async *a)
{
	pthread_mutex_lock(&lock);
	a->next = unused;
	unused = a;
	pthread_mutex_unlock(&lock);
}

/* In libdevio's thread, before the stream goes on. */
static void completed(void *arg, const struct devio_completion *c)
{
	struct async *a = arg;

	*a->done = c->result >= 0 ? c->result : dv_transfer_error((int)c->result, c->reason);
	if (c->result < 0)
		dv_note(DV_ERROR, "stream: transfer failed: %s", devio_reason_text(c->reason));
	if (atomic_load_explicit(&dv_counting, memory_order_relaxed))
		dv_usage_count(a->usage, a->gpu, c, a->len, a->start ? dv_usage_now() - a->start : 0);
	give_back(a);
}

static struct registered **find(void *stream)
{
	struct registered **r = &streams;

	while (*r && (*r)->stream != stream)
		r = &(*r)->next;
	return r;
}

static unsigned int flags_of(void *stream)
{
	struct registered *r;
	unsigned int flags;

	pthread_mutex_lock(&lock);
	r = *find(stream);
	flags = r ? r->flags : 0;
	pthread_mutex_unlock(&lock);
	return flags;
}

GDS_API struct gds_error cuFileStreamRegister(void *stream, unsigned int flags)
{
	struct registered *r = flags & ~ALL_FLAGS ? NULL : malloc(sizeof(*r));
	bool known = false;

	prepare();
	if (!r)
		return dv_status(flags & ~ALL_FLAGS ? GDS_INVALID_VALUE : GDS_NO_MEMORY,
				 "stream register: unknown flags, or out of memory");
	*r = (struct registered){ .stream = stream, .flags = flags };
	pthread_mutex_lock(&lock);
	known = *find(stream);
	if (!known) {
		r->next = streams;
		streams = r;
	}
	pthread_mutex_unlock(&lock);
	if (!known)
		return dv_ok();
	free(r);
	return dv_status(GDS_INVALID_VALUE, "stream register: registered already");
}

GDS_API struct gds_error cuFileStreamDeregister(void *stream)
{
	struct registered **at, *r;

	pthread_mutex_lock(&lock);
	at = find(stream);
	r = *at;
	if (r)
		*at = r->next;
	pthread_mutex_unlock(&lock);
	free(r);
	return r ? dv_ok() : dv_status(GDS_INVALID_VALUE, "stream deregister: not registered");
}

static void put(struct dv_async *d)
{
	if (atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	devio_stream_close(d->s);
	free(d);
}

/* The thread is started by the first transfer. With the lock of the driver held for writing. */
static struct gds_error open_async(void)
{
	struct devio_stream_opts o = DEVIO_OPTS(o);
	struct dv_async *d = calloc(1, sizeof(*d));
	int rc = d ? 0 : -ENOMEM;

	if (dv_conf.flag[CONF_BYPASS_MEMOPS])
		o.flags |= DEVIO_STREAM_HOST_WAIT;
	if (d && dv_gds.ctx)
		rc = devio_stream_open(dv_gds.ctx, "cuda", &o, &d->s);
	else if (d)
		rc = -ECHILD;
	if (rc) {
		free(d);
		return dv_status_errno(rc, GDS_ASYNC_UNSUPPORTED, "stream");
	}
	d->refs = 1;
	dv_gds.async = d;
	return dv_ok();
}

static struct gds_error get(struct dv_async **out)
{
	struct gds_error e = dv_ok();

	pthread_rwlock_wrlock(&dv_gds.lock);
	if (!dv_gds.async)
		e = open_async();
	*out = dv_gds.async;
	if (!e.err)
		atomic_fetch_add(&dv_gds.async->refs, 1);
	pthread_rwlock_unlock(&dv_gds.lock);
	return e;
}

void dv_async_put(struct dv_async *d)
{
	if (d)
		put(d);
}

/* The application's pointers are read at submission, if its stream was registered so, or when the transfer begins. */
static struct gds_error submit(struct dv_async *d, const struct dv_target *t, struct devio_stream_io *io,
			       const size_t *size, const off_t *file_off, const off_t *buf_off, ssize_t *done)
{
	unsigned int flags = flags_of(io->stream);
	struct async *a = take();
	int rc;

	if (!a)
		return dv_status(GDS_NO_MEMORY, "stream: out of memory");
	*a = (struct async){ .done = done, .usage = t->h->usage, .gpu = t->r->gpu, .len = *size,
			     .start = dv_counting ? dv_usage_now() : 0 };
	io->file = t->h->file;
	io->mem = t->r->mem;
	io->len = *size;
	io->mem_off = t->off;
	io->file_off = flags & GDS_STREAM_FILE_OFF ? (uint64_t)*file_off : 0;
	io->file_off_at = flags & GDS_STREAM_FILE_OFF ? NULL : (const uint64_t *)file_off;
	io->len_at = flags & GDS_STREAM_SIZE ? NULL : (const uint64_t *)size;
	if (!(flags & GDS_STREAM_BUF_OFF)) {
		io->mem_off -= (uint64_t)*buf_off;
		io->mem_off_at = (const uint64_t *)buf_off;
	}
	io->fn = completed;
	io->arg = a;
	rc = devio_stream_submit(d->s, io);
	if (!rc)
		return dv_ok();
	give_back(a);
	return dv_status_errno(rc, rc == -EOPNOTSUPP ? GDS_ASYNC_UNSUPPORTED : GDS_CUDA_DRIVER, "stream");
}

static struct gds_error transfer(struct devio_stream_io *io, void *handle, void *base, size_t *size, off_t *file_off,
				 off_t *buf_off, ssize_t *done)
{
	struct dv_async *d;
	struct dv_target t;
	struct gds_error e;
	int rc;

	prepare();
	if (!size || !file_off || !buf_off || !done)
		return dv_status(GDS_INVALID_VALUE, "stream: NULL");
	e = dv_open_driver(false);
	if (e.err)
		return e;
	rc = dv_target_get(handle, base, *size, *file_off, *buf_off, &t);
	if (rc)
		return dv_status(rc, "stream: transfer refused");
	e = get(&d);
	if (!e.err) {
		e = submit(d, &t, io, size, file_off, buf_off, done);
		put(d);
	}
	dv_target_put(&t);
	return e;
}

GDS_API struct gds_error cuFileReadAsync(void *handle, void *base, size_t *size, off_t *file_off, off_t *buf_off,
					 ssize_t *done, void *stream)
{
	struct devio_stream_io io = { .sz = sizeof(io), .stream = stream };

	return transfer(&io, handle, base, size, file_off, buf_off, done);
}

GDS_API struct gds_error cuFileWriteAsync(void *handle, void *base, size_t *size, off_t *file_off, off_t *buf_off,
					  ssize_t *done, void *stream)
{
	struct devio_stream_io io = { .sz = sizeof(io), .stream = stream, .write = 1 };

	return transfer(&io, handle, base, size, file_off, buf_off, done);
}
