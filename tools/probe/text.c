/* SPDX-License-Identifier: MIT */
/* devio-probe: tables, sizes, and the ends of peer to peer. */
#include "config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "probe.h"

static void *must(void *p)
{
	if (p)
		return p;
	fputs("devio-probe: out of memory\n", stderr);
	exit(1);
}

char *text(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return must(s);
}

void table_cell(struct table *t, const char *s)
{
	size_t n = (size_t)t->rows * t->cols + t->filled;

	t->cell = must(reallocarray(t->cell, n + 1, sizeof(*t->cell)));
	t->cell[n] = must(strdup(s));
	if (++t->filled == t->cols) {
		t->filled = 0;
		t->rows++;
	}
}

void table_row(struct table *t, unsigned int cols, ...)
{
	va_list ap;

	t->cols = cols;
	va_start(ap, cols);
	for (unsigned int i = 0; i < cols; i++)
		table_cell(t, va_arg(ap, const char *));
	va_end(ap);
}

/* Columns as seen: continuation bytes of UTF-8 take none. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

void table_print(struct table *t, FILE *out)
{
	if (t->rows == 1) {
		fprintf(out, "  none\n");
		table_clear(t);
		return;
	}
	for (unsigned int r = 0; r < t->rows; r++) {
		int pad = 2;

		for (unsigned int c = 0; c < t->cols; c++) {
			const char *s = t->cell[r * t->cols + c];
			int max = 0;

			if (!*s)
				s = "-";
			for (unsigned int k = 0; k < t->rows; k++)
				if (width(t->cell[k * t->cols + c]) > max)
					max = width(t->cell[k * t->cols + c]);
			fprintf(out, "%*s%s", pad, "", s);
			pad = 2 + max - width(s);
			if (pad < 2)
				pad = 2;
		}
		fputc('\n', out);
	}
	table_clear(t);
}

void table_clear(struct table *t)
{
	for (unsigned int i = 0; i < t->rows * t->cols; i++)
		free(t->cell[i]);
	free(t->cell);
	*t = (struct table){ 0 };
}

static const char *scaled(uint64_t bytes, double step, const char *const *unit, char buf[24])
{
	double v = bytes;
	int i = 0;

	while (v >= step && i < 6) {
		v /= step;
		i++;
	}
	snprintf(buf, 24, v < 10 && i ? "%.2f %s" : v < 100 && i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}

const char *size10(uint64_t bytes, char buf[24])
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

	return scaled(bytes, 1000, unit, buf);
}

/* Memory comes in powers of two: no decimals where there are none. */
const char *size2(uint64_t bytes, char buf[24])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int i = 0;

	while (bytes && !(bytes % 1024) && i < 6) {
		bytes /= 1024;
		i++;
	}
	if (bytes >= 4096)
		return scaled(bytes << (10 * i), 1024, unit, buf);
	snprintf(buf, 24, "%llu %s", (unsigned long long)bytes, unit[i]);
	return buf;
}

static struct probe_end *add_end(struct probe_ends *e, int pci, char kind)
{
	struct probe_end *x;

	e->end = must(reallocarray(e->end, e->n + 1, sizeof(*e->end)));
	x = &e->end[e->n++];
	*x = (struct probe_end){ .pci = pci, .kind = kind };
	return x;
}

static bool has_memory(const struct devio_topo_pci *f)
{
	for (int i = 0; i < 6; i++)
		if (f->bar[i] >= 1 << 20)
			return true;
	return false;
}

struct probe_ends probe_providers(const struct probe *p)
{
	struct probe_ends e = { 0 };
	struct probe_end *x;

	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_GPU); i++) {
		struct devio_topo_gpu g = probe_gpu(p, i);

		x = add_end(&e, g.pci, 'g');
		snprintf(x->name, sizeof(x->name), "%.70s", *g.spec ? g.spec : g.bdf);
	}
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_PCI); i++) {
		struct devio_topo_pci f = probe_pci(p, i);
		bool vfio = !strncmp(f.driver, "vfio", 4) && has_memory(&f);

		if (!f.p2pmem_size && !vfio)
			continue;
		x = add_end(&e, i, vfio ? 'v' : 'm');
		snprintf(x->name, sizeof(x->name), "%s:%s", vfio ? "vfio" : "p2pmem", f.bdf);
	}
	return e;
}

static struct probe_end *find_end(struct probe_ends *e, int pci)
{
	for (unsigned int i = 0; i < e->n; i++)
		if (e->end[i].pci == pci)
			return &e->end[i];
	return NULL;
}

static void add_client(struct probe_ends *e, int pci, char kind, const char *name)
{
	struct probe_end *x = find_end(e, pci);
	size_t n;

	/* Several namespaces or ports of one function share its place. */
	if (!x)
		x = add_end(e, pci, kind);
	n = strlen(x->name);
	snprintf(x->name + n, sizeof(x->name) - n, "%s%s", n ? "+" : "", name);
}

struct probe_ends probe_clients(const struct probe *p)
{
	struct probe_ends e = { 0 };

	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(p, i);

		if (b.pci >= 0 && (b.kind == DEVIO_BLOCK_NVME || b.kind == DEVIO_BLOCK_NVME_PATH))
			add_client(&e, b.pci, 'd', b.name);
	}
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_NIC); i++) {
		struct devio_topo_nic n = probe_nic(p, i);

		if (n.pci >= 0)
			add_client(&e, n.pci, 'n', n.name);
	}
	return e;
}
