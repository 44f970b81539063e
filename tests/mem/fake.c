/* SPDX-License-Identifier: MIT */
/* What the fake vendor libraries share. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fake.h"

#define GUARD 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long live_now[FAKE_KINDS];
static struct fake_mem *mems;
static uint64_t last_id;
static unsigned int delay_us = 200;

static char fail_name[64];
static int fail_nth;
static bool fail_fired;
static long nr_calls;
static bool env_read;

struct job {
	struct job *next;
	struct fake_event *ev; /* or a copy: */
	uint64_t dev;
	void *host;
	uint64_t src;          /* a device's address instead of `host` */
	size_t len;
	bool out;
	void (*fn)(void *arg), *arg; /* or a host function */
	const uint32_t *word;  /* or to wait until *word has reached value */
	uint32_t value;
};
static __thread bool in_callback;

struct fake_stream {
	pthread_t thread;
	struct job *first, **last;
	bool stop, busy;
	void *ctx;
};

struct fake_event {
	bool done;
};

struct host_range {
	struct host_range *next;
	char *p;
	size_t len;
};
static struct host_range *hosts;

void fake_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fake library: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

void fake_count(enum fake_kind kind, long add)
{
	__atomic_add_fetch(&live_now[kind], add, __ATOMIC_SEQ_CST);
}

static long live(enum fake_kind kind)
{
	return __atomic_load_n(&live_now[kind], __ATOMIC_SEQ_CST);
}

static void set(const char *name, int nth)
{
	snprintf(fail_name, sizeof(fail_name), "%s", name);
	fail_nth = nth;
	fail_fired = false;
	nr_calls = 0;
}

static void arm(const char *name, int nth)
{
	pthread_mutex_lock(&lock);
	env_read = true;
	set(name, nth);
	pthread_mutex_unlock(&lock);
}

/* FAKE_FAIL="cuMemAlloc:2" for programs that cannot call arm(). */
static void read_env(void)
{
	const char *e = getenv("FAKE_FAIL"), *colon = e ? strrchr(e, ':') : NULL;
	char name[64];

	env_read = true;
	delay_us = getenv("FAKE_DELAY_US") ? (unsigned int)atoi(getenv("FAKE_DELAY_US")) : delay_us;
	if (!colon)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - e), e);
	set(name, atoi(colon + 1));
}

static bool fails(const char *name, bool by_star)
{
	bool hit = false;

	if (in_callback)
		fake_die("%s is called by a function that the library itself has called", name);
	pthread_mutex_lock(&lock);
	if (!env_read)
		read_env();
	nr_calls++;
	if (fail_nth > 0 && ((by_star && !strcmp(fail_name, "*")) || !strcmp(fail_name, name)))
		hit = !--fail_nth;
	fail_fired |= hit;
	pthread_mutex_unlock(&lock);
	return hit;
}

bool fake_fails(const char *name)
{
	return fails(name, true);
}

bool fake_fails_by_name(const char *name)
{
	return fails(name, false);
}

static bool fired(void)
{
	return fail_fired;
}

static long calls(void)
{
	return nr_calls;
}

static void delay(unsigned int us)
{
	delay_us = us;
}

static struct fake_mem *find_locked(uint64_t addr, size_t len)
{
	struct fake_mem *m = mems;

	while (m && (addr < m->addr || addr - m->addr > m->size || len > m->size - (addr - m->addr) ||
		     addr - m->addr == m->size))
		m = m->next;
	return m;
}

struct fake_mem *fake_mem_find(uint64_t addr, size_t len)
{
	struct fake_mem *m;

	pthread_mutex_lock(&lock);
	m = find_locked(addr, len);
	pthread_mutex_unlock(&lock);
	return m;
}

