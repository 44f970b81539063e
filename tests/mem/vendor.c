/* SPDX-License-Identifier: MIT */
/* The cases that the vendors' memories have in common. */
#include "config.h"
#include <pthread.h>
#include <unistd.h>
#include "vendor.h"
#include "mem/evpool.h"

#define THREADS 8

const struct fake_ctl *ctl;

int vendor_setup(void **state)
{
	const struct vendor *v = *state;

	fake_kernel_reset();
	ctl->arm("", 0);
	ctl->delay(v->delay);
	if (sys)
		ctx = rig_ctx_on(sys, dev);
	else
		mt_ok(devio_ctx_open(NULL, &ctx));
	return 0;
}

int vendor_teardown(void **state)
{
	(void)state;
	devio_ctx_close(ctx);
	rig_machine_dev();
	ctl->arm("", 0);
	mt_no_leak(ctl);
	return 0;
}

void vendor_bad(void **state)
{
	const struct vendor *v = *state;
	struct devio_mem *m = (void *)1;
	void *p;

	for (const struct vendor_bad *b = v->bad; b->spec; b++)
		mt_fails(devio_mem_alloc(ctx, b->spec, b->size, NULL, &m), b->err, b->word);
	assert_ptr_equal(m, (void *)1);
	mt_ok(devio_mem_alloc(ctx, v->spec, 1, NULL, &m));
	if (!m->ops->map)
		mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "devio_mem_copy_out");
	devio_mem_free(m);
}

void vendor_between(void **state)
{
	const struct vendor *v = *state;

	mt_engine(ctx, v->spec, v->other);
}

static int copy_async(struct devio_mem *m, void *buf, size_t len)
{
	struct dv_copy c = { 0 };
	int rc = dv_mem_copy(m, 0, buf, len, true, &c);

	while (!rc)
		rc = dv_mem_copy_poll(m, &c, false);
	return rc < 0 ? rc : 0;
}

static int copy_all_ways(struct devio_mem *m)
{
	char page[1000] = "page", buf[1000];
	int rc = devio_mem_copy_in(m, 5, page, sizeof(page));

	if (!rc)
		rc = devio_mem_copy_out(m, 5, buf, sizeof(buf));
	if (!rc)
		rc = devio_mem_copy_out(m, 5, buf, sizeof(buf));
	if (!rc)
		rc = memcmp(page, buf, sizeof(page)) ? 1 : 0;
	return rc ? rc : copy_async(m, buf, sizeof(buf));
}

static int pin_and_unpin(struct devio_mem *m)
{
	static char page[8192] __attribute__((aligned(4096)));
	void *pin;
	int rc = m->ops->pin(m, page, sizeof(page), &pin);

	if (!rc)
		m->ops->unpin(pin, page, sizeof(page));
	return rc;
}

static int import_inside(struct devio_mem *m)
{
	struct devio_mem *i;
	int rc = devio_mem_import_ptr(ctx, m->spec, (void *)(uintptr_t)(m->device_ptr + 10), 49990, &i);

	if (!rc)
		devio_mem_free(i);
	return rc;
}

/* All that a provider does; whatever fails must leave nothing behind. */
static int use_all(const char *spec)
{
	struct devio_mem *m;
	uint64_t off;
	int fd, rc = devio_mem_alloc(ctx, spec, 50000, NULL, &m);

	if (rc)
		return rc;
	rc = copy_all_ways(m);
	if (!rc && m->ops->pin)
		rc = pin_and_unpin(m);
	if (!rc && m->ops->import_ptr)
		rc = import_inside(m);
	if (!rc)
		rc = devio_mem_export(m, &fd, &off);
	if (!rc)
		close(fd);
	devio_mem_free(m);
	return rc;
}

void vendor_every_failure(void **state)
{
	const struct vendor *v = *state;
	int open = mt_open_fds(), survived = 0, rc = 0, n;
	char name[80];

	snprintf(name, sizeof(name), "mem %s", v->failing);
	ctl->delay(20);
	for (n = 1; n < 1000; n++) {
		ctl->arm("*", n);
		rc = use_all(v->failing);
		if (!ctl->fired())
			break;
		assert_true(rc <= 0);
		survived += !rc;
		if (rc)
			mt_fails(rc, rc, name);
		if (v->intact)
			v->intact();
		ctl->arm("", 0);
		mt_no_leak(ctl);
		assert_int_equal(mt_open_fds(), open);
	}
	assert_int_equal(rc, 0);
	assert_in_range(n, v->min_calls, v->max_calls);
	/* A failure of tearing down or of finding the PCI address has no consequence. */
	assert_true(survived > 0);
	print_message("# %d calls failed in turn, %d of them without consequence\n", n - 1, survived);
}

