/* SPDX-License-Identifier: MIT */
/* Storage for a topology: strings, arrays, notes. */
#include "config.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "topo/topo.h"

struct dv_topo_text {
	struct dv_topo_text *next;
	char data[] __attribute__((aligned(8)));
};

void *dv_topo_alloc(struct devio_topo *t, size_t size)
{
	struct dv_topo_text *x = calloc(1, sizeof(*x) + size);

	if (!x) {
		t->err = -ENOMEM;
		return NULL;
	}
	x->next = t->texts;
	t->texts = x;
	return x->data;
}

static const char *vtext(struct devio_topo *t, const char *fmt, va_list ap)
{
	char buf[4096], *p;
	int n = vsnprintf(buf, sizeof(buf), fmt, ap);

	if (n <= 0)
		return "";
	if (n >= (int)sizeof(buf))
		n = sizeof(buf) - 1;
	/* sysfs may contain anything; make it safe to print on a terminal. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)buf[i] < ' ' || buf[i] == 0x7f)
			buf[i] = '?';
	p = dv_topo_alloc(t, n + 1);
	if (!p)
		return "";
	memcpy(p, buf, n);
	return p;
}

const char *dv_topo_text(struct devio_topo *t, const char *fmt, ...)
{
	const char *p;
	va_list ap;

	va_start(ap, fmt);
	p = vtext(t, fmt, ap);
	va_end(ap);
	return p;
}

void dv_topo_free_texts(struct devio_topo *t)
{
	while (t->texts) {
		struct dv_topo_text *x = t->texts;

		t->texts = x->next;
		free(x);
	}
}

void *dv_topo_add(struct devio_topo *t, void *array, unsigned int *n, size_t size)
{
	char **base = array, *p = *base;

	/* Grows whenever the count is a power of two. */
	if (!(*n & (*n - 1)))
		p = reallocarray(*base, *n ? *n * 2 : 1, size);
	if (!p) {
		t->err = -ENOMEM;
		return NULL;
	}
	*base = p;
	p += *n * size;
	memset(p, 0, size);
	++*n;
	return p;
}

void dv_topo_note(struct devio_topo *t, const char *fmt, ...)
{
	const char **p;
	va_list ap;

	/* A broken tree may cause thousands of notes: keep the first ones. */
	if (t->nr_note >= 64)
		return;
	p = dv_topo_add(t, &t->note, &t->nr_note, sizeof(*p));
	if (!p)
		return;
	va_start(ap, fmt);
	*p = vtext(t, fmt, ap);
	va_end(ap);
}