struct fake_mem *fake_mem_new(size_t size, enum fake_flavour flavour, int dev, void *ctx, size_t piece)
{
	struct fake_mem *m = calloc(1, sizeof(*m));
	size_t len = (size + GUARD - 1) & ~((size_t)GUARD - 1);
	/* Guard pages behind, and an odd place inside a page as small allocations have. */
	char *p = mmap(NULL, len + GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	m->fd = memfd_create("fake-vram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p == MAP_FAILED || m->fd < 0 || ftruncate(m->fd, (off_t)len))
		fake_die("no memory for %zu bytes", size);
	m->alias = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (m->alias == MAP_FAILED)
		fake_die("no memory for %zu bytes", size);
	memset(m->alias, 0xa5, size < 65536 ? size : 65536);
	m->addr = (uintptr_t)p;
	m->size = size;
	m->map_len = len;
	m->piece = piece ? piece : size;
	m->dev = dev;
	m->ctx = ctx;
	m->flavour = flavour;
	pthread_mutex_lock(&lock);
	m->id = ++last_id;
	m->next = mems;
	mems = m;
	pthread_mutex_unlock(&lock);
	fake_count(FAKE_ALLOC, 1);
	return m;
}

void fake_mem_resize(struct fake_mem *m, size_t size, size_t piece)
{
	pthread_mutex_lock(&lock);
	m->size = size;
	m->piece = piece;
	pthread_mutex_unlock(&lock);
}

size_t fake_mem_bytes(void)
{
	size_t sum = 0;

	pthread_mutex_lock(&lock);
	for (struct fake_mem *m = mems; m; m = m->next)
		sum += m->size;
	pthread_mutex_unlock(&lock);
	return sum;
}

bool fake_mem_drop(uint64_t addr)
{
	struct fake_mem **p, *m;

	pthread_mutex_lock(&lock);
	for (p = &mems; *p && (*p)->addr != addr; p = &(*p)->next)
		;
	m = *p;
	if (m)
		*p = m->next;
	pthread_mutex_unlock(&lock);
	if (!m)
		return false;
	munmap((void *)(uintptr_t)m->addr, m->map_len + GUARD);
	munmap(m->alias, m->map_len);
	close(m->fd);
	free(m);
	fake_count(FAKE_ALLOC, -1);
	return true;
}

static uint64_t ctl_mem(size_t size, enum fake_flavour flavour, int dev, void *ctx, size_t piece)
{
	return fake_mem_new(size, flavour, dev, ctx, piece)->addr;
}

static void ctl_mem_free(uint64_t addr)
{
	if (!fake_mem_drop(addr))
		fake_die("the test frees what is not allocated");
}

static unsigned char *peek(uint64_t addr)
{
	struct fake_mem *m = fake_mem_find(addr, 0);

	return m ? m->alias + (addr - m->addr) : NULL;
}

static void run_copy(const struct job *j)
{
	struct fake_mem *m = fake_mem_find(j->dev, j->len), *src = j->src ? fake_mem_find(j->src, j->len) : NULL;

	if (delay_us)
		usleep((unsigned int)random() % delay_us);
	if (!m || (j->src && !src))
		fake_die("the copy at 0x%llx runs after its memory was freed", (unsigned long long)j->dev);
	if (src)
		memmove(m->alias + (j->dev - m->addr), src->alias + (j->src - src->addr), j->len);
	else if (j->out)
		memcpy(j->host, m->alias + (j->dev - m->addr), j->len);
	else
		memcpy(m->alias + (j->dev - m->addr), j->host, j->len);
}

static void run(const struct job *j)
{
	if (j->len)
		run_copy(j);
	in_callback = true;
	if (j->fn)
		j->fn(j->arg);
	in_callback = false;
	while (j->word && (int32_t)(__atomic_load_n(j->word, __ATOMIC_ACQUIRE) - j->value) < 0)
		usleep(20);
}

static void *worker(void *arg)
{
	struct fake_stream *s = arg;
	struct job *j;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (!s->first && !s->stop)
			pthread_cond_wait(&changed, &lock);
		j = s->first;
		if (!j)
			break;
		s->first = j->next;
		if (!s->first)
			s->last = &s->first;
		s->busy = true;
		if (j->ev)
			j->ev->done = true;
		if (j->len || j->fn || j->word) {
			pthread_mutex_unlock(&lock);
			run(j);
			pthread_mutex_lock(&lock);
		}
		s->busy = false;
		free(j);
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

struct fake_stream *fake_stream_new(void *ctx)
{
	struct fake_stream *s = calloc(1, sizeof(*s));

	s->last = &s->first;
	s->ctx = ctx;
	if (pthread_create(&s->thread, NULL, worker, s))
		fake_die("no thread");
	fake_count(FAKE_STREAM, 1);
	return s;
}

void *fake_stream_ctx(struct fake_stream *s)
{
	return s->ctx;
}

void fake_stream_wait(struct fake_stream *s)
{
	pthread_mutex_lock(&lock);
	while (s->first || s->busy)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fake_stream_free(struct fake_stream *s)
{
	pthread_mutex_lock(&lock);
	s->stop = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(s->thread, NULL);
	free(s);
	fake_count(FAKE_STREAM, -1);
}

static void push(struct fake_stream *s, struct job job)
{
	struct job *j = malloc(sizeof(*j));

	*j = job;
	pthread_mutex_lock(&lock);
	*s->last = j;
	s->last = &j->next;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void fake_stream_copy(struct fake_stream *s, uint64_t dev, void *host, size_t len, bool out)
{
	if (!len || !fake_mem_find(dev, len))
		fake_die("a copy of %zu bytes at 0x%llx leaves every allocation", len, (unsigned long long)dev);
	push(s, (struct job){ .dev = dev, .host = host, .len = len, .out = out });
}

void fake_stream_between(struct fake_stream *s, uint64_t dst, uint64_t src, size_t len)
{
	if (!len || !fake_mem_find(dst, len) || !fake_mem_find(src, len))
		fake_die("a copy of %zu bytes from 0x%llx to 0x%llx leaves every allocation", len,
			 (unsigned long long)src, (unsigned long long)dst);
	push(s, (struct job){ .dev = dst, .src = src, .len = len });
}

void fake_stream_call(struct fake_stream *s, void (*fn)(void *arg), void *arg)
{
	push(s, (struct job){ .fn = fn, .arg = arg });
}

void fake_stream_await(struct fake_stream *s, const uint32_t *word, uint32_t value)
{
	push(s, (struct job){ .word = word, .value = value });
}

struct fake_event *fake_event_new(void)
{
	struct fake_event *e = calloc(1, sizeof(*e));

	e->done = true;
	fake_count(FAKE_EVENT, 1);
	return e;
}

void fake_event_free(struct fake_event *e)
{
	pthread_mutex_lock(&lock);
	if (!e->done)
		fake_die("an event is destroyed before it happened");
	pthread_mutex_unlock(&lock);
	free(e);
	fake_count(FAKE_EVENT, -1);
}

void fake_event_record(struct fake_event *e, struct fake_stream *s)
{
	pthread_mutex_lock(&lock);
	if (!e->done)
		fake_die("an event is used again before it happened");
	e->done = false;
	pthread_mutex_unlock(&lock);
	push(s, (struct job){ .ev = e });
}

bool fake_event_done(struct fake_event *e)
{
	bool done;

	pthread_mutex_lock(&lock);
	done = e->done;
	pthread_mutex_unlock(&lock);
	return done;
}

void fake_event_wait(struct fake_event *e)
{
	pthread_mutex_lock(&lock);
	while (!e->done)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

bool fake_host_add(void *p, size_t len)
{
	struct host_range *h;
	char *at = p;

	pthread_mutex_lock(&lock);
	for (h = hosts; h && (at >= h->p + h->len || h->p >= at + len); h = h->next)
		;
	if (!h) {
		struct host_range *new = malloc(sizeof(*new));

		*new = (struct host_range){ hosts, at, len };
		hosts = new;
	}
	pthread_mutex_unlock(&lock);
	if (!h)
		fake_count(FAKE_HOST, 1);
	return !h;
}

bool fake_host_del(void *p)
{
	struct host_range **at, *h;

	pthread_mutex_lock(&lock);
	for (at = &hosts; *at && (*at)->p != p; at = &(*at)->next)
		;
	h = *at;
	if (h)
		*at = h->next;
	pthread_mutex_unlock(&lock);
	free(h);
	if (h)
		fake_count(FAKE_HOST, -1);
	return h;
}

bool fake_host_find(void *p)
{
	struct host_range *h;

	pthread_mutex_lock(&lock);
	for (h = hosts; h && ((char *)p < h->p || (char *)p >= h->p + h->len); h = h->next)
		;
	pthread_mutex_unlock(&lock);
	return h;
}

extern const struct fake_ctl fake_ctl;
const struct fake_ctl fake_ctl = {
	.live = live,
	.arm = arm,
	.fired = fired,
	.calls = calls,
	.mem = ctl_mem,
	.mem_free = ctl_mem_free,
	.peek = peek,
	.delay = delay,
};