void vendor_pool_runs_dry(void **state)
{
	enum { N = DV_EV_NR + 20 };
	static unsigned char src[N][16];
	static struct dv_copy c[N];
	const struct vendor *v = *state;
	unsigned char got[N][16];
	struct devio_mem *m;
	int rc, at_once = 0, started = 0;

	mt_ok(devio_mem_alloc(ctx, v->spec, sizeof(src), NULL, &m));
	for (int i = 0; i < N; i++) {
		memset(src[i], i, 16);
		rc = dv_mem_copy(m, (uint64_t)i * 16, src[i], 16, false, &c[i]);
		assert_true(rc >= 0);
		at_once += rc;
		started += !rc;
		c[i].aux = rc ? UINT64_MAX : c[i].aux;
	}
	/* The last ones wait. */
	assert_int_equal(started, DV_EV_NR);
	assert_int_equal(at_once, 20);
	for (int i = 0; i < N; i++)
		while (c[i].aux != UINT64_MAX && !dv_mem_copy_poll(m, &c[i], i & 1))
			;
	mt_ok(devio_mem_copy_out(m, 0, got, sizeof(got)));
	assert_memory_equal(got, src, sizeof(src));
	devio_mem_free(m);
}

struct copier {
	pthread_t thread;
	struct devio_mem *m;
	uint64_t off;
};

static void *many_copies(void *arg)
{
	struct copier *c = arg;
	unsigned char in[777], out[777];

	for (int i = 0; i < 200; i++) {
		memset(in, i + (int)c->off, sizeof(in));
		if (devio_mem_copy_in(c->m, c->off, in, sizeof(in)) ||
		    devio_mem_copy_out(c->m, c->off, out, sizeof(out)) || memcmp(in, out, sizeof(in)))
			return c;
	}
	return NULL;
}

void vendor_threads(void **state)
{
	const struct vendor *v = *state;
	struct copier c[THREADS];
	struct devio_mem *m;
	void *bad;

	ctl->delay(5);
	mt_ok(devio_mem_alloc(ctx, v->spec, THREADS * 1000, NULL, &m));
	for (int i = 0; i < THREADS; i++) {
		c[i] = (struct copier){ .m = m, .off = (uint64_t)i * 1000 };
		assert_int_equal(pthread_create(&c[i].thread, NULL, many_copies, &c[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(c[i].thread, &bad);
		assert_null(bad);
	}
	devio_mem_free(m);
}

static int in_child(struct devio_mem *m)
{
	long before = ctl->calls();
	void *p;
	char b;

	if (devio_mem_copy_out(m, 0, &b, 1) != -ECHILD || devio_mem_copy_in(m, 0, &b, 1) != -ECHILD)
		return 1;
	if (m->ops->map && devio_mem_map(m, &p) != -ECHILD)
		return 1;
	devio_mem_free(m);
	devio_ctx_close(ctx);
	return ctl->calls() == before ? 0 : 1;
}

void vendor_fork(void **state)
{
	const struct vendor *v = *state;
	struct devio_mem *m;
	void *p;

	mt_ok(devio_mem_alloc(ctx, v->spec, 4096, NULL, &m));
	if (m->ops->map)
		mt_ok(devio_mem_map(m, &p));
	rig_fork(in_child, m);
	mt_copies(m); /* the parent's is whole */
	devio_mem_free(m);
}

void vendor_refuses(const char *spec, enum fake_flavour flavour, int device, int err, const char *word)
{
	uint64_t a = ctl->mem(8192, flavour, device, NULL, 0);
	struct devio_mem *m;

	mt_fails(devio_mem_import_ptr(ctx, spec, (void *)(uintptr_t)a, 1, &m), err, word);
	mt_fails(devio_mem_import_ptr(ctx, spec, (void *)(uintptr_t)a, 8192, &m), err, word);
	ctl->mem_free(a);
}
